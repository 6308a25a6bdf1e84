"""Intervals: the fixed-length cuts of a track."""

from __future__ import annotations

import numpy as np

from pipelines.tracks import LeftOut, Track
from tfkey.audio.reading import is_silent, read
from tfkey.config import Config
from tfkey.errors import AudioError
from tfkey.settings import IntervalConfig


def interval_starts(samples: int, length: int, step: int, remainder: str) -> list[int]:
    """Where the intervals of a track start.

    Args:
        samples: the track's length in samples.
        length: an interval's length in samples.
        step: from start to start in samples.
        remainder: ``drop`` the rest, ``pad`` it (one more interval that runs past the end), or ``overlap``
            (one more that is shifted back to end with the track).

    Returns:
        Starts in samples, ascending. None if the track is shorter than an interval, unless that is padded.
    """
    starts = list(range(0, max(samples - length, -1) + 1, step))
    covered = starts[-1] + length if starts else 0
    if covered < samples:
        if remainder == "pad":
            # With a step beyond the length, the rest may lie wholly within the gap.
            starts += [start for start in [starts[-1] + step if starts else 0] if start < samples]
        elif remainder == "overlap" and samples >= length:
            starts.append(samples - length)
    return starts


def cut(waveform: np.ndarray, intervals: IntervalConfig, sample_rate: int) -> list[np.ndarray]:
    """Cut a waveform into intervals.

    Args:
        waveform: float32 ``[samples]``.
        intervals: how to cut.
        sample_rate: of the waveform, in Hz.

    Returns:
        float32 arrays, each ``[intervals.samples(sample_rate)]``, parts of ``waveform`` itself but for
        one that is padded with zeros (``pad``).
    """
    length = intervals.samples(sample_rate)
    step = max(1, round((intervals.step_seconds or intervals.seconds) * sample_rate))
    parts = [
        waveform[start : start + length]
        for start in interval_starts(len(waveform), length, step, intervals.remainder)
    ]
    # Views where they can be: padding by nothing copies.
    return [part if len(part) == length else np.pad(part, (0, length - len(part))) for part in parts]


def sounding_intervals(config: Config, track: Track) -> tuple[list, LeftOut | None]:
    """The intervals of a track, or why there are none.

    Returns:
        Pairs of an interval's number and its float32 waveform ``[samples]``, silent ones left out; and
        what to note about the track if nothing of it could be used.
    """
    try:
        waveform = read(track.path, config.features.sample_rate)
    except AudioError as error:
        return [], LeftOut(track.source, str(error).removeprefix(f"{track.path}: "))
    parts = cut(waveform, config.intervals, config.features.sample_rate)
    if not parts:
        seconds = len(waveform) / config.features.sample_rate
        remedy = "lower intervals.seconds or set intervals.remainder=pad"
        return [], LeftOut(
            track.source,
            f"shorter ({seconds:.2f} s) than an interval of {config.intervals.seconds:g} s; {remedy}",
        )
    sounding = [(number, part) for number, part in enumerate(parts) if not is_silent(part)]
    return sounding, None if sounding else LeftOut(track.source, "silent; silence has no key")
