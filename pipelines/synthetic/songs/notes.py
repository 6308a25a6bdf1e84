"""Notes, the clock that plays them, and the buffer that they are mixed into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE


@dataclass(frozen=True)
class Note:
    """A note.

    Attributes:
        start: when it begins: in beats in a composition, in seconds once a :class:`Clock` has played it.
        end: when it ends, in the same unit.
        pitch: MIDI pitch (69 is A4), or semitones above the tonic in a composition without a key yet.
        velocity: loudness relative to the other notes of the line, about 0.3 to 1.
    """

    start: float
    end: float
    pitch: float
    velocity: float = 1.0


@dataclass(frozen=True)
class Clock:
    """The tempo of a clip.

    Attributes:
        beat: length of a beat, in seconds.
        swing: where in a beat its second half begins: 0.5 is straight, 2/3 a triplet.
        start: when the first beat begins, in seconds; negative if the clip begins within the song.
    """

    beat: float
    swing: float = 0.5
    start: float = 0.0

    def seconds(self, beats: float) -> float:
        """Return when a position in beats comes."""
        whole, part = divmod(beats, 1.0)
        swung = part * 2 * self.swing if part < 0.5 else self.swing + (part - 0.5) * 2 * (1 - self.swing)
        return self.start + (whole + swung) * self.beat

    def played(self, notes: Iterable[Note], rng: np.random.Generator, jitter: float = 0.008) -> list[Note]:
        """Return the notes in seconds, each earlier or later by a normal deviate of ``jitter`` seconds."""
        out = []
        for note in notes:
            shift = float(rng.normal(0, jitter))
            start, end = self.seconds(note.start) + shift, self.seconds(note.end) + shift
            out.append(replace(note, start=start, end=end))
        return out


def moved(notes: Iterable[Note], semitones: float) -> list[Note]:
    """Return the notes transposed."""
    return [replace(note, pitch=note.pitch + semitones) for note in notes]


def add(buffer: np.ndarray, seconds: float, samples: np.ndarray, gain: float = 1.0) -> None:
    """Add a waveform to a buffer, in place, from a time on; what is outside of the buffer is cut off."""
    first = round(seconds * SAMPLE_RATE)
    skip = max(0, -first)
    part = samples[skip : max(skip, len(buffer) - first)]
    if len(part):
        buffer[first + skip : first + skip + len(part)] += np.float32(gain) * part
