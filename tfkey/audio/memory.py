"""Memory that is used for one waveform after another."""

from __future__ import annotations

import numpy as np

MOST_SAMPLES = 1 << 23
"""The most samples that are kept: 32 MiB, six minutes at 22,050 Hz."""


class Memory:
    """Gives out the same memory for each array.

    A program that analyses many files needs arrays of similar lengths again and again. If it frees them, the
    C library returns their pages to the operating system, which clears each page before it is used again. For
    a file of 30 s, that takes as long as the constant-Q transform.

    Use each object from one thread at a time, and for one array at a time: the next array overwrites it.

    Args:
        most: the most samples that are kept. Longer arrays get memory of their own.
    """

    def __init__(self, most: int = MOST_SAMPLES) -> None:
        self._most = most
        self._kept = np.empty(0, np.float32)

    def array(self, samples: int) -> np.ndarray:
        """Return float32 ``[samples]`` with arbitrary content."""
        if samples > self._most:
            return np.empty(samples, np.float32)
        if samples > self._kept.size:
            # Free the old one first, so that both are never in memory together.
            self._kept = np.empty(0, np.float32)
            self._kept = np.empty(samples, np.float32)
        return self._kept[:samples]

    def longer(self, array: np.ndarray, samples: int) -> np.ndarray:
        """Return float32 ``[samples]`` that begins with the last array, which must no longer be used."""
        if array.base is None:
            # The C library may find the room without a copy.
            array.resize(samples, refcheck=False)
            return array
        longer = np.empty(samples, np.float32)
        longer[: array.size] = array
        if samples <= self._most:
            self._kept = longer
            return longer[:]
        return longer
