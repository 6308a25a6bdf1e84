"""From a chart to the parts of a band, by the tables of a style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from pipelines.synthetic.accompaniments.chords import Chord, melodic_scale, scale_over
from pipelines.synthetic.accompaniments.melody import Bar
from pipelines.synthetic.accompaniments.parts import Note, Part
from pipelines.synthetic.accompaniments.styles import DRUMS, Layer, Style
from tfkey.keys import Key

_LOUDNESS = {"X": 112, "x": 88, "o": 58}
_FILL = ("snare", "tom high", "tom", "tom low")
"""The drums of a fill, one each sixteenth note of the last beat."""

_LOWEST_BASS = 28
"""E1, the lowest string of a bass."""


def arrange(style: Style, bars: Sequence[Bar], key: Key, rng: np.random.Generator) -> list[Part]:
    """Play a chart in a style: drums, bass and chords.

    Args:
        style: the tables.
        bars: the chart in time; all have the style's beats.
        key: the key.
        rng: random numbers; they choose patterns and instruments, and make the players human.
    """
    parts = []
    drums = style.drums[int(rng.integers(len(style.drums)))]
    if drums and rng.random() < 0.9:
        notes = _drums(style, drums, bars, rng)
        parts.append(Part("drums", _one(style.kits, rng), notes))
    bass = style.bass[int(rng.integers(len(style.bass)))]
    if bass and rng.random() < 0.94:
        notes = _bass(style, bass, bars, key, rng)
        parts.append(Part("bass", _one(style.bass_programs, rng), notes))
    for number, layer in enumerate(style.layers):
        if number == 0 or rng.random() < layer.share:
            notes = _chords(style, layer, bars, key, rng)
            parts.append(Part("chords", _one(layer.programs, rng), notes))
    return [part for part in parts if part.notes]


def _one(choices: Sequence[int], rng: np.random.Generator) -> int:
    return choices[int(rng.integers(len(choices)))]


def _marks(pattern: str, style: Style, bar: Bar, number: int) -> list[tuple[float, float, str]]:
    """(start, length, sign) in beats of what a pattern plays in a bar, counted from the start of the bar.

    What is held when the chord changes starts anew.
    """
    # Patterns of triplets swing by themselves.
    swing = 0.0 if style.steps == 3 * style.beats else style.manner.swing
    count = len(pattern) // style.steps
    own = pattern[number % count * style.steps :][: style.steps]
    edges = [place * bar.length / len(bar.chords) for place in range(1, len(bar.chords))]
    found: list[tuple[float, float, str]] = []
    for step, sign in enumerate(own):
        if sign not in ".-":
            held = len(own[step + 1 :]) - len(own[step + 1 :].lstrip("-"))
            places = (step * style.beats / style.steps, (step + 1 + held) * style.beats / style.steps)
            start, end = (_swung(place, swing) for place in places)
            inner = [edge for edge in edges if start + 1e-6 < edge < end - 1e-6]
            found += [(a, b - a, sign) for a, b in pairwise([start, *inner, end])]
    return found


def _swung(place: float, swing: float) -> float:
    """Return a place in beats, moved so that the second half of each beat is late."""
    beat, within = divmod(place, 1)
    half = 0.5 + swing
    return float(beat + (within * 2 * half if within <= 0.5 else half + (within - 0.5) * 2 * (1 - half)))


def _human(loudness: float, rng: np.random.Generator) -> int:
    return max(1, min(127, round(loudness * rng.uniform(0.88, 1.08))))


def _drums(
    style: Style, drums: Mapping[str, str], bars: Sequence[Bar], rng: np.random.Generator
) -> tuple[Note, ...]:
    notes = []
    fills = rng.random() < 0.6 and not {"kick", "snare"}.isdisjoint(drums)
    every = int(rng.choice([4, 8]))
    for number, bar in enumerate(bars):
        fill = fills and number % every == every - 1
        last = bar.length - 1 if fill else bar.length
        for drum, pattern in drums.items():
            notes += [
                Note(bar.start + start, 0.1, DRUMS[drum], _human(_LOUDNESS[sign], rng))
                for start, _, sign in _marks(pattern, style, bar, number)
                if start < last
            ]
        if fill:
            notes += [
                Note(bar.start + last + place / 4, 0.1, DRUMS[drum], _human(95, rng))
                for place, drum in enumerate(_FILL)
            ]
        elif fills and number % every == 0:
            notes.append(Note(bar.start, 0.5, DRUMS["crash"], _human(95, rng)))
    return tuple(notes)


def _bass(
    style: Style, pattern: str, bars: Sequence[Bar], key: Key, rng: np.random.Generator
) -> tuple[Note, ...]:
    scale = melodic_scale([chord for bar in bars for chord in bar.chords], key.mode)
    lowest = int(rng.integers(_LOWEST_BASS, 36))
    notes: list[Note] = []
    walked = lowest + 8
    for number, bar in enumerate(bars):
        marks = _marks(pattern, style, bar, number)
        # Every chord begins with its root, also where the pattern has none.
        for place, (start, length, sign) in enumerate(marks):
            chord = bar.chord(start)
            begins = place == 0 or bar.chord(marks[place - 1][0]) is not chord
            following = bars[min(number + 1, len(bars) - 1)].chords[0]
            if sign == "w":
                last = place == len(marks) - 1
                walked = _walk(walked, chord, following if last else None, begins, (lowest, key), scale, rng)
                pitch = walked
            elif begins and sign != "1":
                pitch = _above(chord.root + key.tonic, lowest)
            else:
                pitch = _bass_tone(sign, chord, following, lowest, key.tonic)
            notes.append(Note(bar.start + start, length * 0.95, pitch, _human(98, rng)))
    return tuple(notes)


def _above(pitch: int, lowest: int) -> int:
    """Return the pitch, moved by octaves into the octave that starts at ``lowest``."""
    return lowest + (pitch - lowest) % 12


def _bass_tone(sign: str, chord: Chord, following: Chord, lowest: int, tonic: int) -> int:
    root = _above(chord.root + tonic, lowest)
    steps = [tone - chord.root for tone in chord.tones]
    if sign == "L":
        target = _above(following.root + tonic, lowest)
        return target + (-1 if following.root != chord.root else 7)
    if sign == "3":
        return root + next((step for step in steps if step in (3, 4)), 7)
    if sign == "5":
        return root + next((step for step in steps if step in (6, 7, 8)), 7)
    if sign == "6":
        return root + (9 if {3, 10} - set(steps) else 10)
    if sign == "7":
        return root + next((step for step in steps if step in (9, 10, 11)), 12)
    return root + (12 if sign == "8" else 0)


def _walk(
    pitch: int,
    chord: Chord,
    following: Chord | None,
    begins: bool,
    register: tuple[int, Key],
    scale: Sequence[int],
    rng: np.random.Generator,
) -> int:
    """Return the next tone of a walking bass: a new chord's root, an approach to the next, else a step."""
    lowest, key = register
    if begins:
        classes: Sequence[int] = (chord.root,)
    elif following is not None and following.root != chord.root:
        target = (following.root + int(rng.choice([-1, 1, 2, 7]))) % 12
        classes = (target,)
    else:
        classes = tuple(chord.classes) if rng.random() < 0.6 else scale_over(chord, scale)
    reachable = [tone for tone in range(lowest, lowest + 22) if (tone - key.tonic) % 12 in classes]
    others = reachable if begins else [tone for tone in reachable if tone != pitch] or reachable
    nearest = sorted((abs(tone - pitch), tone) for tone in others)
    return nearest[0 if begins else min(len(nearest) - 1, int(rng.integers(0, 3)))][1]


