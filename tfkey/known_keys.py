"""Known keys of files, from a table (see :mod:`tfkey.key_tables`): which row is about which file."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfkey.audio.finding import EXTENSIONS, identity
from tfkey.errors import DataError
from tfkey.key_tables import find_file, parse_key, read_rows, whole_paths
from tfkey.keys import Key

TRUTH_COLUMNS = ("reference", "key", "estimate")
"""Columns of right keys. Beside ``reference``, the others are answers in the tables that tfkey writes."""

_SHOWN = 3


@dataclass(frozen=True)
class KnownKey:
    """What one row of a table says.

    Attributes:
        line: its number, from 1.
        names: of the file or track, as :attr:`tfkey.key_tables.Row.names`; one at least.
        key: its key.
    """

    line: int
    names: tuple[str, ...]
    key: Key


@dataclass(frozen=True)
class KnownKeys:
    """A table of right keys.

    Attributes:
        path: of the table.
        rows: those with a name and a key.
        left_out: how many rows lack one of them.
    """

    path: Path
    rows: tuple[KnownKey, ...]
    left_out: int


@dataclass(frozen=True)
class Found:
    """The files that a table names.

    Attributes:
        keys: by path, as the files were given.
        unused: how many rows name none of the files.
    """

    keys: dict[Path, Key]
    unused: int


def read_known_keys(path: Path, names: Sequence[str]) -> KnownKeys:
    """Read right keys from the first of :data:`TRUTH_COLUMNS` that is there.

    Args:
        path: of the table.
        names: columns that name the file or track, the preferred one first.

    Raises:
        DataError: as :func:`tfkey.key_tables.read_rows`; a key is not understood; no row has both.
    """
    rows = read_rows(path, names, TRUTH_COLUMNS)
    known = []
    for row in rows:
        key = parse_key(path, row.line, row.key_text)
        if key is not None and row.names:
            known.append(KnownKey(row.line, row.names, key))
    if not known:
        raise DataError(f"{path}: none of its {len(rows)} rows has both a {names[0]} and a key; fill them in")
    return KnownKeys(path, tuple(known), len(rows) - len(known))


def find_known(known: KnownKeys, files: Sequence[Path]) -> Found:
    """Find the files that the rows of a table name.

    A row names the file at its whole path, which begins in the table's folder or in the current one. A row
    for which there is no such file names the one whose path ends like it, or else the one of its name, or,
    if it has no suffix of an audio file, the one of its name but for the suffix.

    Args:
        known: the table.
        files: what is looked for.

    Raises:
        DataError: a row may mean two of the files; two rows state different keys for one; no row names any.
    """
    search = _Search(files)
    chosen: dict[Path, KnownKey] = {}
    others = []
    for row in known.rows:
        path = search.by_whole_path(row.names, known.path.parent)
        if path is None:
            others.append(row)
        else:
            _choose(known, chosen, path, row)
    exact = set(chosen)
    unused = 0
    for row in others:
        found = search.by_name(row.names[0])
        if any(len(_parts(name)) > 1 and find_file([name], known.path.parent) for name in row.names):
            # The row is about another file, which is only called the same.
            found = []
        if len(found) > 1:
            raise DataError(
                f"{known.path}, line {row.line}: {row.names[0]!r} may be {found[0]} or {found[1]}; write the "
                "path of the one that is meant"
            )
        if found and found[0] not in exact:
            _choose(known, chosen, found[0], row)
        else:
            unused += 1
    if not chosen:
        wanted, given = _some(row.names[0] for row in known.rows), _some(map(str, files))
        raise DataError(
            f"{known.path}: none of its rows names a file that was given; looked for {wanted} among {given}; "
            f"write paths that begin in {known.path.parent} or in the current folder"
        )
    return Found({path: row.key for path, row in chosen.items()}, unused)


def _choose(known: KnownKeys, chosen: dict[Path, KnownKey], path: Path, row: KnownKey) -> None:
    first = chosen.setdefault(path, row)
    if first.key != row.key:
        raise DataError(
            f"{known.path}: {path} has the key {first.key} by line {first.line} ({first.names[0]!r}) and "
            f"{row.key} by line {row.line} ({row.names[0]!r}); delete the wrong one, or write whole paths"
        )


class _Search:
    """Finds files by what a table calls them."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._whole = {identity(path): path for path in files}
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in files:
            self._by_name[_spelled(path.name)].append(path)
            self._by_stem[_spelled(path.stem)].append(path)

    def by_whole_path(self, names: Sequence[str], folder: Path) -> Path | None:
        places = (identity(path) for path in whole_paths(names, folder))
        return next((self._whole[place] for place in places if place in self._whole), None)

    def by_name(self, name: str) -> list[Path]:
        parts = _parts(name)
        if not parts:
            return []
        found = self._by_name.get(parts[-1], [])
        if not found and Path(parts[-1]).suffix.lower() not in EXTENSIONS:
            return self._by_stem.get(parts[-1], [])
        alike = [path for path in found if _parts(identity(path))[-len(parts) :] == parts]
        return alike or found


def _parts(name: str) -> list[str]:
    """The folders and the name of a path as Unix or Windows writes it."""
    return [part for part in re.split(r"[/\\]", _spelled(name.strip())) if part not in ("", ".")]


def _spelled(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
