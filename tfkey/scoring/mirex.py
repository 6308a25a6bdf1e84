"""The MIREX key score: functions on class indices or keys, with bootstrap intervals.

The score of one track, after the MIREX task *Audio Key Detection* and ``mir_eval.key``:

=============  ======  =================================================================================
relation       score   the estimate, beside the reference
=============  ======  =================================================================================
``same``       1       same tonic, same mode
``fifth_up``   0.5     same mode, tonic a perfect fifth **above** (7 semitones): C major taken for G major
``fifth_down`` 0.5/0   same mode, tonic a perfect fifth **below** (5 semitones above): C taken for F major
``relative``   0.3     other mode, same key signature: C major taken for A minor
``parallel``   0.2     other mode, same tonic: C major taken for C minor
``other``      0       anything else; also a fifth away in the other mode
=============  ======  =================================================================================

There are two conventions. ``mir_eval.key.weighted_score`` credits the ascending fifth only, unless its
newer versions get ``allow_descending_fifths=True``. Most published figures, including the papers on
GiantSteps Key, credit both directions. No function here has a default for it: a figure never mixes
the two silently. All scores are fractions, 0 to 1.

Needs numpy only; the streaming Keras metric is :class:`tfkey.training.metrics.MirexScore`.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfkey.errors import DataError
from tfkey.keys import KEYS, N_CLASSES, Key, relation
from tfkey.scoring.bootstrap import bootstrap_interval

RELATIONS = ("same", "fifth_up", "fifth_down", "relative", "parallel", "other")

_WEIGHTS = {
    True: np.array([1.0, 0.5, 0.5, 0.3, 0.2, 0.0]),
    False: np.array([1.0, 0.5, 0.0, 0.3, 0.2, 0.0]),
}


Keys = Iterable[int] | Iterable[Key]
"""Class indices (0 to 23) or keys, one per track."""


FIGURE_TITLES = {
    "weighted": "MIREX weighted, fifths both ways",
    "weighted_ascending": "MIREX weighted, fifths upwards only",
    "correct": "correct",
    "fifth": "fifth, either way",
    "fifth_up": "  ascending (a fifth above)",
    "fifth_down": "  descending (a fifth below)",
    "relative": "relative",
    "parallel": "parallel",
    "other": "other",
}
"""The titles of the figures of :class:`Summary`; an indented one is part of the one above it."""


class Figure(NamedTuple):
    """A figure with its bootstrap interval.

    ``format(figure, spec)`` writes ``value [low, high]``, each number by ``spec``; a specification that ends
    in ``%`` gives per cent without the sign. The default is ``.1%``:

    >>> f"{Figure(0.921, 0.874, 0.962)}"
    '92.1 [87.4, 96.2]'
    """

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        spec = spec or ".1%"
        scale = 100 if spec.endswith("%") else 1
        value, low, high = (format(scale * number, spec.replace("%", "f")) for number in self)
        return f"{value} [{low}, {high}]"


@dataclass(frozen=True)
class Summary:
    """The MIREX table of one set of tracks; every figure is a fraction (0 to 1).

    Attributes:
        n_tracks: the number of tracks.
        n_intervals: the number of their intervals, if these were scored one by one; otherwise None.
        level: coverage of the bootstrap intervals, 0.95 for 95 %.
        figures: by name. ``weighted`` (fifths in both directions), ``weighted_ascending`` (ascending
            fifths only, the default of ``mir_eval``), ``correct``, ``fifth`` (both directions),
            ``fifth_up``, ``fifth_down``, ``relative``, ``parallel``, ``other``.

    """

    n_tracks: int
    level: float
    figures: dict[str, Figure]
    n_intervals: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the table as plain numbers for JSON."""
        figures = {name: figure._asdict() for name, figure in self.figures.items()}
        counts = {} if self.n_intervals is None else {"n_intervals": self.n_intervals}
        return {"n_tracks": self.n_tracks, **counts, "level": self.level, **figures}


@functools.cache
def _relation_codes() -> NDArray[np.intp]:
    """Return the place in :data:`RELATIONS` of every pair, ``[24 references, 24 estimates]``."""
    codes = np.array([[RELATIONS.index(relation(r, e, directed=True)) for e in KEYS] for r in KEYS], np.intp)
    codes.setflags(write=False)
    return codes


