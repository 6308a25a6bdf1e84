"""Downloading many files from old servers: ordered mirrors, checksums, resuming, retries, parallel downloads.

A file appears under its name only by a rename after it has been verified. Until then its bytes are beside it
in ``.<name>.part``, and ``.<name>.part.json`` records their origin, so that a call after a kill requests only
the rest (``half_files``, ``mirrors``). Verified files are recorded in ``.verified.jsonl`` with their size and
modification time, and are not read again until one of these changes (``verified``).
"""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from pipelines.download.half_files import HalfFile, Item, on_disk
from pipelines.download.mirrors import DownloadSettings, Mirrors
from pipelines.download.progress import DownloadState, OnDownload, Tally
from pipelines.download.threads import StoppableThreads
from pipelines.download.verified import Verified
from pipelines.folder_lock import alone_in
from pipelines.text import printable
from pipelines.tracks import LeftOut

__all__ = ["DownloadSettings", "DownloadState", "Downloaded", "Item", "OnDownload", "download"]

_DEFAULTS = DownloadSettings()
_CHECKSUM = re.compile(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", re.IGNORECASE)


@dataclass(frozen=True)
class Downloaded:
    """The result of a download.

    Attributes:
        paths: the verified file of every available item, by name and in the order of the items.
        failures: the items that could not be fetched, with the error of each mirror.
        fetched_bytes: the number of bytes received by this call, including discarded ones.
    """

    paths: dict[str, Path]
    failures: list[LeftOut]
    fetched_bytes: int


def download(
    items: Iterable[Item],
    folder: Path,
    *,
    workers: int = 4,
    progress: OnDownload | None = None,
    settings: DownloadSettings = _DEFAULTS,
) -> Downloaded:
    """Get every item into ``folder``: existing files that verify stay, the others are fetched.

    Two calls may share a folder, in one process or in two: the second waits and uses what the first fetched.
    If all files exist already, neither the network nor write permission is needed.

    Args:
        items: what to get. Items of the same name must have the same content.
        folder: where to put the files; created if missing.
        workers: number of files fetched in parallel.
        progress: called in this thread, some twenty times per second and at the end.
        settings: timeouts and retries.

    Raises:
        TfkeyError: a file cannot be written (full disk, no permission); names it. What was fetched is kept,
            and the next call continues from there, also after Ctrl-C.
    """
    wanted, failures = _sort_out(items)
    tally = Tally(wanted)
    tick = (lambda: progress(tally.state())) if progress else (lambda: None)
    threads = StoppableThreads(workers, tick)
    with contextlib.closing(Mirrors(settings, tally, threads)) as mirrors:
        call = _Call(folder, tally, threads, mirrors)
        threads.each(wanted, call.look)
        missing = [item for item in wanted if item.name not in call.paths]
        if missing:
            with on_disk(folder):
                folder.mkdir(parents=True, exist_ok=True)
            with alone_in(folder):
                threads.each(missing, call.fetch)
    tick()
    failures += [call.failures[item.name] for item in wanted if item.name in call.failures]
    paths = {item.name: call.paths[item.name] for item in wanted if item.name in call.paths}
    return Downloaded(paths, failures, tally.fetched)


def _sort_out(items: Iterable[Item]) -> tuple[list[Item], list[LeftOut]]:
    """Return the valid items, each once, and the invalid ones."""
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in dict.fromkeys(items):
        # Some file systems treat names as equal that differ only in case or in the Unicode form of an accent.
        groups[unicodedata.normalize("NFC", item.name).casefold()].append(item)
    wanted: list[Item] = []
    failures: list[LeftOut] = []
    for group in groups.values():
        contents = {item.checksum.lower() if item.checksum else str(item.urls) for item in group}
        for item in {item.name: item for item in reversed(group)}.values():
            reason = _objection(item)
            if reason is None and len(contents) > 1:
                reason = "is requested twice with different content; give one of them another name"
            if reason is None:
                wanted.append(item)
            else:
                failures.append(LeftOut(printable(item.name), reason))
    return wanted, failures


def _objection(item: Item) -> str | None:
    parts = item.name.split("/")
    try:
        longest = max(len(os.fsencode(part)) for part in parts)
    except UnicodeError:
        longest = 0
    # A leading dot covers ".." and the names of half files.
    fits = 0 < longest <= 240 and not any(part == "" or part.startswith(".") for part in parts)
    if not fits or re.search(r"[\0\\]", item.name) or (os.name == "nt" and PureWindowsPath(item.name).drive):
        return "is not a name for a file in the folder; give a relative path without '..' or leading dots"
    if item.checksum is not None and not _CHECKSUM.fullmatch(item.checksum):
        return f"{printable(item.checksum)!r} is not a checksum; write md5: or sha256: and its hex digits"
    return None if item.urls else "has no address; give at least one URL"


class _Call:
    """The work of the threads of one call, and its results: paths and failures by item name."""

    def __init__(self, folder: Path, tally: Tally, threads: StoppableThreads, mirrors: Mirrors) -> None:
        self.paths: dict[str, Path] = {}
        self.failures: dict[str, LeftOut] = {}
        self._folder = folder
        self._tally = tally
        self._threads = threads
        self._mirrors = mirrors
        self._verified = Verified(folder)

    def look(self, item: Item) -> None:
        """Record an item whose file already exists."""
        path = self._folder / item.name
        at = self._at(item)
        with on_disk(path):
            if path.is_file() and self._verified.holds(item, path, at):
                self._have(item, path)
            else:
                at(0)

    def fetch(self, item: Item) -> None:
        """Fetch an item from the first mirror that has it."""
        # Another call may have fetched it while this one waited for the folder.
        self.look(item)
        if item.name in self.paths:
            return
        path = self._folder / item.name
        with on_disk(path):
            if path.is_dir():
                troubles = ["a folder has this name; move it away"]
            else:
                with HalfFile.opened(item, path, self._at(item)) as half:
                    troubles = [] if half.is_complete() else self._mirrors.fill(half)
                    if not troubles:
                        half.finish()
                        self._verified.add(item, path)
                        self._have(item, path)
                        return
                there = "; the file there now has other content" if path.exists() else ""
                troubles.append(f"try again later, or put the file at {printable(str(path))} yourself{there}")
        self.failures[item.name] = LeftOut(printable(item.name), "; ".join(troubles))
        self._tally.settle(item.name, 0)

    def _have(self, item: Item, path: Path) -> None:
        self.paths[item.name] = path
        self._tally.settle(item.name, path.stat().st_size)

    def _at(self, item: Item) -> Callable[[int], None]:
        """Return a function to call often with an item's number of finished bytes; a stop ends it."""

        def at(size: int) -> None:
            self._threads.raise_if_stopped()
            self._tally.at(item.name, size)

        return at
