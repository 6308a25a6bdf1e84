"""From a chart to the parts of a band, by the tables of a style."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipelines.synthetic.accompaniments.chords import Chord, melodic_scale, scale_over
from pipelines.synthetic.accompaniments.melody import Bar
from pipelines.synthetic.accompaniments.parts import Note, Part
from pipelines.synthetic.accompaniments.styles import CRASH, KICK, SNARE, TOM, TOM_HIGH, TOM_LOW, Layer, Style
from tfkey.keys import Key

_LOUDNESS = {"X": 112, "x": 88, "o": 58}
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
        parts.append(Part("drums", _one(style.kits, rng), notes, int(rng.integers(60, 118))))
    bass = style.bass[int(rng.integers(len(style.bass)))]
    if bass and rng.random() < 0.94:
        notes = _bass(style, bass, bars, key, rng)
        parts.append(Part("bass", _one(style.bass_programs, rng), notes, int(rng.integers(75, 122))))
    for number, layer in enumerate(style.layers):
        if number == 0 or rng.random() < layer.share:
            notes = _chords(style, layer, bars, key, rng)
            parts.append(Part("chords", _one(layer.programs, rng), notes, int(rng.integers(65, 115))))
    return [part for part in parts if part.notes]


def _one(choices: Sequence[int], rng: np.random.Generator) -> int:
    return choices[int(rng.integers(len(choices)))]


def _marks(pattern: str, style: Style, bar: int) -> list[tuple[float, float, str]]:
    """(start, length, sign) in beats of what a pattern plays in a bar, counted from the start of the bar."""
    signs = pattern.replace(" ", "")
    count = max(1, len(signs) // style.steps)
    own = signs[bar % count * style.steps :][: style.steps]
    beat = style.steps / style.beats
    found = []
    for step, sign in enumerate(own):
        if sign not in ".-":
            held = len(own[step + 1 :]) - len(own[step + 1 :].lstrip("-"))
            start, end = (_swung(place / beat, style.swing) for place in (step, step + 1 + held))
            found.append((start, end - start, sign))
    return found


def _swung(place: float, swing: float) -> float:
    """Return a place in beats, moved so that the second half of each beat is late."""
    beat, within = divmod(place, 1)
    half = 0.5 + swing
    return float(beat + (within * 2 * half if within <= 0.5 else half + (within - 0.5) * 2 * (1 - half)))


def _human(loudness: float, rng: np.random.Generator) -> int:
    return max(1, min(127, round(loudness * rng.uniform(0.88, 1.08))))


def _drums(
    style: Style, drums: dict[int, str], bars: Sequence[Bar], rng: np.random.Generator
) -> tuple[Note, ...]:
    notes = []
    fills = rng.random() < 0.6 and (KICK in drums or SNARE in drums)
    every = int(rng.choice([4, 8]))
    for number, bar in enumerate(bars):
        fill = fills and number % every == every - 1
        last = bar.length - 1 if fill else bar.length
        for drum, pattern in drums.items():
            notes += [
                Note(bar.start + start, 0.1, drum, _human(_LOUDNESS[sign], rng))
                for start, _, sign in _marks(pattern, style, number)
                if start < last
            ]
        if fill:
            rolls = (SNARE, TOM_HIGH, TOM, TOM_LOW)
            notes += [Note(bar.start + last + i / 4, 0.1, rolls[i], _human(95, rng)) for i in range(4)]
        elif fills and number % every == 0:
            notes.append(Note(bar.start, 0.5, CRASH, _human(95, rng)))
    return tuple(notes)


def _bass(
    style: Style, pattern: str, bars: Sequence[Bar], key: Key, rng: np.random.Generator
) -> tuple[Note, ...]:
    scale = melodic_scale([chord for bar in bars for chord in bar.chords], key.mode)
    lowest = int(rng.integers(_LOWEST_BASS, 36))
    notes: list[Note] = []
    walked = lowest + 8
    for number, bar in enumerate(bars):
        marks = _marks(pattern, style, number)
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
    """Return the next tone of a walking bass: the root of a new chord, an approach to the next, else a step."""
    lowest, key = register
    if begins:
        classes: Sequence[int] = (chord.root,)
    elif following is not None and following.root != chord.root:
        target = (following.root + int(rng.choice([-1, 1, 2, 7]))) % 12
        classes = (target,)
    else:
        classes = tuple(chord.classes) if rng.random() < 0.6 else scale_over(chord, scale)
    reachable = [
        candidate
        for candidate in range(lowest, lowest + 22)
        if (candidate - key.tonic) % 12 in classes and (candidate != pitch or begins)
    ]
    distances = sorted((abs(candidate - pitch), candidate) for candidate in reachable)
    return distances[0 if begins else min(len(distances) - 1, int(rng.integers(0, 3)))][1]


def _chords(
    style: Style, layer: Layer, bars: Sequence[Bar], key: Key, rng: np.random.Generator
) -> tuple[Note, ...]:
    pattern = layer.patterns[int(rng.integers(len(layer.patterns)))]
    lowest = layer.lowest + int(rng.integers(-4, 5))
    wide = rng.random() < 0.4
    notes: list[Note] = []
    for number, bar in enumerate(bars):
        marks = _marks(pattern, style, number)
        edges = [place * bar.length / len(bar.chords) for place in range(1, len(bar.chords))]
        for start, length, sign in _split(marks, edges):
            voicing = _voicing(bar.chord(start), lowest, wide, key.tonic)
            if sign.isdigit():
                tones = [voicing[(int(sign) - 1) % len(voicing)] + 12 * ((int(sign) - 1) // len(voicing))]
            else:
                tones = voicing
            loudness = 85 if sign.isdigit() else _LOUDNESS[sign] * 0.85
            notes += [Note(bar.start + start, length * 0.96, tone, _human(loudness, rng)) for tone in tones]
    return tuple(notes)


def _split(
    marks: Sequence[tuple[float, float, str]], edges: Sequence[float]
) -> list[tuple[float, float, str]]:
    """Return the marks, with a new attack wherever one is held into the next chord."""
    found = []
    for start, length, sign in marks:
        inner = [edge for edge in edges if start + 1e-6 < edge < start + length - 1e-6]
        found += [(a, b - a, sign) for a, b in pairwise([start, *inner, start + length])]
    return found


def _voicing(chord: Chord, lowest: int, wide: bool, tonic: int) -> list[int]:
    """Return the pitches of a chord, ascending: all tones within an octave, and the root above if ``wide``."""
    tones = sorted({_above(tone + tonic, lowest) for tone in chord.tones})
    return [*tones, tones[0] + 12] if wide or len(tones) < 3 else tones
