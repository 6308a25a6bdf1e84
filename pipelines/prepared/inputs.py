"""Prepared data of any mode as ``tf.data``, ready for a network or, in audio mode, for its frontend.

Training datasets continue from epoch to epoch. The order within epoch ``e`` depends only on the seed and
``e``, so that a run resumed at epoch ``e`` sees the same as one without a break.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from pipelines.prepared.decode import decode_clip, decode_picture
from pipelines.prepared.local_files import AHEAD, local_file, with_waiting
from pipelines.prepared.manifest import PreparedDataset, Row
from pipelines.prepared.records import parse_example
from pipelines.prepared.shares import EVERYTHING, Share
from pipelines.prepared.split_intervals import SplitIntervals

_OPEN_SHARDS = 8
# More often than this, no dataset is read in one epoch.
_TURNS = 1_000_000

_Select = Callable[[tf.data.Dataset], tf.data.Dataset]


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
    members = _examples(plain, None, _finisher(plain, named=True)).as_numpy_iterator()
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
        _examples(plain, None, _finisher(plain, named=False), select)
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
    select: _Select | None = None,
) -> tf.data.Dataset:
    """Return the shuffled intervals of an epoch, as by :func:`_examples`.

    With ``shares`` or ``major_shares``, the streams take turns in a fixed pattern, and small ones are read
    several times.
    """
    finish = _finisher(intervals, named)
    streams = intervals.streams()
    if not (intervals.config.shares or intervals.config.major_shares) or len(streams) < 2:
        return _examples(intervals, [seed, number], finish, select)

    def endless(dataset: PreparedDataset, rows: tuple[Row, ...]) -> tf.data.Dataset:
        own = replace(intervals, parts=((dataset, rows),))
        return tf.data.Dataset.range(_TURNS).flat_map(
            lambda turn: _examples(own, [seed, number * _TURNS + turn], finish)
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


def _examples(
    intervals: SplitIntervals,
    order: Sequence[int | tf.Tensor] | None,
    finish: _Finisher,
    select: _Select | None = None,
) -> tf.data.Dataset:
    """Return single intervals, shuffled with the seed pair ``order`` unless it is None.

    Each is a spectrogram or waveform, its label, its weight if ``weighted``, and its file if ``named``. What
    ``select`` leaves out is not decoded.
    """
    if intervals.mode == "spectrograms":
        return _from_records(intervals, order, finish, select)
    paths = [dataset.address(row.path) for dataset, rows in intervals.parts for row in rows]
    labels = tf.constant(intervals.labels, tf.int32)
    targets = tf.constant(intervals.targets()) if finish.soft else labels
    names = tf.constant(paths)
    owners = np.repeat(intervals.dataset_weights, [len(rows) for _, rows in intervals.parts]).astype(
        np.float32
    )
    weights = tf.constant(owners)
    if order is not None:
        index = tf.random.experimental.stateless_shuffle(tf.range(len(paths)), tf.stack(order))
        names, labels, targets, weights = (
            tf.gather(values, index) for values in (names, labels, targets, weights)
        )
    features = intervals.config.features
    samples = intervals.config.intervals.samples(features.sample_rate)
    frames = features.frames(samples)
    only_wav = all(path.endswith(".wav") for path in paths)
    find = local_file(intervals)

    def load(
        number: tf.Tensor, name: tf.Tensor, label: tf.Tensor, target: tf.Tensor, weight: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        path = find(name, names[number + 1 : number + 1 + AHEAD])
        if intervals.mode == "audio":
            data = decode_clip(path, samples, features.sample_rate, only_wav=only_wav)
        else:
            data = _band(intervals, decode_picture(path, frames, features.stored_bins))
        return finish(data, label, target, weight, name)

    dataset = tf.data.Dataset.from_tensor_slices((tf.range(len(paths)), names, labels, targets, weights))
    if select is not None:
        dataset = select(dataset)
    return dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


@dataclass(frozen=True)
class _Finisher:
    """Assembles the requested parts of an interval.

    Attributes:
        key_weights: the weight of each key, ``[24]``; None without weights.
        soft: whether labels are soft.
        named: whether the name of the file is requested.
    """

    key_weights: tf.Tensor | None
    soft: bool
    named: bool

    def __call__(
        self, data: tf.Tensor, label: tf.Tensor, target: tf.Tensor, weight: tf.Tensor, name: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        weights = () if self.key_weights is None else (weight * tf.gather(self.key_weights, label),)
        return (data, target if self.soft else label, *weights, *((name,) if self.named else ()))


def _finisher(intervals: SplitIntervals, named: bool) -> _Finisher:
    by_key = tf.constant(intervals.key_weights()) if intervals.weighted else None
    return _Finisher(by_key, intervals.has_votes, named)


def _from_records(
    intervals: SplitIntervals,
    order: Sequence[int | tf.Tensor] | None,
    finish: _Finisher,
    select: _Select | None = None,
) -> tf.data.Dataset:
    files = [
        (dataset.address(path), weight)
        for (dataset, rows), weight in zip(intervals.parts, intervals.dataset_weights, strict=True)
        for path in dict.fromkeys(row.path for row in rows)
    ]
    wanted = _wanted(intervals)
    shards, weights = tf.constant([path for path, _ in files]), tf.constant([w for _, w in files], tf.float32)
    features = intervals.config.features
    shape = [
        features.frames(intervals.config.intervals.samples(features.sample_rate)),
        features.stored_bins,
        1,
    ]

    def load(serialised: tf.Tensor, weight: tf.Tensor, shard: tf.Tensor) -> tuple[tf.Tensor, ...]:
        example = parse_example(serialised)
        picture = tf.ensure_shape(example["spectrogram"][..., tf.newaxis], shape)
        part = tf.strings.as_string(example["part"])
        name = tf.strings.join([example["track"], ", part ", part, " in ", shard]) if finish.named else shard
        return finish(_band(intervals, picture), example["label"], example["target"], weight, name)

    if order is None:
        ordered, coming = (shards, weights), shards
    else:
        # Shards in a new order, several read in turns, then a buffer: far from the order on disk.
        index = tf.random.experimental.stateless_shuffle(tf.range(len(files)), tf.stack(order))
        ordered = (tf.gather(shards, index), tf.gather(weights, index))
        # Behind the last shard come the first ones of the next epoch.
        next_seed = tf.stack([order[0], order[1] + 1])
        following = tf.random.experimental.stateless_shuffle(tf.range(len(files)), next_seed)
        coming = tf.concat([ordered[0], tf.gather(shards, following[:AHEAD])], 0)
    find = local_file(intervals)

    def opened(number: tf.Tensor) -> tf.data.Dataset:
        shard, weight = (values[number] for values in ordered)
        records = tf.data.TFRecordDataset(find(shard, coming[number + 1 : number + 1 + AHEAD]))
        if wanted is not None:
            records = records.filter(lambda record: wanted(record, shard))
        return records.map(lambda record: (record, weight, shard))

    numbers = tf.data.Dataset.range(len(files))
    if order is None:
        records = numbers.flat_map(opened)
    else:
        records = numbers.interleave(
            opened, cycle_length=_OPEN_SHARDS, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        # This is traced into a dataset's function, where it sets only the seed of that function: the
        # program's seed must not matter, and 0 would be compared with a tensor.
        tf.random.set_seed(1)
        mixed = tf.cast(order[0], tf.int64) * 1_000_003 + tf.cast(order[1], tf.int64)
        records = records.shuffle(intervals.config.train.shuffle_buffer, seed=mixed)
    if select is not None:
        records = select(records)
    return records.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _wanted(intervals: SplitIntervals) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None:
    """Return a filter for the records of a shard if a limit leaves out some tracks; None if all are used."""
    if all(len(rows) == len(dataset.split(rows[0].split)) for dataset, rows in intervals.parts if rows):
        return None
    # Two datasets may have tracks of the same name.
    names = sorted(
        {f"{dataset.address(row.path)}/{row.track}" for dataset, rows in intervals.parts for row in rows}
    )
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(names), tf.ones(len(names), tf.int32)), 0
    )

    def wanted(record: tf.Tensor, shard: tf.Tensor) -> tf.Tensor:
        return table.lookup(tf.strings.join([shard, "/", parse_example(record)["track"]])) == 1

    return wanted


def _band(intervals: SplitIntervals, picture: tf.Tensor) -> tf.Tensor:
    """Return the requested bins of a stored spectrogram ``[frames, bins, 1]``."""
    if intervals.wide:
        return picture
    features = intervals.config.features
    return picture[:, features.extra_bins : features.extra_bins + features.n_bins]