def _chords(
    style: Style, layer: Layer, bars: Sequence[Bar], key: Key, rng: np.random.Generator
) -> tuple[Note, ...]:
    pattern = layer.patterns[int(rng.integers(len(layer.patterns)))]
    lowest = layer.lowest + int(rng.integers(-4, 5))
    wide = rng.random() < 0.4
    notes: list[Note] = []
    for number, bar in enumerate(bars):
        for start, length, sign in _marks(pattern, style, bar, number):
            voicing = _voicing(bar.chord(start), lowest, wide, key.tonic)
            if sign.isdigit():
                tones = [voicing[(int(sign) - 1) % len(voicing)] + 12 * ((int(sign) - 1) // len(voicing))]
            else:
                tones = voicing
            loudness = 85 if sign.isdigit() else _LOUDNESS[sign] * 0.85
            notes += [Note(bar.start + start, length * 0.96, tone, _human(loudness, rng)) for tone in tones]
    return tuple(notes)


def _voicing(chord: Chord, lowest: int, wide: bool, tonic: int) -> list[int]:
    """Return the pitches of a chord, ascending: all tones in an octave, and the lowest above if ``wide``."""
    tones = sorted({_above(tone + tonic, lowest) for tone in chord.tones})
    return [*tones, tones[0] + 12] if wide or len(tones) < 3 else tones
