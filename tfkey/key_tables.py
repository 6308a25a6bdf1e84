"""Reading tables of files (or tracks) and their keys: CSV as people, spreadsheets and programs write it.

Accepted are:

- text in UTF-8 with or without a byte order mark, or in UTF-16 with one (Excel's "Unicode text");
- commas, semicolons or tabs between the cells, whichever fits the header; Excel's line ``sep=;`` before the
  header; quoted cells; any line ends; blank lines; blanks around cells;
- a header in upper or lower case. The column of the file or track is ``path``, ``file`` or ``track``; that
  of the key is ``key``, ``tonic`` and ``mode``, or ``estimate`` and ``reference``, as written by
  ``tfkey evaluate``.

:mod:`tfkey.known_keys` finds the files that a table names.
"""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfkey.errors import DataError, KeyParseError
from tfkey.keys import Key

NO_KEY = frozenset({"", "-", "x", "o", "none", "nokey", "no key", "n/a", "#n/a", "nan", "null", "unknown"})
"""Texts (in lower case) for no key or an unknown key."""

_DELIMITERS = ",;\t"
_SHOWN = 80
# No system opens a longer path, and to resolve one of a hundred thousand folders takes minutes.
_LONGEST_PATH = 4096
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[,;\t]*(?:\r\n|\r|\n)', re.IGNORECASE)
# Bytes that are not UTF-8, as "surrogateescape" decodes them.
_ESCAPED = re.compile("[\udc80-\udcff]")
_NULL = "\N{REPLACEMENT CHARACTER}"
_NOT_TEXT = "is not text in UTF-8 or UTF-16; save it as CSV in UTF-8 (in Excel: 'CSV UTF-8')"


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        line: the number of its (last) line, from 1.
        names: the names of the file or track as in the cells, the preferred one first, without empty ones.
        key_text: the text of the key, without blanks around it.
        cells: all cells by the name of their column in lower case.
    """

    line: int
    names: tuple[str, ...]
    key_text: str
    cells: Mapping[str, str]

    @property
    def name(self) -> str:
        """The preferred name; empty if there is no name."""
        return self.names[0] if self.names else ""


def read_rows(path: Path, names: Sequence[str], keys: Sequence[str]) -> list[Row]:
    """Read the rows of a table except blank ones.

    Args:
        path: the table's path.
        names: columns that name the file or track, the preferred one first. One of them must exist.
        keys: columns that hold the key, the preferred one first. The first existing one is read; ``key`` may
            also be given as ``tonic`` and ``mode``. Empty if no key is needed.

    Raises:
        DataError: the file cannot be read, is not a table of keys, lacks a column, or has a column twice.
    """
    text = _read_text(path)
    delimiters, skipped = _DELIMITERS, 0
    if match := _SEPARATOR_LINE.match(text):
        text, delimiters, skipped = text[match.end() :], match[1], 1
    dialect = _find_dialect(path, text, delimiters, names, keys)
    reader = _reader(text, *dialect)
    columns = _header(reader)
    name_columns = [name for name in names if name in columns]
    key_columns = [name for name in keys if _has_column(columns, name)][:1]
    for name in (*name_columns, *key_columns):
        if columns.count(name) > 1:
            raise DataError(f"{path}: the header has the column {name} twice; rename one of them")
    rows = []
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                cells = dict(zip(columns, fields, strict=False))
                stated = tuple(cells[name] for name in name_columns if cells.get(name, "").strip())
                key_text = _key_text(cells, key_columns[0]) if key_columns else ""
                rows.append(Row(reader.line_num + skipped, stated, key_text, cells))
                _check_bytes(path, rows[-1], name_columns)
    except csv.Error as error:
        line = reader.line_num + skipped
        raise DataError(
            f"{path}, line {line}: is not CSV ({error}); check the quotes in this line"
        ) from error
    return rows


def parse_key(path: Path, line: int, text: str) -> Key | None:
    """Read the text of a key; None if it says that there is no key (:data:`NO_KEY`).

    Args:
        path: the table's path, for the message.
        line: the line number, for the message.
        text: the text, such as :attr:`Row.key_text`.

    Raises:
        DataError: the text is not understood.
    """
    text = text.strip()
    if text.casefold() in NO_KEY:
        return None
    try:
        return Key.parse(text)
    except KeyParseError as error:
        raise DataError(f"{path}, line {line}: {error}") from error


def whole_paths(names: Sequence[str], folder: Path) -> Iterator[Path]:
    """Yield the paths that the names in a row may mean, the most likely first.

    Each name is tried unchanged, without blanks around it, with slashes in place of backslashes, and in both
    Unicode forms; each variant is relative to ``folder`` first, then to the current folder.

    Args:
        names: as :attr:`Row.names`.
        folder: the folder of the table.
    """
    texts = []
    for name in names:
        texts += [name, name.strip(), name.strip().replace("\\", "/")]
    texts += [unicodedata.normalize(form, text) for text in texts for form in ("NFC", "NFD")]
    for text in dict.fromkeys(texts):
        if 0 < len(text) <= _LONGEST_PATH:
            yield folder / text
            if not os.path.isabs(text):
                yield Path(text)


def find_file(names: Sequence[str], folder: Path) -> Path | None:
    """Return the first of :func:`whole_paths` that is a file; None if there is no such file."""
    return next((path for path in whole_paths(names, folder) if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # The name is too long, or not possible on any file system.
        return False


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = content.decode("utf-16")
        else:
            # tfkey itself writes file names that are not UTF-8 as raw bytes.
            text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path}: cannot be read ({reason}); give a readable CSV file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {_NOT_TEXT}") from error
    # Python 3.10 cannot read a null character from CSV. No file name contains one.
    return text.replace("\0", _NULL)


def _check_bytes(path: Path, row: Row, name_columns: Sequence[str]) -> None:
    """Refuse bytes that are not UTF-8, unless they are the name of an existing file."""
    others = "".join(text for column, text in row.cells.items() if column not in name_columns)
    is_escaped = _ESCAPED.search("".join(row.names))
    if _ESCAPED.search(others) or (is_escaped and find_file(row.names, path.parent) is None):
        raise DataError(f"{path}, line {row.line}: {_NOT_TEXT}")


def _find_dialect(
    path: Path, text: str, delimiters: str, names: Sequence[str], keys: Sequence[str]
) -> tuple[str, bool]:
    """Return the delimiter, and whether blanks follow it (as in ``path, "key"``)."""
    problem: csv.Error | None = None
    for delimiter in delimiters:
        try:
            first = _first(_reader(text, delimiter, False))
            is_spaced = first[:1] != [] and (
                first[0].startswith(' "') or any(name.startswith(" ") for name in first[1:])
            )
            columns = _header(_reader(text, delimiter, is_spaced))
        except csv.Error as error:
            problem = error
            continue
        has_key = not keys or any(_has_column(columns, name) for name in keys)
        if any(name in columns for name in names) and has_key:
            return delimiter, is_spaced
    found = next((line.strip() for line in text.splitlines() if line.strip()), "")[:_SHOWN]
    if _ESCAPED.search(found) or _NULL in found:
        raise DataError(f"{path}: {_NOT_TEXT}")
    if problem is not None:
        raise DataError(f"{path}: is not CSV ({problem}); check the quotes in the header")
    key_names = [part for name in keys for part in ((name, "tonic and mode") if name == "key" else (name,))]
    needed = " and ".join(_either(*columns) for columns in (names, key_names) if columns)
    raise DataError(f"{path}: the first line must name the columns {needed} (found: {found!r})")


def _either(first: str, *others: str) -> str:
    return f"{first} (or {' or '.join(others)})" if others else first


def _reader(text: str, delimiter: str, is_spaced: bool) -> Any:
    stream = io.StringIO(text, newline="")
    return csv.reader(stream, delimiter=delimiter, skipinitialspace=is_spaced, strict=True)


def _first(reader: Iterator[list[str]]) -> list[str]:
    """Return the cells of the first line that is not blank."""
    return next((fields for fields in reader if "".join(fields).strip(" ,;\t")), [])


def _header(reader: Iterator[list[str]]) -> list[str]:
    return [name.strip().lower() for name in _first(reader)]


def _has_column(columns: Sequence[str], name: str) -> bool:
    return name in columns or (name == "key" and "tonic" in columns and "mode" in columns)


def _key_text(cells: Mapping[str, str], column: str) -> str:
    text = cells.get(column, "").strip()
    if text or column != "key":
        return text
    tonic, mode = (cells.get(name, "").strip() for name in ("tonic", "mode"))
    # Elsewhere a bare letter is a major key. Here it is a note whose mode is unknown.
    if tonic and not mode and _is_key(f"{tonic} minor"):
        return f"{tonic} without a mode"
    return f"{tonic} {mode}".strip()


def _is_key(text: str) -> bool:
    try:
        Key.parse(text)
    except KeyParseError:
        return False
    return True
