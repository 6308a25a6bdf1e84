"""Known keys of files from a table (see :mod:`tfkey.key_tables`): which row belongs to which file."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tfkey.audio.finding import EXTENSIONS, identity
from tfkey.errors import DataError
from tfkey.key_tables import find_file, parse_key, read_rows, whole_paths
from tfkey.keys import Key

TRUTH_COLUMNS = ("reference", "key", "estimate")
"""Columns of correct keys. In tables written by tfkey, the columns beside ``reference`` are answers."""

_SHOWN = 3


@dataclass(frozen=True)
class KnownKey:
    """One row of a table.

    Attributes:
        line: the line number, from 1.
        names: the names of the file or track, as :attr:`tfkey.key_tables.Row.names`; at least one.
        key: the key.
        cells: all cells, as :attr:`tfkey.key_tables.Row.cells`.
    """

    line: int
    names: tuple[str, ...]
    key: Key
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KnownKeys:
    """A table of correct keys.

    Attributes:
        path: the table's path.
        rows: the rows with a name and a key.
        left_out: the number of rows that lack a name or a key.
    """

    path: Path
    rows: tuple[KnownKey, ...]
    left_out: int


@dataclass(frozen=True)
class Found:
    """The files that a table names.

    Attributes:
        rows: the row by path, as the files were given.
        unused: the number of rows that match none of the files.
    """

    rows: dict[Path, KnownKey]
    unused: int

    @property
    def keys(self) -> dict[Path, Key]:
        """The keys by path."""
        return {path: row.key for path, row in self.rows.items()}


def read_known_keys(path: Path, names: Sequence[str]) -> KnownKeys:
    """Read correct keys from the first existing column of :data:`TRUTH_COLUMNS`.

    Args:
        path: the table's path.
        names: columns that name the file or track, the preferred one first.

    Raises:
        DataError: as in :func:`tfkey.key_tables.read_rows`; or a key is not understood, or no row has both a
            name and a key.
    """
    rows = read_rows(path, names, TRUTH_COLUMNS)
    known = []
    for row in rows:
        key = parse_key(path, row.line, row.key_text)
        if key is not None and row.names:
            known.append(KnownKey(row.line, row.names, key, row.cells))
    if not known:
        raise DataError(f"{path}: none of its {len(rows)} rows has both a {names[0]} and a key; fill them in")
    return KnownKeys(path, tuple(known), len(rows) - len(known))


def find_known(known: KnownKeys, files: Sequence[Path]) -> Found:
    """Find the files that the rows of a table name.

    A row matches the file at its full path, relative to the table's folder or to the current one. Without
    such a file, it matches the file whose path ends like the row's, or else the file of the same name. A row
    whose name lacks the suffix of an audio file may also match a file of that name with a suffix.

    Args:
        known: the table.
        files: the files to look for.

    Raises:
        DataError: a row may mean two of the files, two rows give different keys for one file, or no row
            matches a file.
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
            # The row is about another file with the same name.
            found = []
        if len(found) > 1:
            raise DataError(
                f"{known.path}, line {row.line}: {row.names[0]!r} may be {found[0]} or {found[1]}; write its "
                "full path"
            )
        if found and found[0] not in exact:
            _choose(known, chosen, found[0], row)
        else:
            unused += 1
    if not chosen:
        wanted, given = _some(row.names[0] for row in known.rows), _some(map(str, files))
        raise DataError(
            f"{known.path}: no row matches any of the files; looked for {wanted} among {given}; "
            f"write paths relative to {known.path.parent} or to the current folder"
        )
    return Found(chosen, unused)


def _choose(known: KnownKeys, chosen: dict[Path, KnownKey], path: Path, row: KnownKey) -> None:
    first = chosen.setdefault(path, row)
    if first.key != row.key:
        raise DataError(
            f"{known.path}: {path} has the key {first.key} in line {first.line} ({first.names[0]!r}) and "
            f"{row.key} in line {row.line} ({row.names[0]!r}); delete the wrong one, or write full paths"
        )


class _Search:
    """Finds files by their names in a table."""

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
    """Return the folders and the name of a Unix or Windows path."""
    return [part for part in re.split(r"[/\\]", _spelled(name.strip())) if part not in ("", ".")]


def _spelled(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
