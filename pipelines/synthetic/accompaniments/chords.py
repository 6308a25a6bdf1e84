"""Chords in a key, read from Roman numerals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pipelines.synthetic.harmony import AEOLIAN, IONIAN, MIXOLYDIAN, Scale
from tfkey.keys import Mode

QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7), "m": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "5": (0, 7), "sus4": (0, 5, 7),
    "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "7": (0, 4, 7, 10), "m7": (0, 3, 7, 10), "M7": (0, 4, 7, 11),
    "mM7": (0, 3, 7, 11), "m7b5": (0, 3, 6, 10), "dim7": (0, 3, 6, 9), "7sus": (0, 5, 7, 10),
    "add9": (0, 4, 7, 14), "9": (0, 4, 7, 10, 14), "m9": (0, 3, 7, 10, 14), "M9": (0, 4, 7, 11, 14),
    "7b9": (0, 4, 7, 10, 13), "13": (0, 4, 7, 10, 21),
}  # fmt: skip
"""Kinds of chords: their suffix in chord symbols (as in C, Cm, C7), and semitones above the root."""

_NUMERALS = ("i", "ii", "iii", "iv", "v", "vi", "vii")
_SYMBOL = re.compile(r"([b#]?)([iv]+|[IV]+)([^/]*)(?:/(.+))?")
_ALTERED = {3: 4, 4: 3, 6: 5, 8: 9, 9: 8, 10: 11, 11: 10}
"""Which degree is altered to become a tone; 1 is a lowered second (in the Neapolitan) or a raised first."""

_FLAT_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True)
class Chord:
    """A chord in a key.

    Args:
        root: semitones of the root above the tonic, 0 to 11.
        quality: a key of :data:`QUALITIES`.
    """

    root: int
    quality: str

    @property
    def tones(self) -> tuple[int, ...]:
        """Semitones above the tonic, the root first."""
        return tuple(self.root + step for step in QUALITIES[self.quality])

    @property
    def classes(self) -> frozenset[int]:
        """The pitch classes, counted from the tonic."""
        return frozenset(tone % 12 for tone in self.tones)

    def symbol(self, tonic: int) -> str:
        """Return the chord symbol in the key with a tonic of this pitch class: ``Am7``."""
        return _FLAT_NAMES[(self.root + tonic) % 12] + self.quality


@cache
def parse_chord(text: str, mode: Mode) -> Chord:
    """Read a Roman numeral.

    Degrees are those of the major scale, in minor those of the natural minor scale; ``b`` and ``#`` move
    them. Capitals are major chords, small letters minor ones, to which a suffix adds what :data:`QUALITIES`
    adds to ``m``: ``ii7`` is ``m7``. ``ø`` is ``m7b5``, ``o`` diminished, ``+`` augmented. ``V7/ii`` is a
    secondary dominant.

    Raises:
        ValueError: the text is not such a numeral.
    """
    match = _SYMBOL.fullmatch(text)
    if match is None or match[2].lower() not in _NUMERALS:
        raise ValueError(f"{text!r} is not a Roman numeral of a chord")
    accidental, numeral, suffix, of = match.groups()
    if of:
        base = parse_chord(of, mode).root
        scale: Scale = IONIAN
    else:
        base, scale = 0, IONIAN if mode == "major" else AEOLIAN
    root = scale[_NUMERALS.index(numeral.lower())] + {"": 0, "b": -1, "#": 1}[accidental] + base
    quality = {"ø": "m7b5", "o": "dim", "o7": "dim7", "+": "aug"}.get(suffix)
    if quality is None:
        quality = suffix if numeral.isupper() else "m" + suffix
    if quality not in QUALITIES:
        raise ValueError(f"{text!r} has the unknown suffix {suffix!r}")
    return Chord(root % 12, quality)


def scale_over(chord: Chord, scale: Sequence[int]) -> tuple[int, ...]:
    """Return the pitch classes that a melody in ``scale`` uses over a chord.

    Tones of the chord that are foreign to the scale replace the degree that they alter: the seventh degree of
    a minor scale is raised over the dominant, that of a major scale is lowered over the seventh chord on the
    tonic.
    """
    foreign = chord.classes - set(scale)
    altered = {_ALTERED.get(tone) for tone in foreign}
    if 1 in foreign:
        altered.add(2 if 5 in chord.classes else 0)
    kept = {step for step in scale if step in chord.classes or step not in altered}
    return tuple(sorted(kept | chord.classes))


def melodic_scale(chords: Sequence[Chord], mode: Mode) -> Scale:
    """Return the scale of a melody over a chart: mixolydian where a major chart lowers its seventh degree."""
    if mode == "minor":
        return AEOLIAN
    lowered = sum(chord.root == 10 for chord in chords)
    return MIXOLYDIAN if lowered > sum(chord.root in (7, 11) for chord in chords) else IONIAN
