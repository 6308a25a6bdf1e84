"""The chord progressions of ``progressions.yaml``, and charts made of them.

A progression is a text of Roman numerals (:func:`~pipelines.synthetic.accompaniments.chords.parse_chord`):
one chord a bar, or several joined by commas. A *family* is a list of progressions for kindred styles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from pipelines.synthetic.accompaniments.chords import Chord, parse_chord
from tfkey.keys import Mode

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


@cache
def families() -> Mapping[Mode, Mapping[str, tuple[str, ...]]]:
    """Return the progressions by mode and family."""
    text = Path(__file__).with_name("progressions.yaml").read_text(encoding="utf-8")
    return {
        mode: {family: tuple(progressions) for family, progressions in by_family.items()}
        for mode, by_family in yaml.safe_load(text).items()
    }


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
        family: a name in :func:`families`.
        colour: one of :data:`COLOURS`.
        bars: length of the chart in bars.
    """
    progressions = families()[mode][family]
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
