"""Prepared data of any mode as ``tf.data``, ready for a network or, in audio mode, for its frontend.

Training datasets run on from epoch to epoch; the order within epoch ``e`` depends on the seed and ``e``
alone, so that a run that resumes at epoch ``e`` sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from pipelines.decode import decode_clip
from pipelines.manifest import PreparedDataset, Row
from pipelines.spectrograms import parse_example
from tfkey.config import Config
from tfkey.errors import DataError
from tfkey.files import sha256
from tfkey.keys import Key

_OPEN_SHARDS = 8


@dataclass(frozen=True)
class Source:
    """The intervals of one split, of one or more prepared datasets of one mode.

    Attributes:
        mode: of all of them.
        config: says what is in them.
        parts: each dataset with its rows.
        wide: give spectrograms as they are stored, with the extra semitones; else the network's band.
    """

    mode: str
    config: Config
    parts: tuple[tuple[PreparedDataset, tuple[Row, ...]], ...]
    wide: bool = False

    @property
    def rows(self) -> list[Row]:
        """All intervals in the order in which :func:`evaluation_batches` gives them."""
        return [row for _, rows in self.parts for row in rows]

    @property
    def labels(self) -> list[int]:
        """The class index of each of :attr:`rows`."""
        return [Key.parse(row.key).index for row in self.rows]


def open_source(
    config: Config, datasets: Sequence[PreparedDataset], split: str, *, wide: bool = False
) -> Source:
    """Take one split of prepared datasets (see :class:`Source`).

    Raises:
        DataError: the split is empty.
    """
    parts = tuple((dataset, dataset.split(split)) for dataset in datasets)
    if not any(rows for _, rows in parts):
        where = ", ".join(str(dataset.folder) for dataset in datasets)
        raise DataError(f"{where}: the {split} split is empty; prepare data for it or name another split")
    return Source(datasets[0].mode, config, parts, wide)


def steps_per_epoch(source: Source, batch_size: int) -> int:
    """Whole batches in an epoch; 1 if there are fewer intervals than a batch holds."""
    return max(1, len(source.rows) // batch_size)


def training_batches(source: Source, batch_size: int, *, seed: int, first_epoch: int = 0) -> tf.data.Dataset:
    """Shuffled batches without end, :func:`steps_per_epoch` of them an epoch.

    Args:
        source: what to train on.
        batch_size: intervals a batch; the rest of an epoch is left over (the next one is shuffled anew).
        seed: of the order.
        first_epoch: the epoch to start at.

    Returns:
        Pairs of float32 ``[batch, samples]`` (audio) or ``[batch, frames, bins, 1]``, and int32 ``[batch]``.
    """
    steps = steps_per_epoch(source, batch_size)

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        return (
            _intervals(source, [seed, number])
            .batch(batch_size, num_parallel_calls=tf.data.AUTOTUNE)
            .take(steps)
        )

    return tf.data.Dataset.range(first_epoch, 2**31).flat_map(epoch).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(source: Source, batch_size: int) -> tf.data.Dataset:
    """All intervals once, in the order of :attr:`Source.rows`; pairs as in :func:`training_batches`."""
    return _intervals(source, None).batch(batch_size).prefetch(tf.data.AUTOTUNE)


def evaluation_steps(source: Source, batch_size: int) -> int:
    """The number of batches that :func:`evaluation_batches` gives."""
    return math.ceil(len(source.rows) / batch_size)


def find_damaged(dataset: PreparedDataset, rows: Sequence[Row]) -> Path | None:
    """The first file of ``rows`` that is not what was written, or None. Reads them all."""
    for row in rows:
        path = dataset.folder / row.path
        if dataset.mode != "spectrograms" and (not path.is_file() or sha256(path) != row.digest):
            return path
    for name in dict.fromkeys(row.path for row in rows) if dataset.mode == "spectrograms" else ():
        try:
            for _ in tf.data.TFRecordDataset(str(dataset.folder / name)):
                pass
        except tf.errors.OpError:
            return dataset.folder / name
    return None


@contextlib.contextmanager
def naming_damage(*sources: Source) -> Iterator[None]:
    """Turn TensorFlow's complaint about a file that it cannot read into one line that names the file."""
    try:
        yield
    except tf.errors.OpError as error:
        for source in sources:
            for dataset, rows in source.parts:
                if damaged := find_damaged(dataset, rows):
                    command = f"tfkey prepare --mode {dataset.mode} --dataset {dataset.name}"
                    raise DataError(f"{damaged}: damaged; delete it and run {command} again") from error
        raise


