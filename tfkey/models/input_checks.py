"""Checks of the input shapes and features of models; each error says in one line what is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfkey.errors import UsageError


def check_picture_shape(
    model: str, input_shape: Sequence[int | None], least_frames: int, least_bins: int
) -> None:
    """Refuse an input shape that is not ``(frames, bins, channels)`` or is too small; frames may be None."""
    shape = tuple(input_shape)
    if len(shape) == 3:
        frames, bins, channels = shape
        frames_fit = frames is None or frames >= least_frames
        if frames_fit and bins is not None and bins >= least_bins and channels:
            return
    raise UsageError(
        f"model {model}: input shape {shape} must be (frames, bins, 1) with at least {least_bins} bins,"
        f" and at least {least_frames} frames or None"
    )


def check_waveform_shape(model: str, input_shape: Sequence[int | None], least_samples: int) -> None:
    """Refuse an input shape that is not ``(samples,)`` or is too small; samples may be None."""
    shape = tuple(input_shape)
    if len(shape) != 1 or (shape[0] is not None and shape[0] < least_samples):
        raise UsageError(
            f"model {model}: input shape {shape} must be (samples,), at least {least_samples} of them or None"
        )


def lowest_pitch_class(model: str, fmin: float, bins_per_octave: int) -> int:
    """The pitch class (C=0 .. B=11, A4 = 440 Hz) of the lowest bin, for models whose rows are semitones.

    Raises:
        UsageError: a semitone has no whole number of bins, or the lowest bin is more than a quarter of a
            semitone away from the nearest pitch.
    """
    if bins_per_octave % 12:
        raise UsageError(
            f"model {model}: needs a whole number of bins per semitone; "
            f"features.bins_per_octave={bins_per_octave} must be a multiple of 12"
        )
    pitch = 69 + 12 * math.log2(fmin / 440)
    nearest = round(pitch)
    if abs(pitch - nearest) > 0.25:
        below, above = (440 * 2 ** ((whole(pitch) - 69) / 12) for whole in (math.floor, math.ceil))
        raise UsageError(
            f"model {model}: its rows are semitones; features.fmin={fmin:g} Hz lies between two pitches; "
            f"set it to {below:.2f} or {above:.2f}"
        )
    return nearest % 12
