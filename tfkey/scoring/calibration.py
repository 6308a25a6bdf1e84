"""Calibration: whether a confidence of 80 % is right 80 times in 100, and a temperature that makes it so.

A track's probabilities are the mean over its intervals. The temperature T is fitted to these, because they
are shown to the user, and not to the logits of single intervals. The calibrated probabilities of a track are

    p ** (1 / T) / sum(p ** (1 / T)),    p the mean over the track's intervals,

which is temperature scaling (Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural Networks*,
ICML 2017, arXiv 1706.04599) with log p as logits, and identical to it for a track of one interval. It never
changes which key is the most probable. Dividing the logits of the intervals before the mean could change it,
and would leave the mean, which is the answer, uncalibrated.

Needs numpy only, except for :func:`fit_temperature` and :func:`reliability`, which need scipy.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfkey.errors import DataError
from tfkey.files import write_text
from tfkey.scoring.bootstrap import bootstrap_means
from tfkey.scoring.mirex import Figure, class_indices

BINS = 15
"""Bins of confidence of equal width, as in Guo et al."""

TEMPERATURES = (0.01, 100.0)
"""The lowest and the highest temperature that is fitted."""

_LEVEL = 0.95
_DRAWS_AT_ONCE = 2**21
_TINY = np.finfo(np.float64).tiny


class Bin(NamedTuple):
    """The tracks whose confidence is in ``]low, high]``.

    ``confidence`` is their mean confidence and ``correct`` the share that is right, with its 95 % Wilson
    score interval (Wilson 1927). Unlike the bootstrap's, it has a width even if all are right. All are None
    in an empty bin.
    """

    low: float
    high: float
    tracks: int
    confidence: float | None = None
    correct: float | None = None
    correct_low: float | None = None
    correct_high: float | None = None


@dataclass(frozen=True)
class Reliability:
    """How far the confidences of a set of tracks can be trusted.

    Attributes:
        n_tracks: the number of tracks.
        figures: each with its 95 % bootstrap interval over tracks. ``ece``, the expected calibration error
            (0 to 1), whose interval is shifted by its estimated bias, since resamples of an absolute value
            are too high; ``ece_by_chance``, the error if every confidence were right, which is above 0 in any
            finite set (mean and middle 95 %); ``nll``, the mean negative log-likelihood in nats;
            ``brier``, the mean sum of squared differences over all 24 keys (0 to 2); ``confidence`` and
            ``correct``, the means that should agree.
        bins: from the lowest confidence to the highest.
    """

    n_tracks: int
    figures: dict[str, Figure]
    bins: tuple[Bin, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the table as plain numbers, fit for JSON."""
        figures = {name: figure._asdict() for name, figure in self.figures.items()}
        return {"n_tracks": self.n_tracks, **figures, "bins": [item._asdict() for item in self.bins]}


@dataclass(frozen=True)
class Calibration:
    """The temperature of a run, as in ``calibration.json``.

    Attributes:
        temperature: see the module; above 1 means that the network alone is too sure.
        n_tracks: the number of tracks that it was fitted on.
        datasets: the datasets of whose validation splits they are.
        mode: the form of the data: audio, spectrograms or images.
        nll_before: mean negative log-likelihood of these tracks, in nats, without the temperature.
        nll_after: the same with it.
        network: SHA-256 of the network's file; a temperature belongs to a single network.
        interval_temperature: the temperature for single intervals; None if it is the same.
        recordings: the table of labelled recordings that it was fitted on instead of a validation split;
            empty otherwise.
    """

    temperature: float
    n_tracks: int
    datasets: tuple[str, ...]
    mode: str
    nll_before: float
    nll_after: float
    network: str
    interval_temperature: float | None = None
    recordings: str = ""

    def write(self, path: Path) -> None:
        """Write ``calibration.json``."""
        write_text(path, json.dumps(asdict(self), indent=1) + "\n")


