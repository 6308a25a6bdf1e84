// What the browser remembers, if it may: where storage is blocked, even asking for it is an error.

const here = new Map();

function area(isLasting) {
  return isLasting ? localStorage : sessionStorage;
}

/** A remembered text, or null; `isLasting` beyond this tab. */
export function recall(name, isLasting = false) {
  try {
    return area(isLasting).getItem(name);
  } catch {
    return here.get(name) ?? null;
  }
}

/** Remember a text. */
export function remember(name, text, isLasting = false) {
  try {
    area(isLasting).setItem(name, text);
  } catch {
    here.set(name, text);
  }
}
