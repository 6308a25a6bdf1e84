"""Who sings what: soloists, crews, duets in thirds, choirs in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipelines.synthetic.clip import SAMPLES
from pipelines.synthetic.songs import lines, parts, voices
from pipelines.synthetic.songs.chords import Span
from pipelines.synthetic.songs.notes import Note, moved
from pipelines.synthetic.songs.stage import Stage

MEN, WOMEN = 55.0, 66.0
"""Middle of the melodies that men and women sing, as MIDI pitches."""


@dataclass(frozen=True)
class Voicing:
    """A line for a number of singers.

    Attributes:
        notes: in beats, MIDI pitches without the clip's tuning.
        count: how many sing it.
        women: women or children sing it.
        loudness: relative to the other lines.
    """

    notes: list[Note]
    count: int
    women: bool
    loudness: float = 1.0


def home(stage: Stage, notes: Sequence[Note], middle: float) -> int:
    """Return the MIDI pitch of the tonic that puts the middle of a melody nearest to ``middle``."""
    return stage.near(0, middle - float(np.median([note.pitch for note in notes])))


def arranged(
    stage: Stage, kind: str, notes: Sequence[Note], spans: Sequence[Span], scale: Sequence[int], phrase: float
) -> list[Voicing]:
    """Give a melody to singers.

    Args:
        stage: the key and the random numbers.
        kind: a key of ``Form.singers`` other than ``none``.
        notes: the melody in beats, in semitones above the tonic.
        spans: the chords.
        scale: semitones above the tonic.
        phrase: beats in a phrase.

    Returns:
        the lines, at most six singers.
    """
    rng = stage.rng
    women = bool(rng.random() < 0.5)
    base = home(stage, notes, (WOMEN if women else MEN) + rng.uniform(-3, 3))
    lead = Voicing(moved(notes, base), 1, women)
    if kind in ("solo", "humming"):
        return [lead]
    if kind == "parts":
        top = home(stage, notes, 70 if rng.random() < 0.7 else 64)
        lower = [moved(line, top) for line in parts.below(notes, spans)]
        high = top > 58
        lines_of_choir = [Voicing(moved(notes, top), int(rng.integers(1, 3)), high)]
        return lines_of_choir + [
            Voicing(line, 1, high and number == 0, 0.8) for number, line in enumerate(lower)
        ]
    if kind == "thirds":
        steps = int(rng.choice([2, -2, -3, 4]))
        other = Voicing(
            moved(parts.parallel(notes, scale, spans, steps), base), 1, bool(rng.random() < 0.5), 0.7
        )
        return [replace(lead, count=int(rng.integers(1, 3))), other]
    octave = 12 if not women else -12
    if kind == "unison":
        here = int(rng.integers(2, 5))
        others = int(rng.integers(0, 3))
        crew = [replace(lead, count=here), Voicing(moved(notes, base + octave), others, not women, 0.8)]
        return [voicing for voicing in crew if voicing.count]
    calls = [note for note in notes if int(note.start / phrase + 1e-6) % 2 == 0]
    answers = [note for note in notes if int(note.start / phrase + 1e-6) % 2]
    crew = [Voicing(moved(answers, base), int(rng.integers(2, 4)), women)]
    if rng.random() < 0.4:
        third = parts.parallel(answers, scale, spans, -2)
        crew.append(Voicing(moved(third, base), 1, women, 0.7))
    elif rng.random() < 0.5:
        crew.append(Voicing(moved(answers, base + octave), 1, not women, 0.8))
    return [Voicing(moved(calls, base), 1, women), *crew]


def drifting(rng: np.random.Generator, cents: float) -> np.ndarray:
    """Draw how singers without instruments drift away from their pitch.

    Args:
        rng: draws the drift.
        cents: where they start, relative to A4 = 440 Hz; together with the drift it stays within 50.

    Returns:
        cents relative to the start at each control point of ``lines`` for a clip.
    """
    points = -(-SAMPLES // lines.HOP) + 1
    end = float(np.clip(cents + rng.normal(-8, 20), -48, 48)) - cents
    wave = lines.smooth_noise(rng, points, 0.15) * rng.uniform(0, 6)
    return np.clip(np.linspace(0, end, points) + wave, -50 - cents, 50 - cents)


def sung(
    stage: Stage,
    voicings: Sequence[Voicing],
    *,
    mistuned: float,
    trained: bool,
    humming: bool,
    drift: np.ndarray | None,
) -> np.ndarray:
    """Sing all lines; float32 ``[SAMPLES]``.

    Args:
        stage: the clock, the tuning and the random numbers.
        voicings: the lines.
        mistuned: standard deviation of the errors of the singers, in cents.
        trained: trained voices.
        humming: with closed lips.
        drift: see :func:`drifting`; None for singers with instruments.
    """
    rng, out = stage.rng, stage.silence()
    for voicing in voicings:
        words: list[str] | None = None
        for _ in range(voicing.count):
            singer = voices.draw_singer(
                rng, woman=voicing.women, mistuned=mistuned, trained=trained, humming=humming
            )
            if words is None:
                words = voices.draw_words(rng, len(voicing.notes), singer)
            notes = moved(
                stage.clock.played(voicing.notes, rng, rng.uniform(0.005, 0.025)), stage.cents / 100
            )
            late = rng.uniform(-0.02, 0.03)
            notes = [replace(note, start=note.start + late, end=note.end + late) for note in notes]
            notes.sort(key=lambda note: note.start)
            level = np.float32(voicing.loudness * rng.uniform(0.6, 1) / voicing.count**0.5)
            out += voices.sing(notes, singer, len(out), rng, drift, words) * level
    return out