def read_calibration(path: Path) -> Calibration | None:
    """Read ``calibration.json``; None if it is missing or damaged, since it can be computed again."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        found = Calibration(**{**values, "datasets": tuple(values["datasets"])})
        both = (found.temperature, found.interval_temperature or found.temperature)
        return found if all(TEMPERATURES[0] <= item <= TEMPERATURES[1] for item in both) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def log_probabilities(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Return the natural logarithm; values that underflowed to 0 count as the smallest normal float64."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY))


def calibrated(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Apply a temperature.

    Args:
        probabilities: ``[..., classes]``, sum 1, the mean over a track's intervals.
        temperature: above 0; 1 changes nothing.

    Returns:
        float64 ``[..., classes]``, sum 1, ranked in the same order.

    """
    if not temperature > 0:
        raise ValueError(f"temperature {temperature} must be above 0")
    return softmax(log_probabilities(probabilities) / temperature)


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Find the temperature under which the labels are the most likely.

    If every track is right, the likelihood grows as the temperature falls, up to certainty, which no finite
    number of tracks can show. The temperature is then the one whose mean confidence follows the rule of
    succession (Laplace), (n + 1) / (n + 2).

    Args:
        logits: ``[tracks, classes]``; for tracks of several intervals, the log of their mean probabilities
            (:func:`log_probabilities`).
        labels: class indices ``[tracks]``.

    Returns:
        The temperature, within :data:`TEMPERATURES`.

    Raises:
        DataError: there are no tracks.
        ValueError: logits that are not finite, or of another shape than the labels.

    """
    from scipy.optimize import brentq, minimize_scalar

    rows, truth = np.asarray(logits, np.float64), np.asarray(labels, np.intp)
    if rows.ndim != 2 or truth.shape != rows.shape[:1] or not np.isfinite(rows).all():
        raise ValueError("logits must be finite, [tracks, classes], and labels [tracks]")
    if not len(rows):
        raise DataError("there are no tracks to fit a temperature on: give at least one")
    lowest, highest = np.log(TEMPERATURES)

    def likelihood(log_temperature: float) -> float:
        return _nll(_log_softmax(rows / np.exp(log_temperature)), truth)

    if (rows.argmax(axis=1) == truth).all():
        target = (len(rows) + 1) / (len(rows) + 2)

        def excess(log_temperature: float) -> float:
            return float(softmax(rows / np.exp(log_temperature)).max(axis=1).mean()) - target

        if excess(lowest) <= 0 or excess(highest) >= 0:
            return TEMPERATURES[0] if excess(lowest) <= 0 else TEMPERATURES[1]
        return float(np.exp(brentq(excess, lowest, highest)))
    # The likelihood is log-concave in 1/T, so a search in one dimension cannot end in a wrong valley.
    found = minimize_scalar(likelihood, bounds=(lowest, highest), method="bounded", options={"xatol": 1e-7})
    return float(np.exp(found.x))


def reliability(
    probabilities: ArrayLike, labels: ArrayLike, *, bins: int = BINS, resamples: int = 2000, seed: int = 0
) -> Reliability:
    """Compare confidences with how often they are right.

    Args:
        probabilities: ``[tracks, 24]``, sum 1.
        labels: class indices ``[tracks]``.
        bins: of confidence, of equal width.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        DataError: there are no tracks.

    """
    rows = np.asarray(probabilities, np.float64)
    truth = class_indices(np.asarray(labels).tolist())
    if rows.shape != (len(truth), rows.shape[-1]):
        raise ValueError(f"probabilities {rows.shape} do not match {len(truth)} labels")
    if not len(rows):
        raise DataError("there are no tracks to calibrate: give at least one")
    confidence = rows.max(axis=1)
    correct = (rows.argmax(axis=1) == truth).astype(np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    member = (place[:, np.newaxis] == np.arange(bins)).astype(np.float64)
    gaps = member * (confidence - correct)[:, np.newaxis]
    losses = -log_probabilities(rows)[np.arange(len(rows)), truth]
    squares = ((rows - np.eye(rows.shape[1])[truth]) ** 2).sum(axis=1)
    columns = np.column_stack([losses, squares, confidence, correct])
    means = bootstrap_means(np.column_stack([columns, gaps]), resamples=resamples, seed=seed)
    errors = np.abs(means[:, columns.shape[1] :]).sum(axis=1)
    error = float(np.abs(gaps.mean(axis=0)).sum())
    figures = {"ece": Figure(error, *_shifted_interval(errors, error))}
    figures["ece_by_chance"] = _by_chance(confidence, member, resamples, seed)
    lows, highs = np.quantile(means[:, : columns.shape[1]], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    for name, column, low, high in zip(
        ("nll", "brier", "confidence", "correct"), columns.T, lows, highs, strict=True
    ):
        figures[name] = Figure(float(column.mean()), float(low), float(high))
    table = tuple(_bin(number / bins, (number + 1) / bins, confidence[place == number],
                       correct[place == number]) for number in range(bins))  # fmt: skip
    return Reliability(len(rows), figures, table)


def _bin(low: float, high: float, confidence: NDArray[np.float64], correct: NDArray[np.float64]) -> Bin:
    tracks = len(correct)
    if not tracks:
        return Bin(low, high, 0)
    from scipy.stats import binomtest

    ends = binomtest(int(correct.sum()), tracks).proportion_ci(_LEVEL, method="wilson")
    return Bin(
        low, high, tracks, float(confidence.mean()), float(correct.mean()), float(ends.low), float(ends.high)
    )


def _shifted_interval(resampled: NDArray[np.float64], value: float) -> tuple[float, float]:
    """The percentile interval, shifted by the bootstrap's estimate of the bias (resampled mean - value)."""
    low, high = np.quantile(resampled, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]) - (resampled.mean() - value)
    return min(max(float(low), 0.0), value), max(float(high), value)


def _by_chance(
    confidence: NDArray[np.float64], member: NDArray[np.float64], resamples: int, seed: int
) -> Figure:
    """The calibration error of tracks that are right exactly as often as their confidence says.

    Consistency resampling (Bröcker and Smith 2007): mean, and the middle 95 %.
    """
    generator = np.random.default_rng(seed)
    tracks = len(confidence)
    errors = np.empty(resamples)
    block = max(1, _DRAWS_AT_ONCE // tracks)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        right = generator.random((size, tracks)) < confidence
        errors[start : start + size] = np.abs((confidence - right) @ member).sum(axis=1) / tracks
    low, high = np.quantile(errors, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Figure(float(errors.mean()), float(low), float(high))


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax(logits: ArrayLike) -> NDArray[np.float64]:
    """Logits ``[..., classes]`` to probabilities, float64 ``[..., classes]``."""
    return np.exp(_log_softmax(np.asarray(logits, np.float64)))


def _nll(log_rows: NDArray[np.float64], truth: NDArray[np.intp]) -> float:
    return -float(log_rows[np.arange(len(truth)), truth].mean())


def negative_log_likelihood(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean of ``-log p[label]`` in nats; arguments as :func:`reliability`."""
    return _nll(log_probabilities(probabilities), np.asarray(labels, np.intp))
