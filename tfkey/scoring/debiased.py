"""The calibration error without the part that chance adds.

The expected calibration error sums absolute differences between confidence and share of right answers in bins
of confidence. In a bin of few answers, the share deviates from its expectation by chance, and the absolute
value adds every deviation: on 141 answers whose confidences are right, the error is 8 % rather than 0.

The mean square of the differences has a bias, too, but a known one: the square of a mean exceeds the square
of its expectation by the variance of the mean, on average. Subtracting the estimated variance from the square
in each bin leaves an estimate without this bias (Kumar, Liang and Ma, *Verified Uncertainty Calibration*,
NeurIPS 2019, arXiv 1909.10155, section 5; for forecasts, Bröcker, *Estimating reliability and resolution of
probability forecasts through decomposition of the empirical score*, Climate Dynamics 2012). As there, bins
contain equally many answers.

Two things differ from Kumar et al. There, a bin has one confidence; here, the variance is that of the
differences between confidence and answer. And answers for pieces of one recording are alike: their
differences are summed by recording before the variance is taken (Cameron and Miller, *A Practitioner's Guide
to Cluster-Robust Inference*, Journal of Human Resources 2015).

What remains is the bias of all bins: differences that cancel inside a bin are not seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfkey.scoring.mirex import Figure

BINS = 15
"""Bins of equally many answers, as in Kumar et al.; fewer if a bin would hold answers for fewer than two
recordings."""

_LEVEL = 0.95
_RESAMPLES = 2000


def squared_calibration_error(
    confidence: ArrayLike,
    correct: ArrayLike,
    owners: ArrayLike | None = None,
    *,
    bins: int = BINS,
    resamples: int = _RESAMPLES,
    seed: int = 0,
) -> Figure | None:
    """Estimate the mean square of confidence minus the probability of being right.

    Args:
        confidence: of each answer, 0 to 1, ``[answers]``.
        correct: whether it is right, ``[answers]``.
        owners: the recording that each answer belongs to, int ``[answers]``; None if each has its own.
        bins: the largest number of bins.
        resamples: of the bootstrap, over recordings.
        seed: of the bootstrap.

    Returns:
        The estimate with its 95 % bootstrap interval, shifted by its estimated bias. All three may be below
        0, since they vary around the true value, which is 0 if every confidence is right. None if no bin has
        answers for two recordings.
    """
    sure, right = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    owner = np.arange(sure.size) if owners is None else np.unique(np.asarray(owners), return_inverse=True)[1]
    recordings = np.unique(owner).size
    if recordings < 2:
        return None
    gaps, counts = _by_recording(sure, right, owner, min(bins, recordings // 2))
    if ((counts > 0).sum(axis=0) < 2).all():
        return None
    value = float(_debiased(np.ones((1, recordings)), gaps, counts)[0])
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(recordings, np.full(recordings, 1 / recordings), resamples)
    resampled = _debiased(weights.astype(np.float64), gaps, counts)
    low, high = np.quantile(resampled, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]) - (resampled.mean() - value)
    return Figure(value, min(float(low), value), max(float(high), value))


def root(square: Figure | None) -> Figure | None:
    """Return the root of an estimate and of its interval, 0 for values below 0: an error from 0 to 1."""
    return None if square is None else Figure(*(max(0.0, value) ** 0.5 for value in square))


def _by_recording(
    sure: NDArray[np.float64], right: NDArray[np.float64], owner: NDArray[np.intp], bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sums of differences, and the numbers of answers, by recording and bin: ``[recordings, bins]``."""
    order = np.argsort(sure, kind="stable")
    place = np.empty(sure.size, np.intp)
    place[order] = np.arange(sure.size) * bins // sure.size
    shape = (int(owner.max()) + 1, bins)
    gaps, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(gaps, (owner, place), sure - right)
    np.add.at(counts, (owner, place), 1.0)
    return gaps, counts


def _debiased(
    weights: NDArray[np.float64], gaps: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The estimate, ``[resamples]``, if recordings count ``weights`` times, ``[resamples, recordings]``.

    Bins with a single recording are left out, since they do not show how it varies.
    """
    answers = weights @ counts
    mean = (weights @ gaps) / np.maximum(answers, 1)
    owners = weights @ (counts > 0)
    # The sum over recordings of (gaps - mean * counts) ** 2, multiplied out.
    squares = weights @ gaps**2 - 2 * mean * (weights @ (gaps * counts)) + mean**2 * (weights @ counts**2)
    variance = squares / np.maximum(answers, 1) ** 2 * owners / np.maximum(owners - 1, 1)
    shares = answers * (owners > 1)
    return np.asarray(((mean**2 - variance) * shares).sum(axis=1) / np.maximum(shares.sum(axis=1), 1))
