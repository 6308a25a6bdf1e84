"""More voices to a melody: thirds, and hymns in four parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipelines.synthetic.songs.chords import Span, fitted
from pipelines.synthetic.songs.melody import chord_at
from pipelines.synthetic.songs.notes import Note


def parallel(notes: Sequence[Note], scale: Sequence[int], spans: Sequence[Span], steps: int) -> list[Note]:
    """Return the melody moved by steps on the scale (2 is a third up, -2 down), bent to the chords.

    On long notes the voice takes the nearest note of the chord.
    """
    ladder = [12 * octave + note for octave in range(-4, 5) for note in scale]
    out = []
    for note in notes:
        place = min(range(len(ladder)), key=lambda p: abs(ladder[p] - note.pitch))
        pitch, harmony = ladder[place + steps], chord_at(spans, note.start)
        if note.end - note.start >= 0.8:
            away = [
                p for p in range(int(note.pitch) - 9, int(note.pitch) + 10) if p % 12 in harmony.pitch_classes
            ]
            side = [p for p in away if (p > note.pitch) == (steps > 0) and abs(p - note.pitch) >= 2]
            pitch = min(side or [pitch], key=lambda p: abs(p - pitch))
        out.append(replace(note, pitch=fitted(pitch, harmony)))
    return out


def below(notes: Sequence[Note], spans: Sequence[Span]) -> list[list[Note]]:
    """Return alto, tenor and bass under a melody in chords: close position, and the root in the bass.

    Args:
        notes: the melody in beats, in semitones above the tonic.
        spans: the chords.

    Returns:
        three lists as long as ``notes``.
    """
    alto, tenor, bass = [], [], []
    last = -17
    for note in notes:
        harmony = chord_at(spans, note.start)
        inside = [
            p for p in range(int(note.pitch) - 24, int(note.pitch) - 2) if p % 12 in harmony.pitch_classes
        ]
        second = inside[-1]
        third = next(p for p in reversed(inside) if p < second - 1)
        roots = [p for p in range(-26, -8) if p % 12 == harmony.root]
        last = min(roots, key=lambda p: abs(p - last) + abs(p + 17) * 0.3)
        alto.append(replace(note, pitch=second))
        tenor.append(replace(note, pitch=third))
        bass.append(replace(note, pitch=last))
    return [alto, tenor, bass]
