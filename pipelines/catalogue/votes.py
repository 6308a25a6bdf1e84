"""Votes: what networks say of the segments of recordings that nobody has labelled; soft targets for training.

The list is a CSV file with one line per segment:

| column | content |
|---|---|
| source | ``debian`` (a package of Debian) or ``git`` (a public repository) |
| origin | the name of the package, or ``<owner>/<name>`` of the repository |
| version | of the package, or the commit, 40 hexadecimal digits |
| path | of the recording in it; a folder ``<name>.pk3.d`` stands for the ZIP archive ``<name>.pk3`` |
| md5 | of the recording, 32 hexadecimal digits |
| licence, copyright, artist, title, style | as the package, the repository or the tags state them |
| start, seconds | the segment, in seconds |
| one per voter | 24 probabilities with blanks between them (:mod:`tfkey.votes`) |
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pipelines.text import printable
from pipelines.tracks import LeftOut
from tfkey.errors import DataError
from tfkey.votes import Vote, parse_vote

_COLUMNS = (
    "source", "origin", "version", "path", "md5", "licence", "copyright", "artist", "title", "style",
    "start", "seconds",
)  # fmt: skip
_REMEDY = "correct the line"
_ORIGIN = {"debian": r"[a-z0-9][a-z0-9+.-]+", "git": r"[\w.-]+/[\w.-]+"}
_VERSION = {"debian": r"[\w.+:~-]+", "git": r"[0-9a-f]{40}"}


@dataclass(frozen=True)
class Work:
    """A recording of a list of votes: where it is from, and who made it.

    Attributes:
        kind: ``debian`` or ``git``.
        origin: the name of the package or repository.
        version: the version of the package, or the commit.
        path: the path in the package or repository.
        md5: of the file, 32 hexadecimal digits.
        licence: the licence, by a short name or with the file that states it.
        holders: the copyright holders; empty if not stated.
        artist: empty if not stated.
        title: empty if not stated.
        style: empty if not stated.
    """

    kind: Literal["debian", "git"]
    origin: str
    version: str
    path: str
    md5: str
    licence: str
    holders: str
    artist: str
    title: str
    style: str

    @property
    def source(self) -> str:
        """Its origin and path, on one line."""
        return printable(f"{self.origin}/{self.path}")


@dataclass(frozen=True)
class VotedSegment:
    """The votes on one segment of a recording.

    Attributes:
        line: the line of the list.
        work: the recording.
        start: the start of the segment in seconds.
        seconds: its length.
        votes: for each voter the 24 probabilities.
    """

    line: int
    work: Work
    start: float
    seconds: float
    votes: dict[str, Vote]


def read_votes(path: Path, voters: Iterable[str]) -> tuple[list[VotedSegment], list[LeftOut]]:
    """Read a list of votes.

    Args:
        path: the CSV file.
        voters: the columns of votes to read.

    Returns:
        The votes in the order of the list, and the lines left out: votes that are not probabilities, a
        segment that is listed twice, a recording that is listed under another path or origin before.

    Raises:
        DataError: the file cannot be read or lacks a column, or a line does not say where its recording or
            segment is; names the line.
    """
    voters = tuple(voters)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); give a list of votes in UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    with _naming_line(path, reader):
        missing = [name for name in (*_COLUMNS, *voters) if name not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"{path}: has no column {', '.join(missing)}; {_REMEDY} with the names of columns")
    found: list[VotedSegment] = []
    left_out: list[LeftOut] = []
    works: dict[str, Work] = {}
    segments: dict[tuple[str, float], int] = {}
    with _naming_line(path, reader):
        rows = [(reader.line_num, row) for row in reader]
    for line, row in rows:
        work, start, seconds = _read_place(path, line, row)
        first = works.setdefault(work.md5, work)
        if (first.origin, first.path) != (work.origin, work.path):
            reason = f"line {line}: the same recording as {first.source}"
            left_out.append(LeftOut(work.source, reason, by_choice=True))
            continue
        earlier = segments.setdefault((work.md5, start), line)
        try:
            if earlier != line:
                raise DataError(f"the same segment as in line {earlier}; delete one")
            votes = {voter: _vote(row, voter) for voter in voters}
        except DataError as error:
            left_out.append(LeftOut(work.source, f"line {line}: {error}"))
        else:
            found.append(VotedSegment(line, first, start, seconds, votes))
    return found, left_out


@contextlib.contextmanager
def _naming_line(path: Path, reader: csv.DictReader[str]) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        line = max(1, reader.line_num)
        raise DataError(f"{path}, line {line}: is not CSV ({error}); check the quotes in it") from error


def _vote(row: dict[str, str | None], voter: str) -> Vote:
    try:
        return parse_vote(row[voter] or "")
    except DataError as error:
        raise DataError(f"votes of {voter}: {error}; {_REMEDY}") from error


def _read_place(path: Path, line: int, row: dict[str, str | None]) -> tuple[Work, float, float]:
    """Read where the recording is, and the start and length of the segment in seconds."""

    def wrong(name: str) -> DataError:
        return DataError(f"{path}, line {line}: {name} {cells[name]!r} is invalid; {_REMEDY}")

    cells = {name: (row[name] or "").strip() for name in _COLUMNS}
    kind: Literal["debian", "git"] = "git" if cells["source"] == "git" else "debian"
    if cells["source"] != kind:
        raise wrong("source")
    for name, pattern in (
        ("origin", _ORIGIN[kind]),
        ("version", _VERSION[kind]),
        ("md5", r"[0-9a-f]{32}"),
    ):
        if not re.fullmatch(pattern, cells[name]):
            raise wrong(name)
    if not is_safe_member(cells["path"]) or not is_safe_member(cells["origin"]):
        raise wrong("path")
    numbers = {}
    for name in ("start", "seconds"):
        try:
            numbers[name] = float(cells[name])
        except ValueError:
            raise wrong(name) from None
        if not math.isfinite(numbers[name]) or numbers[name] < 0 or (name == "seconds" and not numbers[name]):
            raise wrong(name)
    texts = [printable(cells[name]) for name in ("licence", "copyright", "artist", "title", "style")]
    work = Work(kind, cells["origin"], cells["version"], cells["path"], cells["md5"], *texts)
    return work, numbers["start"], numbers["seconds"]


def is_safe_member(name: str) -> bool:
    """Whether a path in an archive or repository stays in the folder that it is unpacked to."""
    path = PurePosixPath(name)
    parts_are_safe = all(part not in {"", ".", ".."} and not part.startswith(".git") for part in path.parts)
    return bool(path.parts) and not path.is_absolute() and parts_are_safe and "\\" not in name
