// The songs on the page: a list that tells its listeners what changed.

/** @typedef {"waiting"|"sending"|"working"|"done"|"failed"} State */

// The pictures of this many songs are kept; one is about 0.3 MB.
const PICTURES = 12;

let lastId = 0;

/** One song: a file, and what is known of it so far. */
export class Song {
  constructor(file, path) {
    this.id = ++lastId;
    this.file = file;
    this.path = path;
    this.name = file.name;
    /** @type {State} */
    this.state = "waiting";
    this.sent = 0;
    this.answer = null;
    this.picture = null;
    this.error = null;
    this.canRetry = false;
  }

  /** The key in the long notation; null before there is one. */
  get key() {
    return this.answer?.key ?? null;
  }

  get isFinished() {
    return this.state === "done" || this.state === "failed";
  }
}

/** Events: "list" (songs came or went), "song" (detail: the song that changed), "view" (another is in view). */
export class Songs extends EventTarget {
  constructor() {
    super();
    this.all = [];
    this.inView = null;
    this.withPictures = [];
  }

  /** Add files; those that are already in the list are left out. Returns the new songs. */
  add(found) {
    const known = new Set(this.all.map(identity));
    const added = [];
    for (const { file, path } of found) {
      const song = new Song(file, path);
      if (known.has(identity(song))) continue;
      known.add(identity(song));
      added.push(song);
    }
    this.all.push(...added);
    if (added.length) this.#tell("list");
    return added;
  }

  remove(song) {
    const index = this.all.indexOf(song);
    if (index < 0) return;
    this.all.splice(index, 1);
    if (this.inView === song) this.view(this.all[Math.min(index, this.all.length - 1)] ?? null);
    this.#tell("list");
  }

  clear() {
    this.all = [];
    this.view(null);
    this.#tell("list");
  }

  has(song) {
    return this.all.includes(song);
  }

  update(song, changes) {
    Object.assign(song, changes);
    if (changes.picture) this.#keepPicture(song);
    this.#tell("song", song);
  }

  view(song) {
    if (this.inView === song) return;
    this.inView = song;
    this.#tell("view", song);
  }

  #keepPicture(song) {
    this.withPictures = [...this.withPictures.filter((other) => other !== song), song];
    while (this.withPictures.length > PICTURES) this.withPictures.shift().picture = null;
  }

  #tell(what, detail = null) {
    this.dispatchEvent(new CustomEvent(what, { detail }));
  }
}

function identity(song) {
  return JSON.stringify([song.path, song.file.size, song.file.lastModified]);
}
