"""Bootstrap over tracks: how much a mean would vary with other tracks (Efron & Tibshirani 1993)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfkey.errors import DataError, UsageError

# Bounds the memory of the bootstrap: the counts drawn at one time.
_COUNTS_AT_ONCE = 2**21


def bootstrap_means(
    values: ArrayLike, *, counts: ArrayLike | None = None, resamples: int = 2000, seed: int = 0
) -> NDArray[np.float64]:
    """Return the mean over tracks of each of many bootstrap resamples.

    Tracks are drawn with replacement, as many as there are (Efron & Tibshirani, *An Introduction to the
    Bootstrap*, 1993). Equal arguments give equal resamples.

    Args:
        values: ``[tracks, figures]``, resampled together.
        counts: ``[tracks]``, above 0: ``values`` are then the sums over that many pieces of each track, and
            the mean is that over pieces. Tracks are drawn whole, since pieces of one track are alike.
        resamples: their number, at least 1.
        seed: of the random generator.

    Returns:
        float64 ``[resamples, figures]``.

    Raises:
        UsageError: resamples lies outside of its domain.
        DataError: there are no tracks.
        ValueError: values or counts have another shape or domain.

    """
    if resamples < 1:
        raise UsageError(f"bootstrap resamples {resamples} are too few: give at least 1, better 1000")
    table = np.asarray(values, np.float64)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ValueError("values must be finite numbers, [tracks] or [tracks, figures]")
    if not len(table):
        raise DataError("there are no tracks to resample: give at least one")
    pieces = np.ones(len(table)) if counts is None else np.asarray(counts, np.float64)
    if pieces.shape != (len(table),) or not (pieces > 0).all():
        raise ValueError("counts must be numbers above 0, [tracks]")
    # The counts of the distinct outcomes are multinomial: a table with few distinct rows, like that of key
    # scores, costs the same for any number of tracks.
    outcomes, repeats = np.unique(np.column_stack([table, pieces]), axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, table.shape[1]))
    block = max(1, _COUNTS_AT_ONCE // len(outcomes))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = generator.multinomial(len(table), repeats / len(table), size=size)
        means[start : start + size] = drawn @ outcomes[:, :-1] / (drawn @ outcomes[:, -1:])
    return means


def bootstrap_interval(
    values: ArrayLike,
    *,
    counts: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[Any, Any]:
    """Return the percentile bootstrap interval of the mean over tracks.

    Args:
        values: ``[tracks]``, or ``[tracks, figures]``: figures that are resampled together.
        counts: see :func:`bootstrap_means`, as for ``resamples`` and ``seed``.
        level: coverage of the interval, in ]0, 1[.
        resamples: number of bootstrap resamples, at least 1.
        seed: of the random generator.

    Returns:
        The lower and the upper end: two floats, or two arrays ``[figures]``.

    Raises:
        UsageError: level lies outside of its domain; and as :func:`bootstrap_means`.

    """
    if not 0 < level < 1:
        raise UsageError(f"bootstrap level {level} is not a coverage: give one between 0 and 1, like 0.95")
    table = np.asarray(values, np.float64)
    single = table.ndim == 1
    means = bootstrap_means(
        table[:, np.newaxis] if single else table, counts=counts, resamples=resamples, seed=seed
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return (float(low[0]), float(high[0])) if single else (low, high)
