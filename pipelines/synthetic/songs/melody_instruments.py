"""Instruments that play tunes: bowed, blown and plucked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE
from pipelines.synthetic.effects import band_pass
from pipelines.synthetic.songs import lines, strings
from pipelines.synthetic.songs.lines import Manner
from pipelines.synthetic.songs.notes import Note, add


@dataclass(frozen=True)
class Sustained:
    """An instrument whose tone lasts as long as its note.

    Attributes:
        fall: amplitudes of the harmonics fall as their number to this power.
        even: amplitude of the even harmonics relative to the odd.
        resonances: as (Hz, bandwidth in Hz, gain).
        air: level of breath or bow noise relative to the tone.
        band: in which the noise is, in Hz.
        manner: how notes are joined.
        reeds: mistunings in cents of the reeds that sound together.
    """

    fall: float
    even: float = 1.0
    resonances: tuple[tuple[float, float, float], ...] = ()
    air: float = 0.02
    band: tuple[float, float] = (1000.0, 6000.0)
    manner: Manner = field(default_factory=Manner)
    reeds: tuple[float, ...] = (0.0,)


_VIOLIN = ((280.0, 60.0, 1.5), (460.0, 80.0, 2.0), (1000.0, 300.0, 1.0), (2700.0, 700.0, 2.0))
_BOWED = Manner(0.03, 0.04, 0.03, 18, 5.8, 0.15, 0.2, 100, 5, 6)

SUSTAINED = {
    "fiddle": Sustained(1.1, 1.0, _VIOLIN, 0.04, (2000, 7000), _BOWED),
    "whistle": Sustained(3.2, 0.8, (), 0.06, (1500, 7000), Manner(0.015, 0.03, 0.01, 10, 5.5, 0.2, 0.1, 60,
    4, 6)),
    "wooden flute": Sustained(2.0, 0.7, ((900, 500, 0.5),), 0.08, (800, 5000), Manner(0.03, 0.04, 0.015, 12,
    5, 0.2, 0.1, 60, 5, 6)),
    "accordion": Sustained(0.9, 0.8, ((900, 700, 0.7),), 0.01, (500, 3000), Manner(0.03, 0.04, 0.0), (-6.0,
    6.0)),
    "concertina": Sustained(0.8, 0.5, ((1200, 700, 0.7),), 0.01, (500, 3000), Manner(0.02, 0.03, 0.0)),
    "pipes": Sustained(0.5, 0.9, ((900, 300, 1.5), (2200, 600, 1.0)), 0.01, (500, 3000), Manner(0.008, 0.02,
    0.01, 6, 5, 0.2, 0.1, 60, 4, 8)),
    "harmonica": Sustained(0.8, 0.7, ((1500, 800, 1.2),), 0.03, (1000, 5000), Manner(0.04, 0.06, 0.03, 15,
    5, 0.2, 0.3, 150, 5, 8)),
    "clarinet": Sustained(1.2, 0.15, ((1500, 600, 0.6),), 0.02, (1000, 5000), Manner(0.03, 0.05, 0.02, 8, 5,
    0.3, 0.1, 60, 3, 4)),
    "cello": Sustained(1.2, 1.0, ((220, 60, 1.5), (600, 200, 1.0)), 0.03, (1000, 5000), Manner(0.06, 0.08,
    0.05, 20, 5.3, 0.15, 0.2, 80, 5, 6)),
}  # fmt: skip
"""Bowed and blown instruments by name."""

PLUCKED = ("banjo", "mandolin", "bouzouki", "steel guitar", "harp", "electric guitar", "piano")
"""Names in ``strings.KINDS`` that play tunes."""


def spectrum(instrument: Sustained, frequency: float) -> np.ndarray:
    """Return the amplitudes of the harmonics of a note of ``frequency`` Hz, ``[harmonics]``."""
    hertz = lines.harmonics(frequency)
    number = np.arange(1, len(hertz) + 1)
    amplitudes = number**-instrument.fall * np.where(number % 2, 1.0, instrument.even)
    for center, width, gain in instrument.resonances:
        amplitudes = amplitudes * (1 + gain / (1 + np.square((hertz - center) / width)))
    return amplitudes


def play(
    notes: Sequence[Note], name: str, samples: int, rng: np.random.Generator, mistuned: float = 0.0
) -> np.ndarray:
    """Play a tune.

    Args:
        notes: in seconds, in order.
        name: a name in :data:`SUSTAINED` or :data:`PLUCKED`.
        samples: length of the result.
        rng: draws what is open.
        mistuned: how far the instrument is away from the others, in cents.

    Returns:
        float32 ``[samples]``.
    """
    if not notes:
        return np.zeros(samples, np.float32)
    if name not in SUSTAINED:
        return _picked(notes, name, samples, rng, mistuned)
    instrument = SUSTAINED[name]
    kinds = {pitch: number for number, pitch in enumerate(dict.fromkeys(round(note.pitch) for note in notes))}
    spectra = [spectrum(instrument, 440.0 * 2 ** ((pitch + 0.5 - 69) / 12)) for pitch in kinds]
    out, level = np.zeros(samples, np.float32), np.zeros(0)
    for cents in instrument.reeds:
        tables = lines.wavetables(spectra, rng)[[kinds[round(note.pitch)] for note in notes for _ in "12"]]
        manner = replace(instrument.manner, offset=cents + mistuned)
        tone, level = lines.play(notes, tables, manner, samples, rng)
        out += tone / np.float32(len(instrument.reeds) ** 0.5)
    air = band_pass(rng.standard_normal(2 * SAMPLE_RATE, dtype=np.float32), *instrument.band)
    loud = lines.upsampled((instrument.air * level).astype(np.float32)).ravel()[:samples]
    return out + np.resize(air, samples) * loud


def _picked(
    notes: Sequence[Note], name: str, samples: int, rng: np.random.Generator, mistuned: float
) -> np.ndarray:
    out, cache = np.zeros(samples, np.float32), {}
    for number, note in enumerate(notes):
        pitch = note.pitch + mistuned / 100
        if pitch not in cache:
            cache[pitch] = strings.pluck(440.0 * 2 ** ((pitch - 69) / 12), 1.4, strings.KINDS[name], rng)
        # The same string may ring on a little into the next note.
        following = notes[number + 1].start if number + 1 < len(notes) else note.end + 1
        length = int(min(1.4, max(note.end, following) - note.start + rng.uniform(0, 0.3)) * SAMPLE_RATE)
        samples_of_note = cache[pitch][:length].copy()
        samples_of_note[-200:] *= np.linspace(1, 0, len(samples_of_note[-200:]), dtype=np.float32)
        add(out, note.start, samples_of_note, note.velocity)
    return out
