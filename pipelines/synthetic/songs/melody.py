"""Melodies in phrases: motifs that come back, strong beats on notes of the chord, cadences on the tonic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.songs.chords import Chord, Span, fitted
from pipelines.synthetic.songs.notes import Note

# Rhythms of a bar by its beats, as lengths in beats.
RHYTHMS: dict[int, tuple[tuple[float, ...], ...]] = {
    4: (
        (1, 1, 1, 1), (1, 1, 2), (2, 1, 1), (1.5, 0.5, 1, 1), (0.5, 0.5, 1, 1, 1), (1, 0.5, 0.5, 1, 1),
        (0.5, 0.5, 0.5, 0.5, 1, 1), (1.5, 0.5, 2), (0.5, 1, 0.5, 1, 1), (1.5, 1.5, 1), (2, 2), (3, 1),
        (0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1), (1, 0.5, 0.5, 0.5, 0.5, 1), (0.5, 1, 1, 0.5, 1), (1, 1.5, 0.5, 1),
    ),
    3: (
        (1, 1, 1), (2, 1), (1, 2), (1.5, 0.5, 1), (1, 0.5, 0.5, 1), (1, 1, 0.5, 0.5), (3,), (0.5, 0.5, 1,
        1), (2.5, 0.5),
    ),
    2: (
        (2 / 3, 1 / 3, 2 / 3, 1 / 3), (1, 2 / 3, 1 / 3), (1 / 3, 1 / 3, 1 / 3, 1), (2 / 3, 1 / 3, 1),
        (1 / 3, 1 / 3, 1 / 3, 2 / 3, 1 / 3), (1, 1), (1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3),
    ),
}  # fmt: skip
ENDINGS: dict[int, tuple[tuple[float, ...], ...]] = {
    4: ((4,), (1, 3), (2, 2), (1, 1, 2), (3, 1)),
    3: ((3,), (2, 1), (1, 2)),
    2: ((2,), (1, 1), (2 / 3, 1 / 3, 1)),
}

_STEPS = (-3, -2, -1, -1, -1, 0, 0, 1, 1, 1, 2, 3)
MAJOR_PENTATONIC = (0, 2, 4, 7, 9)
MINOR_PENTATONIC = (0, 3, 5, 7, 10)
BLUES = (0, 3, 4, 5, 7, 10)


@dataclass(frozen=True)
class Motif:
    """A phrase without harmony: lengths of notes in beats, and steps on the scale from note to note."""

    lengths: tuple[float, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Style:
    """How melodies move.

    Attributes:
        notes: the scale, in semitones above the tonic.
        bar: beats in a bar.
        phrase: bars in a phrase.
        low: lowest note in semitones above the tonic (mostly below 0).
        high: highest note.
        home: chance that an answering phrase ends on the tonic though the chord does not contain it.
        bends: sing notes of the scale as the chord has them.
        rests: chance that a note is left out.
    """

    notes: Sequence[int]
    bar: int
    phrase: int = 2
    low: int = -5
    high: int = 12
    home: float = 0.6
    bends: bool = True
    rests: float = 0.05


def motif(rng: np.random.Generator, style: Style) -> Motif:
    """Draw a phrase of ``style.phrase`` bars, the last with a long note."""
    kinds = RHYTHMS[style.bar]
    lengths: list[float] = []
    favourites = [kinds[int(rng.integers(len(kinds)))] for _ in range(2)]
    for number in range(style.phrase - 1):
        lengths += favourites[number % 2] if rng.random() < 0.8 else kinds[int(rng.integers(len(kinds)))]
    endings = ENDINGS[style.bar]
    lengths += endings[int(rng.integers(len(endings)))]
    return Motif(tuple(lengths), tuple(int(rng.choice(_STEPS)) for _ in lengths))


def compose(rng: np.random.Generator, spans: Sequence[Span], style: Style) -> list[Note]:
    """Compose a melody over chords.

    Phrases come in pairs of a question, which ends away from the tonic, and an answer, which ends on it: on
    the tonic itself if the chord has it, else mostly. Two motifs alternate as ``A A B A``.

    Args:
        rng: draws the melody.
        spans: the chords, from beat 0 on without gaps.
        style: how the melody moves.

    Returns:
        notes in beats, pitches in semitones above the tonic.
    """
    end = spans[-1].end
    ladder = [
        octave * 12 + note
        for octave in range(-2, 3)
        for note in style.notes
        if style.low <= octave * 12 + note <= style.high
    ]
    motifs = [motif(rng, style), motif(rng, style)]
    order = [0, 0, 1, 0] if rng.random() < 0.6 else [0, 1, 0, 1]
    notes: list[Note] = []
    start, number = 0.0, 0
    while start < end - 1e-6:
        place = ladder.index(_nearest(ladder, int(rng.choice([0, 0, 4, 7])), spans[0].chord))
        answer = number % 2 == 1
        notes += _phrase(rng, motifs[order[number % 4]], start, place, ladder, spans, style, answer)
        start, number = start + style.phrase * style.bar, number + 1
    return [note for note in notes if note.end <= end + 1e-6]


def chord_at(spans: Sequence[Span], beat: float) -> Chord:
    """Return the chord at a beat; after the end, the last."""
    return next((span.chord for span in spans if span.start <= beat + 1e-6 < span.end), spans[-1].chord)


def _phrase(
    rng: np.random.Generator,
    shape: Motif,
    start: float,
    place: int,
    ladder: list[int],
    spans: Sequence[Span],
    style: Style,
    answer: bool,
) -> list[Note]:
    notes, beat, last = [], start, len(shape.lengths) - 1
    for number, (length, step) in enumerate(zip(shape.lengths, shape.steps, strict=True)):
        harmony = chord_at(spans, beat)
        place += step if rng.random() < 0.9 else int(rng.choice(_STEPS))
        if place >= len(ladder) or place < 0:
            place -= 2 * step
        place = min(max(place, 0), len(ladder) - 1)
        strong = abs(beat - round(beat)) < 1e-6 and (length >= 1 or round(beat - start) % 2 == 0)
        if number == last and answer and (0 in harmony.pitch_classes or rng.random() < style.home):
            place = min((p for p, note in enumerate(ladder) if note % 12 == 0), key=lambda p: abs(p - place))
        elif number == last or (strong and rng.random() < 0.8):
            place = ladder.index(_nearest(ladder, ladder[place], harmony))
        pitch = ladder[place]
        if style.bends and not (number == last and pitch % 12 == 0):
            pitch = fitted(pitch, harmony)
        if number == last or rng.random() >= style.rests:
            held = length * rng.uniform(0.85, 1.0) if number < last else length * rng.uniform(0.6, 0.95)
            accent = 1.0 if strong else 0.8
            notes.append(Note(beat, beat + held, pitch, accent * rng.uniform(0.8, 1)))
        beat += length
    return notes


def _nearest(ladder: Sequence[int], pitch: int, harmony: Chord) -> int:
    """Return the note of the ladder nearest to ``pitch`` that is in the chord, or else the nearest at all."""
    inside = [note for note in ladder if note % 12 in harmony.pitch_classes] or ladder
    return min(inside, key=lambda note: abs(note - pitch))
