"""``prepare --mode audio``: tracks to intervals of audio.

Intervals are stored as 16-bit mono WAV at the rate of the features: the one format that TensorFlow
decodes without a codec, and that anything plays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pipelines.prepare.intervals import sounding_intervals
from pipelines.prepared.manifest import Row, preparation_parameters
from pipelines.tracks import Track
from pipelines.work import Journal, Progress, Result, Unit, file_state, fingerprint, run_units
from tfkey.audio.reading import encode
from tfkey.config import Config
from tfkey.files import atomic_path


def prepare_audio(
    config: Config, tracks: Sequence[Track], folder: Path, *, workers: int, progress: Progress | None = None
) -> tuple[Result, int]:
    """Cut tracks into ``<folder>/<split>/<key>/<track>-<NNN>.wav``.

    Returns:
        The rows and what was left out, and how many tracks were worked on now.
    """
    parameters = preparation_parameters(config, "audio")
    units = [
        Unit(track.name, fingerprint(parameters, track.key.long, track.split, *file_state(track.path)), track)
        for track in tracks
    ]
    return run_units(
        units, partial(_cut_track, config, folder), Journal(folder), workers=workers, progress=progress
    )


def _cut_track(config: Config, folder: Path, track: Track) -> Result:
    intervals, left_out = sounding_intervals(config, track)
    rows = []
    for number, waveform in intervals:
        path = f"{track.split}/{track.key.folder}/{track.name}-{number:03d}.wav"
        content = encode(waveform, config.features.sample_rate, "WAV")
        with atomic_path(folder / path) as temporary:
            temporary.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        rows.append(
            Row(track.name, number, path, track.key.long, str(track.split), config.intervals.seconds,
                track.source, digest)
        )  # fmt: skip
    return Result(rows, [left_out] if left_out else [])
