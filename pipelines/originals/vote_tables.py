"""Tables of votes: segments of recordings with soft labels, listed as tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.text import printable, safe_name
from pipelines.tracks import LeftOut, Track, unique_names
from tfkey.errors import DataError
from tfkey.files import md5
from tfkey.key_tables import Row, find_file, read_rows
from tfkey.settings import SPLITS
from tfkey.votes import Vote, key_of, mixed, vote_in, voters

START_COLUMNS = ("start", "start_s")
SECONDS_COLUMNS = ("seconds", "seconds_s")
GROUP_COLUMNS = ("group", "artist", "package", "repository")
"""Columns whose value keeps rows in one split, the preferred one first."""

VOTES = "votes.csv"
"""The name of the table of soft labels beside the folders of pictures."""

_NOT_VOTERS = frozenset({*START_COLUMNS, *SECONDS_COLUMNS, *GROUP_COLUMNS, "path", "file", "track"})


def find_voters(rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """Return the columns of each voter in a table (see :func:`tfkey.votes.voters`); empty without votes."""
    found = voters(rows[0].cells) if rows else {}
    return {name: columns for name, columns in found.items() if name not in _NOT_VOTERS}


def read_vote_rows(
    table: Path, rows: Sequence[Row], weights: Mapping[str, float]
) -> tuple[list[Track], list[LeftOut]]:
    """List the segments in a table of votes.

    Args:
        table: the table's path.
        rows: its rows. Besides the votes, they may state ``start`` and ``seconds`` of a segment, the ``md5``
            of the file, ``split``, and ``group`` (or artist, package, repository).
        weights: the weight of each voter; empty if all count equally.

    Returns:
        The tracks, sorted by source, and the rows that were left out. Rows of one group, and segments of one
        recording, are one group. A segment's name ends in its start in seconds.

    Raises:
        DataError: no row can be used, or a voter with a weight is missing from the table.
    """
    columns = find_voters(rows)
    tracks: list[Track] = []
    left_out: list[LeftOut] = []
    digests: dict[Path, str] = {}
    seen: dict[tuple[Path, float | None], int] = {}
    for row in rows:
        source = printable(row.name) or f"line {row.line}"
        try:
            track = _track(table, row, columns, weights, digests)
            place = track.path.resolve(), track.segment[0] if track.segment else None
            if place in seen:
                raise DataError(f"the same segment as in line {seen[place]}; delete one")
            seen[place] = row.line
        except DataError as error:
            left_out.append(LeftOut(source, f"line {row.line}: {error}"))
        else:
            tracks.append(track)
    if not tracks:
        reason = f" ({left_out[0].source}: {left_out[0].reason})" if left_out else ""
        raise DataError(f"{table}: no line has both votes and an existing audio file{reason}")
    return unique_names(sorted(tracks, key=lambda track: (track.source, track.segment or ()))), left_out


def picture_votes(folder: Path) -> dict[str, Vote]:
    """Return the soft labels of pictures by path relative to the folder; empty without :data:`VOTES`.

    Raises:
        DataError: a line is damaged.
    """
    table = folder / VOTES
    if not table.is_file():
        return {}
    rows = read_rows(table, ("path",), ())
    columns = find_voters(rows)
    votes = {}
    for row in rows:
        try:
            votes[row.name] = mixed({name: vote_in(row.cells, own) for name, own in columns.items()}, {})
        except DataError as error:
            raise DataError(f"{table}, line {row.line}: {error}; fetch the archive again") from error
    return votes


def _track(
    table: Path,
    row: Row,
    columns: Mapping[str, Sequence[str]],
    weights: Mapping[str, float],
    digests: dict[Path, str],
) -> Track:
    """Return the segment of one row; ``DataError`` with the reason if it cannot be used."""
    if not any(row.cells.get(column, "").strip() for own in columns.values() for column in own):
        raise DataError("no votes")
    vote = mixed({name: vote_in(row.cells, own) for name, own in columns.items()}, weights)
    path = find_file(row.names, table.parent)
    if path is None:
        raise DataError("no such file; give its path, absolute or relative to the folder of the CSV file")
    _check_digest(path, row.cells.get("md5", "").strip().lower(), digests)
    split = row.cells.get("split", "").strip().lower() or None
    if split not in {None, *SPLITS}:
        raise DataError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    segment = _segment(row)
    named = next((text for name in GROUP_COLUMNS if (text := row.cells.get(name, "").strip())), "")
    group = f"group {named}" if named else f"file {Path(row.name).with_suffix('')}"
    name = safe_name(path.stem) + (f"-{segment[0]:g}s" if segment else "")
    return Track(name, path, key_of(vote), split, printable(row.name), group, vote, segment)


def _segment(row: Row) -> tuple[float, float] | None:
    start, seconds = (_seconds(row, names) for names in (START_COLUMNS, SECONDS_COLUMNS))
    # A length alone, as in results of tfkey, is that of the whole recording.
    if start is None:
        return None
    if seconds is None:
        raise DataError("has a start but no length; fill in the column seconds")
    if start < 0 or seconds <= 0:
        raise DataError(f"the segment of {seconds:g} s from {start:g} s is impossible; correct it")
    return start, seconds


def _seconds(row: Row, names: Sequence[str]) -> float | None:
    text = next((text for name in names if (text := row.cells.get(name, "").strip())), "")
    try:
        value = float(text) if text else None
    except ValueError:
        raise DataError(f"{text!r} is not a number of seconds") from None
    if value is not None and not abs(value) < float("inf"):
        raise DataError(f"{text!r} is not a number of seconds")
    return value


def _check_digest(path: Path, wanted: str, digests: dict[Path, str]) -> None:
    if wanted:
        found = digests.get(path) or digests.setdefault(path, md5(path))
        if found != wanted:
            raise DataError(f"the file has changed (MD5 {found}, not {wanted}); fetch it again")
