"""The user's own audio in storage elsewhere: found by listing and asking, not fetched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.prepared.folder_files import FileState, remote_files
from pipelines.text import printable, safe_name
from pipelines.tracks import LeftOut, Track, not_a_key
from tfkey.audio.finding import EXTENSIONS
from tfkey.errors import DataError, KeyParseError
from tfkey.key_tables import Row, find_file
from tfkey.keys import Key, parse_folder_name
from tfkey.settings import SPLITS
from tfkey.storage import is_remote, located, retried, shown, storage_errors

_AT_ONCE = 16  # requests


@dataclass(frozen=True)
class SourceFile:
    """A file that a table names.

    Attributes:
        path: the file.
        stamp: what its storage states about it, for :attr:`pipelines.tracks.Track.stamp`; None on this
            machine.
    """

    path: Path
    stamp: tuple[int, str] | None = None


class SourceFiles:
    """The files that the rows of a table name. Those elsewhere are asked for at once, several at a time."""

    def __init__(self, table: Path, rows: Sequence[Row]) -> None:
        """Ask for the files elsewhere.

        Args:
            table: the table, to whose folder the names are relative.
            rows: its rows.

        Raises:
            UsageError: a URL is of a kind that cannot be opened.
            TfkeyError: the storage cannot be asked.
        """
        self._table = table
        places = {address: path for row in rows for address, path in self._elsewhere(row)}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            states = pool.map(_state, places.values())
            self._found = {
                address: SourceFile(path, (state.size, state.version))
                for (address, path), state in zip(places.items(), states, strict=True)
                if state is not None
            }

    def find(self, row: Row) -> SourceFile | None:
        """Return the file of a row; None if it does not exist."""
        for address, _ in self._elsewhere(row):
            if address in self._found:
                return self._found[address]
        if is_remote(self._table):
            return None
        path = find_file(row.names, self._table.parent)
        return None if path is None else SourceFile(path)

    def _elsewhere(self, row: Row) -> Iterator[tuple[str, Path]]:
        for name in row.names:
            text = name.strip()
            if is_remote(text):
                yield text, located(text)
            elif is_remote(self._table) and not os.path.isabs(text):
                path = self._table.parent / text
                yield str(path), path


def _state(path: Any) -> FileState | None:
    with storage_errors(path):
        try:
            info = retried(lambda: path.fs.info(path.path))
        except FileNotFoundError:
            return None
    return FileState.of(info) if info["type"] == "file" else None


def key_folders_elsewhere(
    folder: Path, are_keys: Callable[[Iterable[str]], bool]
) -> tuple[list[Track], list[LeftOut]]:
    """Read the layout ``[<split>/]<key>/<file>`` elsewhere, like :func:`pipelines.tracks.scan_key_folders`.

    Args:
        folder: the top of the layout.
        are_keys: whether the names of folders are keys.

    Returns:
        The tracks, without unique names, and the folders whose name is not a key.

    Raises:
        DataError: there is nothing, or no folder is named by a key.
        TfkeyError: the storage cannot be listed.
    """
    files = {name: state for name, state in remote_files(folder).items() if _is_audio(name)}
    if not files:
        raise DataError(f"{shown(folder)}: contains no audio; give a folder that contains a folder per key")
    places = {name: _place(name) for name in files}
    if not are_keys({place.folder for place in places.values() if place.folder}):
        raise DataError(
            f"{shown(folder)}: no folder is named by a key, such as C-maj; keys in tags are read only on "
            "this machine, so give a CSV file of path,key"
        )
    tracks: list[Track] = []
    refused: dict[str, LeftOut] = {}
    for name, place in places.items():
        if not place.folder:
            continue
        try:
            key = parse_folder_name(place.folder)
        except KeyParseError:
            where = printable(shown(folder / (place.split or "") / place.folder))
            refused.setdefault(where, not_a_key(where))
            continue
        tracks.append(_track(folder, name, place, key, files[name]))
    return tracks, list(refused.values())


@dataclass(frozen=True)
class _Place:
    """The split and the folder below it that a file is in; empty if there is no such folder."""

    split: str | None
    folder: str


def _place(name: str) -> _Place:
    *folders, _ = name.split("/")
    split = folders.pop(0) if folders and folders[0] in SPLITS else None
    return _Place(split, folders[0] if folders else "")


def _is_audio(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in EXTENSIONS and not any(part.startswith(".") for part in path.parts)


def _track(folder: Path, name: str, place: _Place, key: Key, state: FileState) -> Track:
    path, stem = folder / name, PurePosixPath(name).stem
    stamp = (state.size, state.version)
    return Track(safe_name(stem), path, key, place.split, printable(name), stem, stamp=stamp)
