"""Tables of votes: segments of recordings with soft labels, listed as tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.originals.source_files import SourceFiles
from pipelines.prepared.manifest import Row as Interval
from pipelines.text import printable, safe_name
from pipelines.tracks import LeftOut, Track, unique_names
from tfkey.errors import DataError
from tfkey.files import csv_lines, md5
from tfkey.key_tables import Row, read_rows
from tfkey.keys import KEYS
from tfkey.settings import SPLITS
from tfkey.storage import fetched, name_of, shown
from tfkey.votes import Vote, key_of, mixed, vote_in, voters

START_COLUMNS = ("start", "start_s")
SECONDS_COLUMNS = ("seconds", "seconds_s")
GROUP_COLUMNS = ("group", "artist", "package", "repository")
"""Columns whose value keeps rows in one split, the preferred one first."""

VOTES = "votes.csv"
"""The name of the table of soft labels beside the folders of pictures."""

_NOT_VOTERS = frozenset({*START_COLUMNS, *SECONDS_COLUMNS, *GROUP_COLUMNS, "path", "file", "track"})


def find_voters(table: Path, rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """Return the columns of each voter in a table (see :func:`tfkey.votes.voters`); empty without votes.

    Raises:
        DataError: some of the columns that are named by keys are missing.
    """
    try:
        found = voters(row.cells for row in rows)
    except DataError as error:
        raise DataError(f"{table}: {error}") from error
    return {name: columns for name, columns in found.items() if name not in _NOT_VOTERS}


def read_vote_rows(
    table: Path, rows: Sequence[Row], weights: Mapping[str, float]
) -> tuple[list[Track], list[LeftOut]]:
    """List the segments in a table of votes.

    Args:
        table: the table's path.
        rows: its rows. Besides the votes, they may state ``start`` and ``seconds`` of a segment, the ``md5``
            of the file, ``split``, and ``group`` (or artist, package, repository).
        weights: the weight of each voter, all of which a row must then have; empty if all voters of a row
            count equally.

    Returns:
        The tracks, sorted by source, and the rows that were left out. Rows of one group, and segments of one
        recording, are one group. A segment's name ends in its start in seconds.

    Raises:
        DataError: no row can be used, or a voter with a weight is missing from the table.
    """
    columns = _chosen(table, find_voters(table, rows), weights)
    files = SourceFiles(table, rows)
    tracks: list[Track] = []
    left_out: list[LeftOut] = []
    digests: dict[Path, str] = {}
    groups: dict[Path, str] = {}
    seen: dict[tuple[Path, float | None], int] = {}
    for row in rows:
        source = printable(shown(row.name)) or f"line {row.line}"
        try:
            track = _track(row, columns, weights, files, digests)
            file = track.path.resolve()
            place = file, track.segment[0] if track.segment else None
            if place in seen:
                raise DataError(f"the same segment as in line {seen[place]}; delete one")
            seen[place] = row.line
        except DataError as error:
            left_out.append(LeftOut(source, f"line {row.line}: {error}"))
        else:
            # The rows of a file may name it, or its group, in different ways.
            tracks.append(replace(track, group=groups.setdefault(file, track.group)))
    if not tracks:
        reason = f" ({left_out[0].source}: {left_out[0].reason})" if left_out else ""
        raise DataError(f"{table}: no line has both votes and an existing audio file{reason}")
    return unique_names(sorted(tracks, key=lambda track: (track.source, track.segment or ()))), left_out


def picture_votes(folder: Path) -> dict[str, Vote]:
    """Return the soft labels of pictures by path relative to the folder; empty without :data:`VOTES`.

    Weights of voters do not matter: they were applied before :func:`picture_table` wrote the file.

    Raises:
        DataError: the file is not such a table, or a line is damaged.
    """
    table = folder / VOTES
    if not table.is_file():
        return {}
    rows = read_rows(table, ("path",), ())
    columns = find_voters(table, rows)
    if rows and not columns:
        raise DataError(f"{table}: has no columns of votes; fetch the archive again, or delete the file")
    votes = {}
    for row in rows:
        try:
            votes[row.name] = _vote(row, columns, {})
        except DataError as error:
            raise DataError(f"{table}, line {row.line}: {error}; fetch the archive again") from error
    return votes


def picture_table(rows: Sequence[Interval]) -> str | None:
    """Return the content of :data:`VOTES` for the pictures of intervals; None if none has a soft label."""
    votes = [[row.picture, *row.vote.split()] for row in rows if row.vote]
    return csv_lines([["path", *(key.long for key in KEYS)], *votes]) if votes else None


def _chosen(
    table: Path, columns: Mapping[str, tuple[str, ...]], weights: Mapping[str, float]
) -> Mapping[str, tuple[str, ...]]:
    """Return the columns of the voters that count."""
    missing = sorted(set(weights) - set(columns))
    if missing:
        names = ", ".join(filter(None, columns)) or "only one, without a name"
        raise DataError(f"{table}: has no votes of {', '.join(missing)}; voters in it: {names}")
    return {name: own for name, own in columns.items() if name in weights} if weights else columns


def _vote(row: Row, columns: Mapping[str, Sequence[str]], weights: Mapping[str, float]) -> Vote:
    """Return the vote of a row: the mean over the voters that it has."""
    votes: dict[str, Vote] = {}
    for name, own in columns.items():
        if any(row.cells.get(column, "").strip() for column in own):
            try:
                votes[name] = vote_in(row.cells, own)
            except DataError as error:
                raise DataError(f"{name}: {error}" if len(columns) > 1 else str(error)) from error
    if not votes:
        raise DataError("no votes")
    return mixed(votes, weights)


def _track(
    row: Row,
    columns: Mapping[str, Sequence[str]],
    weights: Mapping[str, float],
    files: SourceFiles,
    digests: dict[Path, str],
) -> Track:
    """Return the segment of one row; ``DataError`` with the reason if it cannot be used."""
    vote = _vote(row, columns, weights)
    found = files.find(row)
    if found is None:
        raise DataError("no such file; give its path, absolute or relative to the folder of the CSV file")
    path = found.path
    _check_digest(path, row.cells.get("md5", "").strip().lower(), digests)
    split = row.cells.get("split", "").strip().lower() or None
    if split not in {None, *SPLITS}:
        raise DataError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    segment = _segment(row)
    named = next((text for name in GROUP_COLUMNS if (text := row.cells.get(name, "").strip())), "")
    group = f"group {named}" if named else f"file {Path(shown(row.name)).with_suffix('')}"
    # All digits of the start, so that no two segments of a file have the same name.
    name = safe_name(Path(name_of(path)).stem) + (
        f"-{str(segment[0]).removesuffix('.0')}s" if segment else ""
    )
    source = printable(shown(row.name))
    return Track(name, path, key_of(vote), split, source, group, vote, segment, found.stamp)


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
        try:
            with fetched(path) as local:
                found = digests.get(path) or digests.setdefault(path, md5(local))
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror}); check its permissions") from error
        if found != wanted:
            raise DataError(f"the file has changed (MD5 {found}, not {wanted}); fetch it again")
