"""Chords in Roman numerals, and which scale a progression belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.synthetic.harmony import AEOLIAN, DORIAN, HARMONIC_MINOR, IONIAN, MIXOLYDIAN, Scale
from tfkey.keys import Mode

_NUMERALS = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
_CHORD = re.compile(r"(?P<accidental>b|#)?(?P<numeral>[iv]+|[IV]+)(?P<kind>maj7|sus4|sus2|7|5|dim|add9)?")
_INTERVALS = {
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "5": (0, 7),
    "dim": (0, 3, 6),
}
_ADDED = {"7": 10, "maj7": 11, "add9": 14}


@dataclass(frozen=True)
class Chord:
    """A chord.

    Attributes:
        root: semitones above the tonic, 0 to 11.
        intervals: semitones above the root, from 0 on.
    """

    root: int
    intervals: tuple[int, ...]

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The pitch classes, in semitones above the tonic."""
        return frozenset((self.root + interval) % 12 for interval in self.intervals)


@dataclass(frozen=True)
class Span:
    """A chord from beat ``start`` to beat ``end``."""

    start: float
    end: float
    chord: Chord


def chord(name: str) -> Chord:
    """Parse a Roman numeral.

    Degrees count from the major scale, whatever the mode: the chords of a natural minor key are ``i``,
    ``bIII``, ``iv``, ``v``, ``bVI`` and ``bVII``. Small letters are minor chords.

    Args:
        name: such as ``vi``, ``bVII``, ``V7``, ``Isus4``, ``viidim``, ``I5``.

    Raises:
        ValueError: the name is not a chord.
    """
    match = _CHORD.fullmatch(name)
    if match is None or match["numeral"].upper() not in _NUMERALS:
        raise ValueError(f"{name!r} is not a chord in Roman numerals, such as I, vi, bVII or V7")
    numeral, kind = match["numeral"], match["kind"]
    root = _NUMERALS[numeral.upper()] + {"b": -1, "#": 1, None: 0}[match["accidental"]]
    intervals = _INTERVALS.get(kind, (0, 3, 7) if numeral.islower() else (0, 4, 7))
    if kind in _ADDED:
        intervals = (*intervals, _ADDED[kind])
    return Chord(root % 12, intervals)


def progression(names: str) -> list[Chord]:
    """Parse the chords of a progression, written with spaces between them."""
    return [chord(name) for name in names.split()]


def scale(chords: list[Chord], mode: Mode) -> Scale:
    """Return the scale of the mode that leaves the fewest notes of the chords outside."""
    candidates = (IONIAN, MIXOLYDIAN) if mode == "major" else (AEOLIAN, DORIAN, HARMONIC_MINOR)
    heard = [pitch for harmony in chords for pitch in harmony.pitch_classes]
    # min() takes the first of equals: the usual scale of the mode.
    return min(candidates, key=lambda notes: sum(pitch not in notes for pitch in heard))


def fitted(pitch: int, harmony: Chord) -> int:
    """Return a note of the scale as it is sung over a chord: bent by a semitone to a note that the chord has.

    The seventh degree of a minor scale is raised over the dominant, the sixth of a major scale lowered over
    the minor subdominant.
    """
    classes = harmony.pitch_classes
    if pitch % 12 in classes:
        return pitch
    for step in (1, -1):
        neighbour = (pitch + step) % 12
        # Not where the chord's note is another degree of the scale: E over F is a suspension, not an F.
        if neighbour in classes and neighbour in _BENT.get(pitch % 12, ()):
            return pitch + step
    return pitch


# Which alterations of a degree occur: semitones above the tonic to what they may become.
_BENT = {10: (11,), 11: (10,), 9: (8,), 8: (9,), 3: (4,), 4: (3,), 5: (6,), 2: (1,), 7: (8,), 0: (1,)}
