"""The TFRecord format of prepared spectrograms: one ``tf.train.Example`` per interval.

An example contains ``spectrogram`` (float16, ``[frames, bins]`` in row order, values in [0, 1]), ``shape``,
``label`` (class index), ``track`` and ``part``; if the label is soft, also ``vote`` (24 probabilities), and
``label`` is the most probable key.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.prepared.manifest import PreparedDataset, Row
from tfkey.keys import N_CLASSES
from tfkey.votes import Vote

Picture = np.ndarray  # float32 [frames, bins] in [0, 1]


@contextlib.contextmanager
def record_writer(path: Path) -> Iterator[tf.io.TFRecordWriter]:
    """Yield a writer that fails with an OSError, as files do, instead of one of TensorFlow's errors."""
    path.touch()
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            yield writer
    except tf.errors.OpError as error:
        raise OSError(errno.EIO, error.message.rpartition("; ")[2], str(path)) from error


def to_example(spectrogram: np.ndarray, label: int, track: str, part: int, vote: Vote | None = None) -> bytes:
    """Serialise one float16 spectrogram ``[frames, bins]`` as a ``tf.train.Example``."""

    def of_bytes(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def of_integers(*values: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    feature = {
        "spectrogram": of_bytes(spectrogram.astype("<f2").tobytes()),
        "shape": of_integers(*spectrogram.shape),
        "label": of_integers(label),
        "track": of_bytes(track.encode()),
        "part": of_integers(part),
    }
    if vote is not None:
        feature["vote"] = tf.train.Feature(float_list=tf.train.FloatList(value=vote))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


def parse_example(serialised: tf.Tensor) -> dict[str, tf.Tensor]:
    """Invert :func:`to_example` in the graph; ``spectrogram`` is float32 ``[frames, bins]``.

    ``target`` is float32 ``[24]``: the vote, or all of it on the label.
    """
    specification = {
        "spectrogram": tf.io.FixedLenFeature([], tf.string),
        "shape": tf.io.FixedLenFeature([2], tf.int64),
        "label": tf.io.FixedLenFeature([], tf.int64),
        "track": tf.io.FixedLenFeature([], tf.string),
        "part": tf.io.FixedLenFeature([], tf.int64),
        "vote": tf.io.FixedLenFeature([N_CLASSES], tf.float32, [0.0] * N_CLASSES),
    }
    example = tf.io.parse_single_example(serialised, specification)
    values = tf.io.decode_raw(example["spectrogram"], tf.float16)
    example["spectrogram"] = tf.cast(tf.reshape(values, example["shape"]), tf.float32)
    example["label"] = tf.cast(example["label"], tf.int32)
    vote = example.pop("vote")
    example["target"] = tf.where(tf.reduce_any(vote > 0), vote, tf.one_hot(example["label"], N_CLASSES))
    return example


def iter_pictures(prepared: PreparedDataset) -> Iterator[tuple[Row, Picture]]:
    """Yield all pictures of a dataset prepared in spectrograms mode, in the order of its manifest."""
    examples = (
        example
        for path in dict.fromkeys(row.path for row in prepared.rows)
        for example in tf.data.TFRecordDataset(str(prepared.local(path)))
        .map(parse_example)
        .as_numpy_iterator()
    )
    for row, example in zip(prepared.rows, examples, strict=True):
        yield row, example["spectrogram"]
