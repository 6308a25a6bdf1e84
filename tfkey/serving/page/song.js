// The song in view: its key in words, how sure it is, and what mixes with it.

import { breakable, byId, element, setText } from "./dom.js";
import { percent, tuning } from "./format.js";
import { inBothSpellings, pretty } from "./keys.js";

const RUNNERS_UP = 3;
const RELATIONS = {
  same: "same key",
  "fifth up": "a fifth up",
  "fifth down": "a fifth down",
};
const WAITING = {
  waiting: ["Waiting", "The song will be sent soon."],
  sending: ["Sending", "The song is on its way to the server."],
  working: ["Listening", "The server analyses the song."],
};

/** Show a song, whatever is known of it. */
export function showSong(song) {
  if (byId("song-name").textContent !== song.name) byId("song-name").replaceChildren(...breakable(song.name));
  byId("song-name").title = song.path;
  const { answer } = song;
  setText(byId("key"), headline(song));
  byId("key").className = `key ${answer?.key ? "has-key" : song.state}`;
  const words = explanation(song);
  setText(byId("key-words"), words);
  byId("key-words").hidden = !words;
  // Without an answer there is nothing to see over time; the song may be heard all the same.
  for (const id of ["timeline", "timeline-legend"]) byId(id).hidden = song.state === "failed";
  byId("song-retry").hidden = !(song.state === "failed" && song.canRetry);
  byId("found").hidden = !answer?.key;
  byId("all-keys-box").hidden = !answer?.key;
  byId("mixes-box").hidden = !answer?.key;
  byId("warning").hidden = !answer?.warning;
  if (!answer) return;
  setText(byId("warning"), `Analysed with a warning: ${answer.warning}.`);
  if (!answer.key) return;
  setText(byId("camelot"), answer.notations.camelot);
  setText(byId("open-key"), answer.notations.open_key);
  setText(byId("short"), inBothSpellings(answer.notations.short));
  byId("chances").replaceChildren(...answer.ranked.slice(0, RUNNERS_UP + 1).map(chance));
  byId("mixes").replaceChildren(...answer.mixes_with.map(mix));
  byId("all-keys").replaceChildren(...answer.ranked.map((row) =>
    element("li", {}, element("span", {}, pretty(row.key)), element("span", {}, percent(row.confidence)))));
  byId("tuning").hidden = answer.tuning_cents === null;
  setText(byId("tuning"), answer.tuning_cents === null ? "" : tuning(answer.tuning_cents));
}

/** What a screen reader says of a song in view. */
export function sentence(song) {
  const { answer } = song;
  if (answer?.key) return `${song.name}: ${answer.key}, ${percent(answer.confidence)} sure.`;
  return `${song.name}: ${headline(song)}. ${explanation(song)}`;
}

function headline(song) {
  if (song.answer) return song.answer.key ? pretty(song.answer.key) : "No key";
  return song.state === "failed" ? "Not analysed" : `${WAITING[song.state][0]} …`;
}

function explanation(song) {
  if (song.state === "failed") return sentenceOf(song.error);
  if (!song.answer) return WAITING[song.state][1];
  return song.answer.key ? "" : whyNoKey(song.answer.reason);
}

/** Why a song has no key, in plain words. */
export function whyNoKey(reason) {
  if (reason === "silent") return "The recording is silent.";
  if (reason?.startsWith("no tones")) {
    return "There are no steady tones in it: it is probably noise, speech, or drums alone.";
  }
  return reason ? `There is no key: ${sentenceOf(reason)}` : "";
}

/** The server's words as a sentence. */
export function sentenceOf(text) {
  const words = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(words) ? words : `${words}.`;
}

function chance({ key, confidence }) {
  const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("span"));
  bar.firstChild.style.width = `${(confidence * 100).toFixed(1)}%`;
  return element("li", {},
    element("span", { class: "chance-key" }, pretty(key)), bar,
    element("span", { class: "chance-number" }, percent(confidence)));
}

function mix({ key, relation, notations }) {
  return element("li", {},
    element("span", { class: "code" }, notations.camelot), " ",
    element("span", {},
      element("span", { class: "mix-key" }, pretty(key)), " ",
      element("span", { class: "mix-relation" }, relation === "relative" ? `relative ${key.split(" ")[1]}` : RELATIONS[relation] ?? relation)));
}
