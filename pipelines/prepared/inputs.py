"""Prepared data of any mode as ``tf.data``, ready for a network or, in audio mode, for its frontend.

Training datasets continue from epoch to epoch. The order within epoch ``e`` depends only on the seed and
``e``, so that a run resumed at epoch ``e`` sees the same as one without a break.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from pipelines.prepared.decode import decode_clip, decode_picture
from pipelines.prepared.manifest import PreparedDataset, Row
from pipelines.prepared.records import parse_example
from pipelines.text import stable_digest
from tfkey.config import Config
from tfkey.errors import DataError
from tfkey.keys import N_CLASSES, Key

_OPEN_SHARDS = 8


@dataclass(frozen=True)
class SplitIntervals:
    """The intervals of one split, of one or more prepared datasets of one mode.

    Attributes:
        mode: the mode of all datasets.
        config: the configuration that they were prepared with.
        parts: each dataset with its rows.
        wide: whether to return spectrograms as stored, with the extra semitones, or only the network's band.
        weighted: whether to return the weight of each interval in the loss, too.
    """

    mode: str
    config: Config
    parts: tuple[tuple[PreparedDataset, tuple[Row, ...]], ...]
    wide: bool = False
    weighted: bool = False

    @property
    def rows(self) -> list[Row]:
        """All intervals in the order of :func:`evaluation_batches`."""
        return [row for _, rows in self.parts for row in rows]

    @property
    def labels(self) -> list[int]:
        """The class index of each of :attr:`rows`."""
        return [Key.parse(row.key).index for row in self.rows]

    @property
    def dataset_weights(self) -> list[float]:
        """The weight of an interval of each of :attr:`parts`, before the weight of its key."""
        return [self.config.weights.get(dataset.name, 1.0) for dataset, _ in self.parts]

    def key_weights(self) -> np.ndarray:
        """Return the weight of an interval of each key, float32 ``[24]``; the mean over intervals is 1."""
        counts = np.bincount(self.labels, minlength=N_CLASSES)
        weights = np.ones(N_CLASSES)
        if self.config.train.class_weights == "balanced":
            # As if all keys that occur were equally frequent.
            weights = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
        owners = np.repeat(self.dataset_weights, [len(rows) for _, rows in self.parts])
        return (weights / np.mean(owners * weights[self.labels])).astype(np.float32)


def open_intervals(
    config: Config,
    datasets: Sequence[PreparedDataset],
    split: str,
    *,
    wide: bool = False,
    weighted: bool = False,
    limit: float = 1.0,
) -> SplitIntervals:
    """Take one split of prepared datasets.

    Args:
        config: the configuration that they were prepared with.
        datasets: opened datasets of one mode.
        split: the name of the split.
        wide: see :class:`SplitIntervals`.
        weighted: see :class:`SplitIntervals`.
        limit: share of the tracks of each dataset to take.

    Raises:
        DataError: the split is empty.
    """
    parts = tuple((dataset, _limited(dataset.split(split), limit)) for dataset in datasets)
    if not any(rows for _, rows in parts):
        where = ", ".join(str(dataset.folder) for dataset in datasets)
        raise DataError(f"{where}: the {split} split is empty; prepare data for it or name another split")
    return SplitIntervals(datasets[0].mode, config, parts, wide, weighted)


def _limited(rows: tuple[Row, ...], limit: float) -> tuple[Row, ...]:
    """Return the rows of a share of the tracks, at least one; keys take turns, so that a few cover many."""
    if limit >= 1 or not rows:
        return rows
    by_key: dict[str, list[str]] = defaultdict(list)
    for track, key in sorted({row.track: row.key for row in rows}.items(), key=lambda t: stable_digest(t[0])):
        by_key[key].append(track)
    turns = itertools.zip_longest(*(by_key[key] for key in sorted(by_key, key=stable_digest)))
    ordered = [track for turn in turns for track in turn if track is not None]
    kept = set(ordered[: max(1, round(limit * len(ordered)))])
    return tuple(row for row in rows if row.track in kept)


def steps_per_epoch(intervals: SplitIntervals, batch_size: int) -> int:
    """Whole batches in an epoch; 1 if there are fewer intervals than a batch holds."""
    return max(1, len(intervals.rows) // batch_size)


def training_batches(
    intervals: SplitIntervals, batch_size: int, *, seed: int, first_epoch: int = 0
) -> tf.data.Dataset:
    """Shuffled batches without end, :func:`steps_per_epoch` of them an epoch.

    Args:
        intervals: the intervals to train on.
        batch_size: intervals per batch; the rest of an epoch is left out (the next epoch is shuffled again).
        seed: the seed of the order.
        first_epoch: the epoch to start at.

    Returns:
        Pairs of float32 ``[batch, samples]`` (audio) or ``[batch, frames, bins, 1]``, and int32 ``[batch]``;
        if they are weighted, with the weights, float32 ``[batch]``.
    """
    steps = steps_per_epoch(intervals, batch_size)

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        return (
            _examples(intervals, [seed, number])
            .batch(batch_size, num_parallel_calls=tf.data.AUTOTUNE)
            .take(steps)
        )

    return tf.data.Dataset.range(first_epoch, 2**31).flat_map(epoch).prefetch(tf.data.AUTOTUNE)


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
    named = _examples(intervals, [tf.constant(seed), tf.constant(epoch)], named=True)
    members = named.skip(batch * batch_size).take(batch_size)
    read = [(name.decode("utf-8", "replace"), data) for data, *_, name in members.as_numpy_iterator()]
    return [name for name, _ in read], [name for name, data in read if not np.isfinite(data).all()]


def broken_members(intervals: SplitIntervals) -> list[str]:
    """Return the files that contain NaN or infinity, named as in :func:`batch_members`."""
    members = _examples(replace(intervals, weighted=False), None, named=True).as_numpy_iterator()
    return [name.decode("utf-8", "replace") for data, _, name in members if not np.isfinite(data).all()]


def evaluation_batches(intervals: SplitIntervals, batch_size: int) -> tf.data.Dataset:
    """Return all intervals once, in the order of their rows; pairs as in :func:`training_batches`."""
    plain = replace(intervals, weighted=False)
    # Keras must know the length of a dataset to read it again on several devices.
    known = tf.data.experimental.assert_cardinality(evaluation_steps(intervals, batch_size))
    return _examples(plain, None).batch(batch_size).apply(known).prefetch(tf.data.AUTOTUNE)


def evaluation_steps(intervals: SplitIntervals, batch_size: int) -> int:
    """Return the number of batches of :func:`evaluation_batches`."""
    return math.ceil(len(intervals.rows) / batch_size)


def _examples(
    intervals: SplitIntervals, order: Sequence[int | tf.Tensor] | None, *, named: bool = False
) -> tf.data.Dataset:
    """Return single intervals of one epoch, shuffled with the seed pair ``order`` unless it is None.

    Each is a spectrogram or waveform, its label, its weight if ``weighted``, and its file if ``named``.
    """
    if intervals.mode == "spectrograms":
        return _from_records(intervals, order, named)
    paths = [str(dataset.folder / row.path) for dataset, rows in intervals.parts for row in rows]
    labels = tf.constant(intervals.labels, tf.int32)
    names = tf.constant(paths)
    owners = np.repeat(intervals.dataset_weights, [len(rows) for _, rows in intervals.parts]).astype(
        np.float32
    )
    weights = tf.constant(owners)
    if order is not None:
        index = tf.random.experimental.stateless_shuffle(tf.range(len(paths)), tf.stack(order))
        names, labels, weights = (tf.gather(values, index) for values in (names, labels, weights))
    features = intervals.config.features
    samples = intervals.config.intervals.samples(features.sample_rate)
    frames = features.frames(samples)
    finish = _finisher(intervals, named)
    only_wav = all(path.endswith(".wav") for path in paths)

    def load(path: tf.Tensor, label: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, ...]:
        if intervals.mode == "audio":
            return finish(
                decode_clip(path, samples, features.sample_rate, only_wav=only_wav), label, weight, path
            )
        picture = decode_picture(path, frames, features.stored_bins)
        return finish(_band(intervals, picture), label, weight, path)

    dataset = tf.data.Dataset.from_tensor_slices((names, labels, weights))
    return dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _finisher(intervals: SplitIntervals, named: bool) -> Callable[..., tuple[tf.Tensor, ...]]:
    """Return the function that assembles the requested parts of an interval."""
    by_key = tf.constant(intervals.key_weights()) if intervals.weighted else None

    def finish(
        data: tf.Tensor, label: tf.Tensor, weight: tf.Tensor, name: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        weights = () if by_key is None else (weight * tf.gather(by_key, label),)
        return (data, label, *weights, *((name,) if named else ()))

    return finish


def _from_records(
    intervals: SplitIntervals, order: Sequence[int | tf.Tensor] | None, named: bool = False
) -> tf.data.Dataset:
    files = [
        (str(dataset.folder / path), weight)
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
    finish = _finisher(intervals, named)

    def load(serialised: tf.Tensor, weight: tf.Tensor, shard: tf.Tensor) -> tuple[tf.Tensor, ...]:
        example = parse_example(serialised)
        picture = tf.ensure_shape(example["spectrogram"][..., tf.newaxis], shape)
        part = tf.strings.as_string(example["part"])
        name = tf.strings.join([example["track"], ", part ", part, " in ", shard]) if named else shard
        return finish(_band(intervals, picture), example["label"], weight, name)

    def opened(shard: tf.Tensor, weight: tf.Tensor) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(shard)
        if wanted is not None:
            records = records.filter(lambda record: wanted(record, shard))
        return records.map(lambda record: (record, weight, shard))

    if order is None:
        records = tf.data.Dataset.from_tensor_slices((shards, weights)).flat_map(opened)
    else:
        # Shards in a new order, several read in turns, then a buffer: far from the order on disk.
        index = tf.random.experimental.stateless_shuffle(tf.range(len(files)), tf.stack(order))
        shuffled = (tf.gather(shards, index), tf.gather(weights, index))
        records = tf.data.Dataset.from_tensor_slices(shuffled).interleave(
            opened, cycle_length=_OPEN_SHARDS, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        # This is traced into a dataset's function, where it sets only the seed of that function: the
        # program's seed must not matter, and 0 would be compared with a tensor.
        tf.random.set_seed(1)
        mixed = tf.cast(order[0], tf.int64) * 1_000_003 + tf.cast(order[1], tf.int64)
        records = records.shuffle(intervals.config.train.shuffle_buffer, seed=mixed)
    return records.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _wanted(intervals: SplitIntervals) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None:
    """Return a filter for the records of a shard if a limit leaves out some tracks; None if all are used."""
    if all(len(rows) == len(dataset.split(rows[0].split)) for dataset, rows in intervals.parts if rows):
        return None
    # Two datasets may have tracks of the same name.
    names = sorted(
        {f"{dataset.folder / row.path}/{row.track}" for dataset, rows in intervals.parts for row in rows}
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