def score_matrix(both_fifths: bool) -> NDArray[np.float64]:
    """Return the score of every pair, float64 ``[24 references, 24 estimates]`` by class index.

    Args:
        both_fifths: credit a fifth in both directions, not only one above the reference.

    """
    return _WEIGHTS[bool(both_fifths)][_relation_codes()]


def class_indices(keys: Keys) -> NDArray[np.intp]:
    """Return keys or class indices as an array of class indices, ``[tracks]``.

    Raises:
        ValueError: an entry is neither a key nor an integer from 0 to 23.

    """
    indices = []
    for key in keys:
        try:
            index = key.index if isinstance(key, Key) else operator.index(key)
        except TypeError:
            raise ValueError(f"{key!r} is neither a Key nor a class index") from None
        if not 0 <= index < N_CLASSES:
            raise ValueError(f"class index {index} is not a key: give 0 to {N_CLASSES - 1}")
        indices.append(index)
    return np.array(indices, np.intp)


def _track_relations(reference: Keys, estimate: Keys) -> NDArray[np.intp]:
    references, estimates = class_indices(reference), class_indices(estimate)
    if len(references) != len(estimates):
        raise ValueError(
            f"{len(references)} references do not match {len(estimates)} estimates: give one each"
        )
    if not len(references):
        raise DataError("there are no tracks to score: give at least one reference and estimate")
    return _relation_codes()[references, estimates]


def track_scores(reference: Keys, estimate: Keys, *, both_fifths: bool) -> NDArray[np.float64]:
    """Return the score of each track, float64 ``[tracks]``; arguments as :func:`weighted_score`."""
    return _WEIGHTS[bool(both_fifths)][_track_relations(reference, estimate)]


def weighted_score(reference: Keys, estimate: Keys, *, both_fifths: bool) -> float:
    """Return the MIREX weighted score, the mean over tracks, 0 to 1.

    Args:
        reference: the true keys, one per track, as class indices or keys.
        estimate: the estimated keys, in the same order.
        both_fifths: credit a fifth in both directions, not only an estimate a fifth above the reference.

    Raises:
        ValueError: the sequences differ in length, or hold something that is not a key.
        DataError: the sequences are empty.

    """
    return float(track_scores(reference, estimate, both_fifths=both_fifths).mean())


def figure_columns(relations: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
    """Return the value of each entry in every figure of :class:`Summary`, from its place in `RELATIONS`."""
    is_relation = {name: (relations == code).astype(np.float64) for code, name in enumerate(RELATIONS)}
    return {
        "weighted": _WEIGHTS[True][relations],
        "weighted_ascending": _WEIGHTS[False][relations],
        "correct": is_relation.pop("same"),
        "fifth": is_relation["fifth_up"] + is_relation["fifth_down"],
        **is_relation,
    }


def summarise(
    reference: Keys,
    estimate: Keys,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Summary:
    """Return the whole MIREX table with bootstrap intervals over tracks.

    All figures are resampled together: differences between them are over the same tracks.

    Args:
        reference: as in :func:`weighted_score`.
        estimate: as in :func:`weighted_score`.
        groups: the track that each entry is an interval of, ``[entries]``; the figures are then means over
            intervals, and the bootstrap still draws whole tracks. None if each entry is a track.
        level: as in :func:`bootstrap_interval`, also ``resamples`` and ``seed``.
        resamples: as there.
        seed: as there.

    Raises:
        ValueError: groups and references differ in number; and as the functions named above.

    """
    relations = _track_relations(reference, estimate)
    columns = figure_columns(relations)
    table = np.stack(list(columns.values()), axis=1)
    n_tracks, counts = len(relations), None
    if groups is not None:
        names, owners = np.unique(np.asarray(groups), return_inverse=True)
        if owners.shape != relations.shape:
            raise ValueError(f"{owners.size} groups do not match {len(relations)} references: give one each")
        n_tracks, counts = len(names), np.bincount(owners)
        sums = np.zeros((n_tracks, table.shape[1]))
        np.add.at(sums, owners, table)
        table = sums
    lows, highs = bootstrap_interval(table, counts=counts, level=level, resamples=resamples, seed=seed)
    # A mean along the other axis of the table could differ from weighted_score in the last digit.
    figures = {
        name: Figure(float(column.mean()), float(low), float(high))
        for (name, column), low, high in zip(columns.items(), lows, highs, strict=True)
    }
    return Summary(n_tracks, level, figures, None if groups is None else len(relations))
