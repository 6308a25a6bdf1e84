"""Comparing two systems on the same tracks: the paired bootstrap."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfkey.errors import DataError, KeyParseError
from tfkey.keys import Key
from tfkey.mirex import Figure, bootstrap_means, track_scores

RESAMPLES = 10_000
_NO_KEY = frozenset({"", "-", "x", "o", "none", "nokey", "no key"})
_TRACK_COLUMNS = ("track", "file", "path")
_KEY_COLUMNS = ("estimate", "key")


@dataclass(frozen=True)
class Predictions:
    """What a system says of tracks, as read from a CSV file.

    Attributes:
        path: the file.
        keys: by track; None where the system names no key.
        references: by track, where the file states them.
    """

    path: Path
    keys: dict[str, Key | None]
    references: dict[str, Key]


@dataclass(frozen=True)
class Difference:
    """One figure of two systems, each a fraction with its 95 % interval, and B minus A.

    Attributes:
        a: of the first.
        b: of the second.
        difference: ``b - a``; its interval is that of the paired bootstrap.
        p_value: two-sided: twice the share of resamples in which the difference has the other sign or none,
            counted with one more on either side, at most 1 (Davison and Hinkley 1997, section 4.2).
    """

    a: Figure
    b: Figure
    difference: Figure
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """Two systems on the tracks that both judged.

    Attributes:
        n_tracks: how many these are.
        figures: ``weighted`` (fifths both ways), ``weighted_ascending``, ``correct``.
        only_a: tracks that only the first judged; they are left out.
        only_b: the same of the second.
    """

    n_tracks: int
    figures: dict[str, Difference]
    only_a: list[str]
    only_b: list[str]

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, fit for JSON."""
        figures = {
            name: {
                "a": item.a._asdict(),
                "b": item.b._asdict(),
                "difference": item.difference._asdict(),
                "p_value": item.p_value,
            }
            for name, item in self.figures.items()
        }
        return {"n_tracks": self.n_tracks, "figures": figures, "only_a": self.only_a, "only_b": self.only_b}


def read_predictions(path: Path) -> Predictions:
    """Read the ``predictions.csv`` of ``tfkey evaluate``, or a CSV file with the columns track and key.

    A key that is empty, ``-``, ``X`` or the like is none: the system gave no answer, which counts as wrong.

    Raises:
        DataError: a file that cannot be read, has other columns, names a track twice, or holds a text that
            is no key; names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            track_column = next((name for name in _TRACK_COLUMNS if name in columns), None)
            key_column = next((name for name in _KEY_COLUMNS if name in columns), None)
            if track_column is None or key_column is None:
                raise DataError(f"{path}: its first line must name the columns track and key")
            keys: dict[str, Key | None] = {}
            references: dict[str, Key] = {}
            for row in reader:
                track = row[track_column] or ""
                if track in keys:
                    raise DataError(f"{path}, line {reader.line_num}: track {track!r} stands there twice")
                keys[track] = _key(path, reader.line_num, row[key_column])
                reference = _key(path, reader.line_num, row.get("reference"))
                if reference is not None:
                    references[track] = reference
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); give a CSV file in UTF-8") from error
    if not keys:
        raise DataError(f"{path}: holds no tracks; give a line for each")
    return Predictions(path, keys, references)


def _key(path: Path, line: int, text: str | None) -> Key | None:
    text = (text or "").strip()
    if text.casefold() in _NO_KEY:
        return None
    try:
        return Key.parse(text)
    except KeyParseError as error:
        raise DataError(f"{path}, line {line}: {error}") from error


def compare(
    a: Predictions, b: Predictions, reference: Mapping[str, Key] | None = None, *, seed: int = 0
) -> Comparison:
    """Compare two systems on the tracks that both judged, by a paired bootstrap over these tracks.

    Tracks are drawn with replacement, both systems' scores together, so that what makes a track easy or hard
    for both does not widen the interval of their difference (Efron and Tibshirani 1993).

    Args:
        a: the first.
        b: the second.
        reference: the right keys by track; None for those that the files state.
        seed: of the bootstrap.

    Raises:
        DataError: no common track has a reference, or the two files state different ones.
    """
    truth = {**b.references, **a.references} if reference is None else dict(reference)
    for track in a.references.keys() & b.references.keys() if reference is None else ():
        if a.references[track] != b.references[track]:
            raise DataError(
                f"{b.path}: track {track!r} has the reference {b.references[track]}, in {a.path} it is "
                f"{a.references[track]}; give the right ones with --reference"
            )
    common = [track for track in a.keys if track in b.keys and track in truth]
    if not common:
        raise DataError(
            f"{a.path} and {b.path}: no track stands in both and has a reference; give files that name the "
            "tracks alike, and --reference if neither states the right keys"
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
            _p_value(difference),
        )
    sets = (set(a.keys), set(b.keys))
    return Comparison(len(common), figures, sorted(sets[0] - sets[1]), sorted(sets[1] - sets[0]))


def _scores(references: Sequence[Key], estimates: Sequence[Key | None]) -> dict[str, np.ndarray]:
    """What each track counts in each figure, float64 ``[tracks]``."""
    answered = np.array([estimate is not None for estimate in estimates])
    # No answer is wrong, whatever stands in for it here.
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


def _p_value(difference: np.ndarray) -> float:
    # Rounding makes sums of the same scores differ in the last digit.
    below, above = (difference <= 1e-12).sum(), (difference >= -1e-12).sum()
    return float(min(1.0, 2 * (min(below, above) + 1) / (len(difference) + 1)))
