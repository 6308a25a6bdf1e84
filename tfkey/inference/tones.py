"""Whether a spectrogram holds tones as music does, and how they are tuned.

Both are read from its peaks. A place is a peak if it is a maximum over frequency and :data:`PROMINENCE_DB`
above the mean of the :data:`NEIGHBOURS` bins around it. Noise has few of them: the magnitudes of a Gaussian
signal in neighbouring bins are Rayleigh distributed about a smooth level, and seldom exceed it so far; a
click or a drum's burst excites all bins alike. A tone is a peak wherever it sounds.

Vowels have as many peaks as chords. What tells music from speech is where they are: music holds a pitch for a
while and comes back to it; speech glides over all pitches alike. A drum comes back to its pitch, too, but it
has only one or two pitches and does not hold them. :attr:`Tones.evidence` weighs these measures together.
Each is a ratio or a share, so that none depends on the level. What recurs shows only in time: some seconds of
speech may pass for music.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tfkey.spectrogram.filters import Features

PROMINENCE_DB = 10.0
"""How far a peak is above its surroundings, in dB."""

NEIGHBOURS = 15
"""Bins, the place itself in the middle, whose mean level are its surroundings. A pure tone fills three."""

LEAST_TONALITY = 0.5
"""The tonality from which on a recording is taken to hold tones.

