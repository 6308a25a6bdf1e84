"""Organs and reed organs (pianos are struck strings: ``strings``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE


@dataclass(frozen=True)
class Organ:
    """An instrument with a pipe, reed or tone wheel for each key.

    Attributes:
        partials: (multiple of the frequency, amplitude).
        attack: seconds to full loudness.
        decay: seconds to a loudness of 1/e; 0 for a tone that lasts.
        ranks: mistunings in cents of what sounds together.
        tremolo: depth of the changes in loudness, from 0 to 1.
    """

    partials: tuple[tuple[float, float], ...]
    attack: float = 0.01
    decay: float = 0.0
    ranks: tuple[float, ...] = (0.0,)
    tremolo: float = 0.0


def _falling(power: float, count: int) -> tuple[tuple[float, float], ...]:
    return tuple((float(number), number**-power) for number in range(1, count + 1))


KINDS = {
    "church organ": Organ(((0.5, 0.4), (1, 1.0), (2, 0.7), (3, 0.25), (4, 0.4), (6, 0.1), (8, 0.15)), 0.04,
    0, (-2, 2)),
    "drawbar organ": Organ(((0.5, 0.8), (1, 1.0), (1.5, 0.6), (2, 0.4), (3, 0.1), (4, 0.2)), 0.005, 0, (0,),
    0.15),
    "harmonium": Organ(_falling(0.8, 16), 0.06, 0, (-4, 5)),
    "accordion": Organ(_falling(0.9, 14), 0.03, 0, (-8, 0, 8)),
    "electric piano": Organ(((1, 1.0), (2, 0.25), (3, 0.06), (7, 0.08)), 0.004, 1.4),
    "strings": Organ(_falling(1.2, 16), 0.15, 0, (-9, -3, 4, 10)),
}  # fmt: skip
"""The instruments by name."""


def hold(
    frequency: float, seconds: float, organ: Organ, rng: np.random.Generator, release: float = 0.06
) -> np.ndarray:
    """Return a held key.

    Args:
        frequency: of the key, in Hz.
        seconds: until it is released.
        organ: the instrument.
        rng: draws the phases.
        release: seconds that the tone needs to end.

    Returns:
        float32 ``[(seconds + release) * SAMPLE_RATE]``, with a root mean square of about 1 before it decays.
    """
    count = round((seconds + release) * SAMPLE_RATE)
    time = np.arange(count) / SAMPLE_RATE
    out = np.zeros(count, np.float32)
    table = _table(organ, frequency)
    for cents in organ.ranks:
        # A period of twice the key's holds the octave below and the fifth as well.
        cycles = time * (frequency * 2 ** (cents / 1200) / 2) + rng.random()
        out += table[((cycles - np.floor(cycles)) * _PERIOD).astype(np.int32)]
    envelope = np.minimum(1, time / organ.attack) * np.clip((count / SAMPLE_RATE - time) / release, 0, 1)
    if organ.decay:
        envelope *= np.exp(-time / organ.decay)
    if organ.tremolo:
        envelope *= 1 + organ.tremolo * np.sin(2 * np.pi * (6.2 * time + rng.random()))
    return out * (envelope / np.sqrt(len(organ.ranks))).astype(np.float32)


_PERIOD = 8192


def _table(organ: Organ, frequency: float) -> np.ndarray:
    spectrum = np.zeros(_PERIOD // 2 + 1, np.complex128)
    for multiple, amplitude in organ.partials:
        if multiple * frequency < 0.45 * SAMPLE_RATE:
            # Fixed phases that are spread evenly keep the peak low.
            spectrum[round(2 * multiple)] = amplitude * np.exp(2j * np.pi * 0.618 * multiple**2)
    table = np.fft.irfft(spectrum, _PERIOD)
    return (table / np.sqrt(np.mean(np.square(table)))).astype(np.float32)
