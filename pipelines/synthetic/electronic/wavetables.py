"""Band-limited wavetables: one period of a tone, made of those harmonics that its pitch leaves below Nyquist.

A *bank* holds the same tone behind a low-pass filter at :data:`LEVELS` cutoff frequencies, so that a filter
which moves costs no more than a look-up. A *phase* is an unsigned 32-bit integer: one period is 2**32, and
the overflow of the addition is the wrap of the period.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from pipelines.synthetic.clip import SAMPLE_RATE

TABLE_BITS = 13
TABLE = 1 << TABLE_BITS
"""Samples of a table. With this many, the nearest one is near enough: the error is below -60 dB."""

HIGHEST = 0.45 * SAMPLE_RATE
"""No harmonic lies above this frequency, in Hz; the rest is room for detuning and vibrato."""

LEVELS = 32
"""Cutoff frequencies in a bank."""

# Formants of vowels: frequencies in Hz, and their levels; means of men from Peterson and Barney,
# "Control methods used in a study of the vowels", JASA 24 (1952), table II.
VOWELS = {
    "a": ((730.0, 1090.0, 2440.0), (1.0, 0.63, 0.06)),
    "e": ((530.0, 1840.0, 2480.0), (1.0, 0.20, 0.13)),
    "i": ((270.0, 2290.0, 3010.0), (1.0, 0.08, 0.06)),
    "o": ((570.0, 840.0, 2410.0), (1.0, 0.45, 0.03)),
    "u": ((300.0, 870.0, 2240.0), (1.0, 0.18, 0.01)),
}
_FORMANT_WIDTH = 110.0

SPECTRA = ("saw", "square", "triangle", "sine", "pulse", "organ", "hollow", "bright", "random")
"""The spectra that a tone of an instrument may have."""

_DRAWBARS = {1: 1.0, 2: 0.8, 3: 0.6, 4: 0.5, 6: 0.35, 8: 0.3}


@dataclass(frozen=True)
class Spectrum:
    """The levels of a tone's harmonics.

    Attributes:
        name: one of :data:`SPECTRA`, or ``vowel a`` and so on, whose formants do not move with the pitch.
        width: of a pulse: the part of the period that it takes, above 0 and below 1.
        factors: of a random spectrum: what its first harmonics are multiplied by, over and over.
        slope: of a random spectrum: the power of its decay.
    """

    name: str
    width: float = 0.5
    factors: tuple[float, ...] = (1.0,)
    slope: float = 1.0

    def harmonics(self, hertz: float) -> np.ndarray:
        """Return the amplitudes ``[harmonics]`` of a tone, from its fundamental to :data:`HIGHEST`.

        Raises:
            ValueError: the spectrum has another name.
        """
        number = np.arange(1, max(1, min(int(HIGHEST / hertz), TABLE // 16)) + 1, dtype=np.float64)
        odd = number % 2 == 1
        if self.name == "saw":
            return 1 / number
        if self.name == "square":
            return np.where(odd, 1 / number, 0)
        if self.name == "triangle":
            return np.where(odd, (-1.0) ** ((number - 1) // 2) / number**2, 0)
        if self.name == "sine":
            return np.where(number == 1, 1.0, 0)
        if self.name == "pulse":
            return np.sin(np.pi * number * self.width) / number
        if self.name == "organ":
            return np.array([_DRAWBARS.get(int(n), 0.0) for n in number])
        if self.name == "hollow":
            return np.where(odd, number**-1.5, 0.15 * number**-1.5)
        if self.name == "bright":
            return number**-0.5
        if self.name == "random":
            return np.resize(self.factors, len(number)) * number**-self.slope
        kind, _, vowel = self.name.partition(" ")
        if kind == "vowel" and vowel in VOWELS:
            return _formants(vowel, number * hertz) * number**-0.8
        raise ValueError(f"there is no spectrum named {self.name!r}")


def _formants(vowel: str, hertz: np.ndarray) -> np.ndarray:
    response = np.full(len(hertz), 0.01)
    for centre, level in zip(*VOWELS[vowel], strict=True):
        response += level / (1 + ((hertz - centre) / _FORMANT_WIDTH) ** 2)
    return response


def draw_spectrum(rng: np.random.Generator, names: tuple[str, ...] = SPECTRA) -> Spectrum:
    """Draw one of the named spectra."""
    return Spectrum(
        name=str(rng.choice(names)),
        width=float(rng.uniform(0.08, 0.45)),
        factors=tuple(rng.uniform(0.05, 1, 24).tolist()),
        slope=float(rng.uniform(0.5, 2)),
    )


def low_pass_response(hertz: np.ndarray, cutoff: float, resonance: float) -> np.ndarray:
    """Return the gains of an analogue low-pass filter of 24 dB per octave at frequencies above 0.

    Args:
        hertz: the frequencies, in Hz.
        cutoff: the cutoff frequency, in Hz.
        resonance: the gain at the cutoff frequency; 0.5 has no peak.
    """
    ratio = (hertz / cutoff) ** 2
    first = np.sqrt((1 - ratio) ** 2 + ratio / resonance**2)
    second = 1 + ratio
    return 1 / (first * second)


def bank(spectrum: Spectrum, hertz: float, cutoffs: np.ndarray, resonance: float = 0.5) -> np.ndarray:
    """Return a tone's tables behind a low-pass filter, one for each cutoff frequency.

    Args:
        spectrum: the levels of the harmonics.
        hertz: the pitch of the tone.
        cutoffs: the cutoff frequencies ``[levels]`` in Hz; infinity leaves all harmonics.
        resonance: that of the filter.

    Returns:
        float32 ``[levels, TABLE]``. The root mean square of the unfiltered tone is 1.
    """
    amplitudes = spectrum.harmonics(hertz)
    amplitudes = amplitudes * np.sqrt(2 / max(np.square(amplitudes).sum(), 1e-12))
    frequencies = hertz * np.arange(1, len(amplitudes) + 1)
    bins = np.zeros((len(cutoffs), TABLE // 2 + 1), np.complex64)
    for row, cutoff in zip(bins, cutoffs, strict=True):
        gain = low_pass_response(frequencies, cutoff, resonance) if np.isfinite(cutoff) else 1.0
        row[1 : len(amplitudes) + 1] = -0.5j * TABLE * amplitudes * gain
    return np.asarray(fft.irfft(bins, axis=1), np.float32)


def phase_step(hertz: float) -> np.uint32:
    """Return how far the phase moves from one sample to the next."""
    return np.uint32(round(hertz / SAMPLE_RATE * 2**32))


def phases(hertz: float, samples: int, start: int, bend: np.ndarray | None = None) -> np.ndarray:
    """Return the phases uint32 ``[samples]`` of a tone.

    Args:
        hertz: its frequency.
        samples: its length.
        start: its first phase, below 2**32.
        bend: float ``[samples]``, how many semitones the tone is away from the frequency; None: it is steady.
    """
    if bend is None:
        return np.arange(samples, dtype=np.uint32) * phase_step(hertz) + np.uint32(start)
    steps = (hertz / SAMPLE_RATE * 2**32 * np.exp2(bend / 12)).astype(np.uint32)
    return np.cumsum(steps, dtype=np.uint32) + np.uint32(start)


def look_up(tables: np.ndarray, phase: np.ndarray, level: np.ndarray | None = None) -> np.ndarray:
    """Return the samples float32 of a tone: its tables at the phases.

    Args:
        tables: float32 ``[levels, TABLE]``, of :func:`bank`.
        phase: uint32 ``[samples]``, of :func:`phases`.
        level: integers ``[samples]``, which table to read at each sample; None: the first.
    """
    place = phase >> np.uint32(32 - TABLE_BITS)
    if level is not None:
        place = place + level.astype(np.uint32) * np.uint32(TABLE)
    return np.asarray(tables.ravel()[place])
