"""Tracks: the recordings of a dataset, each with its key, its split, and a unique name."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.text import printable, safe_name, stable_digest
from tfkey.errors import DataError, KeyParseError
from tfkey.keys import Key, parse_folder_name
from tfkey.settings import SPLITS
from tfkey.votes import Vote


@dataclass(frozen=True)
class Track:
    """One recording, or a segment of one.

    Attributes:
        name: unique within the dataset; usable as a file name.
        path: the path of its audio (or, in images mode, of the first of its pictures).
        key: its key; the most probable one if there is a vote.
        split: ``train``, ``validation`` or ``test``; None until one is assigned.
        source: where it came from, as in the manifest (a path relative to the originals).
        group: tracks of one group never end up in two splits (two files of one recording).
        vote: its soft label; None if the key is known.
        segment: start and length in seconds if only this part of the file is used; None for the whole.
        stamp: size and version that the storage states, if the file is elsewhere; None on this machine.
    """

    name: str
    path: Path
    key: Key
    split: str | None
    source: str
    group: str
    vote: Vote | None = None
    segment: tuple[float, float] | None = None
    stamp: tuple[int, str] | None = None

    @property
    def state(self) -> list[Any]:
        """What prepared data depends on besides the content of the file and the parameters (JSON values)."""
        # Journals from before there were votes and segments stay valid.
        more = [item for item in (self.vote, self.segment) if item is not None]
        return [self.key.long, *more]


@dataclass(frozen=True)
class LeftOut:
    """Something that was not prepared, and the reason in one line.

    ``by_choice`` if it was left out on purpose (its label is not exactly one key), not because of a failure.
    """

    source: str
    reason: str
    by_choice: bool = False


@dataclass(frozen=True)
class KeyFolder:
    """A folder whose name is a key.

    Attributes:
        path: the folder.
        key: the key in its name.
        split: ``train``, ``validation`` or ``test`` if its parent folder has that name; else None.
    """

    path: Path
    key: Key
    split: str | None


def scan_key_folders(
    folder: Path, find: Callable[[Path], Iterable[Path]]
) -> tuple[list[Track], list[LeftOut]]:
    """Read the layout ``[<split>/]<key>/<file>``; every file is a track.

    Args:
        folder: the top of the layout.
        find: lists the files of interest below a folder.

    Returns:
        The tracks, sorted by source, and what was left out (see :func:`key_folders`). Tracks whose files
        differ only in suffix or folder form one group.

    Raises:
        DataError: ``folder`` is missing or contains no tracks.
    """
    folders, left_out = key_folders(folder)
    tracks = []
    for item in folders:
        for path in find(item.path):
            source = printable(path.relative_to(folder).as_posix())
            tracks.append(Track(safe_name(path.stem), path, item.key, item.split, source, path.stem))
    if not tracks:
        raise no_tracks(folder, left_out)
    return unique_names(sorted(tracks, key=lambda track: track.source)), left_out


def key_folders(folder: Path) -> tuple[list[KeyFolder], list[LeftOut]]:
    """Find the folders of the layout ``[<split>/]<key>/``.

    Returns:
        The folders whose name is a key, and the folders left out because their name is not a key or they
        cannot be opened.

    Raises:
        DataError: ``folder`` is missing.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one that contains a folder per key")
    found: list[KeyFolder] = []
    left_out: list[LeftOut] = []
    for split, base in _split_folders(folder):
        for path in sorted(item for item in base.iterdir() if item.is_dir()):
            if path.name.startswith(".") or (split is None and path.name in SPLITS):
                continue
            try:
                key = parse_folder_name(path.name)
            except KeyParseError:
                left_out.append(not_a_key(printable(str(path))))
                continue
            closed = _closed_folders(path)
            for name, trouble in closed.items():
                left_out.append(
                    LeftOut(printable(name), f"cannot be opened ({trouble}); check its permissions")
                )
            if str(path) not in closed:
                found.append(KeyFolder(path, key, split))
    return found, left_out


def not_a_key(folder: str) -> LeftOut:
    """Return a folder as left out because its name is not a key."""
    return LeftOut(
        folder, "the name of the folder is not a key; rename it, for example to 'C-maj' or 'Ab-min'"
    )


def no_tracks(folder: Path, left_out: Sequence[LeftOut]) -> DataError:
    """Return the error for a layout without tracks; it names the first entry that was left out."""
    detail = f" ({left_out[0].source}: {left_out[0].reason})" if left_out else ""
    return DataError(
        f"{folder}: contains no tracks; put files into folders named by key, such as C-maj{detail}"
    )


def _closed_folders(folder: Path) -> dict[str, str]:
    """Return the folders from this one down that cannot be opened, and why."""
    closed: dict[str, str] = {}

    def add(error: OSError) -> None:
        closed[str(error.filename)] = str(error.strerror)

    for _ in os.walk(folder, onerror=add):
        pass
    return closed


def _split_folders(folder: Path) -> list[tuple[str | None, Path]]:
    found: list[tuple[str | None, Path]] = [
        (split, folder / split) for split in SPLITS if (folder / split).is_dir()
    ]
    return [*found, (None, folder)]


def unique_names(tracks: Sequence[Track]) -> list[Track]:
    """Give tracks that share a name (ignoring case) a suffix derived from their source."""
    by_name: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        by_name[track.name.casefold()].append(track)
    return [
        track
        if len(by_name[track.name.casefold()]) == 1
        else replace(track, name=f"{track.name}~{stable_digest(track.source)[:8]}")
        for track in tracks
    ]
