// The song over time: waveform, spectrogram and key, with one position over all three.

import { byId, element, setText } from "./dom.js";
import { clock, percent } from "./format.js";
import { keyIndex, pretty, relation, steps } from "./keys.js";
import { drawSpectrogram, drawWaveform } from "./pictures.js";
import { isDark } from "./theme.js";

const STEP = 5;
const LONG_STEP = 30;
// In seconds, between the labels of the time axis.
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const TICK_WIDTH = 72;

/** Draws the song in view, and moves the player. */
export class Timeline {
  constructor(player) {
    this.player = player;
    this.song = null;
    this.lanes = byId("lanes");
    this.waves = [byId("wave"), byId("wave-played")];
    this.picture = byId("spectrogram");
    player.addEventListener("move", () => this.#move());
    player.addEventListener("state", () => this.#move());
    new ResizeObserver(() => this.draw()).observe(this.lanes);
    this.lanes.addEventListener("keydown", (event) => this.#onKey(event));
    this.lanes.addEventListener("pointerdown", (event) => this.#onPointer(event));
    this.lanes.addEventListener("pointermove", (event) => this.#onPointer(event));
    this.lanes.addEventListener("pointerleave", () => (byId("hover").hidden = true));
  }

  /** Show another song, or more of the same. */
  show(song) {
    this.song = song;
    this.#showKeys();
    this.draw();
    this.#move();
  }

  /** Draw everything whose size or colour may have changed. */
  draw() {
    const picture = this.song?.picture ?? null;
    this.lanes.classList.toggle("empty", !picture);
    for (const wave of this.waves) drawWaveform(wave, picture?.waveform);
    drawSpectrogram(this.picture, picture?.spectrogram, isDark());
    this.#showPitches(picture?.spectrogram);
    this.#showTimes();
  }

  get #seconds() {
    return this.player.duration;
  }

  #move() {
    const { position } = this.player;
    const seconds = this.#seconds;
    const share = seconds ? Math.min(position / seconds, 1) : 0;
    // For the playhead and the played part of the waveform.
    this.lanes.style.setProperty("--played", String(share));
    this.lanes.setAttribute("aria-valuemax", seconds.toFixed(1));
    this.lanes.setAttribute("aria-valuenow", position.toFixed(1));
    const key = this.#keyAt(position);
    this.lanes.setAttribute("aria-valuetext", `${clock(position)} of ${clock(seconds)}${key ? `, ${key}` : ""}`);
    setText(byId("time"), `${clock(position)} / ${clock(seconds)}`);
    setText(byId("key-now"), key ? pretty(key) : "");
  }

  #keyAt(seconds) {
    const segments = this.song?.answer?.segments ?? [];
    const segment = segments.find(({ start, end }) => seconds >= start && seconds < end) ?? segments.at(-1);
    return segment ? segment.key ?? "no key" : "";
  }

  #showKeys() {
    const { answer } = this.song ?? {};
    const main = answer?.key ? keyIndex(answer.key) : null;
    const segments = answer?.segments ?? [];
    byId("keys").replaceChildren(...segments.map((segment) => keyBlock(segment, answer.seconds, main)));
    byId("key-list").replaceChildren(...segments.map((segment) => this.#keyRow(segment, main)));
    byId("key-list-box").hidden = !segments.length;
  }

  #keyRow({ start, end, key, confidence }, main) {
    const go = element("button", { type: "button", class: "link" }, `${clock(start)} – ${clock(end)}`);
    go.addEventListener("click", () => this.player.seek(start));
    const words = key
      ? ` ${pretty(key)}, ${percent(confidence)}${main === null ? "" : ` (${relationTo(main, key)})`}`
      : " no key (silence, noise or percussion)";
    return element("li", {}, go, words);
  }

  #showPitches(spectrogram) {
    if (!spectrogram) return byId("pitches").replaceChildren();
    const { bins, lowest_hz: lowest, bins_per_octave: perOctave } = spectrogram;
    const labels = [];
    for (let octave = 1; octave <= 9; octave++) {
      const bin = perOctave * Math.log2((440 * 2 ** (octave - 4) * 2 ** (-9 / 12)) / lowest);
      if (bin < -0.5 || bin > bins - 4) continue;
      const label = element("span", {}, `C${octave}`);
      label.style.bottom = `${((bin + 0.5) / bins) * 100}%`;
      labels.push(label);
    }
    byId("pitches").replaceChildren(...labels);
  }

  #showTimes() {
    const seconds = this.#seconds;
    const room = Math.max(2, Math.floor(this.lanes.clientWidth / TICK_WIDTH));
    const step = TICKS.find((candidate) => seconds / candidate <= room) ?? 7200;
    const labels = [];
    for (let at = 0; seconds && at <= seconds * 0.97; at += step) {
      const label = element("span", {}, clock(at));
      label.style.left = `${(at / seconds) * 100}%`;
      labels.push(label);
    }
    byId("times").replaceChildren(...labels);
  }

  #onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { player } = this;
    const moves = {
      ArrowLeft: player.position - STEP, ArrowDown: player.position - STEP,
      ArrowRight: player.position + STEP, ArrowUp: player.position + STEP,
      PageDown: player.position - LONG_STEP, PageUp: player.position + LONG_STEP,
      Home: 0, End: this.#seconds,
    };
    if (event.key in moves) player.seek(moves[event.key]);
    else if (event.key === " ") player.toggle();
    else return;
    event.preventDefault();
  }

  #onPointer(event) {
    const box = this.lanes.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const hover = byId("hover");
    hover.hidden = event.pointerType === "touch" || !this.#seconds;
    const key = this.#keyAt(share * this.#seconds);
    setText(hover, `${clock(share * this.#seconds)}${key ? ` · ${pretty(key)}` : ""}`);
    this.lanes.style.setProperty("--hover", String(share));
    if (event.type === "pointerdown" && event.button === 0) {
      // Capture: a drag that leaves the lanes goes on. The browser throws if the pointer has gone already.
      try { this.lanes.setPointerCapture(event.pointerId); } catch { /* A click goes without it. */ }
    }
    if (event.buttons & 1) this.player.seek(share * this.#seconds);
  }
}

function keyBlock({ start, end, key }, seconds, main) {
  const nearness = key === null ? "none" : main === null ? "far" : ["same", "near"][steps(main, keyIndex(key))] ?? "far";
  const block = element("span", { class: nearness }, element("span", {}, key ? pretty(key) : "no key"));
  block.style.left = `${(start / seconds) * 100}%`;
  block.style.width = `${((end - start) / seconds) * 100}%`;
  return block;
}

function relationTo(main, key) {
  const words = relation(main, keyIndex(key));
  return words === "same key" ? "the key of the song" : `${words} from the key of the song`;
}
