// The page: what happens when something happens.

import { announce } from "./announce.js";
import { makeCircle } from "./circle.js";
import { byId, setText } from "./dom.js";
import { download, toCsv, toM3u } from "./export.js";
import { fromDrop, fromPicker } from "./files.js";
import { count } from "./format.js";
import { pretty } from "./keys.js";
import { Player } from "./player.js";
import { Queue } from "./queue.js";
import { sentence, sentenceOf, showSong } from "./song.js";
import { Songs } from "./songs.js";
import { Table } from "./table.js";
import { setUpTheme } from "./theme.js";
import { Timeline } from "./timeline.js";
import { askForToken, readFragment } from "./token.js";
import { fetchSong, stayAlive } from "./viewing.js";

const songs = new Songs();
const queue = new Queue(songs);
const player = new Player(byId("audio"));
const timeline = new Timeline(player);
const table = new Table(songs);
const showCircle = makeCircle(byId("circle"));
makeCircle(byId("welcome-circle"));
setUpTheme(() => timeline.draw());

const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
setText(byId("where"), isHere
  ? "The songs stay on this computer."
  : `The songs go to ${location.host}, which deletes them as soon as they are analysed.`);

// Adding songs

function add({ files, leftOut, problems }) {
  const added = songs.add(files);
  const notes = [];
  if (files.length > added.length) notes.push(`${count(files.length - added.length, "file")} already in the list`);
  if (leftOut) notes.push(`${count(leftOut, "file")} left out: not audio`);
  for (const folder of problems) notes.push(`the folder ${folder} cannot be read`);
  if (!files.length && !leftOut && !problems.length) notes.push("no files were found");
  setText(byId("notice"), notes.length ? `${notes.join("; ")}.` : "");
  byId("notice").hidden = !notes.length;
  if (!added.length) return;
  announce(`${count(added.length, "song")} added.`);
  // One song is dropped to be looked at; many are not worth losing the place for.
  if (!songs.inView || (added.length === 1 && !player.isPlaying)) songs.view(added[0]);
  queue.add(added);
}

for (const [buttons, input] of [["files", byId("files")], ["folder", byId("folder")]]) {
  for (const verb of ["choose", "add"]) byId(`${verb}-${buttons}`).addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    add(fromPicker(input));
    input.value = "";
  });
}

// Entering and leaving is counted: it happens at every element on the way.
let depth = 0;
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
const veil = (isOn) => document.body.classList.toggle("dragging", isOn);
addEventListener("dragenter", (event) => hasFiles(event) && veil(++depth > 0));
addEventListener("dragleave", (event) => hasFiles(event) && veil((depth = Math.max(0, depth - 1)) > 0));
addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
addEventListener("drop", async (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  veil((depth = 0) > 0);
  add(await fromDrop(event.dataTransfer));
});

// Showing

function showView() {
  const song = songs.inView;
  if (!song) return;
  showSong(song);
  showCircle(song);
  timeline.show(song);
  const key = song.key ? `${pretty(song.key)} · ` : "";
  document.title = `${key}${song.name} – tfkey`;
}

songs.addEventListener("view", () => {
  const wasPlaying = player.isPlaying;
  player.load(songs.inView);
  setText(byId("player-problem"), "");
  if (!songs.inView) return;
  showView();
  queue.prefer(songs.inView);
  if (wasPlaying) player.play();
});

songs.addEventListener("song", ({ detail: song }) => {
  if (song === songs.inView) showView();
  showProgress();
});

songs.addEventListener("list", () => {
  const isEmpty = !songs.all.length;
  document.body.classList.toggle("welcome", isEmpty);
  document.body.classList.toggle("one-song", songs.all.length === 1);
  for (const id of ["song", "list"]) byId(id).hidden = isEmpty;
  byId("welcome").hidden = !isEmpty;
  if (isEmpty) document.title = "tfkey";
  showProgress();
});

let finishedBefore = 0;

function showProgress() {
  const all = songs.all.length;
  const finished = songs.all.filter((song) => song.isFinished).length;
  const failed = songs.all.filter((song) => song.state === "failed").length;
  const words = finished < all ? `${finished} of ${all} analysed` : count(all, "song");
  const summary = failed ? `${words}, ${failed} not analysed` : words;
  setText(byId("summary"), summary);
  byId("progress").hidden = finished === all;
  byId("progress").max = Math.max(all, 1);
  byId("progress").value = finished;
  for (const id of ["export-csv", "export-m3u"]) byId(id).disabled = !finished;
  if (finished > finishedBefore) {
    announce(all === 1 ? sentence(songs.all[0]) : finished === all ? `Finished: ${summary}.` : `${summary}.`);
  }
  finishedBefore = finished;
}

// The table

table.addEventListener("open", ({ detail: song }) => {
  songs.view(song);
  announce(sentence(song));
});
table.addEventListener("retry", ({ detail: song }) => queue.retry(song));
table.addEventListener("remove", ({ detail: song }) => {
  const row = table.rows.get(song).row;
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  queue.drop(song);
  songs.remove(song);
  (neighbour?.querySelector(".open") ?? byId("choose-files")).focus();
  announce(`${song.name} removed.`);
});
byId("song-retry").addEventListener("click", () => queue.retry(songs.inView));
byId("clear").addEventListener("click", () => {
  songs.all.forEach((song) => queue.drop(song));
  songs.clear();
  byId("notice").hidden = true;
  byId("choose-files").focus();
  announce("The list is empty.");
});
byId("export-csv").addEventListener("click", () => download("keys.csv", "text/csv", toCsv(table.inOrder)));
byId("export-m3u").addEventListener("click", () => download("keys.m3u8", "audio/x-mpegurl", toM3u(table.inOrder)));

// The player

function beside(distance) {
  const ordered = table.inOrder;
  return ordered[ordered.indexOf(songs.inView) + distance] ?? null;
}

byId("play").addEventListener("click", () => player.toggle());
byId("previous").addEventListener("click", () => beside(-1) && songs.view(beside(-1)));
byId("next").addEventListener("click", () => beside(1) && songs.view(beside(1)));
player.addEventListener("state", () => {
  byId("play").setAttribute("aria-label", player.isPlaying ? "Pause" : "Play");
  byId("play").classList.toggle("playing", player.isPlaying);
  byId("play").disabled = !player.isPlayable;
});
player.addEventListener("problem", ({ detail }) => setText(byId("player-problem"), detail));

// The start

async function start() {
  if (!(await readFragment()).has("view")) return;
  document.body.classList.add("view-mode");
  stayAlive();
  for (;;) {
    try {
      const found = await fetchSong();
      add({ files: [found], leftOut: 0, problems: [] });
      return;
    } catch (problem) {
      if (problem.status !== 401) {
        setText(byId("notice"), sentenceOf(problem.message));
        byId("notice").hidden = false;
        return;
      }
      await askForToken();
    }
  }
}

start();
