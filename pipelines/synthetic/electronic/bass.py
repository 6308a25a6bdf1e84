"""Bass lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from pipelines.synthetic import harmony
from pipelines.synthetic.electronic.patches import Note
from pipelines.synthetic.electronic.piece import Piece, draw

Root = Callable[[float], int]
"""From a beat to the MIDI pitch of the bass's root."""

_REPEATED = {
    "offbeat": ((0.5,), 0.42),
    "rolling": ((0.25, 0.5, 0.75), 0.22),
    "stabs": ((0, 0.75), 0.3),
    "octaves": ((0, 0.5), 0.4),
}
"""Figures that are the same in each beat: positions, and how long a note is held."""


def figure_of(rng: np.random.Generator, piece: Piece) -> str:
    """Draw the figure of the bass, as the style weights them."""
    return draw(rng, piece.style.bass)


def bass_notes(rng: np.random.Generator, piece: Piece, figure: str, kicks: tuple[float, ...]) -> list[Note]:
    """Write the bass.

    Args:
        rng: draws octave and figure.
        piece: the plan of the clip.
        figure: ``long`` and ``wobble`` hold the roots, ``pedal`` the tonic, ``kick`` plays with the bass
            drum, ``riff`` repeats a phrase above the root, and the rest repeat a rhythm in each beat.
        kicks: when the bass drum plays, in beats of a bar of four.
    """
    octave = 12 * int(rng.random() < 0.4)
    # Now and then the bass stays on the tonic, whatever the chords; a riff does so more often.
    stays = figure == "pedal" or rng.random() < (0.3 if figure == "riff" else 0.12)

    def root(beat: float) -> int:
        semitones = harmony.degree(piece.scale, 0 if stays else piece.root_at(beat))
        # The roots above the fifth are played below the tonic.
        return piece.tonic + octave + (semitones - 12 if semitones > 7 else semitones)

    notes: Iterable[Note]
    if figure in ("long", "wobble", "pedal"):
        notes = _held(piece, root, broken=bool(rng.random() < 0.3))
    elif figure == "riff":
        notes = _riff(rng, piece, root)
    elif figure == "kick":
        starts = kicks
        length = float(rng.choice([0.4, 0.9]))
        notes = (
            Note(bar + start, length, root(bar + start))
            for bar in range(0, piece.beats, 4)
            for start in starts
        )
    else:
        starts, length = _REPEATED[figure]
        leap = 12 if figure == "octaves" else 0
        notes = (
            Note(beat + start, length, root(beat) + (leap if start else 0))
            for beat in range(piece.beats)
            for start in starts
        )
    return [note for note in notes if piece.plays("bass", note.beat)]


def _held(piece: Piece, root: Root, broken: bool) -> Iterator[Note]:
    """Hold each root for as long as its chord lasts, but at most four beats at a time."""
    step = min(piece.chord_beats, 4)
    for beat in range(0, piece.beats, step):
        if broken and step == 4:
            yield Note(beat, 1.4, root(beat))
            yield Note(beat + 1.5, 2.4, root(beat))
        else:
            yield Note(beat, step * 0.97, root(beat))


def _riff(rng: np.random.Generator, piece: Piece, root: Root) -> Iterator[Note]:
    """Repeat a phrase of sixteenths: mostly the root, its octave and fifth, and neighbours of the scale."""
    scale = piece.scale
    intervals = (0, 0, 0, 0, 12, 7, scale[6] - 12, scale[2], scale[3])
    density = rng.uniform(0.25, 0.6)
    phrase = [
        (start / 4, int(rng.choice(intervals)), float(rng.choice([0.2, 0.22, 0.45])))
        for start in range(16)
        if rng.random() < density
    ]
    phrase = [(0.0, 0, 0.45), *[step for step in phrase if step[0] > 0]]
    if rng.random() < 0.2:
        # A chromatic approach: the last sixteenth is a semitone away from the root that follows.
        phrase = [*[step for step in phrase if step[0] < 3.75], (3.75, int(rng.choice([-1, 1])), 0.2)]
    for bar in range(0, piece.beats, 4):
        for start, interval, length in phrase:
            yield Note(bar + start, length, root(bar + start) + interval)
