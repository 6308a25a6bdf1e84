// Hearing the song in view. The browser decodes it; the position also moves where it cannot.

const SEEK_END = 0.05;

/** Events: "move" (the position), "state" (playing or not, or another song), "problem" (detail: a sentence). */
export class Player extends EventTarget {
  constructor(audio) {
    super();
    this.audio = audio;
    this.song = null;
    this.isPlayable = true;
    this.cursor = 0;
    this.address = null;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    audio.addEventListener("play", () => this.#follow());
    for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, () => this.#tell("state"));
    for (const name of ["timeupdate", "seeked"]) audio.addEventListener(name, () => this.#moved());
    audio.addEventListener("loadedmetadata", () => this.#loaded());
    audio.addEventListener("error", () => this.#failed());
  }

  get isPlaying() {
    return this.isPlayable && !this.audio.paused && !this.audio.ended;
  }

  /** In seconds. */
  get position() {
    return this.cursor;
  }

  /** In seconds; the analysed length, if it is known, because the pictures have it. */
  get duration() {
    if (this.song?.answer) return this.song.answer.seconds;
    return Number.isFinite(this.audio.duration) ? this.audio.duration : 0;
  }

  /** Load another song, or none; a song that was playing stops. */
  load(song) {
    if (song === this.song) return;
    this.audio.pause();
    if (this.address) URL.revokeObjectURL(this.address);
    this.song = song;
    this.cursor = 0;
    this.isPlayable = true;
    this.address = song ? URL.createObjectURL(song.file) : null;
    if (song) this.audio.src = this.address;
    else this.audio.removeAttribute("src");
    this.#tell("state");
    this.#tell("move");
  }

  async play() {
    if (!this.song || !this.isPlayable) return;
    if (this.cursor >= this.duration - SEEK_END) this.seek(0);
    try {
      await this.audio.play();
    } catch (problem) {
      // Another song was loaded meanwhile; or an "error" event has said why.
      if (problem.name === "NotAllowedError") this.#tell("problem", "The browser does not let this page play yet.");
    }
  }

  pause() {
    this.audio.pause();
  }

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  /** Move to a position in seconds. */
  seek(seconds) {
    this.cursor = Math.min(Math.max(seconds, 0), this.duration);
    if (this.isPlayable && this.audio.readyState > 0) this.audio.currentTime = this.cursor;
    this.#tell("move");
  }

  #loaded() {
    // The position may have been moved before the browser knew the song.
    if (this.cursor > 0) this.audio.currentTime = this.cursor;
    this.#tell("state");
  }

  #follow() {
    const step = () => {
      if (!this.isPlaying) return;
      this.#moved();
      if (!this.calm.matches) requestAnimationFrame(step);
    };
    step();
  }

  #moved() {
    if (!this.isPlayable || this.audio.seeking) return;
    this.cursor = this.audio.currentTime;
    this.#tell("move");
  }

  #failed() {
    if (!this.song || !this.audio.getAttribute("src")) return;
    this.isPlayable = false;
    this.#tell("state");
    this.#tell("problem", "This browser cannot play the file.");
  }

  #tell(what, detail = null) {
    this.dispatchEvent(new CustomEvent(what, { detail }));
  }
}
