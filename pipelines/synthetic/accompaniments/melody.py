"""Melodies that follow the chords of a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.accompaniments.chords import Chord, melodic_scale, scale_over
from pipelines.synthetic.accompaniments.parts import LEAD_PROGRAMS, Note, Part
from tfkey.keys import Key

# Rhythms of a beat, as starts; the weights follow.
_CELLS: tuple[tuple[float, ...], ...] = (
    (0.0,), (0.0, 0.5), (), (0.5,), (0.0, 0.25, 0.5, 0.75), (0.0, 0.75), (0.0, 0.25, 0.5),
    (0.0, 1 / 3, 2 / 3),
)  # fmt: skip
_WEIGHTS = {
    "slow": (0.45, 0.1, 0.35, 0.1, 0.0, 0.0, 0.0, 0.0),
    "medium": (0.36, 0.28, 0.2, 0.12, 0.01, 0.03, 0.0, 0.0),
    "fast": (0.22, 0.4, 0.12, 0.12, 0.04, 0.06, 0.04, 0.0),
    "running": (0.1, 0.5, 0.08, 0.07, 0.12, 0.05, 0.04, 0.04),
}
_STEPS, _STEP_WEIGHTS = (-3, -2, -1, 0, 1, 2, 3), (0.05, 0.12, 0.29, 0.1, 0.27, 0.12, 0.05)
_VOICES = (52, 53, 54, 85)


@dataclass(frozen=True)
class Bar:
    """A bar of a chart in time: its start and length in beats, and its chords, which share it evenly."""

    start: float
    length: float
    chords: tuple[Chord, ...]

    def chord(self, place: float) -> Chord:
        """Return the chord at a place in beats, counted from the start of the bar."""
        number = int(place / self.length * len(self.chords))
        return self.chords[max(0, min(number, len(self.chords) - 1))]


def bars_of(chart: Sequence[tuple[Chord, ...]], starts: Sequence[float], length: float) -> list[Bar]:
    """Return the bars of a chart that start at these beats; ``length`` is that of the last one."""
    ends = [*starts[1:], starts[-1] + length] if starts else []
    return [Bar(a, b - a, chords) for chords, a, b in zip(chart, starts, ends, strict=False)]


def melody(bars: Sequence[Bar], key: Key, tempo: float, swing: float, rng: np.random.Generator) -> list[Part]:
    """Compose a melody, at times with a second voice below.

    Phrases of four bars repeat their rhythm; strong beats are tones of the chord; phrases end on a long note,
    on the tonic where the chord has it.

    Args:
        bars: the chart in time.
        key: the key.
        tempo: beats a minute; fast pieces have calmer rhythms.
        swing: how late the second half of a beat is, in beats.
        rng: random numbers.
    """
    chords = [chord for bar in bars for chord in bar.chords]
    scale: tuple[int, ...] = melodic_scale(chords, key.mode)
    if rng.random() < 0.3 and frozenset().union(*(chord.classes for chord in chords)) >= set(scale):
        # A pentatonic scale: without the degrees a semitone away from others, where the chords have those.
        scale = tuple(scale[place] for place in ((0, 1, 2, 4, 5) if key.mode == "major" else (0, 2, 3, 4, 6)))
    names = ("slow", "medium", "fast", "running") if tempo < 100 else ("slow", "slow", "medium", "fast")
    phrases = [_phrase(_WEIGHTS[str(rng.choice(names))], bars, rng) for _ in range(2)]
    form = str(rng.choice(["A", "AAB", "AABA", "AB", "ABAB"]))
    centre = int(rng.integers(62, 77))
    loudness = float(rng.uniform(75, 112))
    pitch = centre
    notes: list[Note] = []
    rests = rng.choice([0.0, 0.1, 0.3])
    for first in range(0, len(bars), 4):
        phrase = phrases["AB".index(form[first // 4 % len(form)])]
        if rng.random() < rests:
            continue
        line, pitch = _sing(phrase, bars[first : first + 4], (pitch, centre), scale, key, rng)
        notes += [
            Note(_swung(start, swing), length * 0.95, tone, round(loudness * rng.uniform(0.88, 1.08)))
            for start, length, tone in line
        ]
    program = int(rng.choice(_VOICES if rng.random() < 0.2 else LEAD_PROGRAMS))
    volume = int(rng.integers(75, 122))
    parts = [Part("lead", program, tuple(notes), volume)]
    if rng.random() < 0.2:
        parts.append(Part("lead", program, tuple(_below(notes, bars, scale, key)), round(volume * 0.8)))
    return parts


_Attack = tuple[int, float, int]
"""An attack of a phrase: its bar, its place in beats, and the steps in the scale from the note before."""


def _phrase(weights: Sequence[float], bars: Sequence[Bar], rng: np.random.Generator) -> list[_Attack]:
    """Draw rhythm and contour of a phrase of four bars; the last bar has one long note and a rest."""
    beats = max(1, round(bars[0].length)) if bars else 4
    motif = [_CELLS[int(rng.choice(len(_CELLS), p=weights))] for _ in range(2 * beats)]
    attacks = []
    for bar in range(3):
        for beat in range(beats):
            cell = motif[(bar % 2) * beats + beat]
            attacks += [(bar, beat + start, int(rng.choice(_STEPS, p=_STEP_WEIGHTS))) for start in cell]
    if rng.random() < 0.5:
        attacks += [(3, 0.0, int(rng.choice([-1, 0, 1])))]
    else:
        attacks += [(3, 0.0, -1), (3, float(beats // 2), -1)]
    return attacks


def _sing(
    phrase: Sequence[_Attack],
    bars: Sequence[Bar],
    register: tuple[int, int],
    scale: Sequence[int],
    key: Key,
    rng: np.random.Generator,
) -> tuple[list[tuple[float, float, int]], int]:
    """Give pitches to a phrase, which starts near the first and stays around the second of ``register``.

    Returns:
        (start, length, pitch) of the notes, and the last pitch.
    """
    pitch, centre = register
    attacks = [attack for attack in phrase if attack[0] < len(bars) and attack[1] < bars[attack[0]].length]
    starts = [bars[bar].start + place for bar, place, _ in attacks]
    line = []
    for number, (bar, place, step) in enumerate(attacks):
        chord = bars[bar].chord(place)
        last = number == len(attacks) - 1
        classes: Sequence[int] = scale_over(chord, scale)
        if last:
            classes = (0,) if 0 in chord.classes else tuple(chord.classes)
        elif place % 2 == 0 or (place % 1 == 0 and rng.random() < 0.5):
            classes = tuple(chord.classes)
        pull = -1 if pitch > centre + 8 else 1 if pitch < centre - 8 else 0
        pitch = _step(pitch, (step or 0) + pull, classes, key.tonic)
        end = starts[number + 1] if not last else bars[bar].start + bars[bar].length
        following = bars[min(bar + 1, len(bars) - 1)]
        if (pitch - key.tonic) % 12 not in following.chords[0].classes:
            # No note is held into a chord that lacks it.
            end = min(end, max(following.start, starts[number] + 0.25))
        line.append((starts[number], min(end - starts[number], 4.0), pitch))
    return line, pitch


def _step(pitch: int, steps: int, classes: Sequence[int], tonic: int) -> int:
    """Return the pitch of one of the classes (counted from the tonic) that is this many scale steps away."""
    near = sorted(
        (abs(candidate - pitch - 2 * steps), candidate)
        for candidate in range(pitch - 14, pitch + 15)
        if (candidate - tonic) % 12 in classes
    )
    return near[0][1]


def _below(notes: Sequence[Note], bars: Sequence[Bar], scale: Sequence[int], key: Key) -> list[Note]:
    """Return a second voice: each note a third or more below, in the chord where the first is."""
    second = []
    number = 0
    for note in sorted(notes):
        while number + 1 < len(bars) and bars[number + 1].start <= note.start + 1e-6:
            number += 1
        chord = bars[number].chord(note.start - bars[number].start)
        inside = (note.pitch - key.tonic) % 12 in chord.classes
        classes = tuple(chord.classes) if inside else scale_over(chord, scale)
        pitch = next(p for p in range(note.pitch - 3, note.pitch - 16, -1) if (p - key.tonic) % 12 in classes)
        second.append(note._replace(pitch=pitch, velocity=max(1, note.velocity - 10)))
    return second


def _swung(start: float, swing: float) -> float:
    """Return the start of a note, later if it is on the second half of a beat."""
    return start + swing if abs(start % 1 - 0.5) < 1e-6 else start
