"""The form that all kinds of synthetic clips share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tfkey.keys import Key

SAMPLE_RATE = 22050
"""Sample rate of a clip, in Hz."""

SECONDS = 36.0
"""Length of a clip, in seconds."""

SAMPLES = round(SECONDS * SAMPLE_RATE)
"""Length of a clip, in samples."""

DETUNED = 0.2
"""Share of the clips that are up to half a semitone away from A4 = 440 Hz."""


@dataclass(frozen=True)
class Clip:
    """A clip with its key.

    Attributes:
        samples: float32 ``[SAMPLES]``, mono, in [-1, 1].
        settings: what was drawn for the clip (tempo, progression, instruments, tuning in cents, ...), for a
            list of clips that people read; values are numbers or short texts.
    """

    samples: np.ndarray
    settings: Mapping[str, float | str] = field(default_factory=dict)


Generator = Callable[[np.random.Generator, Key, str], Clip]
"""A kind of clip: from random numbers, the key, and the *group* to the clip.

A group names the material of a clip (a style, a progression). Groups keep validation clips apart from
training clips: all clips of a group are in one split. The same arguments give the same clip, bit for bit.
"""


def draw_cents(rng: np.random.Generator) -> float:
    """Draw the tuning of a clip: its distance from A4 = 440 Hz in cents, in [-50, 50]."""
    if rng.random() < DETUNED:
        return float(rng.uniform(-50, 50))
    return float(np.clip(rng.normal(0, 5), -15, 15))


def finished(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut or pad a mix to :data:`SAMPLES` and set its peak to a random level between 0.3 and 1."""
    clip = np.zeros(SAMPLES, np.float32)
    clip[: min(SAMPLES, len(samples))] = samples[:SAMPLES]
    peak = float(np.abs(clip).max())
    return clip * np.float32(rng.uniform(0.3, 1.0) / peak) if peak > 0 else clip
