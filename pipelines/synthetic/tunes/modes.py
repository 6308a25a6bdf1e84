"""The scales of tunes, and the harmony behind their bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.harmony import AEOLIAN, DORIAN, IONIAN, MIXOLYDIAN
from pipelines.synthetic.songs.chords import chord
from pipelines.synthetic.songs.notes import Note
from tfkey.keys import Mode


@dataclass(frozen=True)
class Scale:
    """A scale of tunes.

    Attributes:
        mode: major or minor, by the third.
        degrees: the notes, in semitones above the tonic.
        altered: what else :func:`inflected` may put into a tune, in semitones above the tonic.
        dominant: the chord before the last tonic.
        plans: chords of the first four bars of the first part, then of the second, in Roman numerals. The
            number of plans is the share of the scale in its mode.
    """

    mode: Mode
    degrees: tuple[int, ...]
    altered: tuple[int, ...]
    dominant: str
    plans: tuple[str, ...]


SCALES: Mapping[str, Scale] = {
    "ionian": Scale("major", IONIAN, (), "V", (
        "I I IV V I IV I V", "I I V V I IV I V", "I I ii V IV I ii V", "I IV I V I IV I V",
        "I vi IV V IV I IV V", "I I I V V I IV V", "I I IV I I I V V", "I V I V I V IV V",
        "I I vi V vi vi IV V", "I ii I V I I ii V", "I I IV V vi IV I V", "I IV V V I I IV V",
        "I iii IV V IV IV I V", "I I V I V V I V", "I IV I ii I V vi V", "I I ii ii I IV V V",
        "IV I IV V I I IV V", "I vi ii V I I ii V", "I I I I IV I V V",
    )),
    "mixolydian": Scale("major", MIXOLYDIAN, (11,), "bVII", (
        "I I bVII bVII I I bVII bVII", "I bVII I bVII I IV I bVII", "I I I bVII I I IV bVII",
        "I IV I bVII bVII I bVII bVII", "I I bVII IV I bVII IV I", "I bVII IV bVII I I bVII IV",
    )),
    "major hexatonic": Scale("major", (0, 2, 4, 5, 7, 9), (), "V", ("I I IV V I IV I V",)),
    "major pentatonic": Scale("major", (0, 2, 4, 7, 9), (), "V", ("I I vi V I vi I V",)),
    "dorian": Scale("minor", DORIAN, (), "bVII", (
        "i i bVII bVII i i bVII bVII", "i bVII i bVII i i IV bVII", "i i i bVII bIII bVII i bVII",
        "i IV i bVII i IV i bVII", "i i bVII v bIII bVII i v", "i i IV bVII i bVII IV bVII",
        "i bVII i v i i bVII IV", "i i bVII i bVII bVII i bVII", "i v i bVII bIII IV i bVII",
        "i i i i bVII bVII i bVII",
    )),
    "aeolian": Scale("minor", AEOLIAN, (), "bVII", (
        "i i bVI bVII i bIII bVI bVII", "i bVII bVI bVII i i bVII v", "i i bVII i bIII bVII i v",
        "i i iv v bVI bVII i bVII", "i bVI bIII bVII i bVII i v",
    )),
    "minor hexatonic": Scale("minor", (0, 2, 3, 5, 7, 10), (), "bVII", (
        "i i bVII bVII i i bVII bVII", "i bVII i v bIII bVII i bVII", "i i bIII bVII i bVII bIII v",
    )),
    "melodic minor": Scale("minor", AEOLIAN, (9, 11), "V", (
        "i i iv V i iv i V", "i V i V bIII bVII i V",
    )),
}  # fmt: skip
"""The scales by name. Dorian and aeolian count as minor, mixolydian as major."""

_VARIABLE = 0.35
"""Share of mixolydian tunes whose seventh degree is at times major."""


def inflected(notes: Sequence[Note], scale_name: str, rng: np.random.Generator) -> list[Note]:
    """Return a tune with the seventh degree raised where it leads to the tonic, in scales that do so.

    In ``melodic minor`` this is every seventh degree below a tonic, and a sixth degree before it is raised,
    too. Some ``mixolydian`` tunes do it in half of the places. Pitches are in semitones above the tonic.
    """
    chance = {"melodic minor": 1.0, "mixolydian": 0.5 if rng.random() < _VARIABLE else 0.0}
    often = chance.get(scale_name, 0.0)
    pitches = [note.pitch for note in notes]
    for number in range(len(pitches) - 2, -1, -1):
        pitch, following = pitches[number], pitches[number + 1]
        leads = pitch % 12 == 10 and following - pitch == 2 and rng.random() < often
        leads |= scale_name == "melodic minor" and pitch % 12 == 8 and following - pitch == 3
        if leads:
            pitches[number] = pitch + 1
    return [
        Note(note.start, note.end, pitch, note.velocity) for note, pitch in zip(notes, pitches, strict=True)
    ]


def group_names(mode: Mode) -> list[str]:
    """Return the scales of a mode with each of their plans, such as ``dorian - i i bVII i ...``."""
    return [
        f"{name} - {plan}" for name, scale in SCALES.items() if scale.mode == mode for plan in scale.plans
    ]


def chords_of(plan: str, dominant: str) -> tuple[list[str], list[str]]:
    """Return the chords of the eight bars of the first and of the second part.

    The second half of a part begins as the first does, and comes home: its last bar but one is the dominant.
    """
    names = plan.split()
    for name in (*names, dominant):
        chord(name)
    first, second = names[:4], names[4:]
    return [*first, *first[:2], dominant, first_tonic(names)], [
        *second,
        *second[:2],
        dominant,
        first_tonic(names),
    ]


def first_tonic(names: Sequence[str]) -> str:
    """Return the chord on the tonic among chords: ``I`` or ``i``."""
    return next(name for name in names if name in ("I", "i"))
