"""How far a network's confidences can be trusted on labelled recordings, by cross-fitted temperatures.

A temperature looks too good on the recordings that it was fitted on. In K-fold cross-fitting, the recordings
are divided into K parts, and the confidences of each part are calibrated by the temperature that was fitted
on the other parts. Figures of these confidences are honest; the temperature that is kept is fitted on all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfkey.errors import DataError
from tfkey.scoring.bootstrap import bootstrap_interval
from tfkey.scoring.calibration import (
    calibrated,
    fit_temperature,
    log_probabilities,
    negative_log_likelihood,
    reliability,
)
from tfkey.scoring.debiased import root, squared_calibration_error
from tfkey.scoring.mirex import Figure, track_scores

FOLDS = 10
"""The number of parts for cross-fitting."""

THRESHOLDS = (0.5, 0.6, 0.7, 0.8)
"""The least confidences for which it is found how many recordings have an answer, and how many are right."""

POOLED = "all"
"""The name of all sets together."""

_TOP = 3


@dataclass(frozen=True)
class Answers:
    """A network's answers for labelled recordings, without calibration.

    Attributes:
        labels: the class index of each recording's key, int ``[recordings]``.
        probabilities: float64 ``[recordings, 24]``, each with sum 1, the mean over a recording's intervals.
        has_key: whether the network named a key, bool ``[recordings]``; without one (silence, noise), the
            answer is wrong and has no confidence.
        sets: the set that each recording belongs to; empty if it belongs to none.
        owners: the index of each interval's recording, int ``[intervals]``.
        intervals: float64 ``[intervals, 24]``, each with sum 1: the probabilities of single intervals.
    """

    labels: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    has_key: NDArray[np.bool_]
    sets: Sequence[str]
    owners: NDArray[np.intp]
    intervals: NDArray[np.float64]


@dataclass(frozen=True)
class Threshold:
    """What a least confidence does; ``right`` is a share of the answers, None if there are no answers."""

    answered: float
    right: float | None


@dataclass(frozen=True)
class SetFigures:
    """The figures of a set of recordings; all but the numbers are fractions, 0 to 1.

    Attributes:
        files: the number of recordings.
        without_key: the number of those for which the network named no key; they count as wrong.
        weighted: the MIREX weighted score, fifths in both directions, with its 95 % bootstrap interval.
        correct: the share whose key is right, with its interval.
        top_3: the share whose key is among the three most probable keys.
        error_before: the expected calibration error at the temperature that the network had; None without
            any answer.
        error_after: the same at the fitted temperature, by cross-fitting; None if there were too few
            recordings to fit it.
        error_by_chance: the mean calibration error of so many recordings if every confidence were right, at
            the fitted temperature; a smaller ``error_after`` is luck. None like it.
        error_debiased: the root mean square calibration error after, without what chance adds
            (:mod:`tfkey.scoring.debiased`), with its interval. None like ``error_after``.
        thresholds: by least confidence, with cross-fitting; empty if there were too few recordings.
    """

    files: int
    without_key: int
    weighted: Figure
    correct: Figure
    top_3: float
    error_before: float | None
    error_after: float | None
    error_by_chance: float | None
    error_debiased: Figure | None
    thresholds: Mapping[float, Threshold]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values for JSON."""
        return {
            **asdict(self),
            "weighted": self.weighted._asdict(),
            "correct": self.correct._asdict(),
            "error_debiased": _as_dict(self.error_debiased),
            "thresholds": {f"{least:g}": asdict(found) for least, found in self.thresholds.items()},
        }


@dataclass(frozen=True)
class Confidence:
    """Temperatures fitted on labelled recordings, and what they achieve.

    Attributes:
        temperature: for whole recordings.
        interval_temperature: for single intervals, as in key over time.
        n_tracks: the number of recordings that they were fitted on.
        nll_before: the mean negative log-likelihood of these, in nats, without a temperature.
        nll_after: the same with it.
        interval_error_before: the calibration error of single intervals at the temperature that the network
            had for them; None without intervals.
        interval_error_after: the same with the fitted one, by cross-fitting; None for too few recordings.
        interval_error_debiased: as :attr:`SetFigures.error_debiased`, for single intervals; those of one
            recording count as alike.
        sets: the figures by set, in the order of their first recording, and of all together
            (:data:`POOLED`) at the end.
    """

    temperature: float
    interval_temperature: float
    n_tracks: int
    nll_before: float
    nll_after: float
    interval_error_before: float | None
    interval_error_after: float | None
    interval_error_debiased: Figure | None
    sets: Mapping[str, SetFigures]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            **vars(self),
            "interval_error_debiased": _as_dict(self.interval_error_debiased),
            "sets": {name: figures.as_dict() for name, figures in self.sets.items()},
        }


