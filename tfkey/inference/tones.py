"""Whether a spectrogram holds tones as music does, and how they are tuned.

Both are read from its peaks. A place is a peak if it is a maximum over frequency and :data:`PROMINENCE_DB`
above the mean of the :data:`NEIGHBOURS` bins around it. Noise has few peaks: the magnitudes of a Gaussian
signal in neighbouring bins are Rayleigh distributed about a smooth level and seldom exceed it this far; a
click or a drum beat excites all bins alike. A tone is a peak as long as it sounds.

Vowels have as many peaks as chords. Music and speech differ in where the peaks are: music holds a pitch for a
while and returns to it; speech glides over all pitches alike. A drum returns to its pitch, too, but it has
only one or two pitches and does not hold them. :attr:`Tones.evidence` combines these measures. Each is a
ratio or a share and does not depend on the level. Recurrence takes time to show: a few seconds of speech may
pass for music.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tfkey.spectrogram.light import levels, lowest_level
from tfkey.spectrogram.parameters import Features

PROMINENCE_DB = 10.0
"""How far a peak is above its surroundings, in dB."""

NEIGHBOURS = 15
"""The bins, with the place itself in the middle, whose mean level is compared. A pure tone fills three."""

LEAST_TONALITY = 0.5
"""A recording with this tonality or more counts as having tones.

Recordings of music are mostly between 0.7 and 0.95; rap over a beat, and music that is clipped beyond
recognition, may be as low as 0.5. Noise and applause are at 0.1 or below, speech and drums mostly below 0.4.
"""

LEAST_CONCENTRATION = 0.2
"""The tuning is known if the mean of the peaks' deviations, as vectors on the unit circle, has at least this
length (0 to 1)."""

# A frame that is more than this many dB below the loudest one is a pause or reverberation.
_PAUSE_DB = 40.0
# Single frames this many dB above the others are clicks; the others then decide what is loud.
_CLICK_DB = 20.0
_CLICKS = 0.05
# Seconds between the frames that are used; those between them add no information.
_STEP = 0.09
# A peak is steady if it is within this many cents of a peak this many seconds ago. Speech has glided on by
# then.
_STEADY_CENTS = 10.0
_STEADY_SECONDS = 0.19
# Two histograms count peaks by pitch, in cells of this many cents. Each gets every other second, since equal
# peaks in neighbouring frames last rather than recur.
_CELL_CENTS = 6.25
_TURN_SECONDS = 1.0
_TURNS = 8
_NEAR, _FAR = 1, 16  # cells
_FEW_PAIRS = 0.3
_CELLS_PER_PITCH = 8
# Weights of the evidence, fitted by logistic regression with equal weight for both sides. Music: 15 s each of
# 300 freely licensed recordings like those in tests/data, plain, clipped, quantised, band-limited and under
# speech, drums and noise; and 60 synthetic solo voices. Other: 15 s each of 130 voices of espeak-ng, 90 drum
# loops, 50 noises and textures, none of them in tests/benchmarks/non_music.py. The offset was then raised,
# since refusing music is worse than accepting speech.
_RECURRENCE, _PITCHES, _HELD, _STEADY, _OFFSET = 7.3, 6.9, 1.2, 11.0, -29.2
# The band for which they were fitted. Above it, drums and consonants have peaks of their own; below it, the
# filters are long and all is steady.
_LOWEST_HZ, _OCTAVES = 65.41, 5
# In less than this many seconds, less recurs.
_ENOUGH_SECONDS, _PER_LOG_SECOND = 10.0, 4.0
# This margin is subtracted from the evidence of a track's best part before that counts for the whole track.
_MARGIN = 2.5
# The evidence that raises the tonality from 1/2 to 0.73.
_UNIT = 5.0


@dataclass(frozen=True)
class Tones:
    """What the peaks of a spectrogram show; :meth:`__add__` joins the results for a track's intervals.

    Attributes:
        seconds: the duration of the frames that are not pauses.
        frames: the number of these frames.
        peaks: the number of peaks in them.
        steady: the number of peaks that were at the same pitch shortly before.
        held: the number of frames that have steady peaks.
        pitches: int64 ``[2, cells]``: how many peaks there are at each pitch, in odd and in even seconds.
        deviation: the sum of the peaks' deviations from equal temperament at A4 = 440 Hz, as vectors on a
            circle of 100 cents, each as long as the peak's amplitude.
        weight: the sum of these amplitudes.
        best: the evidence of the most tonal interval, if several were joined.
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
        """How certain it is that there are tones, 0 to 1: in the whole, or with a margin in the best part."""
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
        """How much more often than by chance a pitch in odd seconds recurs in even ones, as a factor."""
        odd, even = self.pitches.astype(np.float64)
        sums = np.zeros(even.size + 2 * _FAR + 1)
        sums[_FAR + 1 : _FAR + 1 + even.size] = even
        np.cumsum(sums, out=sums)
        near = float(odd @ (sums[_FAR + _NEAR + 1 :][: odd.size] - sums[_FAR - _NEAR :][: odd.size]))
        far = float(odd @ (sums[2 * _FAR + 1 :] - sums[: odd.size]))
        return (near / (2 * _NEAR + 1) + _FEW_PAIRS) / (far / (2 * _FAR + 1) + _FEW_PAIRS)

    @property
    def spread(self) -> float:
        """The effective number of pitches (a quarter tone each): the exponential of their entropy."""
        counts = self.pitches.reshape(2, -1, _CELLS_PER_PITCH).sum(axis=(0, 2))
        shares = counts[counts > 0] / max(counts.sum(), 1)
        return float(np.exp(-np.sum(shares * np.log(shares))))

    @property
    def cents(self) -> float | None:
        """The deviation of the tuning from A4 = 440 Hz, in [-50, 50); None if the peaks do not agree."""
        if abs(self.deviation) < LEAST_CONCENTRATION * self.weight or not self.weight:
            return None
        cents = math.degrees(math.atan2(self.deviation.imag, self.deviation.real)) / 3.6
        return cents - 100.0 if cents >= 50.0 else cents


