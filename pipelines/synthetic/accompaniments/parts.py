"""Parts of a band: notes in beats, with an instrument of General MIDI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

LEAD_PROGRAMS = (
    0, 4, 11, 16, 21, 22, 24, 26, 27, 29, 30, 40, 41, 52, 53, 54, 56, 57, 59, 60, 62, 64, 65, 66, 68, 71, 73,
    74, 75, 78, 80, 81, 85, 105,
)  # fmt: skip
"""Programs of General MIDI for melodies, counted from 0."""

BASS_PROGRAMS = (32, 33, 34, 35, 36, 38, 39)
"""Programs for basses."""

CHORD_PROGRAMS = (
    0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 15, 16, 17, 18, 19, 21, 24, 25, 26, 27, 28, 45, 46, 48, 49, 50, 51, 52,
    54, 61, 62, 63, 81, 88, 89, 90, 91, 94, 95, 99, 105, 106, 107,
)  # fmt: skip
"""Programs for chords."""

KITS = (0, 8, 16, 24, 25, 32, 40)
"""Drum kits of General Standard, as programs of the drum channel."""


class Note(NamedTuple):
    """A note: start and duration in beats (quarter notes), MIDI pitch, velocity 1 to 127."""

    start: float
    duration: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Part:
    """The notes of one instrument.

    Attributes:
        role: ``drums``, ``bass``, ``chords`` or ``lead``.
        program: of General MIDI, counted from 0; the kit where the role is ``drums``.
        notes: in any order.
        volume: MIDI channel volume, 0 to 127.
        cents: distance from A4 = 440 Hz, in [-200, 200].
    """

    role: str
    program: int
    notes: tuple[Note, ...]
    volume: int = 100
    cents: float = 0.0
