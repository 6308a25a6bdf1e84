// `tfkey view SONG`: the page on one song, which the server brings, for as long as the page is open.

import { get, tell } from "./requests.js";

const EVERY = 3000;

/** Let the server know that the page is open, every few seconds, and when it closes. */
export function stayAlive() {
  tell("/view/alive");
  setInterval(() => tell("/view/alive"), EVERY);
  addEventListener("pagehide", () => tell("/view/closed"));
  // A page that the browser brings back from its cache is open again.
  addEventListener("pageshow", () => tell("/view/alive"));
}

/** Fetch the song, as a file. */
export async function fetchSong() {
  const { name } = await (await get("/view/name")).json();
  const blob = await (await get("/view/song")).blob();
  return { file: new File([blob], name, { type: blob.type, lastModified: 0 }), path: name };
}
