"""``prepare --mode spectrograms``: tracks to sharded TFRecords, and PNGs on request.

An example holds ``spectrogram`` (float16, ``[frames, bins]`` in row order, values in [0, 1]), ``shape``,
``label`` (class index), ``track`` and ``part``. Sixteen tracks of one split make a shard; a shard is
written whole or not at all.

A worker is a thread that takes a track from its file to serialised examples: decoders and TensorFlow run
outside of Python's lock, so that workers are processors at work. Two shards and more are open at a time, so
that no worker waits for a shard's last track. What a track comes to depends on nothing but the track.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from pipelines.prepare.intervals import sounding_intervals
from pipelines.prepare.work import Journal, Progress, Result, Unit, file_state, fingerprint, run_units
from pipelines.prepared.manifest import PreparedDataset, Row, preparation_parameters
from pipelines.tracks import LeftOut, Track
from tfkey.config import Config
from tfkey.files import atomic_path
from tfkey.settings import SPLITS
from tfkey.spectrogram.frontend import build_frontend, to_pixels

TRACKS_PER_SHARD = 16

Picture = np.ndarray  # float32 [frames, bins] in [0, 1]


def prepare_spectrograms(
    config: Config,
    tracks: Sequence[Track],
    folder: Path,
    *,
    workers: int,
    png: bool = False,
    progress: Progress | None = None,
) -> tuple[Result, int]:
    """Write ``<folder>/<split>-<NNNNN>.tfrecord``, and with ``png`` also pictures.

    These go to ``<folder>/png/<split>/<key>/<track>-<NNN>.png``.

    Returns:
        The rows and what was left out, and how many shards were made now.
    """
    parameters = {**preparation_parameters(config, "spectrograms"), "png": png}
    units = []
    for split in SPLITS:
        members = [track for track in tracks if track.split == split]
        for start in range(0, len(members), TRACKS_PER_SHARD):
            shard = members[start : start + TRACKS_PER_SHARD]
            states = [[track.name, track.key.long, file_state(track.path)] for track in shard]
            name = f"{split}-{start // TRACKS_PER_SHARD:05d}.tfrecord"
            units.append(Unit(name, fingerprint(parameters, states), (name, shard)))
    pool = ThreadPoolExecutor(workers)
    try:
        # Traced once, while the other workers decode their first tracks.
        transform = pool.submit(lambda: picture_function(config).get_concrete_function())
        job = _Job(config, folder, transform, png)
        work = partial(_write_shard, config, folder, lambda track: pool.submit(job.examples, track))
        # Enough open shards that tracks wait for workers and never the other way.
        return run_units(
            units, work, Journal(folder), workers=2 + workers // TRACKS_PER_SHARD, progress=progress
        )
    finally:
        pool.shutdown(cancel_futures=True)


def picture_function(config: Config) -> Any:
    """A compiled function from waveforms ``[batch, samples]`` to stored pictures ``[batch, frames, bins]``"""
    samples = config.intervals.samples(config.features.sample_rate)
    frontend = build_frontend(config.features, samples, wide=True)
    return tf.function(
        lambda waveforms: frontend(waveforms)[..., 0],
        input_signature=[tf.TensorSpec([None, samples], tf.float32)],
    )


@dataclass(frozen=True)
class _Made:
    """What a track comes to: pairs of a serialised example and its row's digest, by the interval's number."""

    examples: dict[int, tuple[bytes, str]]
    left_out: LeftOut | None


@dataclass(frozen=True)
class _Job:
    """What all tracks have in common."""

    config: Config
    folder: Path
    transform: Future[Callable[[Any], tf.Tensor]]
    png: bool

    def examples(self, track: Track) -> _Made:
        """Decode, transform and serialise one track; its PNGs are written here, too."""
        intervals, left_out = sounding_intervals(self.config, track)
        examples = {}
        for part, waveform in intervals:
            # One at a time: to stack them costs more than a larger batch gains.
            picture = self.transform.result()(tf.constant(waveform[np.newaxis])).numpy()[0]
            stored = picture.astype(np.float16)
            digest = hashlib.sha256(stored.tobytes()).hexdigest()
            examples[part] = (to_example(stored, track.key.index, track.name, part), digest)
            if self.png:
                name = f"{track.name}-{part:03d}.png"
                write_png(self.folder / "png" / str(track.split) / track.key.folder / name, picture)
        return _Made(examples, left_out)


def _write_shard(
    config: Config,
    folder: Path,
    submit: Callable[[Track], Future[_Made]],
    payload: tuple[str, list[Track]],
) -> Result:
    name, tracks = payload
    result = Result()
    with atomic_path(folder / name) as temporary, _record_writer(temporary) as writer:
        waiting = deque(submit(track) for track in tracks)
        for track in tracks:
            # Popped, so that a track's examples go once they are written.
            made = waiting.popleft().result()
            if made.left_out:
                result.left_out.append(made.left_out)
            for part, (example, digest) in made.examples.items():
                writer.write(example)
                result.rows.append(
                    Row(track.name, part, name, track.key.long, str(track.split), config.intervals.seconds,
                        track.source, digest)
                )  # fmt: skip
    return result


@contextlib.contextmanager
def _record_writer(path: Path) -> Iterator[tf.io.TFRecordWriter]:
    """A writer that fails as files do: with an OSError, and not with one of TensorFlow's."""
    path.touch()
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            yield writer
    except tf.errors.OpError as error:
        raise OSError(errno.EIO, error.message.rpartition("; ")[2], str(path)) from error


def write_png(path: Path, picture: Picture) -> None:
    """Write a picture (see :func:`tfkey.spectrogram.frontend.to_pixels`) as an 8-bit grey PNG, atomically."""
    with atomic_path(path) as temporary:
        Image.fromarray(to_pixels(picture), mode="L").save(temporary, format="PNG")


def to_example(spectrogram: np.ndarray, label: int, track: str, part: int) -> bytes:
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
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


def parse_example(serialised: tf.Tensor) -> dict[str, tf.Tensor]:
    """The inverse of :func:`to_example` in the graph; ``spectrogram`` float32 ``[frames, bins]``."""
    specification = {
        "spectrogram": tf.io.FixedLenFeature([], tf.string),
        "shape": tf.io.FixedLenFeature([2], tf.int64),
        "label": tf.io.FixedLenFeature([], tf.int64),
        "track": tf.io.FixedLenFeature([], tf.string),
        "part": tf.io.FixedLenFeature([], tf.int64),
    }
    example = tf.io.parse_single_example(serialised, specification)
    values = tf.io.decode_raw(example["spectrogram"], tf.float16)
    example["spectrogram"] = tf.cast(tf.reshape(values, example["shape"]), tf.float32)
    example["label"] = tf.cast(example["label"], tf.int32)
    return example


def iter_pictures(prepared: PreparedDataset) -> Iterator[tuple[Row, Picture]]:
    """All pictures of a dataset prepared in spectrograms mode, in the order of its manifest."""
    paths = list(dict.fromkeys(row.path for row in prepared.rows))
    examples = tf.data.TFRecordDataset([str(prepared.folder / path) for path in paths]).map(parse_example)
    for row, example in zip(prepared.rows, examples.as_numpy_iterator(), strict=True):
        yield row, example["spectrogram"]