def assess(
    answers: Answers, temperature: float, interval_temperature: float, *, folds: int = FOLDS, seed: int = 0
) -> Confidence:
    """Fit temperatures on labelled recordings, and find out how good the confidences are.

    Args:
        answers: the answers without calibration.
        temperature: the temperature that the network has so far.
        interval_temperature: the same for single intervals.
        folds: the number of parts for cross-fitting, at least 2; as many as there are recordings at most.
        seed: decides which recording is in which part.

    Raises:
        DataError: the network named no key for any recording.
    """
    keyed = np.flatnonzero(answers.has_key)
    if not keyed.size:
        raise DataError("the network names no key for any of the recordings; give recordings of music")
    rows, labels = answers.probabilities[keyed], answers.labels[keyed]
    place = np.full(len(answers.labels), -1)
    place[keyed] = parts(keyed.size, folds, seed)
    fitted = fit_temperature(log_probabilities(rows), labels)
    after = None
    found = cross_fitted(rows, labels, place[keyed])
    if found is not None:
        after = np.full_like(answers.probabilities, np.nan)
        after[keyed] = found
    before = calibrated(answers.probabilities, temperature)
    names = [name for name in dict.fromkeys(answers.sets) if name]
    members = {name: np.array([item == name for item in answers.sets]) for name in names}
    members[POOLED] = np.ones(len(answers.labels), bool)
    sets = {name: _figures(answers, members[name], before, after) for name in members}
    of_intervals = _of_intervals(answers, place, fitted, interval_temperature)
    return Confidence(
        temperature=fitted,
        interval_temperature=of_intervals[0],
        n_tracks=int(keyed.size),
        nll_before=negative_log_likelihood(rows, labels),
        nll_after=negative_log_likelihood(calibrated(rows, fitted), labels),
        interval_error_before=of_intervals[1],
        interval_error_after=of_intervals[2],
        interval_error_debiased=of_intervals[3],
        sets=sets,
    )


def parts(count: int, folds: int, seed: int = 0) -> NDArray[np.intp]:
    """Divide recordings at random into parts whose sizes differ by at most 1.

    Args:
        count: the number of recordings.
        folds: the number of parts, at least 2.
        seed: of the random generator.

    Returns:
        The part of each recording, ``[count]``, from 0.
    """
    return np.random.default_rng(seed).permutation(count) % folds


def cross_fitted(probabilities: ArrayLike, labels: ArrayLike, part: ArrayLike) -> NDArray[np.float64] | None:
    """Calibrate each part by the temperature fitted on the others.

    Args:
        probabilities: ``[rows, classes]``, sum 1.
        labels: class indices ``[rows]``.
        part: the part of each row, ``[rows]``.

    Returns:
        float64 ``[rows, classes]``; None if all rows are in one part.
    """
    rows, truth, place = np.asarray(probabilities, np.float64), np.asarray(labels), np.asarray(part)
    numbers = np.unique(place)
    if numbers.size < 2:
        return None
    found = np.empty_like(rows)
    for number in numbers:
        held, others = place == number, place != number
        fitted = fit_temperature(log_probabilities(rows[others]), truth[others])
        found[held] = calibrated(rows[held], fitted)
    return found


def _of_intervals(
    answers: Answers, place: NDArray[np.intp], fallback: float, temperature: float
) -> tuple[float, float | None, float | None, Figure | None]:
    """The temperature of single intervals, and their calibration error before, after, and debiased."""
    rows, truth, part = answers.intervals, answers.labels[answers.owners], place[answers.owners]
    if not len(rows):
        return fallback, None, None, None
    after = cross_fitted(rows, truth, part)
    return (
        fit_temperature(log_probabilities(rows), truth),
        _error(calibrated(rows, temperature), truth),
        None if after is None else _error(after, truth),
        None if after is None else _debiased(after, truth, answers.owners),
    )


def _figures(
    answers: Answers,
    member: NDArray[np.bool_],
    before: NDArray[np.float64],
    after: NDArray[np.float64] | None,
) -> SetFigures:
    labels, keyed = answers.labels[member], answers.has_key[member]
    order = np.argsort(-answers.probabilities[member], axis=1, kind="stable")
    right = keyed & (order[:, 0] == labels)
    scores = track_scores(labels.tolist(), order[:, 0].tolist(), both_fifths=True) * keyed
    thresholds = {}
    if after is not None:
        confidence = np.where(keyed, after[member].max(axis=1), 0.0)
        for least in THRESHOLDS:
            answered = keyed & (confidence >= least)
            share = float(right[answered].mean()) if answered.any() else None
            thresholds[least] = Threshold(float(answered.mean()), share)
    answered = member & answers.has_key
    truth = answers.labels[answered]
    fitted = after[answered] if truth.size and after is not None else None
    return SetFigures(
        files=int(member.sum()),
        without_key=int((~keyed).sum()),
        weighted=_with_interval(scores),
        correct=_with_interval(right.astype(np.float64)),
        top_3=float((keyed & (order[:, :_TOP] == labels[:, np.newaxis]).any(axis=1)).mean()),
        error_before=_error(before[answered], truth) if truth.size else None,
        error_after=None if fitted is None else _error(fitted, truth),
        error_by_chance=None if fitted is None else _by_chance(fitted, truth),
        error_debiased=None if fitted is None else _debiased(fitted, truth),
        thresholds=thresholds,
    )


def _with_interval(values: NDArray[np.float64]) -> Figure:
    return Figure(float(values.mean()), *bootstrap_interval(values))


def _error(probabilities: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    return reliability(probabilities, labels, resamples=1).figures["ece"].value


def _by_chance(probabilities: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    return reliability(probabilities, labels).figures["ece_by_chance"].value


def _debiased(
    probabilities: NDArray[np.float64], labels: NDArray[np.intp], owners: NDArray[np.intp] | None = None
) -> Figure | None:
    right = probabilities.argmax(axis=1) == labels
    return root(squared_calibration_error(probabilities.max(axis=1), right, owners))


def _as_dict(figure: Figure | None) -> dict[str, float] | None:
    return None if figure is None else figure._asdict()
