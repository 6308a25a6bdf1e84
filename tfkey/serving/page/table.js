// The table of songs: one row each, sorted by name, key, confidence, or in a suggested order of play.

import { announce } from "./announce.js";
import { breakable, byId, element, setText } from "./dom.js";
import { percent } from "./format.js";
import { keyIndex, place, pretty, relation, steps } from "./keys.js";
import { playingOrder } from "./order.js";
import { sentenceOf, whyNoKey } from "./song.js";

const WORDS = { name: "by name", key: "by key, round the circle", confidence: "by confidence" };

/** Events: "open", "remove", "retry" (detail: the song). */
export class Table extends EventTarget {
  constructor(songs) {
    super();
    this.songs = songs;
    this.rows = new Map();
    this.sort = null;
    this.isDownward = false;
    this.isSuggested = false;
    this.isPlanned = false;
    for (const button of document.querySelectorAll("#table [data-sort]")) {
      button.addEventListener("click", () => this.sortBy(button.dataset.sort));
    }
    byId("suggest").addEventListener("click", () => this.suggest());
    byId("rows").addEventListener("keydown", (event) => this.#onKey(event));
    songs.addEventListener("list", () => this.#plan());
    songs.addEventListener("song", () => this.#plan());
    songs.addEventListener("view", () => this.#plan());
  }

  /** The songs as the table shows them. */
  get inOrder() {
    const { all } = this.songs;
    if (this.isSuggested) return playingOrder(all);
    if (!this.sort) return [...all];
    const sign = this.isDownward ? -1 : 1;
    const value = VALUES[this.sort];
    // Songs without a value come last, both upward and downward.
    return [...all].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null) || byName(a, b);
      return sign * compare(x, y) || byName(a, b);
    });
  }

  sortBy(what) {
    this.isDownward = this.sort === what && !this.isSuggested ? !this.isDownward : what === "confidence";
    this.sort = what;
    this.isSuggested = false;
    this.#draw();
    announce(`Sorted ${WORDS[what]}, ${this.isDownward ? "downward" : "upward"}.`);
  }

  suggest() {
    this.isSuggested = true;
    this.#draw();
    announce(`In the order suggested. ${byId("order-words").textContent}`);
  }

  /** Draw once before the next frame, however much has changed. */
  #plan() {
    if (this.isPlanned) return;
    this.isPlanned = true;
    requestAnimationFrame(() => {
      this.isPlanned = false;
      this.#draw();
    });
  }

  #draw() {
    const { all, inView } = this.songs;
    const known = new Set(all);
    for (const song of this.rows.keys()) if (!known.has(song)) this.rows.delete(song);
    const ordered = this.inOrder;
    ordered.forEach((song, index) => {
      if (!this.rows.has(song)) this.rows.set(song, this.#makeRow(song));
      const before = this.isSuggested && index ? ordered[index - 1] : null;
      fillRow(this.rows.get(song), song, { number: index + 1, before, inView });
    });
    reorder(byId("rows"), ordered.map((song) => this.rows.get(song).row));
    this.#showSort();
    this.#showOrder(ordered);
  }

  #showSort() {
    for (const button of document.querySelectorAll("#table [data-sort]")) {
      const isSorted = !this.isSuggested && this.sort === button.dataset.sort;
      const direction = this.isDownward ? "descending" : "ascending";
      button.parentElement.setAttribute("aria-sort", isSorted ? direction : "none");
    }
    byId("suggest").setAttribute("aria-pressed", String(this.isSuggested));
    byId("suggest").disabled = this.songs.all.filter((song) => song.key).length < 2;
  }

  #showOrder(ordered) {
    const keys = ordered.filter((song) => song.key).map((song) => keyIndex(song.key));
    const mixing = keys.slice(1).filter((key, index) => steps(keys[index], key) <= 1).length;
    const words = byId("order-words");
    words.hidden = !this.isSuggested;
    const all = keys.length - 1;
    setText(words, this.isSuggested ? `${mixing} of ${all} ${all === 1 ? "change" : "changes"} mix: the same key, a fifth, or the relative key.` : "");
  }

  #makeRow(song) {
    const parts = {
      number: element("td", { class: "number" }),
      open: element("button", { type: "button", class: "open" }, ...breakable(song.name)),
      problem: element("p", { class: "row-words" }),
      retry: element("button", { type: "button", class: "link" }, "Try again"),
      step: element("p", { class: "step" }),
      code: element("span", { class: "code" }),
      key: element("span", { class: "row-key" }),
      mixes: element("span", { class: "hidden" }),
      sure: element("td", { class: "sure" }),
      remove: element("button", { type: "button", class: "cross", "aria-label": `Remove ${song.name}` }, "×"),
    };
    for (const what of ["open", "retry", "remove"]) {
      parts[what].addEventListener("click", () => this.dispatchEvent(new CustomEvent(what, { detail: song })));
    }
    parts.retry.setAttribute("aria-label", `Try ${song.name} again`);
    parts.open.title = song.path;
    parts.song = element("th", { scope: "row", class: "song" }, parts.open, parts.problem, parts.retry);
    parts.keyCell = element("td", { class: "key-cell" }, parts.code, parts.key, parts.mixes, parts.step);
    parts.row = element("tr", {}, parts.number, parts.song, parts.keyCell, parts.sure, element("td", { class: "remove" }, parts.remove));
    return parts;
  }

  /** Up and down between the songs, as in a list. */
  #onKey(event) {
    const row = event.target.closest("tr");
    if (!event.target.matches(".open") || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    const next = event.key === "ArrowUp" ? row.previousElementSibling : row.nextElementSibling;
    next?.querySelector(".open").focus();
    event.preventDefault();
  }
}

