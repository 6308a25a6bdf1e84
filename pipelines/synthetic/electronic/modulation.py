"""Effects made of a delay that moves: the wow of a tape, chorus and flanger."""

from __future__ import annotations

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE


def delayed(samples: np.ndarray, delay: np.ndarray) -> np.ndarray:
    """Delay a waveform by a time that changes.

    Args:
        samples: float32 ``[samples]``; it is silent before its beginning.
        delay: float ``[samples]``, at least 0, in samples; between two samples, the result is interpolated.
    """
    whole = np.floor(delay).astype(np.int32)
    part = (delay - whole).astype(np.float32)
    padded = np.concatenate([np.zeros(int(whole.max()) + 1, np.float32), samples])
    places = np.arange(len(samples), dtype=np.int32) + np.int32(whole.max() + 1) - whole
    late = padded[places]
    return late + (padded[places - 1] - late) * part


def swing_of(samples: int, hertz: float, start: float) -> np.ndarray:
    """Return an oscillation float32 ``[samples]`` between 0 and 1, from a first phase in radians."""
    step = np.float32(2 * np.pi * hertz / SAMPLE_RATE)
    return (1 - np.cos(np.arange(samples, dtype=np.float32) * step + np.float32(start))) / 2


def wow(samples: np.ndarray, cents: float, hertz: float, start: float = 0.0) -> np.ndarray:
    """Let the pitch swing as on a worn tape; its mean does not change.

    Args:
        samples: the waveform.
        cents: how far the pitch swings to either side.
        hertz: how often it does so.
        start: the first phase, in radians.
    """
    # The pitch changes by the delay's slope, whose largest value is depth * pi * hertz.
    depth = (2 ** (cents / 1200) - 1) / (np.pi * hertz) * SAMPLE_RATE
    return delayed(samples, depth * swing_of(len(samples), hertz, start))


def chorus(
    samples: np.ndarray, seconds: float, depth: float, hertz: float, wet: float, start: float = 0.0
) -> np.ndarray:
    """Add a copy whose delay swings: about 20 ms make a chorus, less than 5 ms a flanger.

    Args:
        samples: the waveform.
        seconds: the shortest delay.
        depth: how far it swings above that, in seconds.
        hertz: how often it swings.
        wet: level of the copy.
        start: the first phase, in radians.
    """
    delay = (seconds + depth * swing_of(len(samples), hertz, start)) * SAMPLE_RATE
    return samples + np.float32(wet) * delayed(samples, delay)
