"""``prepare --mode spectrograms``: tracks to sharded TFRecords, and PNGs on request.

Sixteen tracks of one split make a shard (for its format see :mod:`pipelines.prepared.records`); a shard is
written completely or not at all.

A worker is a thread that turns the file of a track into serialised examples. Decoders and TensorFlow run
outside Python's lock, so each worker keeps a processor busy. At least two shards are open at a time, so that
no worker waits for the last track of a shard. The examples of a track depend only on the track.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from pipelines.originals.vote_tables import VOTES, picture_table
from pipelines.prepare.intervals import sounding_intervals
from pipelines.prepare.job import PrepareJob
from pipelines.prepared.folder_files import remove_file
from pipelines.prepared.records import Picture, record_writer, to_example
from pipelines.tracks import LeftOut, Track
from pipelines.work import Result, Unit, fingerprint, track_file
from tfkey.config import Config
from tfkey.files import atomic_path, write_text
from tfkey.settings import SPLITS
from tfkey.spectrogram.frontend import build_frontend, to_pixels

TRACKS_PER_SHARD = 16

_Payload = tuple[str, list[Track]]
"""The name of a shard and its tracks."""


def prepare_spectrograms(job: PrepareJob, tracks: Sequence[Track]) -> tuple[Result, int]:
    """Write ``<split>-<NNNNN>.tfrecord`` in the job's folder, and with ``png`` also pictures.

    The pictures go to ``png/<split>/<key>/<track>-<NNN>.png``, and their soft labels, if any, to
    ``png/votes.csv``.

    Returns:
        The rows and what was left out, and the number of shards written by this call.
    """
    parameters = {**job.parameters, "png": job.png}
    units = []
    for split in SPLITS:
        members = [track for track in tracks if track.split == split]
        for start in range(0, len(members), TRACKS_PER_SHARD):
            shard = members[start : start + TRACKS_PER_SHARD]
            states = [[track.name, *track.state, track_file(track)] for track in shard]
            name = f"{split}-{start // TRACKS_PER_SHARD:05d}.tfrecord"
            units.append(Unit(name, fingerprint(parameters, states), (name, shard)))
    if job.cluster is not None:
        from pipelines.prepare.on_cluster import do_on_cluster

        result, fresh = job.run_by(units, partial(do_on_cluster, job, job.cluster, Shard))
    else:
        pool = ThreadPoolExecutor(job.workers)
        try:
            work = partial(_shard_writer(job, pool), job)
            # Enough open shards that tracks wait for workers, never workers for tracks.
            result, fresh = job.run(units, work, at_once=2 + job.workers // TRACKS_PER_SHARD)
        finally:
            pool.shutdown(cancel_futures=True)
    if job.png:
        _write_votes(job, result)
    return result, fresh


class Shard:
    """The units of this mode, for :class:`pipelines.prepare.on_cluster.Kind`."""

    @staticmethod
    def make(job: PrepareJob) -> Callable[[PrepareJob, _Payload], Result]:
        """Return the function that writes a shard with one thread."""
        return _shard_writer(job, ThreadPoolExecutor(1))

    @staticmethod
    def tracks(payload: _Payload) -> Sequence[Track]:
        """Return the tracks of a shard."""
        return payload[1]

    @staticmethod
    def of(payload: _Payload, tracks: Sequence[Track]) -> _Payload:
        """Return the shard with other tracks."""
        return payload[0], list(tracks)


def _shard_writer(job: PrepareJob, pool: ThreadPoolExecutor) -> Callable[[PrepareJob, _Payload], Result]:
    """Return the function that writes a shard whose tracks are processed in ``pool``."""
    # Traced once, while the other workers decode their first tracks.
    transform = pool.submit(lambda: picture_function(job.config).get_concrete_function())

    def write(job: PrepareJob, payload: _Payload) -> Result:
        maker = _Maker(job, transform)
        return _write_shard(job, lambda track: pool.submit(maker.examples, track), payload)

    return write


def _write_votes(job: PrepareJob, result: Result) -> None:
    """Write the soft labels of the PNGs beside their folders, as in an archive."""
    path, table = job.folder / "png" / VOTES, picture_table(result.rows)
    if table is None:
        if path.is_file():
            remove_file(path)
    elif not path.is_file() or path.read_text(encoding="utf-8") != table:
        write_text(path, table)


def picture_function(config: Config) -> Any:
    """Compile a function from waveforms ``[batch, samples]`` to pictures ``[batch, frames, bins]``."""
    samples = config.intervals.samples(config.features.sample_rate)
    frontend = build_frontend(config.features, samples, wide=True)
    return tf.function(
        lambda waveforms: frontend(waveforms)[..., 0],
        input_signature=[tf.TensorSpec([None, samples], tf.float32)],
    )


@dataclass(frozen=True)
class _Made:
    """The result of a track: pairs of a serialised example and its row's digest, by interval number."""

    examples: dict[int, tuple[bytes, str]]
    left_out: LeftOut | None


@dataclass(frozen=True)
class _Maker:
    """Turns tracks into examples; holds what all tracks have in common."""

    job: PrepareJob
    transform: Future[Callable[[Any], tf.Tensor]]

    def examples(self, track: Track) -> _Made:
        """Decode, transform and serialise one track; its PNGs are written here, too."""
        intervals, left_out = sounding_intervals(self.job.config, track)
        examples = {}
        for part, waveform in intervals:
            # One at a time: stacking costs more than a larger batch gains.
            picture = self.transform.result()(tf.constant(waveform[np.newaxis])).numpy()[0]
            stored = picture.astype(np.float16)
            digest = hashlib.sha256(stored.tobytes()).hexdigest()
            example = to_example(stored, track.key.index, track.name, part, track.vote)
            examples[part] = (example, digest)
            if self.job.png:
                path = f"png/{track.split}/{track.key.folder}/{track.name}-{part:03d}.png"
                write_png(self.job.folder / path, picture)
        return _Made(examples, left_out)


def _write_shard(job: PrepareJob, submit: Callable[[Track], Future[_Made]], payload: _Payload) -> Result:
    name, tracks = payload
    result = Result()
    with atomic_path(job.folder / name) as temporary, record_writer(temporary) as writer:
        waiting = deque(submit(track) for track in tracks)
        for track in tracks:
            # Popped, so that a track's examples are freed once they are written.
            made = waiting.popleft().result()
            if made.left_out:
                result.left_out.append(made.left_out)
            for part, (example, digest) in made.examples.items():
                writer.write(example)
                result.rows.append(job.row(track, part, name, digest))
    return result


def write_png(path: Path, picture: Picture) -> None:
    """Write a picture (see :func:`tfkey.spectrogram.frontend.to_pixels`) as an 8-bit grey PNG, atomically."""
    with atomic_path(path) as temporary:
        Image.fromarray(to_pixels(picture), mode="L").save(temporary, format="PNG")