const VALUES = {
  name: (song) => song.name,
  key: (song) => (song.key ? place(keyIndex(song.key)) * 2 + (keyIndex(song.key) < 12 ? 0 : 1) : null),
  confidence: (song) => (song.key ? song.answer.confidence : null),
};

function compare(a, b) {
  return typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
}

function byName(a, b) {
  return compare(a.name, b.name) || a.id - b.id;
}

function fillRow(parts, song, { number, before, inView }) {
  const { answer, state } = song;
  parts.row.className = `${state}${song === inView ? " in-view" : ""}`;
  if (song === inView) parts.open.setAttribute("aria-current", "true");
  else parts.open.removeAttribute("aria-current");
  setText(parts.number, String(number));
  const words = rowWords(song);
  setText(parts.problem, words);
  parts.problem.className = `row-words ${state === "failed" ? "problem" : "plain"}`;
  parts.problem.hidden = !words;
  // Words in place of a key get the room of the key.
  const isWide = song.isFinished && !song.key;
  parts.song.colSpan = isWide ? 3 : 1;
  parts.keyCell.hidden = parts.sure.hidden = isWide;
  parts.retry.hidden = !(state === "failed" && song.canRetry);
  setText(parts.code, answer?.notations?.camelot ?? "");
  parts.code.hidden = !answer?.key;
  setText(parts.key, song.key ? pretty(song.key) : song.isFinished ? "" : progressWords(song));
  parts.key.classList.toggle("plain", !song.isFinished);
  setText(parts.sure, answer?.key ? percent(answer.confidence) : "");
  const mixes = song !== inView && song.key && inView?.key && steps(keyIndex(inView.key), keyIndex(song.key)) <= 1;
  parts.code.classList.toggle("mixes", Boolean(mixes));
  setText(parts.mixes, mixes ? ", mixes with the song in view" : "");
  const hasStep = before?.key && song.key;
  setText(parts.step, hasStep ? relation(keyIndex(before.key), keyIndex(song.key)) : "");
  parts.step.hidden = !hasStep;
  parts.step.classList.toggle("jump", Boolean(hasStep) && steps(keyIndex(before.key), keyIndex(song.key)) > 1);
}

function rowWords({ state, error, answer }) {
  if (state === "failed") return sentenceOf(error);
  if (!answer) return "";
  const warning = answer.warning ? `Analysed with a warning: ${answer.warning}.` : "";
  return answer.key ? warning : `No key. ${whyNoKey(answer.reason)} ${warning}`.trimEnd();
}

function progressWords({ state, sent }) {
  if (state === "sending") return sent ? `sending ${percent(sent)}` : "sending …";
  return state === "working" ? "listening …" : "waiting";
}

/** Put rows into an order, moving none that are in place, and leaving the focus where it is. */
function reorder(body, rows) {
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  const kept = new Set(rows);
  for (const row of [...body.children]) if (!kept.has(row)) row.remove();
  let at = body.firstElementChild;
  for (const row of rows) {
    if (row === at) at = at.nextElementSibling;
    else body.insertBefore(row, at);
  }
  if (focused && document.activeElement !== focused) focused.focus({ preventScroll: true });
}
