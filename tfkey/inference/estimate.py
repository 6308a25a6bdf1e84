"""What is found in a recording: its key, how sure that is, and the key over time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tfkey.inference.key_over_time import Segment
from tfkey.keys import KEYS, Key

SILENT = "silent"
"""The reason why silence has no key."""

NO_TONES = "no tones (noise, speech or percussion)"
"""The reason why a recording without tones has no key."""


@dataclass(frozen=True)
class Estimate:
    """The key of a recording.

    Attributes:
        key: the most probable key; None if the recording has no key (``reason`` says why).
        probabilities: float64 ``[24]`` by class index, sum 1: calibrated, the mean over the recording.
        confidence: the probability of ``key``, or of the best class if there is no key.
        reason: why there is no key; None if there is a key.
        tuning_cents: deviation from A4 = 440 Hz, in [-50, 50); None if it is not known.
        seconds: the length of the recording.
        segments: key over time, in order; neighbours with the same key are joined.
        warning: what is wrong with a file that was analysed nevertheless, such as that it is cut; None if
            nothing is wrong.
        interval_probabilities: float64 ``[intervals, 24]``, each with sum 1: those of the intervals for key
            over time that may have a key, without calibration.
    """

    key: Key | None
    probabilities: np.ndarray
    confidence: float
    reason: str | None
    tuning_cents: float | None
    seconds: float
    segments: tuple[Segment, ...]
    warning: str | None = None
    interval_probabilities: np.ndarray = field(default_factory=lambda: np.empty((0, len(KEYS))))

    def ranked(self, count: int = 3) -> list[tuple[Key, float]]:
        """The most probable keys and their probabilities, best first, at most ``count``."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(KEYS[index], float(self.probabilities[index])) for index in order]
