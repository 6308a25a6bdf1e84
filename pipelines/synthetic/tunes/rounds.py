"""How a tune goes round in a clip: each part twice, from anywhere, at times to an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipelines.synthetic.clip import SECONDS
from pipelines.synthetic.songs.chords import Span
from pipelines.synthetic.songs.notes import Clock, Note
from pipelines.synthetic.tunes.composition import BARS, Part
from pipelines.synthetic.tunes.dances import Dance

ENDING = 0.15
"""Share of the clips in which the tune comes to its end."""


@dataclass(frozen=True)
class Round:
    """A tune as often as it is played in a clip.

    Attributes:
        clock: when its beats come.
        notes: in beats, in semitones above the tonic.
        harmony: in beats.
        last: the beat at which it ends.
        ends: whether it ends within the clip.
    """

    clock: Clock
    notes: tuple[Note, ...]
    harmony: tuple[Span, ...]
    last: float
    ends: bool


def go_round(rng: np.random.Generator, parts: Sequence[Part], dance: Dance) -> Round:
    """Repeat a tune, ``A A B B`` and so on, through a clip.

    Half of the clips that do not end begin with the tune, the others anywhere in it.
    """
    beat = 60 / rng.uniform(*dance.tempo)
    swing = rng.uniform(*dance.swing)
    length = float(BARS * dance.beats)
    order = [number for number in range(len(parts)) for _ in range(2)]
    cycle = len(order) * length
    ends = bool(rng.random() < ENDING)
    if ends:
        # It ends with the last part, and with a tonic whatever that part does.
        end = SECONDS - rng.uniform(0.5, 4)
        sections = int(np.ceil(end / beat / length))
        start = end - sections * length * beat
        skipped = -sections % len(order)
    else:
        start = rng.uniform(0, 0.8) if rng.random() < 0.5 else -rng.uniform(0, cycle) * beat
        skipped = 0
        sections = int(np.ceil((SECONDS - start) / beat / length))
    notes: list[Note] = []
    harmony: list[Span] = []
    for section in range(sections):
        part = parts[order[(skipped + section) % len(order)]]
        shift = section * length
        # Nobody needs what comes before the clip.
        if start + (shift + length) * beat > 0:
            notes += [replace(n, start=n.start + shift, end=n.end + shift) for n in part.notes]
            harmony += [Span(s.start + shift, s.end + shift, s.chord) for s in part.harmony]
    last = sections * length
    if ends:
        notes = _ended(notes, min(dance.finals), last)
    return Round(Clock(beat, swing, start), tuple(notes), tuple(harmony), last, ends)


def _ended(notes: Sequence[Note], final: float, last: float) -> list[Note]:
    """Return the tune with the nearest tonic as its last note."""
    start = last - final
    kept = [replace(note, end=min(note.end, start)) for note in notes if note.start < start - 1e-6]
    return [*kept, Note(start, last, 12.0 * round(kept[-1].pitch / 12), 1.0)]


def swayed(notes: Sequence[Note], rng: np.random.Generator, *, depth: float) -> list[Note]:
    """Return notes in seconds, faster and slower in turns of 5 to 10 seconds, by up to ``depth`` seconds."""
    period, phase = rng.uniform(5, 10), rng.uniform(0, 2 * np.pi)
    # A depth below a sixth of the period keeps the order of the notes.
    depth = min(depth, period / 7)

    def at(seconds: float) -> float:
        return float(seconds + depth * np.sin(2 * np.pi * seconds / period + phase))

    return [replace(note, start=at(note.start), end=at(note.end)) for note in notes]
