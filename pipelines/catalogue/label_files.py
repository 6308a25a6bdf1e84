"""Reading labels as published: lists of tracks, and archives with one text file per track."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.text import printable
from tfkey.errors import DataError

MAX_LABEL_FILES = 1_000_000
"""An archive with more label files is refused."""

MAX_LABEL_BYTES = 1 << 16
"""A longer file is refused as a label file."""

_LABEL_SUFFIXES = {".txt", ".key", ".lab"}


@dataclass(frozen=True)
class LabelText:
    """An unparsed label: the content of a row of a list or of a file of an archive."""

    id: str
    text: str
    md5: str | None = None
    confidence: int | None = None
    has_comment: bool = False


def read_list(path: Path) -> list[LabelText]:
    """Read a list with the columns track, key and md5, and optionally confidence and has_comment.

    Raises:
        DataError: the file is missing, is not UTF-8 or lacks a column, or a number or checksum is malformed;
            names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read; install tfkey again") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = {"track", "key", "md5"} - set(reader.fieldnames or ())
    if missing:
        raise DataError(f"{path}: has no column {', '.join(sorted(missing))}; install tfkey again")
    return [_read_row(path, reader.line_num, row) for row in reader]


def _read_row(path: Path, line: int, row: dict[str, str | None]) -> LabelText:
    track, md5 = (row["track"] or "").strip(), (row["md5"] or "").strip().lower()
    confidence = (row.get("confidence") or "").strip()
    comment = (row.get("has_comment") or "").strip()
    for name, value, pattern in (
        ("track", track, r"[\w.-]+"),
        ("md5", md5, r"|[0-9a-f]{32}"),
        ("confidence", confidence, r"|[012]"),
        ("has_comment", comment, r"|[01]"),
    ):
        if not re.fullmatch(pattern, value):
            raise DataError(f"{path}, line {line}: {name} {value!r} is invalid; install tfkey again")
    return LabelText(
        track, row["key"] or "", md5 or None, int(confidence) if confidence else None, comment == "1"
    )


def track_id(name: str) -> str:
    """Return the number of a track from the name of one of its files.

    The published collections name files ``5061.LOFI.mp3`` or ``5061 Artist - Title (Mix).txt``, some with
    leading zeros. A name without a number is returned without its suffixes.
    """
    stem = PurePosixPath(name.replace("\\", "/")).name
    if match := re.match(r"0*(\d+)(?=$|[\s._-])", stem):
        return match[1]
    return stem.rpartition(".")[0].removesuffix(".LOFI") or stem


def read_label_files(source: Path) -> list[LabelText]:
    """Read one label file per track (``.txt``, ``.key`` or ``.lab``) from a zip archive or a folder.

    Two files of one track with the same content count once.

    Raises:
        DataError: the source is missing, damaged, not an archive, or without label files; or a label file is
            too long (:data:`MAX_LABEL_BYTES`), or there are too many (:data:`MAX_LABEL_FILES`).
    """
    found: dict[LabelText, None] = {}
    for name, content in _label_files(source):
        found[parse_label_file(track_id(name), _decode(content))] = None
        if len(found) > MAX_LABEL_FILES:
            raise DataError(f"{source}: contains more than {MAX_LABEL_FILES} labels; give the right archive")
    if not found:
        raise DataError(f"{source}: contains no label files (.txt, .key or .lab); fetch it again")
    return sorted(found, key=lambda item: (int(item.id) if item.id.isdecimal() else -1, item.id))


def _label_files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each label file."""
    for name, content in _files_in_folder(source) if source.is_dir() else _files_in_zip(source):
        if len(content) > MAX_LABEL_BYTES:
            too_long = f"is longer than a label ({MAX_LABEL_BYTES} bytes); fetch it again"
            raise DataError(f"{source}: {printable(name)} {too_long}")
        yield name, content


def _files_in_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if _is_label_name(path.relative_to(folder).as_posix()) and path.is_file():
            with path.open("rb") as stream:
                yield path.name, stream.read(MAX_LABEL_BYTES + 1)


def _files_in_zip(source: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(source) as archive:
            for info in archive.infolist():
                if info.is_dir() or not _is_label_name(info.filename):
                    continue
                with archive.open(info) as stream:
                    yield info.filename, stream.read(MAX_LABEL_BYTES + 1)
    except FileNotFoundError as error:
        raise DataError(f"{source}: no such file or folder; fetch the labels first") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{source}: not a zip archive, or damaged ({error}); fetch it again") from error


def _is_label_name(name: str) -> bool:
    path = PurePosixPath(name)
    # macOS adds a file "._name" for every file of an archive.
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return path.suffix.lower() in _LABEL_SUFFIXES and not hidden


def _decode(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def parse_label_file(track: str, text: str) -> LabelText:
    """Read the text of one label file.

    There are three forms: only the key (``F minor``), the key followed by confidence and comment after tabs,
    and the form of the GiantSteps project (``key<TAB>0<TAB>f minor<TAB>2<TAB>comment``, with ``#`` lines).
    Several lines with one key each give several keys.
    """
    keys: list[str] = []
    confidence: int | None = None
    has_comment = False
    for line in text.splitlines():
        fields = [field.strip().strip('"').strip() for field in line.split("\t")]
        # "#" may also be a sharp, but never the first character of a key.
        if not any(fields) or fields[0].startswith("#"):
            continue
        if fields[0].lower() == "key" and len(fields) >= 3:
            fields = fields[2:]
        keys.append(fields[0])
        rest = [field for field in fields[1:] if field]
        if rest and rest[0] in {"0", "1", "2"}:
            confidence = min(int(rest.pop(0)), 2 if confidence is None else confidence)
        has_comment = has_comment or bool(rest)
    return LabelText(track, " | ".join(keys), None, confidence, has_comment)
