"""Chord progressions as they are used in popular music, and charts made of them.

A progression is a text of Roman numerals (:func:`~pipelines.synthetic.accompaniments.chords.parse_chord`):
one chord a bar, or several joined by commas. A *family* is a list of progressions for kindred styles. Every
progression rests on its tonic; those that do not begin with it are few, as listeners then disagree about the
key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.accompaniments.chords import Chord, parse_chord
from tfkey.keys import Mode

_MAJOR: dict[str, tuple[str, ...]] = {
    "pop": (
        "I V vi IV", "I vi IV V", "I IV V I", "I IV vi V", "I V IV IV", "I iii IV V", "I vi ii V",
        "I IV ii V", "I I IV V", "I V I IV", "I ii IV I", "I iii vi IV", "I Vsus4 vi IV", "IV V I I",
        "IV I V I", "I V vi iii IV I IV V", "I IV I V", "I IV iv I", "I III IV iv", "I V/V IV I",
        "I V7/IV IV iv", "I vi,V IV I", "Iadd9 IV vi V", "vi IV I I", "ii V I I", "I bVII IV I",
        "I IV,V I IV,V", "I I7 IV iv", "I V/vi vi IV", "I bVI bVII I",
    ),
    "rock": (
        "I IV V IV", "I bVII IV I", "I IV I V", "I bVII I bVII", "I I bVII IV", "I IV bVII IV", "I V IV I",
        "I bIII IV I", "I bVI bVII I", "I IV I IV", "I IV V V", "I bIII bVII IV", "I I IV,V I",
        "I,IV I,V I,IV V,I", "I V bVII IV", "I vi IV V", "I I I V I I IV V", "I II IV I", "I bVII bVI V",
    ),
    "blues": (
        "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7", "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7,IV7 I7,V7",
        "I7 IV7 I7 I7 IV7 #ivo7 I7 V7/ii ii7 V7 I7,V7/ii ii7,V7", "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 V7 I7 I7",
        "I7 V7 IV7 IV7 I7 V7 I7 V7", "I7 IV7 I7 V7", "I6 I6 I6 I7 IV7 IV7 I6 I6 V7 V7 I6 V7",
        "I7 I7 IV7 IV7 I7 V7 I7 I7",
    ),
    "jazz": (
        "IM7 vi7 ii7 V7", "ii7 V7 IM7 IM7", "IM7,vi7 ii7,V7 IM7,vi7 ii7,V7", "IM7 V7/ii ii7 V7",
        "I6 #io7 ii7 V7", "IM7 IM7 ii7 V7", "IM7 IV7 iii7,V7/ii ii7,V7", "iii7 V7/ii ii7 V7 IM7 IM7 ii7 V7",
        "IM7 ii7 iii7,vi7 ii7,V7", "IM7 II7 ii7 V7", "I6 V7/vi vi7 V7/V ii7 V7 I6 V7", "IM7 IVM7 iv6 IM7",
        "IM7 iii7 ii7 V7b9", "I6,V7/ii V7/V,V7 I6 I6", "IM7 bVII7 IM7 V7", "IM7 bVI7 ii7 V7",
        "ii7 V7 IM7 vi7 ii7 V7 I6 I6", "I6 I7 IV6 iv6 I6,V7/ii V7/V,V7 I6 V7",
    ),
    "folk": (
        "I I IV I I I V V I I IV I I V I I", "I IV I V I IV V I", "I V V I", "I IV V I", "I I V V V V I I",
        "I IV I I I V I I", "I V I IV I V V I", "I vi IV V7 I vi V7 I", "I I V7 V7 V7 V7 I I",
        "I I7 IV IV I V7 I I", "I V7 I I IV I V7 I", "I IV I V/V V7", "I I IV IV V7 V7 I I",
    ),
    "latin": (
        "I IV V IV", "I V7 V7 I", "IM7 ii7 V7 IM7", "IM7 IM7 II7 II7 ii7 bII7 IM7 V7", "I vi ii V7",
        "I IV ii V7", "I6 VI7 ii7 V7", "I,IV V7 I,IV V7", "IM7 V7/ii ii7,V7 IM7", "I I V7 V7",
        "IM7 iv6 IM7 V7", "IM7 #io7 ii7 V7",
    ),
    "modal": ("I bVII", "I IV", "I I bVII bVII", "I I IV I", "I v IV I", "I bVII IV IV", "I ii", "I7 IV7", "I I"),
    "march": (
        "I V7 V7 I", "I IV V7 I", "I I V7 V7 V7 V7 I I", "I V7 I V7/V V V7/V V V7", "I IV I V7 I IV I,V7 I",
        "I V7/ii ii V7 I IV V7 I", "I vi ii V7 I V7/IV IV V7", "I IV,#ivo7 I V7",
    ),
}  # fmt: skip

_MINOR: dict[str, tuple[str, ...]] = {
    "pop": (
        "i VI III VII", "i VII VI VII", "i iv VI V", "i VI iv V", "i iv i V", "i III VII VI", "i v VI iv",
        "i VI VII i", "i i VI VII", "VI VII i i", "i VII VI V", "i iv VII III", "i v iv i", "i VI iv VII",
        "i III iv VI", "i iv V i", "iv V i i", "i VI III V", "i VII iv i", "i,VII VI i,VII VI", "i V VI iv",
        "i iv6 VI V7", "i V/iv iv V", "i,V i iv,V i",
    ),
    "rock": (
        "i VII VI VII", "i VI VII i", "i III VII IV", "i VII i VII", "i iv i VII", "i bII i VII", "i i VI V",
        "i III IV VI", "i IV i IV", "i VII VI V", "i i III VII", "i VI iv V", "i,III iv i,VII i", "i i i VII",
        "i v VI VII", "i III bII i",
    ),
    "blues": (
        "i7 i7 i7 i7 iv7 iv7 i7 i7 VI7 V7 i7 V7", "i i i i iv iv i i v iv i V", "i7 iv7 i7 i7 iv7 iv7 i7 i7 iiø V7 i7 V7",
        "i i i i iv iv i i V7 iv i V7", "i7 i7 iv7 i7 VI7 V7 i7 V7", "i7 iv7 i7 V7", "i iv i i iv iv i i V7 V7 i i",
    ),
    "jazz": (
        "i6 VI7 iiø V7", "iiø V7 i6 i6", "i7 iv7 iiø V7b9", "i,i7 iiø,V7 i6 iiø,V7", "i6 iiø,V7 i6 iiø,V7",
        "iv7 VII7 IIIM7 VIM7 iiø V7 i6 i6", "i7 iv7 VII7 IIIM7 VIM7 iiø V7 i7", "iM7 i7 iv7 V7",
        "i6 i6 iv7 iv7 iiø V7 i6 V7", "i7 VI7 V7 i7", "i7 V7/iv iv7 V7", "i6 V7/V V7 i6", "i7 IV7 i7 IV7",
        "iM7 i6 iiø V7",
    ),
    "folk": (
        "i VII i VII", "i V V i", "i iv V i", "i VII i v", "i i VII VII", "i VII VI V", "i iv i V i iv V i",
        "i VII III VII i VII i,V i", "i i iv i i i V V", "i III VII i", "i IV i IV", "i VI VII i", "i i V7 V7 V7 V7 i i",
        "i i7 iv iv V V i i", "i VII IV i", "i v i VII",
    ),
    "latin": (
        "i V7 V7 i", "i iv V7 i", "i VII VI V7", "i7 iv7 iiø V7", "i i iiø V7", "i,iv V7 i,iv V7", "i VI V7 i",
        "i iv VII III VI iiø V7 i", "i i iv V7", "i V7 i V7", "i V7/iv iv V7", "iv i V7 i", "i6 iiø V7 i6",
    ),
    "modal": ("i VII", "i IV", "i i VII VII", "i bII", "i i", "i v", "i7 IV7", "i iv", "i VI", "i VII i IV", "i ii"),
    "march": (
        "i V7 V7 i", "i iv V7 i", "i i V7 V7 V7 V7 i i", "i iv i V7 i iv i,V7 i", "i VI iiø V7 i iv V7 i",
        "i III VII III iv i V7 i", "i V7 i V7/III III VII III V7",
    ),
}  # fmt: skip

FAMILIES: Mapping[Mode, Mapping[str, tuple[str, ...]]] = {"major": _MAJOR, "minor": _MINOR}
"""Progressions by mode and family."""

COLOURS = ("plain", "sevenths", "rich", "power")
"""Ways to colour triads: not, by sevenths, by sevenths, sixths and ninths, or as fifths without a third."""

_RICH: dict[str, tuple[str, ...]] = {
    "": ("M7", "6", "M9", "add9"), "m": ("m7", "m9", "m7"), "7": ("7", "9", "13"), "M7": ("M7", "M9", "6"),
    "m7": ("m7", "m9"), "m6": ("m6", "mM7", "m6"),
}  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """The chords of a clip.

    Attributes:
        bars: the chords of each bar; two or more share a bar evenly.
        name: the progressions, for people.
    """

    bars: tuple[tuple[Chord, ...], ...]
    name: str

    @property
    def chords(self) -> list[Chord]:
        """All chords, in order."""
        return [chord for bar in self.bars for chord in bar]


def parse_progression(text: str, mode: Mode) -> list[list[Chord]]:
    """Read a progression: the chords of each of its bars.

    Raises:
        ValueError: a chord cannot be read.
    """
    return [[parse_chord(numeral, mode) for numeral in bar.split(",")] for bar in text.split()]


def draw_chart(rng: np.random.Generator, mode: Mode, family: str, colour: str, bars: int) -> Chart:
    """Draw a chart.

    It consists of a progression of the family, often with a second one in every third or fourth section.

    Args:
        rng: random numbers.
        mode: of the key.
        family: a name in :data:`FAMILIES`.
        colour: one of :data:`COLOURS`.
        bars: length of the chart in bars.
    """
    progressions = FAMILIES[mode][family]
    first, second = rng.choice(len(progressions), 2, replace=False)
    form = str(rng.choice(["A", "AAB", "AABA", "AAAB", "AB"], p=[0.45, 0.15, 0.15, 0.15, 0.1]))
    texts = {"A": progressions[first], "B": progressions[second]}
    sections = {
        name: [
            [_coloured(chord, mode, colour, rng) for chord in bar] for bar in parse_progression(text, mode)
        ]
        for name, text in texts.items()
    }
    length = max(4, len(sections["A"]))
    chart: list[tuple[Chord, ...]] = []
    place = 0
    while len(chart) < bars:
        section = sections[form[place % len(form)]]
        chart += [tuple(section[bar % len(section)]) for bar in range(max(length, len(section)))]
        place += 1
    name = texts["A"] if set(form) == {"A"} else f"{form}: {texts['A']} / {texts['B']}"
    return Chart(tuple(chart[:bars]), name)


def _coloured(chord: Chord, mode: Mode, colour: str, rng: np.random.Generator) -> Chord:
    """Return a chord with a richer or poorer sound that has the same place in the key."""
    if colour == "power":
        return Chord(chord.root, "5") if chord.quality in ("", "m") and rng.random() < 0.8 else chord
    if colour == "plain" or rng.random() < 0.2:
        return chord
    quality = chord.quality
    dominant = chord.root == 7 or (mode == "minor" and chord.root == 10)
    if quality == "" and dominant:
        quality = "7"
    elif colour == "rich" and quality in _RICH:
        # The seventh of a minor chord on the tonic stays minor; ninths on other degrees may leave the scale.
        choices = _RICH[quality]
        quality = choices[int(rng.integers(len(choices)))]
        quality = "m7" if quality == "m9" and chord.root in (4, 11) else quality
    elif quality in ("", "m"):
        quality = "M7" if quality == "" else "m7"
    return Chord(chord.root, quality)
