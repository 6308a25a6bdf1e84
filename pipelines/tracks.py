"""Tracks: the recordings of a dataset, each with its key, its split, and a name of its own."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.text import printable, safe_name, stable_digest
from tfkey.errors import DataError, KeyParseError
from tfkey.keys import Key, parse_folder_name
from tfkey.settings import SPLITS


@dataclass(frozen=True)
class Track:
    """One recording.

    Attributes:
        name: unique within the dataset; usable as a file name.
        path: where its audio (or, in images mode, the first of its pictures) lies.
        key: its key.
        split: ``train``, ``validation`` or ``test``; None until one is assigned.
        source: where it came from, as the manifest states it (a path relative to the originals).
        group: tracks of one group never stand in two splits (two files of one recording).
    """

    name: str
    path: Path
    key: Key
    split: str | None
    source: str
    group: str


@dataclass(frozen=True)
class LeftOut:
    """Something that was not prepared, and why in one line.

    ``by_choice`` if it was meant to be left out (a label that states no one key), not something that failed.
    """

    source: str
    reason: str
    by_choice: bool = False


def scan_key_folders(
    folder: Path, find: Callable[[Path], Iterable[Path]], stem: Callable[[Path], str] | None = None
) -> tuple[list[Track], list[LeftOut]]:
    """Read the layout ``[<split>/]<key>/<file>``.

    Args:
        folder: the top of the layout.
        find: lists the files of interest below a folder.
        stem: the track that a file belongs to, by its name; files of one folder that share it are one track.
            Without it every file is one, and those that differ in suffix or folder only are one group.

    Returns:
        The tracks sorted by source, and what was left out: folders whose name is no key, or that cannot be
        opened.

    Raises:
        DataError: ``folder`` is missing or holds no track.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one that holds a folder per key")
    tracks: dict[tuple[Path, str], Track] = {}
    left_out: list[LeftOut] = []
    for split, base in _split_folders(folder):
        for key_folder in sorted(
            item for item in base.iterdir() if item.is_dir() and not item.name.startswith(".")
        ):
            if split is None and key_folder.name in SPLITS:
                continue
            try:
                key = parse_folder_name(key_folder.name)
            except KeyParseError:
                reason = "the folder's name is no key; rename it to one such as 'C-maj' or 'Ab-min'"
                left_out.append(LeftOut(printable(str(key_folder)), reason))
                continue
            closed: list[OSError] = []
            for _ in os.walk(key_folder, onerror=closed.append):
                pass
            for error in closed:
                reason = f"cannot be opened ({error.strerror}); check its rights"
                left_out.append(LeftOut(printable(str(error.filename)), reason))
            if any(error.filename == str(key_folder) for error in closed):
                continue
            for path in find(key_folder):
                name = stem(path) if stem else path.stem
                identity = (path.parent, name if stem else path.name)
                source = printable(path.relative_to(folder).as_posix())
                tracks.setdefault(identity, Track(safe_name(name), path, key, split, source, name))
    if not tracks:
        detail = f" ({left_out[0].source}: {left_out[0].reason})" if left_out else ""
        raise DataError(
            f"{folder}: holds no tracks; put files into folders named by key, such as C-maj{detail}"
        )
    return unique_names(sorted(tracks.values(), key=lambda track: track.source)), left_out


def _split_folders(folder: Path) -> list[tuple[str | None, Path]]:
    found: list[tuple[str | None, Path]] = [
        (split, folder / split) for split in SPLITS if (folder / split).is_dir()
    ]
    return [*found, (None, folder)]


def unique_names(tracks: Sequence[Track]) -> list[Track]:
    """Give tracks that share a name (whatever its case) a suffix made from their source."""
    by_name: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        by_name[track.name.casefold()].append(track)
    return [
        track
        if len(by_name[track.name.casefold()]) == 1
        else replace(track, name=f"{track.name}~{stable_digest(track.source)[:8]}")
        for track in tracks
    ]
