"""Tracks: the recordings of a dataset, each with its key, its split, and a name of its own."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tfkey.config import SPLITS, SplitConfig
from tfkey.errors import DataError, KeyParseError
from tfkey.keys import Key


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
    """Something that was not prepared, and why in one line."""

    source: str
    reason: str


def scan_key_folders(
    folder: Path, find: Callable[[Path], Iterable[Path]], stem: Callable[[Path], str] = lambda path: path.stem
) -> tuple[list[Track], list[LeftOut]]:
    """Read the layout ``[<split>/]<key>/<file>``.

    Args:
        folder: the top of the layout.
        find: lists the files of interest below a folder.
        stem: the track that a file belongs to, by its name; files of one key folder that share it are one
            track.

    Returns:
        The tracks sorted by source, and what was left out: folders whose name is no key.

    Raises:
        DataError: ``folder`` is missing or holds no track.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one that holds a folder per key")
    tracks: dict[tuple[str | None, Key, str], Track] = {}
    left_out: list[LeftOut] = []
    for split, base in _split_folders(folder):
        for key_folder in sorted(
            item for item in base.iterdir() if item.is_dir() and not item.name.startswith(".")
        ):
            if split is None and key_folder.name in SPLITS:
                continue
            try:
                key = Key.parse(key_folder.name)
            except KeyParseError:
                reason = "the folder's name is no key; rename it to one such as 'C-maj' or 'Ab-min'"
                left_out.append(LeftOut(str(key_folder), reason))
                continue
            for path in find(key_folder):
                name = stem(path)
                source = path.relative_to(folder).as_posix()
                tracks.setdefault((split, key, name), Track(safe_name(name), path, key, split, source, name))
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


def safe_name(name: str) -> str:
    """A name that is safe in every file system: no separator, control character, or leading dot."""
    cleaned = "".join(
        "_" if character in '/\\:*?"<>|' or unicodedata.category(character).startswith("C") else character
        for character in unicodedata.normalize("NFC", name)
    )
    return cleaned.strip().lstrip(".")[:120] or "_"


def unique_names(tracks: Sequence[Track]) -> list[Track]:
    """Give tracks that share a name (whatever its case) a suffix made from their source."""
    by_name: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        by_name[track.name.casefold()].append(track)
    return [
        track
        if len(by_name[track.name.casefold()]) == 1
        else replace(track, name=f"{track.name}~{hashlib.sha256(track.source.encode()).hexdigest()[:8]}")
        for track in tracks
    ]


def assign_splits(tracks: Sequence[Track], split: SplitConfig) -> list[Track]:
    """Put every track that has no split yet into one.

    Stratified by key and decided by a hash of seed and name, so that the order of the tracks does not
    matter. Tracks of one group go together, by the first of them.

    Returns:
        The tracks in the order given.
    """
    open_groups: dict[str, Track] = {}
    for track in tracks:
        if track.split is None:
            open_groups.setdefault(track.group, track)
    by_key: dict[Key, list[str]] = defaultdict(list)
    for group, track in open_groups.items():
        by_key[track.key].append(group)
    chosen: dict[str, str] = {}
    for groups in by_key.values():
        groups.sort(key=lambda group: hashlib.sha256(f"{split.seed}/{group}".encode()).digest())
        n_test, n_validation = round(len(groups) * split.test), round(len(groups) * split.validation)
        for position, group in enumerate(groups):
            is_test, is_validation = position < n_test, position < n_test + n_validation
            chosen[group] = "test" if is_test else "validation" if is_validation else "train"
    return [track if track.split else replace(track, split=chosen[track.group]) for track in tracks]
