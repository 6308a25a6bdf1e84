// The upload queue: a few requests at once, in order, patient with a busy server.

import { Failure, estimate } from "./requests.js";
import { askForToken } from "./token.js";

const AT_ONCE = 4;
// A connection that ends without an answer is tried again this often.
const TRIES = 2;
const LONGEST_WAIT = 30;

/** Sends songs; what comes of it is written into them. */
export class Queue {
  constructor(songs, settings = {}) {
    this.songs = songs;
    this.waiting = [];
    this.running = new Map();
    this.tries = new Map();
    this.pausedUntil = 0;
    this.isAsking = false;
    this.secondsBetween = settings.secondsBetween ?? 2;
  }

  /** Add songs at the end. */
  add(songs) {
    const known = new Set([...this.waiting, ...this.running.keys()]);
    this.waiting.push(...songs.filter((song) => !known.has(song)));
    this.#go();
  }

  /** Send a song before all others, with the picture: it is in view. */
  prefer(song) {
    if (this.running.has(song) || (song.state === "done" && song.picture) || song.state === "failed") return;
    this.waiting = [song, ...this.waiting.filter((other) => other !== song)];
    this.#go();
  }

  /** Try a failed song again. */
  retry(song) {
    this.tries.delete(song);
    this.songs.update(song, { state: "waiting", error: null });
    this.prefer(song);
  }

  /** Forget a song; a request for it is given up. */
  drop(song) {
    this.waiting = this.waiting.filter((other) => other !== song);
    this.running.get(song)?.abort();
    this.tries.delete(song);
  }

  #go() {
    const wait = this.pausedUntil - Date.now();
    if (wait > 0) {
      setTimeout(() => this.#go(), wait + 20);
      return;
    }
    while (!this.isAsking && this.running.size < AT_ONCE && this.waiting.length) {
      this.#send(this.waiting.shift());
    }
  }

  async #send(song) {
    const control = new AbortController();
    this.running.set(song, control);
    const isInView = this.songs.inView === song;
    // A song that has its key, and is sent again for its picture, keeps the key on the page meanwhile.
    const wasDone = song.state === "done";
    if (!wasDone) this.songs.update(song, { state: "sending", sent: 0, error: null });
    try {
      const { picture = null, ...answer } = await estimate(song.file, {
        name: song.name,
        picture: isInView,
        signal: control.signal,
        onSent: (share) => {
          if (!wasDone && !song.isFinished) {
            this.songs.update(song, { state: share < 1 ? "sending" : "working", sent: share });
          }
        },
      });
      this.songs.update(song, picture ? { state: "done", answer, picture } : { state: "done", answer });
    } catch (problem) {
      if (problem.name !== "AbortError") this.#cope(song, problem, wasDone);
    } finally {
      this.running.delete(song);
      this.#go();
    }
    // Put into view while it was on its way without a picture.
    if (this.songs.inView === song && song.state === "done" && !song.picture && !isInView) this.prefer(song);
  }

  #cope(song, problem, wasDone) {
    if (!(problem instanceof Failure)) throw problem;
    if (!this.songs.has(song)) return;
    const tries = (this.tries.get(song) ?? 0) + 1;
    if (problem.status === 401) {
      this.#putBack(song, wasDone);
      this.isAsking = true;
      askForToken().then(() => {
        this.isAsking = false;
        this.#go();
      });
    } else if (problem.status === 503) {
      this.#pause(problem.retryAfter ?? this.secondsBetween);
      this.#putBack(song, wasDone);
    } else if (problem.status === 0 && tries <= TRIES) {
      this.tries.set(song, tries);
      this.#pause(this.secondsBetween);
      this.#putBack(song, wasDone);
    } else if (!wasDone) {
      const canRetry = problem.status === 0 || problem.status >= 500 || problem.status === 408;
      this.songs.update(song, { state: "failed", error: problem.message, canRetry });
    }
  }

  #putBack(song, wasDone) {
    if (!wasDone) this.songs.update(song, { state: "waiting", sent: 0 });
    this.waiting.unshift(song);
  }

  #pause(seconds) {
    const until = Date.now() + 1000 * Math.min(seconds, LONGEST_WAIT);
    this.pausedUntil = Math.max(this.pausedUntil, until);
  }
}
