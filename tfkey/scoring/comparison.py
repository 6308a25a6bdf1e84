"""Comparing two systems on the same tracks: the paired bootstrap, and a paired randomisation test."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tfkey.errors import DataError
from tfkey.key_tables import parse_key, read_rows
from tfkey.keys import Key
from tfkey.known_keys import read_known_keys
from tfkey.scoring.bootstrap import bootstrap_means
from tfkey.scoring.mirex import Figure, track_scores

RESAMPLES = 10_000
_T = TypeVar("_T")
MATCHES = ("name", "name without dataset", "file name without folder and suffix")
"""How tracks of two files are matched, strictest first; the first that finds a common track applies."""

# The looseness for A and for B; only tfkey puts the name of the dataset before the track.
_LOOSENESS = ((0, 0), (1, 0), (0, 1), (1, 1), (2, 2))
_SUFFIX = re.compile(r"\.(?:mp3|wav|flac|ogg|opus|m4a|mp4|aac|wma|aiff?|png|key|txt)$", re.IGNORECASE)
_TRACK_COLUMNS = ("track", "file", "path")
_KEY_COLUMNS = ("estimate", "key")


@dataclass(frozen=True)
class Predictions:
    """The answers of a system, as read from a CSV file.

    Attributes:
        path: the file.
        keys: the estimated key by track; None if the system gave no key.
        references: the right key by track, for tracks whose right key the file states.
    """

    path: Path
    keys: dict[str, Key | None]
    references: dict[str, Key]


@dataclass(frozen=True)
class References:
    """The right keys of tracks, as read from a CSV file.

    Attributes:
        path: the file.
        keys: the right key by track.
        left_out: the number of rows that lack a track or a key.
    """

    path: Path
    keys: dict[str, Key]
    left_out: int


@dataclass(frozen=True)
class Difference:
    """One figure of two systems, each a fraction with its 95 % interval, and B minus A.

    Attributes:
        a: the figure of the first system.
        b: the figure of the second system.
        difference: ``b - a``, with the interval of the paired bootstrap.
        p_value: two-sided, by a paired randomisation test: how often a difference at least as far from 0
            arises when a coin toss assigns each track's two answers to A and B (Fisher 1935; Noreen 1989),
            (times + 1) / (:data:`RESAMPLES` + 1). Unlike a share of bootstrap resamples, it is also valid for
            few tracks: a single track shows nothing.
    """

    a: Figure
    b: Figure
    difference: Figure
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """Two systems on the tracks that both judged.

    Attributes:
        n_tracks: the number of these tracks.
        figures: ``weighted`` (fifths both ways), ``weighted_ascending``, ``correct``.
        only_a: tracks that only the first judged; left out, as are the next two.
        only_b: tracks that only the second judged.
        no_reference: tracks that both judged and whose right key is unknown.
        by: how the names of tracks were matched, one of :data:`MATCHES`.
    """

    n_tracks: int
    figures: dict[str, Difference]
    only_a: list[str]
    only_b: list[str]
    no_reference: list[str]
    by: str

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values for JSON."""
        figures = {
            name: {
                "a": item.a._asdict(),
                "b": item.b._asdict(),
                "difference": item.difference._asdict(),
                "p_value": item.p_value,
            }
            for name, item in self.figures.items()
        }
        return {
            "n_tracks": self.n_tracks,
            "matched_by": self.by,
            "figures": figures,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "no_reference": self.no_reference,
        }


def read_predictions(path: Path) -> Predictions:
    """Read the ``predictions.csv`` of ``tfkey evaluate``, or a CSV file with the columns track and key.

    A key that is empty, ``-``, ``X`` or the like (:data:`tfkey.key_tables.NO_KEY`) means that the system gave
    no answer, which counts as wrong.

    Raises:
        DataError: the file cannot be read, has other columns, names a track twice, or holds a text that is
            not a key; names the line.
    """
    keys: dict[str, Key | None] = {}
    references: dict[str, Key] = {}
    for row in read_rows(path, _TRACK_COLUMNS, _KEY_COLUMNS):
        track = _new_track(path, row.line, row.name, keys)
        keys[track] = parse_key(path, row.line, row.key_text)
        reference = parse_key(path, row.line, row.cells.get("reference", ""))
        if reference is not None:
            references[track] = reference
    if not keys:
        raise DataError(f"{path}: has no tracks; give one line per track")
    return Predictions(path, keys, references)


def read_references(path: Path) -> References:
    """Read right keys by track: a CSV file with the columns track and reference, or else track and key.

    A ``predictions.csv`` of ``tfkey evaluate`` is accepted, too: its references count, not its estimates.

    Raises:
        DataError: as in :func:`read_predictions`; or no row has a key.
    """
    known = read_known_keys(path, _TRACK_COLUMNS)
    keys: dict[str, Key] = {}
    for row in known.rows:
        keys[_new_track(path, row.line, row.names[0], keys)] = row.key
    return References(path, keys, known.left_out)


def _new_track(path: Path, line: int, name: str, known: Mapping[str, Any]) -> str:
    track = name.strip()
    if not track:
        raise DataError(f"{path}, line {line}: names no track; name it, or delete the line")
    if track in known:
        raise DataError(f"{path}, line {line}: track {track!r} is listed twice; delete one of the lines")
    return track


