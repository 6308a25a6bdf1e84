"""Whether a spectrogram holds tones, as music does and speech, noise and drums do not, and their tuning.

All is read from the peaks of its frames. A place is a peak if it is a maximum over frequency that is
:data:`PROMINENCE_DB` above the mean of the :data:`NEIGHBOURS` bins around it. Noise has few of them: the
magnitudes of a Gaussian signal in neighbouring bins are Rayleigh distributed about a smooth level, and seldom
exceed it so far; a click or a drum's burst excites all bins alike. A tone is a peak wherever it sounds.

Speech has as many peaks as music, the harmonics of its vowels. They move: music holds a pitch for a while and
comes back to it, on a scale or not, and speech glides over all pitches alike. So what counts most is how much
more often than by chance a pitch recurs (:attr:`Tones.recurrence`). A drum recurs, too, but has a pitch or
two, and decays before it can be called steady (:attr:`Tones.pitches`, :attr:`Tones.steadiness`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from tfkey.spectrogram.filters import Features

PROMINENCE_DB = 10.0
"""How far a peak is above its surroundings, in dB."""

NEIGHBOURS = 15
"""Bins, the place itself in the middle, whose mean level are its surroundings. A pure tone fills three."""

LEAST_TONALITY = 0.1
"""The tonality from which on a recording is taken to hold tones."""

LEAST_CONCENTRATION = 0.2
"""The least length (0 to 1) of the mean of the peaks' deviations, as arrows on a circle, that tells a
tuning."""

# Below the loudest frames by more than this, in dB, is a pause or reverberation.
_PAUSE_DB = 40.0
# Frames that are closer, in seconds, tell nothing new.
_STEP_SECONDS = 0.09
# What is where it was this long ago, to so many cents, is steady; a glide of speech is further on.
_STEADY_SECONDS = 0.19
_STEADY_CENTS = 10.0
# The histograms of pitches: of so many cents a cell; seconds in turn go into one or the other.
_CELL_CENTS = 6.25
_TURN_SECONDS = 1.0
# A pitch recurs within a cell; by chance it would be as often so far away, in cells.
_FAR = 16


@dataclass(frozen=True)
class Tones:
    """What the peaks of a spectrogram tell; :meth:`__add__` joins those of a track's intervals.

    Attributes:
        frames: how many are not pauses.
        places: of a frame.
        peaks: places in these frames that are peaks.
        steady: peaks that have been where they are for a while.
        steady_frames: frames with such a peak.
        pitches: int64 ``[2, cells]``: how many peaks there are at each pitch, in odd and in even seconds.
        deviation: the sum of the peaks' deviations from equal temperament at A4 = 440 Hz as arrows on a
            circle of 100 cents, each as long as the peak's amplitude.
        weight: the sum of these amplitudes.
    """

    frames: int = 0
    places: int = 1
    peaks: int = 0
    steady: int = 0
    steady_frames: int = 0
    rich_frames: int = 0
    pitches: np.ndarray = field(default_factory=lambda: np.zeros((2, 1), np.int64))
    deviation: complex = 0j
    weight: float = 0.0

    def __add__(self, other: Tones) -> Tones:
        return Tones(
            self.frames + other.frames,
            max(self.places, other.places),
            self.peaks + other.peaks,
            self.steady + other.steady,
            self.steady_frames + other.steady_frames,
            self.rich_frames + other.rich_frames,
            self.pitches + other.pitches,
            self.deviation + other.deviation,
            self.weight + other.weight,
        )

    @property
    def recurrence(self) -> float:
        one, two = self.pitches.astype(np.float64)
        size = one.size
        pairs = [
            float(one[max(0, -shift) : size - max(0, shift)] @ two[max(0, shift) : size + min(0, shift)])
            for shift in range(-_FAR, _FAR + 1)
        ]
        near = sum(pairs[_FAR - 1 : _FAR + 2]) / 3
        return (near + 0.3) / (sum(pairs) / len(pairs) + 0.3)

    @property
    def npitch(self) -> float:
        h = self.pitches.sum(axis=0)
        h = h[: h.size // 8 * 8].reshape(-1, 8).sum(axis=1)
        p = h[h > 0] / max(h.sum(), 1)
        return float(np.exp(-(p * np.log(p)).sum()))

    @property
    def evidence(self):
        n = max(self.frames, 1)
        return [
            math.log(self.recurrence),
            math.log(self.npitch + 1),
            math.log(self.peaks / n / self.places + 2e-3),
            math.log(self.steady_frames / n + 0.02),
            math.log(self.rich_frames / n + 0.02),
            self.steady / max(self.peaks, 1),
            1,
        ]

    @property
    def cents(self) -> float | None:
        """The deviation of the tuning from A4 = 440 Hz, in [-50, 50); None if the peaks agree on none."""
        if abs(self.deviation) < LEAST_CONCENTRATION * self.weight or not self.weight:
            return None
        cents = math.degrees(math.atan2(self.deviation.imag, self.deviation.real)) / 3.6
        return cents - 100.0 if cents >= 50.0 else cents


def find_tones(spectrogram: np.ndarray, features: Features) -> Tones:
    fps = features.sample_rate / features.hop_length
    every = max(1, round(_STEP_SECONDS * fps))
    fps /= every
    level = spectrogram[::every] * np.float32(features.decibels)
    loudest = level.max(axis=1, initial=0.0)
    if not loudest.size or features.n_bins < 3:
        return Tones()
    # Not by the very loudest: a click would make pauses of all else.
    reference = np.partition(loudest, -1 - loudest.size // 20)[-1 - loudest.size // 20]
    sounding = (loudest > 0) & (loudest > reference - _PAUSE_DB)
    middle = level[:, 1:-1]
    peaks = middle > _surroundings(level)[:, 1:-1] + np.float32(PROMINENCE_DB)
    peaks &= (middle >= level[:, :-2]) & (middle > level[:, 2:]) & sounding[:, np.newaxis]
    frames, places = np.nonzero(peaks)
    before, peak, after = (level[frames, places + step].astype(np.float64) for step in range(3))
    position = places + 1 + 0.5 * (before - after) / (before - 2 * peak + after)
    bin_cents = 1200 / features.bins_per_octave
    semitones = position * 12 / features.bins_per_octave + 12 * math.log2(features.fmin / 440.0)
    weight = 10 ** ((peak + features.db_min) / 20)
    deviation = complex(np.sum(weight * np.exp(2j * np.pi * semitones)))
    # steady
    lag = max(1, round(_STEADY_SECONDS * fps))
    where = np.full(level.shape, -1e9)
    where[frames, places + 1] = position * bin_cents
    steady = np.zeros((max(0, len(where) - lag), middle.shape[1]), bool)
    if steady.size:
        now = where[lag:, 1:-1]
        for step in (0, 1, 2):
            then = where[:-lag, step : step + middle.shape[1]]
            steady |= (np.abs(now - then) <= _STEADY_CENTS) & (now > -1e8)
    count = steady.sum(axis=1)
    turn = (frames / fps / _TURN_SECONDS).astype(int) % 2
    cells = math.ceil(features.n_bins * bin_cents / _CELL_CENTS)
    cell = (position * bin_cents / _CELL_CENTS).astype(int)
    pitches = np.bincount(turn * cells + cell, minlength=2 * cells).reshape(2, cells)
    return Tones(
        int(sounding.sum()),
        middle.shape[1],
        frames.size,
        int(count.sum()),
        int((count > 0).sum()),
        int((peaks.sum(axis=1) >= 3).sum()),
        pitches,
        deviation,
        float(weight.sum()),
    )


def _surroundings(level: np.ndarray) -> np.ndarray:
    """The mean of each place and its neighbours; beyond the lowest and highest bin these go on unchanged."""
    half = NEIGHBOURS // 2
    bins = level.shape[1]
    places = np.clip(np.arange(-half - 1, bins + half), 0, bins - 1)
    sums = np.cumsum(level[:, places], axis=1, dtype=np.float32)
    return (sums[:, NEIGHBOURS:] - sums[:, :-NEIGHBOURS]) / np.float32(NEIGHBOURS)
