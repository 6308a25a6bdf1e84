"""Sessions: dance tunes in unison on fiddles, whistles, plucked strings, with or without accompaniment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.synthetic.clip import SECONDS
from pipelines.synthetic.harmony import AEOLIAN, DORIAN, IONIAN, MIXOLYDIAN
from pipelines.synthetic.songs import accompaniment, melody_instruments, tunes
from pipelines.synthetic.songs.chords import Span
from pipelines.synthetic.songs.notes import Clock, Note, moved
from pipelines.synthetic.songs.stage import Stage

SCALES = {"ionian": IONIAN, "mixolydian": MIXOLYDIAN, "dorian": DORIAN, "aeolian": AEOLIAN}
"""The scales of session tunes by name."""

_PLAYERS = {
    "fiddle": 0.34, "whistle": 0.14, "wooden flute": 0.12, "concertina": 0.08, "accordion": 0.08,
    "pipes": 0.06,
    "banjo": 0.1, "mandolin": 0.05, "harp": 0.03,
}  # fmt: skip
# Sounding middle of the tunes on each instrument, as MIDI pitches.
_MIDDLES = {"whistle": 81.0, "banjo": 62.0}
Layers = list[tuple[str, np.ndarray, float]]


def stage_for(rng: np.random.Generator, dance: tunes.Dance, tonic: int, cents: float) -> Stage:
    """Draw the tempo and where in the tune the clip begins."""
    beat = 60 / rng.uniform(*dance.tempo)
    start = rng.uniform(0, 0.5) if rng.random() < 0.5 else -rng.uniform(0, 8 * dance.beats) * beat
    last = float(np.ceil((SECONDS - start) / beat))
    bar = {2: 2, 3: 3}.get(dance.beats, 4)
    return Stage(rng, Clock(beat, rng.uniform(*dance.swing), start), tonic, cents, bar, last)


def composed(stage: Stage, dance: tunes.Dance, scale_name: str) -> tuple[list[Note], list[Span]]:
    """Compose a tune of two parts and repeat it until the end: ``A A B B``, in semitones above the tonic."""
    rng, scale = stage.rng, SCALES[scale_name]
    low = int(rng.integers(-7, 1))
    parts = []
    for low_here in (low, min(low + int(rng.integers(0, 6)), 0)):
        spans = tunes.harmony(rng, scale_name, 8, dance.beats)
        parts.append((tunes.part(rng, dance, scale, spans, low_here, low_here + 17), spans))
    notes: list[Note] = []
    harmony: list[Span] = []
    length, number = 8 * dance.beats, 0
    while number * length < stage.last:
        part_notes, part_spans = parts[(0, 0, 1, 1)[number % 4]]
        shift = number * length
        notes += [Note(n.start + shift, n.end + shift, n.pitch, n.velocity) for n in part_notes]
        harmony += [Span(s.start + shift, s.end + shift, s.chord) for s in part_spans]
        number += 1
    return notes, harmony


def play(stage: Stage, dance: tunes.Dance, scale_name: str) -> tuple[Layers, dict[str, float | str]]:
    """Play a tune as a session does.

    Returns:
        layers as (name, float32 ``[SAMPLES]``, level in dB), and what was drawn.
    """
    rng = stage.rng
    notes, harmony = composed(stage, dance, scale_name)
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.2, 0.25, 0.25, 0.2, 0.1]))
    names = [str(name) for name in rng.choice(list(_PLAYERS), count, p=list(_PLAYERS.values()))]
    rough = rng.uniform(2, 14)
    layers: Layers = [
        (name, _player(stage, notes, scale_name, name, rough), rng.uniform(-5, 0)) for name in names
    ]
    backing = str(rng.choice(["none", "steel guitar", "bouzouki", "piano"], p=[0.35, 0.35, 0.15, 0.15]))
    if backing == "piano":
        layers.append(("piano", accompaniment.keys(stage, harmony, "piano"), rng.uniform(-14, -4)))
    elif backing != "none":
        fret = accompaniment.capo(rng, stage.tonic, "major")
        playing = accompaniment.strummed if rng.random() < 0.75 else accompaniment.picked
        layers.append((backing, playing(stage, harmony, backing, fret), rng.uniform(-14, -4)))
    if rng.random() < 0.35:
        layers.append(("bodhran", accompaniment.bodhran(stage, dance.division), rng.uniform(-14, -5)))
    return layers, {"instruments": " ".join(name for name, *_ in layers), "voices": 0}


def _player(stage: Stage, notes: Sequence[Note], scale_name: str, name: str, rough: float) -> np.ndarray:
    rng = stage.rng
    middle = float(np.median([note.pitch for note in notes]))
    base = stage.near(0, _MIDDLES.get(name, 72.0) - middle)
    often = rng.uniform(0, 0.3) if name not in ("banjo", "mandolin", "harp") else rng.uniform(0, 0.08)
    own = tunes.ornamented(rng, notes, SCALES[scale_name], often)
    # Nobody plays exactly the same: now and then a note is left out, or held on.
    own = [note for note in own if rng.random() > 0.02]
    played = sorted(stage.clock.played(own, rng, 0.008), key=lambda note: note.start)
    mistuned = stage.cents + float(np.clip(rng.normal(0, rough), -30, 30))
    return melody_instruments.play(moved(played, base), name, len(stage.silence()), rng, mistuned)
