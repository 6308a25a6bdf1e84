"""Single lines: riffs that stay while the chords move, acid lines, melodies, voices."""

from __future__ import annotations

import numpy as np

from pipelines.synthetic.electronic.patches import Note
from pipelines.synthetic.electronic.piece import Piece

# Degrees of a riff: mostly the tonic, its third and its fifth.
_RIFF = (0, 0, 0, 2, 2, 4, 4, 1, 3, 5, 6, -1, 7)


def riff_notes(rng: np.random.Generator, piece: Piece, layer: str = "riff") -> list[Note]:
    """Write a riff: a phrase of one or two bars that is repeated whatever the chords."""
    beats = int(rng.choice([4, 8]))
    grid = float(rng.choice([0.25, 0.5, 0.5]))
    octave = int(rng.choice([2, 3, 3, 4]))
    density = rng.uniform(0.3, 0.6) * (1.2 if grid == 0.5 else 0.8)
    starts = [float(start) for start in np.arange(0, beats, grid) if rng.random() < density]
    degrees = [int(degree) for degree in rng.choice(_RIFF, len(starts))]
    # The phrase begins on the tonic and has the third: by these one hears the key.
    starts, degrees = [0.0, *starts[1:]], [0, *degrees[1:]]
    if len(starts) < 3:
        starts, degrees = [0.0, 1.5, 2.5], [0, 2, 4]
    if 2 not in degrees:
        degrees[int(rng.integers(1, len(degrees)))] = 2
    lengths = rng.choice([0.25, 0.4, 0.9], len(starts)).tolist()
    return [
        Note(bar + start, length, piece.pitch(degree, octave))
        for bar in range(0, piece.beats, beats)
        for start, degree, length in zip(starts, degrees, lengths, strict=True)
        if piece.plays(layer, bar + start)
    ]


def acid_notes(rng: np.random.Generator, piece: Piece) -> list[Note]:
    """Write an acid line: sixteenths around the tonic, with leaps of an octave, slides and passing notes."""
    octave = int(rng.choice([1, 1, 2]))
    steps: list[list] = []
    for number in range(16):
        if number and rng.random() < 0.25:
            continue
        semitones = int(rng.choice([0, 0, 0, 0, 12, -12, *(piece.scale[place] for place in (1, 2, 2, 4, 6))]))
        steps.append([number / 4, 0 if number == 0 else semitones, rng.random() < 0.25, rng.random() < 0.3])
    for before, step, after in zip(steps, steps[1:], steps[2:], strict=False):
        # A passing note: chromatic, between two tones a whole tone apart, or leading to the next.
        if step[1] != after[1] and rng.random() < 0.15:
            step[1] = after[1] + (1 if before[1] > after[1] else -1)
    period = float(rng.choice([16, 32, 64]))
    bottom = piece.tonic + 12 * octave
    notes: list[Note] = []
    last = bottom
    for bar in range(0, piece.beats, 4):
        for start, semitones, slides, accented in steps:
            beat, pitch = bar + start, bottom + semitones
            if piece.plays("acid", beat):
                # The filter opens and closes slowly, in steps of a bar.
                opening = 2.0 ** round(2 * np.sin(2 * np.pi * bar / period), 3)
                notes.append(
                    Note(
                        beat,
                        0.4 if slides else 0.2,
                        pitch,
                        1.0 if accented else 0.7,
                        float(pitch - last) if slides else 0.0,
                        float(opening),
                    )
                )
            last = pitch
    return notes


def lead_notes(rng: np.random.Generator, piece: Piece, layer: str = "lead") -> list[Note]:
    """Write a melody of 8 or 16 beats that is repeated.

    It begins bars on tones of the chords and moves mostly by step; over the tonic's chord, it ends on the
    tonic. Half of the melodies leave out the fourth and seventh degrees in major, the second and sixth in
    minor (pentatonic).
    """
    beats = max(int(rng.choice([8, 16])), piece.chord_beats * min(len(piece.degrees), 4))
    left_out = ({3, 6} if piece.key.mode == "major" else {1, 5}) if rng.random() < 0.5 else set()
    octave = int(rng.choice([3, 3, 4]))
    degree, beat = int(rng.choice([0, 2, 4])), 0.0
    phrase: list[tuple[float, float, int]] = []
    while beat < beats:
        length = float(rng.choice([0.5, 0.5, 1, 1, 1.5, 2]))
        if rng.random() < 0.8:
            root = piece.root_at(beat)
            if beat % 4 == 0 or rng.random() < 0.3:
                # The nearest tone of the chord, so that the line does not leap.
                degree = min((root + 2 * third + 7 * turn for third in range(3) for turn in (-1, 0, 1)),
                             key=lambda place: abs(place - degree))  # fmt: skip
            else:
                degree += int(rng.choice([-2, -1, -1, 1, 1, 2]))
            degree = int(np.clip(degree, -3, 9))
            if degree % 7 in left_out:
                degree += 1 if degree < 3 else -1
            phrase.append((beat, min(length, beats - beat), degree))
        beat += length
    if phrase:
        start, length, degree = phrase[-1]
        phrase[-1] = (start, length, 7 * round(degree / 7) if piece.root_at(start) == 0 else degree)
    return [
        Note(bar + start, length * 0.95, piece.pitch(degree, octave))
        for bar in range(0, piece.beats, beats)
        for start, length, degree in phrase
        if piece.plays(layer, bar + start)
    ]
