// What a screen reader should say: one sentence at a time, not more often than one can follow.

import { byId } from "./dom.js";

const PAUSE = 1200;

let next = null;
let timer = null;

/** Say a sentence; of several in quick succession, the last one is said. */
export function announce(sentence) {
  next = sentence;
  timer ??= setTimeout(say, 150);
}

function say() {
  const region = byId("announcements");
  // The same sentence twice is a change, too.
  region.textContent = region.textContent === next ? `${next}\u00a0` : next;
  next = null;
  timer = setTimeout(() => {
    timer = null;
    if (next !== null) timer = setTimeout(say, 0);
  }, PAUSE);
}
