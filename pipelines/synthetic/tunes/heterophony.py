"""What each player makes of a tune: other notes in places, ornaments, notes left out or held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipelines.synthetic.songs import tunes
from pipelines.synthetic.songs.notes import Note


@dataclass(frozen=True)
class Habits:
    """Habits of a player.

    Attributes:
        ornaments: chance that a note has a cut or a roll.
        trebles: chance that a note of a beat or so is broken into three.
        varied: chance that an unstressed note is another one.
        held: chance that a note is left out, and the one before it held.
        lag: how late the player is, in seconds.
        jitter: standard deviation of the starts of the notes, in seconds.
    """

    ornaments: float = 0.1
    trebles: float = 0.0
    varied: float = 0.05
    held: float = 0.03
    lag: float = 0.0
    jitter: float = 0.012


def own_version(
    rng: np.random.Generator, notes: Sequence[Note], degrees: Sequence[int], habits: Habits
) -> list[Note]:
    """Return a player's version of a tune.

    Args:
        rng: draws the places.
        notes: the tune, in beats and semitones above the tonic.
        degrees: the scale, from which other notes and ornaments are taken.
        habits: the player's.

    Returns:
        the version, of the same length; it ends as the tune does.
    """
    ladder = sorted(12 * octave + degree for octave in range(-3, 4) for degree in degrees)
    own: list[Note] = []
    for number, note in enumerate(notes):
        weak = note.velocity < 1 and number + 1 < len(notes)
        if own and weak and rng.random() < habits.held and abs(own[-1].end - note.start) < 1e-6:
            own[-1] = replace(own[-1], end=note.end)
        elif weak and rng.random() < habits.varied:
            near = [p for p in ladder if 0 < abs(p - note.pitch) < 5]
            own.append(replace(note, pitch=float(rng.choice(near))))
        elif 0.45 < note.end - note.start < 1.6 and rng.random() < habits.trebles:
            own += _thirds(note)
        else:
            own.append(note)
    return tunes.ornamented(rng, own, degrees, habits.ornaments)


def _thirds(note: Note) -> list[Note]:
    third = (note.end - note.start) / 3
    return [
        replace(note, start=note.start + number * third, end=note.start + (number + 1) * third)
        for number in range(3)
    ]
