"""Plucked and struck strings.

A string is a loop of one period with losses (Karplus and Strong,
"Digital synthesis of plucked-string and drum
timbres", 1983). Here the loop is solved in the frequency domain, where a period may have any length,
losses any
dependence on frequency, and stiffness costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE

# The waveform is computed with a decay of this much over its length, and the decay undone: what lasts longer
# than the buffer would otherwise come in at its beginning.
_GUARD = 1e-2
# Samples before the pluck: the filters have no delay, so a little of the string sounds before it is struck.
_LEAD = 64


@dataclass(frozen=True)
class Strings:
    """What a kind of string instrument sounds like.

    Attributes:
        sustain: seconds until a string at 200 Hz has decayed by 60 dB.
        damping: how much faster high harmonics decay: seconds halve at this many Hz.
        position: where the string is plucked, as a part of its length.
        brightness: frequency in Hz from which on the pluck excites less and less.
        noise: part of the excitation that is random.
        stiffness: inharmonicity coefficient of a string at 200 Hz (Fletcher); about 5e-5 on a guitar.
        body: resonances as (Hz, bandwidth in Hz, gain).
        courses: mistunings in cents of the strings that sound together, with an octave above 1000.
    """

    sustain: float = 4.0
    damping: float = 1500.0
    position: float = 0.2
    brightness: float = 3000.0
    noise: float = 0.3
    stiffness: float = 0.0
    body: tuple[tuple[float, float, float], ...] = ()
    courses: tuple[float, ...] = (0.0,)


_GUITAR_BODY = ((105.0, 30.0, 1.2), (215.0, 50.0, 1.0), (430.0, 90.0, 0.6), (800.0, 300.0, 0.4))

KINDS = {
    "steel guitar": Strings(4.0, 1500, 0.18, 3500, 0.35, 3e-5, _GUITAR_BODY),
    "nylon guitar": Strings(2.5, 900, 0.25, 1800, 0.2, 2e-5, _GUITAR_BODY),
    "twelve-string guitar": Strings(3.5, 1500, 0.15, 4000, 0.35, 3e-5, _GUITAR_BODY, (0.0, 1204.0)),
    "electric guitar": Strings(5.0, 1800, 0.12, 3000, 0.2, 4e-5),
    "banjo": Strings(0.9, 1600, 0.1, 5000, 0.3, 2e-5, ((330.0, 120.0, 1.5), (750.0, 250.0, 1.2))),
    "mandolin": Strings(1.3, 1800, 0.12, 4500, 0.3, 3e-5, ((250.0, 80.0, 1.0),), (-3.0, 4.0)),
    "bouzouki": Strings(3.0, 1800, 0.15, 4000, 0.3, 3e-5, ((200.0, 80.0, 1.0),), (-2.0, 3.0)),
    "ukulele": Strings(1.2, 1100, 0.3, 2000, 0.2, 1e-5, ((300.0, 80.0, 1.0),)),
    "harp": Strings(3.5, 900, 0.4, 1800, 0.1, 1e-5, ((180.0, 80.0, 0.5),)),
    "electric bass": Strings(4.0, 500, 0.2, 1200, 0.1, 5e-5),
    "double bass": Strings(1.6, 300, 0.25, 700, 0.15, 4e-5, ((65.0, 25.0, 1.0), (120.0, 40.0, 0.8))),
    "piano": Strings(5.0, 1100, 0.12, 2200, 0.05, 2e-4, ((110.0, 60.0, 0.4),), (-0.8, 0.0, 1.0)),
    "old piano": Strings(4.0, 1200, 0.12, 2600, 0.05, 3e-4, ((110.0, 60.0, 0.4),), (-5.0, 0.0, 7.0)),
}
"""The instruments by name."""


def pluck(frequency: float, seconds: float, strings: Strings, rng: np.random.Generator) -> np.ndarray:
    """Return a plucked string.

    Args:
        frequency: of the fundamental, in Hz (of the first string of a course).
        seconds: how long the string rings.
        strings: the instrument.
        rng: draws the noise of the pluck.

    Returns:
        float32 ``[seconds * SAMPLE_RATE]``, with a root mean square of 1 over its first tenth of a second.
    """
    wanted = max(_LEAD, round(seconds * SAMPLE_RATE))
    length = 1 << (wanted + 2 * _LEAD - 1).bit_length()
    growth = -np.log(_GUARD) / length
    hertz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    spectrum = np.zeros(len(hertz), np.complex128)
    for cents in strings.courses:
        spectrum += _string(frequency * 2 ** (cents / 1200), hertz, growth, strings, rng)
    for center, width, gain in strings.body:
        spectrum *= 1 + gain / (1 + np.square((hertz - center) / width))
    samples = np.fft.irfft(spectrum, length)[_LEAD : _LEAD + wanted] * np.exp(growth * np.arange(wanted))
    samples[-128:] *= np.linspace(1, 0, len(samples[-128:]))
    onset = samples[: SAMPLE_RATE // 10]
    return (samples / (np.sqrt(np.mean(np.square(onset))) + 1e-12)).astype(np.float32)


def _string(
    frequency: float, hertz: np.ndarray, growth: float, strings: Strings, rng: np.random.Generator
) -> np.ndarray:
    """Return the spectrum of one string, on a circle outside of the unit circle by ``growth``."""
    period = SAMPLE_RATE / frequency
    # A harmonic number n of a stiff string is sharp by the factor sqrt(1 + B n^2); the fundamental is kept.
    number = hertz / frequency
    stiffness = strings.stiffness * (frequency / 200) ** 0.5
    flatter = number / np.sqrt((1 + stiffness * np.square(np.minimum(number, 60))) / (1 + stiffness))
    seconds = strings.sustain * (200 / max(frequency, 40)) ** 0.4 / (1 + hertz / strings.damping)
    decay = 10 ** (-3 * period / SAMPLE_RATE / seconds)
    loop = decay * np.exp(-2j * np.pi * flatter - growth * period)
    strike = np.exp(-np.square(hertz / strings.brightness)) + 0.1 * np.exp(-np.square(hertz / 5000))
    burst = rng.standard_normal(max(2, round(period))) * np.sqrt(1 / period)
    rough = 1 + strings.noise * np.fft.rfft(burst, 2 * len(hertz) - 2)
    comb = 1 - np.exp(-2j * np.pi * number * strings.position - growth * period * strings.position)
    lead = np.exp(-2j * np.pi * hertz / SAMPLE_RATE * _LEAD)
    # The pluck is a step of displacement: its spectrum falls with frequency.
    return lead * strike * rough * comb / (1 + number) / (1 - loop)
