"""The instruments of sessions, from soundfonts and synthesised, and how their players play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.accompaniments import parts as midi
from pipelines.synthetic.songs.notes import Note
from pipelines.synthetic.tunes.composition import weighted
from pipelines.synthetic.tunes.heterophony import Habits

Programs = Mapping[int, float]


@dataclass(frozen=True)
class Instrument:
    """An instrument that plays tunes.

    Attributes:
        share: how often it is drawn, relative to others.
        programs: of General MIDI, counted from 0, with weights.
        synthesised: its name in :mod:`pipelines.synthetic.songs.melody_instruments`; empty if it has none.
        low: its lowest note, as MIDI pitch; what is lower is played an octave higher.
        high: its highest note.
        octave: in which it plays, relative to the others.
        ornaments: how often at most, per note.
        trebles: how often at most a note is broken into three.
        plucked: whether notes ring on and fade.
        drones: chance of drones, of those who have any.
    """

    share: float
    programs: Programs
    synthesised: str
    low: int
    high: int
    octave: int = 0
    ornaments: float = 0.2
    trebles: float = 0.05
    plucked: bool = False
    drones: float = 0.0


INSTRUMENTS: Mapping[str, Instrument] = {
    "fiddle": Instrument(0.34, {40: 0.6, 110: 0.4}, "fiddle", 55, 91, drones=0.12),
    "flute": Instrument(0.13, {73: 1.0}, "wooden flute", 60, 93, ornaments=0.28),
    "whistle": Instrument(0.11, {74: 0.5, 72: 0.3, 78: 0.1, 75: 0.1}, "whistle", 72, 100, 1, 0.28),
    "concertina": Instrument(0.07, {23: 0.7, 21: 0.3}, "concertina", 55, 93),
    "accordion": Instrument(0.11, {21: 0.7, 23: 0.3}, "accordion", 53, 93, drones=0.2),
    "harmonica": Instrument(0.03, {22: 1.0}, "harmonica", 58, 96, ornaments=0.05),
    "banjo": Instrument(0.07, {105: 1.0}, "banjo", 50, 84, -1, 0.05, 0.25, True),
    "mandolin": Instrument(0.05, {25: 0.5, 15: 0.5}, "mandolin", 55, 91, 0, 0.05, 0.2, True),
    "pipes": Instrument(0.07, {68: 0.3, 111: 0.3, 109: 0.4}, "pipes", 60, 91, 0, 0.3, 0.03, False, 0.65),
    "hurdy-gurdy": Instrument(0.02, {110: 0.6, 20: 0.4}, "", 55, 91, 0, 0.1, 0.1, False, 0.85),
    "harp": Instrument(0.03, {46: 1.0}, "harp", 45, 96, 0, 0.08, 0.0, True),
    "guitar": Instrument(0.03, {24: 0.4, 25: 0.6}, "steel guitar", 45, 84, -1, 0.05, 0.05, True),
    "hammered dulcimer": Instrument(0.02, {15: 1.0}, "", 55, 93, 0, 0.05, 0.05, True),
    "clarinet": Instrument(0.02, {71: 1.0}, "clarinet", 50, 88, 0, 0.12),
    "piano": Instrument(0.02, {0: 0.7, 1: 0.3}, "piano", 45, 100, 0, 0.05, 0.0, True),
}  # fmt: skip
"""The instruments by name."""

_SYNTHESISED = 0.4
"""Chance that an instrument that exists both ways is not from the soundfont."""


@dataclass(frozen=True)
class Player:
    """A player with an instrument.

    Attributes:
        name: of the instrument, in :data:`INSTRUMENTS`.
        program: of General MIDI; None if the instrument is synthesised.
        octave: in which they play, relative to the tune.
        cents: how far they are away from the others.
        habits: how they play.
    """

    name: str
    program: int | None
    octave: int
    cents: float
    habits: Habits

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
        return INSTRUMENTS[self.name]


def draw_players(rng: np.random.Generator) -> list[Player]:
    """Draw one to six players, in tune with each other to 2 to 12 cents."""
    count = weighted(rng, {1: 0.24, 2: 0.25, 3: 0.21, 4: 0.15, 5: 0.09, 6: 0.06})
    names = {name: instrument.share for name, instrument in INSTRUMENTS.items()}
    rough, spread = rng.uniform(2, 12), rng.uniform(0.006, 0.016)
    return [_player(rng, weighted(rng, names), count, rough, spread) for _ in range(count)]


def _player(rng: np.random.Generator, name: str, count: int, rough: float, spread: float) -> Player:
    instrument = INSTRUMENTS[name]
    synthesised = bool(instrument.synthesised) and rng.random() < _SYNTHESISED
    octave = instrument.octave + (int(rng.choice([-1, 1])) if count > 1 and rng.random() < 0.1 else 0)
    habits = Habits(
        ornaments=rng.uniform(0, instrument.ornaments),
        trebles=rng.uniform(0, instrument.trebles),
        varied=rng.uniform(0, 0.1),
        held=rng.uniform(0, 0.08),
        lag=abs(rng.normal(0, spread)) if count > 1 else 0.0,
        jitter=spread,
    )
    program = None if synthesised else weighted(rng, instrument.programs)
    cents = float(np.clip(rng.normal(0, rough), -30, 30)) if count > 1 else 0.0
    return Player(name, program, octave, cents, habits)


def within(pitch: float, instrument: Instrument) -> float:
    """Return a pitch in the compass of an instrument, in another octave where it must be."""
    while pitch < instrument.low:
        pitch += 12
    while pitch > instrument.high:
        pitch -= 12
    return pitch


def midi_notes(
    notes: Sequence[Note], instrument: Instrument, rng: np.random.Generator
) -> tuple[midi.Note, ...]:
    """Return notes for a soundfont, with start and duration in seconds.

    Args:
        notes: in seconds, as MIDI pitches.
        instrument: plucked ones ring on a little.
        rng: draws how loud and how long the notes are.
    """
    loud = rng.uniform(78, 108)
    length = rng.uniform(1.0, 1.6) if instrument.plucked else rng.uniform(0.85, 1.0)
    return tuple(
        midi.Note(
            note.start,
            max(0.03, (note.end - note.start) * length),
            round(note.pitch),
            round(loud * (0.6 + 0.4 * note.velocity) * rng.uniform(0.9, 1.1)),
        )
        for note in notes
        if note.end > max(0.0, note.start)
    )
