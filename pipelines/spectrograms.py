"""``prepare --mode spectrograms``: tracks to sharded TFRecords, and PNGs on request.

An example holds ``spectrogram`` (float16, ``[frames, bins]`` in row order, values in [0, 1]), ``shape``,
``label`` (class index), ``track`` and ``part``. Sixteen tracks of one split make a shard; a shard is
written whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from pipelines.audio_intervals import sounding_intervals
from pipelines.manifest import PreparedDataset, Row, preparation_parameters
from pipelines.tracks import LeftOut, Track
from pipelines.work import Journal, Progress, Result, Unit, file_state, fingerprint, iter_in_order, run_units
from tfkey.config import SPLITS, Config
from tfkey.features import build_frontend, to_pixels
from tfkey.files import atomic_path

TRACKS_PER_SHARD = 16
_BATCH = 8  # intervals transformed at a time: enough to fill two cores, little enough for a laptop's memory

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
    transform = picture_function(config)
    work = partial(_write_shard, config, folder, transform, workers, png)
    # Threads work within a shard (decoding ahead of the transform), so shards go one at a time.
    return run_units(units, work, Journal(folder), workers=1, progress=progress)


def picture_function(config: Config) -> Callable[[Any], tf.Tensor]:
    """A compiled function from waveforms ``[batch, samples]`` to pictures ``[batch, frames, bins]``."""
    samples = config.intervals.samples(config.features.sample_rate)
    frontend = build_frontend(config.features, samples)
    return tf.function(
        lambda waveforms: frontend(waveforms)[..., 0],
        input_signature=[tf.TensorSpec([None, samples], tf.float32)],
    )


def _write_shard(
    config: Config,
    folder: Path,
    transform: Callable[[Any], tf.Tensor],
    workers: int,
    png: bool,
    payload: tuple[str, list[Track]],
) -> Result:
    name, tracks = payload
    result = Result()
    with atomic_path(folder / name) as temporary, _record_writer(temporary) as writer:
        for track, part, picture in _pictures(config, tracks, transform, workers, result.left_out):
            stored = picture.astype(np.float16)
            digest = hashlib.sha256(stored.tobytes()).hexdigest()
            writer.write(to_example(stored, track.key.index, track.name, part))
            if png:
                write_png(
                    folder / "png" / str(track.split) / track.key.folder / f"{track.name}-{part:03d}.png",
                    picture,
                )
            result.rows.append(
                Row(track.name, part, name, track.key.long, str(track.split), config.intervals.seconds,
                    track.source, digest)
            )  # fmt: skip
    return result


def _record_writer(path: Path) -> tf.io.TFRecordWriter:
    # A folder that cannot be written is to show as the OSError that it is, not as one of TensorFlow's.
    path.touch()
    return tf.io.TFRecordWriter(str(path))


def _pictures(
    config: Config,
    tracks: Sequence[Track],
    transform: Callable[[Any], tf.Tensor],
    workers: int,
    left_out: list[LeftOut],
) -> Iterator[tuple[Track, int, Picture]]:
    """The pictures of tracks in order, transformed in batches that may span tracks."""
    waiting: list[tuple[Track, int, np.ndarray]] = []
    for track, (intervals, note) in zip(
        tracks, iter_in_order(tracks, partial(sounding_intervals, config), workers), strict=True
    ):
        if note:
            left_out.append(note)
        waiting += [(track, part, waveform) for part, waveform in intervals]
        while len(waiting) >= _BATCH:
            yield from _transform(waiting[:_BATCH], transform)
            del waiting[:_BATCH]
    if waiting:
        yield from _transform(waiting, transform)


def _transform(
    batch: Sequence[tuple[Track, int, np.ndarray]], transform: Callable[[Any], tf.Tensor]
) -> Iterator[tuple[Track, int, Picture]]:
    pictures = transform(np.stack([waveform for _, _, waveform in batch])).numpy()
    for (track, part, _), picture in zip(batch, pictures, strict=True):
        yield track, part, picture


def write_png(path: Path, picture: Picture) -> None:
    """Write a picture (see :func:`tfkey.features.to_pixels`) as an 8-bit grey PNG, atomically."""
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
