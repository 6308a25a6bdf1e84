"""What a network and the search for tones find in the intervals of a recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfkey.inference.tones import Tones

# In a recording with tones, an interval counts as tonal unless it clearly is not.
_DOUBTFUL = 0.7

# In samples: 10 to 30 ms.
_CLICK = 512


@dataclass(frozen=True)
class Judged:
    """What was found in the intervals of a recording.

    Attributes:
        probabilities: those of the 24 keys, float64 ``[intervals, 24]``.
        tones: the tones of all intervals together.
        tonality: how tonal each interval is, 0 to 1.
        silent: whether each interval is silent.
    """

    probabilities: np.ndarray
    tones: Tones
    tonality: list[float]
    silent: list[bool]

    def tonal(self, has_key: bool, least_tonality: float) -> np.ndarray:
        """Which intervals may have a key, bool ``[intervals]``.

        Args:
            has_key: whether the recording has one.
            least_tonality: the least tonality of a recording that has a key.
        """
        return has_key & ~np.array(self.silent) & (np.array(self.tonality) >= _DOUBTFUL * least_tonality)


def without_offset(window: np.ndarray, offset: float) -> np.ndarray:
    """Subtract an offset; the ends, where resampling made a click of its sudden begin, are left out."""
    if not offset:
        return window
    ends = slice(_CLICK, -_CLICK) if window.size > 4 * _CLICK else slice(None)
    return window[ends] - np.float32(offset)