def compare(
    a: Predictions, b: Predictions, reference: Mapping[str, Key] | None = None, *, seed: int = 0
) -> Comparison:
    """Compare two systems on the tracks that both judged, by a paired bootstrap over these tracks.

    Tracks are drawn with replacement, both systems' scores together. Whatever makes a track easy or hard for
    both therefore does not widen the interval of their difference (Efron and Tibshirani 1993).

    Args:
        a: the first system.
        b: the second system.
        reference: the right keys by track; None for those stated in the files.
        seed: the seed of the bootstrap.

    Raises:
        DataError: no common track has a reference, or the two files state different ones.
    """
    a, b, truth, by = _matched(a, b, reference)
    for track in a.references.keys() & b.references.keys() if reference is None else ():
        if a.references[track] != b.references[track]:
            raise DataError(
                f"{b.path}: track {track!r} has the reference {b.references[track]}, but in {a.path} it "
                f"is {a.references[track]}; give a reference with the right keys",
                remedy="reference",
            )
    both = [track for track in a.keys if track in b.keys]
    common = [track for track in both if track in truth]
    if not common:
        raise DataError(
            f"{a.path} and {b.path}: no track is in both and has a reference; give files that name the "
            "tracks alike, and a reference if neither file states the right keys",
            remedy="reference",
        )
    references = [truth[track] for track in common]
    tables = [_scores(references, [system.keys[track] for track in common]) for system in (a, b)]
    names = list(tables[0])
    columns = [table[name] for table in tables for name in names]
    means = bootstrap_means(np.stack(columns, axis=1), resamples=RESAMPLES, seed=seed)
    figures = {}
    for number, name in enumerate(names):
        drawn = means[:, number], means[:, number + len(names)]
        difference = drawn[1] - drawn[0]
        values = [float(table[name].mean()) for table in tables]
        figures[name] = Difference(
            _figure(values[0], drawn[0]),
            _figure(values[1], drawn[1]),
            _figure(values[1] - values[0], difference),
            _p_value(tables[1][name] - tables[0][name], seed),
        )
    sets = (set(a.keys), set(b.keys))
    unknown = [track for track in both if track not in truth]
    return Comparison(
        len(common), figures, sorted(sets[0] - sets[1]), sorted(sets[1] - sets[0]), sorted(unknown), by
    )


def _matched(
    a: Predictions, b: Predictions, reference: Mapping[str, Key] | None
) -> tuple[Predictions, Predictions, dict[str, Key], str]:
    """Rename the tracks of both systems and of the right keys to names they share, if any."""
    for loose_a, loose_b in _LOOSENESS:
        first, second = _renamed(a, loose_a), _renamed(b, loose_b)
        stated = {**second.references, **first.references}
        given = (
            [_loosened(reference, looseness) for looseness in range(3)] if reference is not None else [stated]
        )
        # Two tracks under one name cannot be told apart.
        if len(first.keys) == len(a.keys) and len(second.keys) == len(b.keys):
            for truth in given:
                distinct = reference is None or len(truth) == len(reference)
                if distinct and first.keys.keys() & second.keys.keys() & truth.keys():
                    return first, second, truth, MATCHES[max(loose_a, loose_b)]
    known = {**b.references, **a.references} if reference is None else dict(reference)
    return a, b, known, MATCHES[0]


def _renamed(system: Predictions, looseness: int) -> Predictions:
    return Predictions(
        system.path, _loosened(system.keys, looseness), _loosened(system.references, looseness)
    )


def _loosened(keys: Mapping[str, _T], looseness: int) -> dict[str, _T]:
    return {_loose(track, looseness): key for track, key in keys.items()}


def _loose(track: str, looseness: int) -> str:
    """A track's name in the form of one of :data:`MATCHES`."""
    if looseness == 0:
        return track
    if looseness == 1:
        return track.partition("/")[2] or track
    return _SUFFIX.sub("", re.split(r"[/\\]", track)[-1])


def _scores(references: Sequence[Key], estimates: Sequence[Key | None]) -> dict[str, np.ndarray]:
    """The value of each track in each figure, float64 ``[tracks]``."""
    answered = np.array([estimate is not None for estimate in estimates])
    # A missing answer counts as wrong below; here it only needs some key.
    filled = [reference if key is None else key for reference, key in zip(references, estimates, strict=True)]
    columns = {
        "weighted": track_scores(references, filled, both_fifths=True),
        "weighted_ascending": track_scores(references, filled, both_fifths=False),
        "correct": np.array([a == b for a, b in zip(references, filled, strict=True)], np.float64),
    }
    return {name: values * answered for name, values in columns.items()}


def _figure(value: float, drawn: np.ndarray) -> Figure:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Figure(value, float(low), float(high))


def _p_value(differences: np.ndarray, seed: int) -> float:
    """The paired randomisation test; see :class:`Difference`."""
    sizes, counts = np.unique(np.round(np.abs(differences), 9), return_counts=True)
    generator = np.random.default_rng(seed)
    # For tracks with equal differences, only the number of heads matters.
    heads = generator.binomial(counts, 0.5, size=(RESAMPLES, len(counts)))
    sums = np.abs((2 * heads - counts) @ sizes)
    # Rounding makes sums of the same scores differ in the last digit.
    reached = (sums >= abs(differences.sum()) - 1e-6).sum()
    return float((reached + 1) / (RESAMPLES + 1))