def find_tones(spectrogram: np.ndarray, features: Features) -> Tones:
    """Find the peaks of a spectrogram.

    The position of a peak between the bins is the vertex of the parabola through its level in dB and the
    levels of its two neighbours. The mean of the deviations is that of directions on a circle, weighted by
    amplitude. librosa's ``piptrack`` (after J. O. Smith, *Spectral Audio Signal Processing*, quadratic
    interpolation of spectral peaks) and ``estimate_tuning`` do the same on a Fourier transform; for the mean
    see K. V. Mardia and P. E. Jupp, *Directional Statistics*, 2000.

    Args:
        spectrogram: ``[frames, bins]`` in [0, 1].
        features: its parameters.
    """
    spectrogram, features = _within_band(spectrogram, features)
    every = max(1, round(_STEP * features.sample_rate / features.hop_length))
    rate = features.sample_rate / features.hop_length / every
    level = levels(spectrogram[::every], features)
    sounding = _sounding(level)
    if not sounding.any() or features.n_bins < 3:
        return Tones()
    middle = level[:, 1:-1]
    peaks = middle > _surroundings(level)[:, 1:-1] + np.float32(PROMINENCE_DB)
    peaks &= (middle >= level[:, :-2]) & (middle > level[:, 2:]) & sounding[:, np.newaxis]
    # On the flat array, NumPy takes a third of the time.
    frames, places = np.divmod(np.flatnonzero(peaks), middle.shape[1])
    where = frames * level.shape[1] + places
    before, peak, after = (level.ravel()[where + step].astype(np.float64) for step in range(3))
    position = places + 1 + 0.5 * (before - after) / (before - 2 * peak + after)
    semitones = position * 12 / features.bins_per_octave + 12 * math.log2(features.fmin / 440.0)
    weight = 10 ** ((peak + lowest_level(features)) / 20)
    # For the tuning, every second frame is enough.
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


def _within_band(spectrogram: np.ndarray, features: Features) -> tuple[np.ndarray, Features]:
    """Return the part of a spectrogram that is in the band of the evidence, and its parameters."""
    lowest = max(0, math.ceil(features.bins_per_octave * math.log2(_LOWEST_HZ / features.fmin) - 0.5))
    highest = lowest + _OCTAVES * features.bins_per_octave
    if lowest == 0 and highest >= features.n_bins:
        return spectrogram, features
    band = spectrogram[:, lowest:highest]
    fmin = features.fmin * 2 ** (lowest / features.bins_per_octave)
    return band, dataclasses.replace(features, fmin=fmin, n_bins=band.shape[1])


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
    """Which peaks are at a pitch at which there was a peak ``lag`` frames before.

    Args:
        shape: the numbers of frames and places in the spectrogram.
        frames: int ``[peaks]``.
        places: int ``[peaks]``.
        cents: float ``[peaks]``, the pitches of the peaks.
        lag: in frames, at least 1.

    Returns:
        bool ``[peaks]``.
    """
    lag = max(1, lag)
    # There are no peaks before the first frame, nor beyond the lowest and highest place.
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
        count: the total number of frames.
        rate: frames per second.
        features: the parameters.
    """
    turn = min(_TURN_SECONDS * rate, max(1.0, count / _TURNS))
    cells = math.ceil(features.n_bins * 1200 / features.bins_per_octave / _CELL_CENTS)
    cells += -cells % _CELLS_PER_PITCH
    places = (frames / turn).astype(np.int64) % 2 * cells + (cents / _CELL_CENTS).astype(np.int64)
    return np.bincount(places, minlength=2 * cells).reshape(2, cells)


def _surroundings(level: np.ndarray) -> np.ndarray:
    """The mean of each place and its neighbours; beyond the edges, the lowest and highest bins repeat."""
    half = NEIGHBOURS // 2
    bins = level.shape[1]
    places = np.clip(np.arange(-half - 1, bins + half), 0, bins - 1)
    sums = np.cumsum(level[:, places], axis=1, dtype=np.float32)
    return (sums[:, NEIGHBOURS:] - sums[:, :-NEIGHBOURS]) / np.float32(NEIGHBOURS)
