// From a drop or a picker to a list of files.

// Suffixes of the files that a search of a folder finds; the same as those of `tfkey predict`.
export const EXTENSIONS = new Set([
  "wav", "wave", "w64", "rf64", "flac", "ogg", "oga", "opus", "mp3", "mp2", "aiff", "aif", "aifc", "au", "caf",
  "m4a", "m4b", "m4p", "aac", "ac3", "wma", "mka", "weba", "ape", "wv", "mpc", "tta",
  "mp4", "m4v", "mkv", "mov", "webm", "avi", "wmv", "mpg", "mpeg", "flv",
]);

/** What was found: files with their paths, and how many others a folder held. */
class Found {
  constructor() {
    this.files = [];
    this.leftOut = 0;
    this.problems = [];
  }

  /** A file that someone chose is taken whatever its name is. */
  take(file, path) {
    this.files.push({ file, path });
  }

  /** A file in a folder is taken if it looks like audio; hidden ones are not. */
  takeFromFolder(file, path) {
    const hidden = path.split("/").some((part) => part.startsWith("."));
    if (hidden) return;
    const suffix = file.name.includes(".") ? file.name.split(".").pop().toLowerCase() : "";
    if (EXTENSIONS.has(suffix)) this.take(file, path);
    else this.leftOut++;
  }

  sorted() {
    this.files.sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }));
    return this;
  }
}

/** The files of a drop; folders are searched. Call it inside the event: the list is empty afterwards. */
export async function fromDrop(transfer) {
  const found = new Found();
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const roots = items.map((item) => [item.webkitGetAsEntry?.() ?? null, item.getAsFile()]);
  for (const [entry, file] of roots) {
    if (entry?.isDirectory) await search(entry, found);
    else if (file) found.take(file, file.name);
  }
  return found.sorted();
}

/** The files of a picker. */
export function fromPicker(input) {
  const found = new Found();
  for (const file of input.files) {
    if (file.webkitRelativePath) found.takeFromFolder(file, file.webkitRelativePath);
    else found.take(file, file.name);
  }
  return found.sorted();
}

async function search(folder, found) {
  const reader = folder.createReader();
  try {
    // A reader gives at most a hundred entries at a time; an empty list is the end.
    for (;;) {
      const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!entries.length) return;
      for (const entry of entries) {
        if (entry.isDirectory) {
          await search(entry, found);
        } else {
          const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
          found.takeFromFolder(file, entry.fullPath.replace(/^\//, ""));
        }
      }
    }
  } catch {
    found.problems.push(folder.name);
  }
}
