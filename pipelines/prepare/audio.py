"""``prepare --mode audio``: tracks to intervals of audio.

Intervals are stored as 16-bit mono WAV at the rate of the features, the only format that TensorFlow decodes
without a codec and that every player supports.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

from pipelines.prepare.intervals import sounding_intervals
from pipelines.prepare.job import PrepareJob
from pipelines.tracks import Track
from pipelines.work import Result, Unit, fingerprint, track_file
from tfkey.audio.reading import encode
from tfkey.files import atomic_path


def prepare_audio(job: PrepareJob, tracks: Sequence[Track]) -> tuple[Result, int]:
    """Cut tracks into ``<split>/<key>/<track>-<NNN>.wav`` in the job's folder.

    Returns:
        The rows and what was left out, and the number of tracks processed by this call.
    """
    parameters = job.parameters
    units = [
        Unit(track.name, fingerprint(parameters, *track.state, track.split, *track_file(track)), track)
        for track in tracks
    ]
    if job.cluster is not None:
        from pipelines.prepare.on_cluster import do_on_cluster

        return job.run_by(units, partial(do_on_cluster, job, job.cluster, OneTrack))
    return job.run(units, partial(_cut_track, job))


class OneTrack:
    """The units of this mode, for :class:`pipelines.prepare.on_cluster.Kind`."""

    @staticmethod
    def make(job: PrepareJob) -> Callable[[PrepareJob, Track], Result]:
        """Return the function that cuts a track."""
        return _cut_track

    @staticmethod
    def tracks(payload: Track) -> Sequence[Track]:
        """Return the track."""
        return [payload]

    @staticmethod
    def of(payload: Track, tracks: Sequence[Track]) -> Track:
        """Return the other track."""
        return tracks[0]


def _cut_track(job: PrepareJob, track: Track) -> Result:
    intervals, left_out = sounding_intervals(job.config, track)
    rows = []
    for number, waveform in intervals:
        path = f"{track.split}/{track.key.folder}/{track.name}-{number:03d}.wav"
        content = encode(waveform, job.config.features.sample_rate, "WAV")
        with atomic_path(job.folder / path) as temporary:
            temporary.write_bytes(content)
        rows.append(job.row(track, number, path, hashlib.sha256(content).hexdigest()))
    return Result(rows, [left_out] if left_out else [])
