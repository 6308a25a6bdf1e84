"""Intervals: excerpts of a track with a fixed length."""

from __future__ import annotations

import numpy as np

from pipelines.tracks import LeftOut, Track
from tfkey.audio.reading import is_silent, read, read_segment
from tfkey.config import Config
from tfkey.errors import AudioError, DataError
from tfkey.settings import IntervalConfig
from tfkey.storage import fetched, shown


def interval_starts(samples: int, length: int, step: int, remainder: str) -> list[int]:
    """Return where the intervals of a track start.

    Args:
        samples: the track's length in samples.
        length: an interval's length in samples.
        step: the distance from start to start in samples.
        remainder: ``drop`` the rest, ``pad`` it (one more interval that runs past the end), or ``overlap``
            (one more interval, shifted back to end with the track).

    Returns:
        Starts in samples, ascending; empty for a track shorter than an interval, unless it is padded.
    """
    starts = list(range(0, max(samples - length, -1) + 1, step))
    covered = starts[-1] + length if starts else 0
    if covered < samples:
        if remainder == "pad":
            # If the step exceeds the length, the rest may be entirely within the gap.
            starts += [start for start in [starts[-1] + step if starts else 0] if start < samples]
        elif remainder == "overlap" and samples >= length:
            starts.append(samples - length)
    return starts


def cut(waveform: np.ndarray, intervals: IntervalConfig, sample_rate: int) -> list[np.ndarray]:
    """Cut a waveform into intervals.

    Args:
        waveform: float32 ``[samples]``.
        intervals: how to cut.
        sample_rate: the sample rate of the waveform, in Hz.

    Returns:
        float32 arrays, each ``[intervals.samples(sample_rate)]``; all are views of ``waveform`` except one
        that is padded with zeros (``pad``).
    """
    length = intervals.samples(sample_rate)
    step = max(1, round((intervals.step_seconds or intervals.seconds) * sample_rate))
    parts = [
        waveform[start : start + length]
        for start in interval_starts(len(waveform), length, step, intervals.remainder)
    ]
    # np.pad copies even if it adds nothing; return views where possible.
    return [part if len(part) == length else np.pad(part, (0, length - len(part))) for part in parts]


def sounding_intervals(config: Config, track: Track) -> tuple[list, LeftOut | None]:
    """Return the intervals of a track, or the reason why there are none.

    Returns:
        Pairs of an interval's number and its float32 waveform ``[samples]``, without silent intervals; and
        the reason for leaving out the track if none of it could be used.
    """
    rate = config.features.sample_rate
    try:
        # Audio elsewhere is on this machine only as long as it is read.
        with fetched(track.path) as path:
            waveform = read_segment(path, rate, *track.segment) if track.segment else read(path, rate)
    except (AudioError, DataError) as error:
        return [], LeftOut(track.source, str(error).removeprefix(f"{shown(track.path)}: "))
    parts = cut(waveform, config.intervals, rate)
    if not parts:
        seconds = len(waveform) / rate
        remedy = "lower intervals.seconds or set intervals.remainder=pad"
        return [], LeftOut(
            track.source,
            f"is shorter ({seconds:.2f} s) than an interval of {config.intervals.seconds:g} s; {remedy}",
        )
    sounding = [(number, part) for number, part in enumerate(parts) if not is_silent(part)]
    return sounding, None if sounding else LeftOut(track.source, "is silent; silence has no key")