Recordings of music are mostly between 0.7 and 0.95; those of raps over a beat, and of music that is clipped
beyond recognition, come down to 0.5. Noise and applause are at 0.1 or below, speech and drums mostly below
0.4.
"""

LEAST_CONCENTRATION = 0.2
"""The least length (0 to 1) of the mean of the peaks' deviations, as arrows on a circle, that tells a
tuning."""

# A frame that is below the loudest one by more than this, in dB, is a pause or reverberation.
_PAUSE_DB = 40.0
# Single frames that are so far above the others, in dB, are clicks; what is loud is then told by the others.
_CLICK_DB = 20.0
_CLICKS = 0.05
# Seconds between frames; those between tell nothing new.
_STEP = 0.09
# A peak is steady if it is as many cents from where one was as many seconds ago. Speech has glided on by
# then.
_STEADY_CENTS = 10.0
_STEADY_SECONDS = 0.19
# Histograms count peaks by pitch, in cells of so many cents; seconds go into one and the other by turns,
# since what is alike in two neighbouring frames does not recur but lasts.
_CELL_CENTS = 6.25
_TURN_SECONDS = 1.0
_TURNS = 8
_NEAR, _FAR = 1, 16  # cells
_FEW_PAIRS = 0.3
_CELLS_PER_PITCH = 8
# Weights of the evidence. They were fitted by logistic regression, both sides weighing the same. Music: 15 s
# each of 300 freely licensed recordings like those in tests/data, plain, clipped, quantised, band-limited and
# under speech, drums and noise; and 60 synthetic lone voices. Other: 15 s each of 130 voices of espeak-ng, 90
# drum loops, 50 noises and textures, none of them in tests/benchmarks/non_music.py. The offset was then
# raised, since to refuse music is worse than to let speech pass.
_RECURRENCE, _PITCHES, _HELD, _STEADY, _OFFSET = 7.3, 6.9, 1.2, 11.0, -29.2
# Less than so many seconds show less of what recurs.
_ENOUGH_SECONDS, _PER_LOG_SECOND = 10.0, 4.0
# By how much the best part of a track must be beyond doubt to stand for all of it.
_MARGIN = 2.5
# The evidence that takes a tonality from 1/2 to 3/4 and a bit.
_UNIT = 5.0


@dataclass(frozen=True)
class Tones:
    """What the peaks of a spectrogram tell; :meth:`__add__` joins those of a track's intervals.

    Attributes:
        seconds: of the frames that are not pauses.
        frames: their number.
        peaks: the number of peaks in them.
        steady: peaks that were at the same pitch shortly before.
        held: frames that have such peaks.
        pitches: int64 ``[2, cells]``: how many peaks there are at each pitch, in odd and in even seconds.
        deviation: the sum of the peaks' deviations from equal temperament at A4 = 440 Hz as arrows on a
            circle of 100 cents, each as long as the peak's amplitude.
        weight: the sum of these amplitudes.
        best: the evidence of the most tonal interval, if these are several.
    """

    seconds: float = 0.0
    frames: int = 0
    peaks: int = 0
    steady: int = 0
    held: int = 0
    pitches: np.ndarray = field(default_factory=lambda: np.zeros((2, 1), np.int64))
    deviation: complex = 0j
    weight: float = 0.0
    best: float = -math.inf

    def __add__(self, other: Tones) -> Tones:
        """Join two parts of a track."""
        return Tones(
            self.seconds + other.seconds,
            self.frames + other.frames,
            self.peaks + other.peaks,
            self.steady + other.steady,
            self.held + other.held,
            self.pitches + other.pitches,
            self.deviation + other.deviation,
            self.weight + other.weight,
            max(self.best, self.evidence, other.best, other.evidence),
        )

    @property
    def tonality(self) -> float:
        """How sure it is that there are tones, 0 to 1: of all together, or of the best part beyond doubt."""
        return 1 / (1 + math.exp(-max(self.evidence, self.best - _MARGIN) / _UNIT))

    @cached_property
    def evidence(self) -> float:
        """The logarithm of the odds that this is music: positive for music."""
        if not self.peaks:
            return -100.0
        seconds = min(max(self.seconds, 0.5), _ENOUGH_SECONDS)
        return (
            _RECURRENCE * math.log(self.recurrence)
            + _PITCHES * math.log(1 + self.spread)
            + _HELD * math.log(0.02 + self.held / self.frames)
            + _STEADY * self.steady / self.peaks
            + _PER_LOG_SECOND * math.log(_ENOUGH_SECONDS / seconds)
            + _OFFSET
        )

    @property
    def recurrence(self) -> float:
        """How many times as often as by chance a pitch of odd seconds is met again in even ones."""
        odd, even = self.pitches.astype(np.float64)
        sums = np.zeros(even.size + 2 * _FAR + 1)
        sums[_FAR + 1 : _FAR + 1 + even.size] = even
        np.cumsum(sums, out=sums)
        near = float(odd @ (sums[_FAR + _NEAR + 1 :][: odd.size] - sums[_FAR - _NEAR :][: odd.size]))
        far = float(odd @ (sums[2 * _FAR + 1 :] - sums[: odd.size]))
        return (near / (2 * _NEAR + 1) + _FEW_PAIRS) / (far / (2 * _FAR + 1) + _FEW_PAIRS)

    @property
    def spread(self) -> float:
        """The number of pitches, a quarter tone each, that as many peaks would have if they were alike."""
        counts = self.pitches.reshape(2, -1, _CELLS_PER_PITCH).sum(axis=(0, 2))
        shares = counts[counts > 0] / max(counts.sum(), 1)
        return float(np.exp(-np.sum(shares * np.log(shares))))

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
    every = max(1, round(_STEP * features.sample_rate / features.hop_length))
    rate = features.sample_rate / features.hop_length / every
    level = spectrogram[::every] * np.float32(features.decibels)
    sounding = _sounding(level)
    if not sounding.any() or features.n_bins < 3:
        return Tones()
    middle = level[:, 1:-1]
    peaks = middle > _surroundings(level)[:, 1:-1] + np.float32(PROMINENCE_DB)
    peaks &= (middle >= level[:, :-2]) & (middle > level[:, 2:]) & sounding[:, np.newaxis]
    # Flat, which takes NumPy a third of the time.
    frames, places = np.divmod(np.flatnonzero(peaks), middle.shape[1])
    where = frames * level.shape[1] + places
    before, peak, after = (level.ravel()[where + step].astype(np.float64) for step in range(3))
    position = places + 1 + 0.5 * (before - after) / (before - 2 * peak + after)
    semitones = position * 12 / features.bins_per_octave + 12 * math.log2(features.fmin / 440.0)
    weight = 10 ** ((peak + features.db_min) / 20)
    # For the tuning every second frame tells as much.
    told = frames * every % 2 == 0
    cents = position * 1200 / features.bins_per_octave
    steady = _steady(peaks.shape, frames, places, cents, round(_STEADY_SECONDS * rate))
    return Tones(
        seconds=float(sounding.sum() / rate),
        frames=int(sounding.sum()),
        peaks=frames.size,
        steady=int(steady.sum()),
        held=int(np.count_nonzero(np.bincount(frames[steady]))),
        pitches=_pitches(frames, cents, len(level), rate, features),
        deviation=complex(np.sum(weight[told] * np.exp(2j * np.pi * semitones[told]))),
        weight=float(weight[told].sum()),
    )


def _sounding(level: np.ndarray) -> np.ndarray:
    """Which frames are not pauses, bool ``[frames]``."""
    loudest = level.max(axis=1, initial=0.0)
    if not loudest.size:
        return np.zeros(0, bool)
    reference = loudest.max()
    usual = np.sort(loudest)[-1 - int(_CLICKS * loudest.size)]
    if usual and reference > usual + _CLICK_DB:
        reference = usual
    return (loudest > 0) & (loudest > reference - _PAUSE_DB)


def _steady(
    shape: tuple[int, ...], frames: np.ndarray, places: np.ndarray, cents: np.ndarray, lag: int
) -> np.ndarray:
    """Which peaks are at a pitch where there was one ``lag`` frames before.

    Args:
        shape: frames and places of the spectrogram.
        frames: int ``[peaks]``.
        places: int ``[peaks]``.
        cents: float ``[peaks]``, their pitches.
        lag: in frames, at least 1.

    Returns:
        bool ``[peaks]``.
    """
    lag = max(1, lag)
    # Before the first frame, and beyond the lowest and highest place, there is nothing.
    pitches = np.full((shape[0] + lag, shape[1] + 2), np.inf)
    pitches[frames + lag, places + 1] = cents
    steady = np.zeros(frames.size, bool)
    for step in range(3):
        steady |= np.abs(pitches[frames, places + step] - cents) <= _STEADY_CENTS
    return steady


def _pitches(
    frames: np.ndarray, cents: np.ndarray, count: int, rate: float, features: Features
) -> np.ndarray:
    """The two histograms of pitches.

    Args:
        frames: int ``[peaks]``.
        cents: float ``[peaks]`` above the lowest bin.
        count: of frames in all.
        rate: frames a second.
        features: the parameters.
    """
    turn = min(_TURN_SECONDS * rate, max(1.0, count / _TURNS))
    cells = math.ceil(features.n_bins * 1200 / features.bins_per_octave / _CELL_CENTS)
    cells += -cells % _CELLS_PER_PITCH
    places = (frames / turn).astype(np.int64) % 2 * cells + (cents / _CELL_CENTS).astype(np.int64)
    return np.bincount(places, minlength=2 * cells).reshape(2, cells)


def _surroundings(level: np.ndarray) -> np.ndarray:
    """The mean of each place and its neighbours; beyond the lowest and highest bin these go on unchanged."""
    half = NEIGHBOURS // 2
    bins = level.shape[1]
    places = np.clip(np.arange(-half - 1, bins + half), 0, bins - 1)
    sums = np.cumsum(level[:, places], axis=1, dtype=np.float32)
    return (sums[:, NEIGHBOURS:] - sums[:, :-NEIGHBOURS]) / np.float32(NEIGHBOURS)
