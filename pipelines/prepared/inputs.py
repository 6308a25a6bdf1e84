"""Prepared data of any mode as ``tf.data``, ready for a network or, in audio mode, for its frontend.

Training datasets continue from epoch to epoch. The order within epoch ``e`` depends only on the seed and
``e``, so that a run resumed at epoch ``e`` sees the same as one without a break.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from pipelines.prepared.examples import Select, examples_of, finisher
from pipelines.prepared.local_files import with_waiting
from pipelines.prepared.manifest import PreparedDataset, Row
from pipelines.prepared.shares import EVERYTHING, Share
from pipelines.prepared.split_intervals import SplitIntervals

# More often than this, no dataset is read in one epoch.
_TURNS = 1_000_000


def steps_per_epoch(intervals: SplitIntervals, batch_size: int) -> int:
    """Whole batches in an epoch; 1 if there are fewer intervals than a batch holds."""
    return max(1, len(intervals.rows) // batch_size)


def training_batches(
    intervals: SplitIntervals, batch_size: int, *, seed: int, first_epoch: int = 0, share: Share = EVERYTHING
) -> tf.data.Dataset:
    """Shuffled batches without end, :func:`steps_per_epoch` of them an epoch.

    Args:
        intervals: the intervals to train on.
        batch_size: intervals per batch; the rest of an epoch is left out (the next epoch is shuffled again).
        seed: the seed of the order.
        first_epoch: the epoch to start at.
        share: the part of every batch to return; together, all parts are the batches of one process.

    Returns:
        Pairs of float32 ``[batch, samples]`` (audio) or ``[batch, frames, bins, 1]``, and labels: int32
        ``[batch]``, or float32 ``[batch, 24]`` if any of the intervals has a vote; if they are weighted, with
        the weights, float32 ``[batch]``.

    Raises:
        DataError: a dataset with a share of major keys has only major or only minor ones.
    """
    steps = steps_per_epoch(intervals, batch_size)
    # Here, because an error raised inside the graph would reach the user wrapped in TensorFlow's.
    intervals.streams()
    select = None if share == EVERYTHING else lambda examples: share.of_batches(examples, batch_size)

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        return (
            _epoch(intervals, seed, number, select=select)
            .batch(batch_size // share.count, num_parallel_calls=tf.data.AUTOTUNE)
            .take(steps)
        )

    batches = tf.data.Dataset.range(first_epoch, 2**31).flat_map(epoch).prefetch(tf.data.AUTOTUNE)
    return with_waiting(batches, intervals)


def batch_members(
    intervals: SplitIntervals, batch_size: int, *, seed: int, epoch: int, batch: int
) -> tuple[list[str], list[str]]:
    """Find the files of one of the :func:`training_batches` by reading it again.

    Args:
        intervals: the intervals of the training.
        batch_size: the batch size of the training.
        seed: the seed of the training.
        epoch: the epoch, from 0.
        batch: the batch within that epoch, from 0.

    Returns:
        All files of the batch, in order, and those that contain NaN or infinity. In spectrograms mode, a file
        is named ``<track>, part <part> in <shard>``.
    """
    named = _epoch(intervals, seed, tf.constant(epoch, tf.int64), named=True)
    members = named.skip(batch * batch_size).take(batch_size)
    read = [(name.decode("utf-8", "replace"), data) for data, *_, name in members.as_numpy_iterator()]
    return [name for name, _ in read], [name for name, data in read if not np.isfinite(data).all()]


def broken_members(intervals: SplitIntervals) -> list[str]:
    """Return the files that contain NaN or infinity, named as in :func:`batch_members`."""
    plain = replace(intervals, weighted=False)
    members = examples_of(plain, None, finisher(plain, named=True)).as_numpy_iterator()
    return [name.decode("utf-8", "replace") for data, _, name in members if not np.isfinite(data).all()]


def evaluation_batches(
    intervals: SplitIntervals, batch_size: int, share: Share = EVERYTHING
) -> tf.data.Dataset:
    """Return all intervals once, in the order of their rows; pairs as in :func:`training_batches`.

    Of several processes, each gets every n-th interval, in batches of ``batch_size``.
    """
    plain = replace(intervals, weighted=False)
    # Keras must know the length of a dataset to read it again on several devices.
    known = tf.data.experimental.assert_cardinality(evaluation_steps(intervals, batch_size, share))
    select = None if share == EVERYTHING else lambda examples: examples.shard(share.count, share.index)
    batches = (
        examples_of(plain, None, finisher(plain, named=False), select)
        .batch(batch_size)
        .apply(known)
        .prefetch(tf.data.AUTOTUNE)
    )
    return with_waiting(batches, intervals)


def evaluation_steps(intervals: SplitIntervals, batch_size: int, share: Share = EVERYTHING) -> int:
    """Return the number of batches of :func:`evaluation_batches`."""
    return math.ceil(share.size_of(len(intervals.rows)) / batch_size)


def _epoch(
    intervals: SplitIntervals,
    seed: int,
    number: tf.Tensor,
    *,
    named: bool = False,
    select: Select | None = None,
) -> tf.data.Dataset:
    """Return the shuffled intervals of an epoch, as by :func:`examples_of`.

    With ``shares`` or ``major_shares``, the streams take turns in a fixed pattern, and small ones are read
    several times.
    """
    finish = finisher(intervals, named)
    streams = intervals.streams()
    if not (intervals.config.shares or intervals.config.major_shares) or len(streams) < 2:
        return examples_of(intervals, [seed, number], finish, select)

    def endless(dataset: PreparedDataset, rows: tuple[Row, ...]) -> tf.data.Dataset:
        own = replace(intervals, parts=((dataset, rows),))
        return tf.data.Dataset.range(_TURNS).flat_map(
            lambda turn: examples_of(own, [seed, number * _TURNS + turn], finish)
        )

    pattern = turns([share for *_, share in streams], len(intervals.rows))
    choice = tf.data.Dataset.from_tensor_slices(pattern)
    chosen = tf.data.Dataset.choose_from_datasets(
        [endless(dataset, rows) for dataset, rows, _ in streams], choice, stop_on_empty_dataset=False
    )
    return chosen if select is None else select(chosen)


def turns(shares: Sequence[float], length: int) -> np.ndarray:
    """Return which of several sources comes next, int64 ``[length]``.

    Every beginning of the pattern contains each source about in proportion to its share.
    """
    wanted = np.asarray(shares, np.float64) / np.sum(shares)
    counts = np.zeros(len(shares))
    pattern = np.empty(length, np.int64)
    for place in range(length):
        # The source that would be due first (Webster's method of apportionment).
        pattern[place] = np.argmin((counts + 0.5) / wanted)
        counts[pattern[place]] += 1
    return pattern