def _intervals(source: Source, order: Sequence[int | tf.Tensor] | None) -> tf.data.Dataset:
    """Single intervals of one epoch, shuffled by the seed pair ``order`` unless that is None."""
    if source.mode == "spectrograms":
        return _from_records(source, order)
    paths = [str(dataset.folder / row.path) for dataset, rows in source.parts for row in rows]
    labels = tf.constant(source.labels, tf.int32)
    names = tf.constant(paths)
    if order is not None:
        index = tf.random.experimental.stateless_shuffle(tf.range(len(paths)), tf.stack(order))
        names, labels = tf.gather(names, index), tf.gather(labels, index)
    features = source.config.features
    samples = source.config.intervals.samples(features.sample_rate)
    frames = features.frames(samples)

    def load(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if source.mode == "audio":
            return decode_clip(path, samples, features.sample_rate), label
        return _band(source, decode_picture(path, frames, features.stored_bins)), label

    dataset = tf.data.Dataset.from_tensor_slices((names, labels))
    return dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _from_records(source: Source, order: Sequence[int | tf.Tensor] | None) -> tf.data.Dataset:
    shards = tf.constant(
        [
            str(dataset.folder / path)
            for dataset, rows in source.parts
            for path in dict.fromkeys(r.path for r in rows)
        ]
    )
    features = source.config.features
    shape = [features.frames(source.config.intervals.samples(features.sample_rate)), features.stored_bins, 1]

    def load(serialised: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = parse_example(serialised)
        picture = tf.ensure_shape(example["spectrogram"][..., tf.newaxis], shape)
        return _band(source, picture), example["label"]

    if order is None:
        records = tf.data.TFRecordDataset(shards)
    else:
        # Shards in a new order, several read in turns, then a buffer: far from any order on disk.
        shuffled = tf.random.experimental.stateless_shuffle(shards, tf.stack(order))
        records = tf.data.Dataset.from_tensor_slices(shuffled).interleave(
            tf.data.TFRecordDataset,
            cycle_length=_OPEN_SHARDS,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        # This is traced into a dataset's function, where it sets the seed of that function alone: the
        # program's must not matter, and 0 would be compared with a tensor.
        tf.random.set_seed(1)
        mixed = tf.cast(order[0], tf.int64) * 1_000_003 + tf.cast(order[1], tf.int64)
        records = records.shuffle(source.config.train.shuffle_buffer, seed=mixed)
    return records.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _band(source: Source, picture: tf.Tensor) -> tf.Tensor:
    """What ``source`` gives of a stored spectrogram ``[frames, bins, 1]``."""
    if source.wide:
        return picture
    features = source.config.features
    return picture[:, features.extra_bins : features.extra_bins + features.n_bins]


def decode_picture(path: tf.Tensor, frames: int, bins: int) -> tf.Tensor:
    """Read a spectrogram PNG in the graph, the inverse of :func:`tfkey.features.to_pixels`.

    Args:
        path: string scalar.
        frames: its width.
        bins: its height.

    Returns:
        float32 ``[frames, bins, 1]`` in [0, 1].
    """
    pixels = tf.io.decode_png(tf.io.read_file(path), channels=1)
    picture = tf.transpose(tf.cast(pixels, tf.float32) / 255.0, [1, 0, 2])
    return tf.ensure_shape(picture, [frames, bins, 1])
