// The circle of fifths: major keys outside, minor keys inside; the more probable a key is, the stronger its field.

import { svg } from "./dom.js";
import { percent } from "./format.js";
import { camelot, keyAt, keyIndex, keyName, pretty } from "./keys.js";

const RINGS = [
  { isMinor: false, outer: 196, inner: 134 },
  { isMinor: true, outer: 130, inner: 76 },
];
const GAP = 1.6;

/** Draw the empty circle into an element; the returned function fills it with what is known of a song. */
export function makeCircle(host) {
  const drawing = svg("svg", { viewBox: "-200 -200 400 400", class: "circle", role: "img", focusable: "false" });
  const fields = new Map();
  for (const { isMinor, outer, inner } of RINGS) {
    for (let place = 0; place < 12; place++) {
      const key = keyAt(place, isMinor);
      const field = makeField(key, place, outer, inner);
      fields.set(key, field);
      drawing.append(field.group);
    }
  }
  const middle = svg("text", { class: "middle", y: 2 });
  const below = svg("text", { class: "below", y: 30 });
  drawing.append(middle, below);
  host.replaceChildren(drawing);
  return (song) => show(drawing, fields, { middle, below }, song);
}

function makeField(key, place, outer, inner) {
  const shape = svg("path", { d: sector(place, outer, inner), class: "field" });
  const [x, y] = onCircle(place, (outer + inner) / 2);
  const title = svg("title");
  const name = svg("text", { x, y: y - 2, class: "name" }, shortName(key));
  const code = svg("text", { x, y: y + 15, class: "code" }, camelot(key));
  return { group: svg("g", { class: key < 12 ? "major" : "minor" }, title, shape, name, code), shape, title };
}

function show(drawing, fields, { middle, below }, song) {
  // Without a key, the probabilities are those of silence or noise, and say nothing.
  const answer = song.key ? song.answer : null;
  const probabilities = new Map((answer?.ranked ?? []).map((row) => [keyIndex(row.key), row.confidence]));
  const best = answer ? keyIndex(answer.key) : null;
  const mixing = new Set((answer?.mixes_with ?? []).map((row) => keyIndex(row.key)).filter((key) => key !== best));
  for (const [key, { group, shape, title }] of fields) {
    const probability = probabilities.get(key) ?? 0;
    // The root makes small probabilities visible. Only the key itself gets the full colour.
    shape.style.setProperty("--shade", Math.sqrt(probability).toFixed(3));
    group.classList.toggle("best", key === best);
    group.classList.toggle("mixes", mixing.has(key));
    title.textContent = answer ? `${pretty(keyName(key))}: ${percent(probability)}` : pretty(keyName(key));
  }
  // The field in the accent colour and those with an outline lie over their neighbours.
  for (const key of [...mixing, ...(best === null ? [] : [best])]) drawing.insertBefore(fields.get(key).group, middle);
  middle.textContent = best === null ? "" : shortName(best);
  below.textContent = best === null ? "" : percent(answer.confidence);
  drawing.setAttribute("aria-label", describe(song, mixing));
}

function describe({ key, answer }, mixing) {
  if (!key) return `The circle of fifths, ${answer ? "without a key" : "still empty"}.`;
  const first = answer.ranked.slice(0, 3).map((row) => `${row.key} ${percent(row.confidence)}`).join(", ");
  const mixes = [...mixing].map(keyName).join(", ");
  return `The circle of fifths with ${answer.key} marked. Most probable: ${first}. It mixes with ${mixes}.`;
}

function shortName(key) {
  return pretty(keyName(key)).replace(" major", "").replace(" minor", "m");
}

/** A field of a ring: 30 degrees wide, its place in the middle. */
function sector(place, outer, inner) {
  const edge = (radius, side) => onCircle(place + side * (0.5 - (GAP / radius) * (6 / Math.PI)), radius);
  const [a, b, c, d] = [edge(outer, -1), edge(outer, 1), edge(inner, 1), edge(inner, -1)];
  return `M${a} A${outer} ${outer} 0 0 1 ${b} L${c} A${inner} ${inner} 0 0 0 ${d} Z`;
}

/** A point at a place (0 at the top, clockwise) and a radius. */
function onCircle(place, radius) {
  const angle = (place / 12) * 2 * Math.PI;
  return [round(radius * Math.sin(angle)), round(-radius * Math.cos(angle))];
}

function round(number) {
  return Math.round(number * 100) / 100;
}
