"""Whether a spectrogram holds tones, and how they are tuned.

Both are read from its peaks. A place is a peak if it stands :data:`PROMINENCE_DB` above the mean of the
:data:`NEIGHBOURS` bins around it. Noise has few of them: the magnitudes of a Gaussian signal in neighbouring
bins are Rayleigh distributed about a smooth level, and seldom exceed it so far; a click or a drum's burst
excites all bins alike. A tone is a peak wherever it sounds. Drums of a definite pitch (toms, timpani) are
tones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tfkey.spectrogram.filters import Features

PROMINENCE_DB = 10.0
"""How far a peak stands above its surroundings, in dB."""

NEIGHBOURS = 15
"""Bins, the place itself in the middle, whose mean level are its surroundings. A pure tone fills three."""

LEAST_TONALITY = 0.015
"""The share of places that are peaks from which on a recording is taken to hold tones.

White, pink and brown noise, clicks, noise bursts and a drum kit lie at 0.005 or below, recordings of music at
0.05 and above, a single sine at 0.025.
"""

LEAST_CONCENTRATION = 0.2
"""The least length (0 to 1) of the mean of the peaks' deviations, as arrows on a circle, that tells a
tuning."""

# Below the loudest frame by more than this, in dB, is a pause or reverberation.
_PAUSE_DB = 40.0
# Frames overlap by far more; every second tells as much.
_EVERY = 2


@dataclass(frozen=True)
class Tones:
    """What the peaks of a spectrogram tell; :meth:`__add__` joins those of a track's intervals.

    Attributes:
        tonality: the share of places, in frames that are not pauses, that are peaks: 0 to 1.
        deviation: the sum of the peaks' deviations from equal temperament at A4 = 440 Hz as arrows on a
            circle of 100 cents, each as long as the peak's amplitude.
        weight: the sum of these amplitudes.
    """

    tonality: float = 0.0
    deviation: complex = 0j
    weight: float = 0.0

    def __add__(self, other: Tones) -> Tones:
        """Join two parts of a track: it is as tonal as the more tonal of them."""
        return Tones(
            max(self.tonality, other.tonality), self.deviation + other.deviation, self.weight + other.weight
        )

    @property
    def cents(self) -> float | None:
        """The deviation of the tuning from A4 = 440 Hz, in [-50, 50); None if the peaks agree on none."""
        if abs(self.deviation) < LEAST_CONCENTRATION * self.weight or not self.weight:
            return None
        cents = math.degrees(math.atan2(self.deviation.imag, self.deviation.real)) / 3.6
        return cents - 100.0 if cents >= 50.0 else cents


def find_tones(spectrogram: np.ndarray, features: Features) -> Tones:
    """Find the peaks of a spectrogram.

    The position of a peak between the bins is the vertex of the parabola through its level in dB and those of
    its two neighbours, the deviations' mean is that of directions on a circle, weighted by amplitude. So do
    librosa's ``piptrack`` (after J. O. Smith, *Spectral Audio Signal Processing*, quadratic interpolation of
    spectral peaks) and ``estimate_tuning``, on a Fourier transform; for the mean K. V. Mardia and P. E. Jupp,
    *Directional Statistics*, 2000.

    Args:
        spectrogram: ``[frames, bins]`` in [0, 1].
        features: its parameters.
    """
    level = spectrogram[::_EVERY] * np.float32(features.decibels)
    loudest = level.max(axis=1, initial=0.0)
    level = level[(loudest > 0) & (loudest > loudest.max(initial=0.0) - _PAUSE_DB)]
    if not level.size or features.n_bins < 3:
        return Tones()
    prominent = level > _surroundings(level) + np.float32(PROMINENCE_DB)
    middle = level[:, 1:-1]
    peaks = prominent[:, 1:-1] & (middle >= level[:, :-2]) & (middle > level[:, 2:])
    frames, places = np.nonzero(peaks)
    before, peak, after = (level[frames, places + step].astype(np.float64) for step in range(3))
    position = places + 1 + 0.5 * (before - after) / (before - 2 * peak + after)
    semitones = position * 12 / features.bins_per_octave + 12 * math.log2(features.fmin / 440.0)
    weight = 10 ** ((peak + features.db_min) / 20)
    deviation = complex(np.sum(weight * np.exp(2j * np.pi * semitones)))
    return Tones(float(prominent.mean()), deviation, float(weight.sum()))


def _surroundings(level: np.ndarray) -> np.ndarray:
    """The mean of each place and its neighbours; beyond the lowest and highest bin these go on unchanged."""
    half = NEIGHBOURS // 2
    bins = level.shape[1]
    places = np.clip(np.arange(-half - 1, bins + half), 0, bins - 1)
    sums = np.cumsum(level[:, places], axis=1, dtype=np.float32)
    return (sums[:, NEIGHBOURS:] - sums[:, :-NEIGHBOURS]) / np.float32(NEIGHBOURS)
