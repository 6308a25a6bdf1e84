// The 24 keys: names, places on the circle of fifths, and how near two of them are.

const TONICS = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"];

/** The class index of a key in the long notation ("Ab minor"): its tonic, plus 12 if minor. */
export function keyIndex(name) {
  const [tonic, mode] = name.split(" ");
  return TONICS.indexOf(tonic) + (mode === "minor" ? 12 : 0);
}

/** The long notation of a class index. */
export function keyName(index) {
  return `${TONICS[index % 12]} ${index < 12 ? "major" : "minor"}`;
}

/** The key at a place on the circle: 0 (C major or A minor) to 11, clockwise in fifths. */
export function keyAt(place, isMinor) {
  return isMinor ? ((place * 7 + 9) % 12) + 12 : (place * 7) % 12;
}

/** A key's place on the circle of fifths: 0 at the top (C major, A minor) to 11, clockwise. */
export function place(index) {
  const relativeMajor = index < 12 ? index : (index + 3) % 12;
  return (relativeMajor * 7) % 12;
}

/** The position on the Camelot wheel, such as "1A". */
export function camelot(index) {
  return `${((place(index) + 7) % 12) + 1}${index < 12 ? "B" : "A"}`;
}

/** A name with a real flat sign. */
export function pretty(name) {
  return name.replace(/^([A-G])b/, "$1♭");
}

/** A name with a flat and, after it, the same with a sharp; the others as they are. */
export function inBothSpellings(name) {
  const flat = name.match(/^([A-G])b(.*)/);
  if (!flat) return name;
  const below = String.fromCharCode(flat[1] === "A" ? 71 : flat[1].charCodeAt(0) - 1);
  return `${pretty(name)} / ${below}♯${flat[2]}`;
}

/** The steps between two keys on the Camelot wheel: hours around it, plus one between the rings. */
export function steps(a, b) {
  const around = Math.abs(place(a) - place(b));
  return Math.min(around, 12 - around) + (a < 12 === b < 12 ? 0 : 1);
}

/** How a key relates to the one before it, in words; keys that mix are at most one step apart. */
export function relation(from, to) {
  if (from === to) return "same key";
  const apart = steps(from, to);
  if (apart > 1) return `${apart} steps away`;
  if (place(from) === place(to)) return to < 12 ? "relative major" : "relative minor";
  return (place(to) - place(from) + 12) % 12 === 1 ? "a fifth up" : "a fifth down";
}
