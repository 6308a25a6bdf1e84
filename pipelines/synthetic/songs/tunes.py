"""Tunes for dancing as sessions play them: two parts of eight bars, each played twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.songs.chords import Chord, Span, chord
from pipelines.synthetic.songs.notes import Note


@dataclass(frozen=True)
class Dance:
    """A kind of dance.

    Attributes:
        beats: in a bar.
        division: notes to a beat.
        tempo: lowest and highest, in beats per minute.
        swing: where the second half of a beat begins, lowest and highest.
        long: chance that a beat is one long note, or a long and a short one in threes.
    """

    beats: int
    division: int
    tempo: tuple[float, float]
    swing: tuple[float, float] = (0.5, 0.5)
    long: float = 0.15


DANCES = {
    "reel": Dance(4, 2, (170, 230), (0.5, 0.58), 0.12),
    "jig": Dance(2, 3, (95, 130), (0.5, 0.5), 0.2),
    "hornpipe": Dance(4, 2, (130, 180), (0.58, 0.68), 0.15),
    "polka": Dance(2, 4, (120, 150), (0.5, 0.5), 0.3),
    "slip jig": Dance(3, 3, (95, 130), (0.5, 0.5), 0.25),
    "slide": Dance(4, 3, (110, 145), (0.5, 0.5), 0.5),
    "waltz": Dance(3, 2, (95, 150), (0.5, 0.58), 0.5),
    "air": Dance(3, 2, (55, 90), (0.5, 0.5), 0.5),
    "march": Dance(4, 2, (100, 130), (0.5, 0.62), 0.45),
    "strathspey": Dance(4, 2, (110, 140), (0.62, 0.75), 0.2),
}
"""The dances by name."""

# Chords that a bar may have, by the name of the scale: what players of guitars put to such tunes.
_HARMONY = {
    "ionian": ("I", "I", "IV", "V", "I", "vi", "ii"),
    "mixolydian": ("I", "I", "bVII", "I", "IV", "bVII"),
    "dorian": ("i", "i", "bVII", "i", "bVII", "IV"),
    "aeolian": ("i", "i", "bVII", "bVI", "bIII", "bVII"),
}
_CADENCES = {
    "ionian": ("V", "I"),
    "mixolydian": ("bVII", "I"),
    "dorian": ("bVII", "i"),
    "aeolian": ("bVII", "i"),
}


def harmony(rng: np.random.Generator, scale_name: str, bars: int, beats: int) -> list[Span]:
    """Draw the chords of a part of ``bars`` bars, in beats from 0 on; it begins and ends on the tonic."""
    names = _HARMONY[scale_name]
    half = [names[0], *(str(rng.choice(names)) for _ in range(bars // 2 - 1))]
    chosen = half + half[:-1] + [""]
    spans = [Span(bar * beats, (bar + 1) * beats, chord(name)) for bar, name in enumerate(chosen[:-1])]
    dominant, tonic = _CADENCES[scale_name]
    start, middle = (bars - 1) * beats, (bars - 1) * beats + beats // 2
    return [*spans, Span(start, middle, chord(dominant)), Span(middle, bars * beats, chord(tonic))]


def part(
    rng: np.random.Generator, dance: Dance, scale: Sequence[int], spans: Sequence[Span], low: int, high: int
) -> list[Note]:
    """Compose a part of a tune: motifs of a bar in the order ``a b a c a b d e``, the end on the tonic.

    Args:
        rng: draws the part.
        dance: the kind of dance.
        scale: semitones above the tonic.
        spans: the chords (:func:`harmony`).
        low: lowest note in semitones above the tonic.
        high: highest note.

    Returns:
        notes in beats, pitches in semitones above the tonic.
    """
    ladder = [
        12 * octave + note for octave in (-1, 0, 1, 2) for note in scale if low <= 12 * octave + note <= high
    ]
    shapes = {name: _shape(rng, dance) for name in "abcde"}
    notes: list[Note] = []
    start_place = int(rng.integers(len(ladder) // 4, 3 * len(ladder) // 4))
    place = start_place
    for bar, name in enumerate("abacabde"):
        if name == "a":
            place = start_place
        rhythm, steps = shapes[name]
        beat = float(bar * dance.beats)
        for length, step in zip(rhythm, steps, strict=True):
            harmony_here = next(span.chord for span in spans if span.start <= beat + 1e-6 < span.end)
            place = reflected(place + step, len(ladder))
            if abs(beat - round(beat)) < 1e-6 and rng.random() < 0.85:
                place = _settled(place, ladder, harmony_here)
            accent = 1.0 if abs(beat - round(beat)) < 1e-6 else 0.75
            notes.append(Note(beat, beat + length, ladder[place], accent))
            beat += length
    return _ended(notes, ladder, dance, 8 * dance.beats)


def _shape(rng: np.random.Generator, dance: Dance) -> tuple[list[float], list[int]]:
    unit = 1 / dance.division
    rhythm: list[float] = []
    for _ in range(dance.beats):
        if rng.random() >= dance.long:
            rhythm += [unit] * dance.division
        elif dance.division == 2:
            rhythm += [1.0]
        else:
            rhythm += [1 - unit, unit] if rng.random() < 0.8 else [1.0]
    style = rng.random()
    choices = (-1, -1, 1, 1, 0, 2, -2) if style < 0.6 else (-2, 2, -1, 1, 3, -3, 4, -4)
    return rhythm, [int(rng.choice(choices)) for _ in rhythm]


def reflected(place: int, count: int) -> int:
    """Return a place inside a ladder of so many notes: what goes over its end comes back."""
    if place < 0:
        place = -place
    if place >= count:
        place = 2 * (count - 1) - place
    return min(max(place, 0), count - 1)


def _settled(place: int, ladder: Sequence[int], harmony_here: Chord) -> int:
    inside = [p for p, note in enumerate(ladder) if note % 12 in harmony_here.pitch_classes]
    return min(inside, key=lambda p: abs(p - place)) if inside else place


def _ended(notes: list[Note], ladder: Sequence[int], dance: Dance, end: int) -> list[Note]:
    """Return the notes with a long tonic in place of what comes in the last part of the last bar."""
    last = end - (1 if dance.beats < 4 else 2)
    kept = [note for note in notes if note.start < last - 1e-6]
    near = kept[-1].pitch
    tonic = min((note for note in ladder if note % 12 == 0), key=lambda note: abs(note - near))
    return [*kept, Note(last, end, tonic, 1.0)]


def ornamented(
    rng: np.random.Generator, notes: Sequence[Note], scale: Sequence[int], often: float
) -> list[Note]:
    """Return the notes with cuts (a short higher note first) and rolls (long notes broken by neighbours)."""
    ladder = [12 * octave + note for octave in range(-3, 4) for note in scale]
    out: list[Note] = []
    for note in notes:
        above = min((pitch for pitch in ladder if pitch > note.pitch), default=note.pitch)
        below = max((pitch for pitch in ladder if pitch < note.pitch), default=note.pitch)
        length, draw = note.end - note.start, rng.random()
        if draw < often and length >= 0.9:
            third = length / 3
            out += [
                Note(note.start, note.start + third, note.pitch, note.velocity),
                Note(note.start + third, note.start + 1.25 * third, above, 0.6),
                Note(note.start + 1.25 * third, note.start + 2 * third, note.pitch, 0.8),
                Note(note.start + 2 * third, note.start + 2.25 * third, below, 0.6),
                Note(note.start + 2.25 * third, note.end, note.pitch, 0.8),
            ]
        elif draw < often and length > 0.3:
            cut = min(0.12, length / 4)
            out += [
                Note(note.start, note.start + cut, above, 0.6),
                Note(note.start + cut, note.end, note.pitch, note.velocity),
            ]
        else:
            out.append(note)
    return out
