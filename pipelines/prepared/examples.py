"""Single intervals of prepared data as ``tf.data``: read, decoded and labelled, in order or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from pipelines.prepared.decode import decode_clip, decode_picture
from pipelines.prepared.local_files import AHEAD, local_file
from pipelines.prepared.records import parse_example
from pipelines.prepared.split_intervals import SplitIntervals

_OPEN_SHARDS = 8

Select = Callable[[tf.data.Dataset], tf.data.Dataset]
"""Leaves out some of the intervals, before they are decoded."""


@dataclass(frozen=True)
class Finisher:
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
        """Return the interval, its label, its weight and its name, as far as they are requested."""
        weights = () if self.key_weights is None else (weight * tf.gather(self.key_weights, label),)
        return (data, target if self.soft else label, *weights, *((name,) if self.named else ()))


def finisher(intervals: SplitIntervals, named: bool) -> Finisher:
    """Return what assembles these intervals, with the names of their files if ``named``."""
    by_key = tf.constant(intervals.key_weights()) if intervals.weighted else None
    return Finisher(by_key, intervals.has_votes, named)


def examples_of(
    intervals: SplitIntervals,
    order: Sequence[int | tf.Tensor] | None,
    finish: Finisher,
    select: Select | None = None,
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


def _from_records(
    intervals: SplitIntervals,
    order: Sequence[int | tf.Tensor] | None,
    finish: Finisher,
    select: Select | None = None,
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

    ordered, coming = _in_order(shards, weights, order)
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
        records = _shuffled(records, intervals.config.train.shuffle_buffer, order)
    if select is not None:
        records = select(records)
    return records.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _in_order(
    shards: tf.Tensor, weights: tf.Tensor, order: Sequence[int | tf.Tensor] | None
) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return the shards and their weights in the order of reading, and the shards with those read next."""
    if order is None:
        return (shards, weights), shards
    # Shards in a new order, several read in turns, then a buffer: far from the order on disk.
    numbers = tf.range(shards.shape[0])
    index = tf.random.experimental.stateless_shuffle(numbers, tf.stack(order))
    ordered = (tf.gather(shards, index), tf.gather(weights, index))
    # Behind the last shard come the first ones of the next epoch.
    next_seed = tf.stack([order[0], order[1] + 1])
    following = tf.random.experimental.stateless_shuffle(numbers, next_seed)
    return ordered, tf.concat([ordered[0], tf.gather(shards, following[:AHEAD])], 0)


def _shuffled(
    records: tf.data.Dataset, shuffle_buffer: int, order: Sequence[int | tf.Tensor]
) -> tf.data.Dataset:
    # This is traced into a dataset's function, where it sets only the seed of that function: the
    # program's seed must not matter, and 0 would be compared with a tensor.
    tf.random.set_seed(1)
    mixed = tf.cast(order[0], tf.int64) * 1_000_003 + tf.cast(order[1], tf.int64)
    return records.shuffle(shuffle_buffer, seed=mixed)


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
