"""Scales and chords, counted in semitones above the tonic and in degrees of the scale (0 is the tonic)."""

from __future__ import annotations

from collections.abc import Sequence

Scale = tuple[int, int, int, int, int, int, int]

IONIAN: Scale = (0, 2, 4, 5, 7, 9, 11)
MIXOLYDIAN: Scale = (0, 2, 4, 5, 7, 9, 10)
LYDIAN: Scale = (0, 2, 4, 6, 7, 9, 11)
AEOLIAN: Scale = (0, 2, 3, 5, 7, 8, 10)
DORIAN: Scale = (0, 2, 3, 5, 7, 9, 10)
PHRYGIAN: Scale = (0, 1, 3, 5, 7, 8, 10)
HARMONIC_MINOR: Scale = (0, 2, 3, 5, 7, 8, 11)


def degree(scale: Sequence[int], number: int) -> int:
    """Return the semitones above the tonic of a degree; degrees below 0 and above 6 are in other octaves."""
    octave, place = divmod(number, 7)
    return scale[place] + 12 * octave


def triad(scale: Sequence[int], root: int) -> tuple[int, int, int]:
    """Return the chord on a degree, built of thirds, in semitones above the tonic."""
    return degree(scale, root), degree(scale, root + 2), degree(scale, root + 4)


def hertz(pitch: float, cents: float = 0.0) -> float:
    """Return the frequency of a MIDI pitch (69 is A4) in a tuning ``cents`` away from A4 = 440 Hz."""
    return 440.0 * 2 ** ((pitch - 69 + cents / 100) / 12)
