"""What is behind a tune: drones, a guitar, bouzouki or piano, a drum, feet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipelines.synthetic.accompaniments import parts as midi
from pipelines.synthetic.clip import SECONDS
from pipelines.synthetic.songs import accompaniment, percussion
from pipelines.synthetic.songs.chords import Chord, Span, chord
from pipelines.synthetic.songs.notes import add
from pipelines.synthetic.songs.stage import Stage
from pipelines.synthetic.tunes.composition import weighted
from pipelines.synthetic.tunes.rounds import Round

Layers = list[tuple[str, np.ndarray, float]]
"""Names, float32 ``[SAMPLES]`` and levels in dB."""

WITHOUT = 0.6
"""Share of the clips without chords behind the tune."""

_KINDS = {"strummed": 0.3, "picked": 0.08, "vamp": 0.34, "fifths": 0.2, "bass": 0.08}
_STRINGS = {"steel guitar": 0.55, "bouzouki": 0.3, "nylon guitar": 0.15}
# What accompanists put in place of a chord.
_RELATIVES = {"IV": "ii", "ii": "IV", "vi": "I", "bVI": "iv", "v": "bVII", "bIII": "bVII"}
_VAMP_PROGRAMS = (0, 1, 3, 24, 25, 21)
_FIFTH_PROGRAMS = (24, 25, 25, 15)
_BASS_PROGRAMS = (32, 43, 42)
_DRONE_PROGRAMS = (20, 109, 68, 110, 22)


@dataclass(frozen=True)
class Backing:
    """What is behind a tune.

    Attributes:
        kind: ``none``, ``strummed``, ``picked``, ``vamp``, ``fifths`` or ``bass``.
        drone: ``none``, ``tonic``, ``tonic and fifth`` or ``fifth``.
        pulse: ``none``, ``bodhran`` or ``feet``.
    """

    kind: str
    drone: str
    pulse: str


def draw_backing(rng: np.random.Generator, *, drones: float, free: bool) -> Backing:
    """Draw what is behind a tune.

    Args:
        rng: draws it.
        drones: chance of a drone.
        free: whether the tune has no steady beat; it is then alone or on a drone.
    """
    kind = "none" if free or rng.random() < WITHOUT else weighted(rng, _KINDS)
    drone = "none"
    if rng.random() < drones:
        drone = weighted(rng, {"tonic": 0.5, "tonic and fifth": 0.44, "fifth": 0.06})
    pulse = "none" if free else weighted(rng, {"none": 0.68, "bodhran": 0.2, "feet": 0.12})
    return Backing(kind, drone, pulse)


def drone_part(rng: np.random.Generator, kind: str, tonic: int, cents: float) -> midi.Part:
    """Return a drone through the whole clip, renewed now and then; times are in seconds.

    Args:
        rng: draws instrument and octaves.
        kind: a drone of :class:`Backing` but ``none``.
        tonic: pitch class of the tonic.
        cents: its tuning.
    """
    low = 36 + (tonic - 36) % 12
    pitches = [low, low + 12, low + 24] if kind != "fifth" else [low + 7, low + 19]
    pitches = [pitch for pitch in pitches if rng.random() < 0.7] or [pitches[-1]]
    if kind == "tonic and fifth":
        pitches.append(low + int(rng.choice([7, 19])))
    breath = rng.uniform(4, 14)
    notes = tuple(
        midi.Note(start, breath, pitch, 80)
        for start in np.arange(0.0, SECONDS, breath).tolist()
        for pitch in pitches
    )
    return midi.Part("chords", int(rng.choice(_DRONE_PROGRAMS)), notes, int(rng.integers(40, 85)), cents)


def harmonised(rng: np.random.Generator, harmony: Sequence[Span], *, open_fifths: bool) -> list[Span]:
    """Return the chords that an accompanist puts behind a tune.

    Players choose: in a quarter of the clips, a chord of the plan becomes one that shares notes with it.

    Args:
        rng: draws the choices.
        harmony: the chords of the plan, a bar each.
        open_fifths: whether chords have no third.
    """
    chosen: dict[Chord, Chord] = {}
    relatives = {chord(name): chord(other) for name, other in _RELATIVES.items()}
    spans: list[Span] = []
    for span in harmony:
        if span.chord not in chosen:
            other = relatives.get(span.chord, span.chord) if rng.random() < 0.25 else span.chord
            chosen[span.chord] = other
        here = chosen[span.chord]
        if open_fifths and 6 not in here.intervals:
            here = replace(here, intervals=(0, 7))
        spans.append(replace(span, chord=here))
    return spans


def played(stage: Stage, tune: Round, kind: str, spans: Sequence[Span]) -> tuple[Layers, list[midi.Part]]:
    """Play chords behind a tune: on strings as layers, or as parts for the soundfont, in seconds."""
    rng = stage.rng
    if kind in ("strummed", "picked"):
        name = weighted(rng, _STRINGS)
        fret = accompaniment.capo(rng, stage.tonic, "major")
        playing = accompaniment.strummed if kind == "strummed" else accompaniment.picked
        return [(name, playing(stage, spans, name, fret), rng.uniform(-14, -5))], []
    programs = {"vamp": _VAMP_PROGRAMS, "fifths": _FIFTH_PROGRAMS, "bass": _BASS_PROGRAMS}[kind]
    notes = _vamp(stage, tune, spans, bass_only=kind == "bass")
    volume = int(rng.integers(35, 75))
    role = "bass" if kind == "bass" else "chords"
    return [], [midi.Part(role, int(rng.choice(programs)), notes, volume, stage.cents)]


def _vamp(stage: Stage, tune: Round, spans: Sequence[Span], *, bass_only: bool) -> tuple[midi.Note, ...]:
    """Return a bass on the beats, root and fifth in turn, and chords between, in seconds."""
    rng = stage.rng
    middle = rng.uniform(55, 64)
    # Tunes in fast crotchets have a bass on each second one.
    unit = 2.0 if stage.clock.beat < 0.42 else 1.0
    notes: list[midi.Note] = []
    number = 0
    for span in spans:
        roots = stage.near(span.chord.root, middle - 17)
        chords = [stage.near(pitch, middle) for pitch in sorted(span.chord.pitch_classes)]
        beat = span.start
        while beat < min(span.end, tune.last) - 1e-6:
            strokes = [(0.0, [roots + (7 if number % 2 and 7 in span.chord.intervals else 0)], 84)]
            if not bass_only:
                strokes.append((unit / 2 if unit > 1 or stage.bar != 2 else 2 / 3, chords, 70))
            for place, pitches, loud in strokes:
                start = stage.clock.seconds(beat + place) + rng.normal(0, 0.006)
                length = stage.clock.beat * unit * (0.9 if bass_only else 0.45)
                if start > -length:
                    notes += [midi.Note(start, length, pitch, round(loud * rng.uniform(0.85, 1.1)))
                              for pitch in pitches]  # fmt: skip
            beat += unit
            number += 1
    return tuple(notes)


def pulse(stage: Stage, kind: str, division: int) -> tuple[str, np.ndarray, float]:
    """Play a frame drum or tap the feet: a name, float32 ``[SAMPLES]`` and a level in dB."""
    rng = stage.rng
    if kind == "bodhran":
        return kind, accompaniment.bodhran(stage, division), rng.uniform(-15, -6)
    out = stage.silence()
    taps = [percussion.KINDS["stomp"](rng) for _ in range(4)]
    step = 2 if stage.clock.beat < 0.42 else 1
    for beat in range(0, int(stage.last), step):
        start = stage.clock.seconds(beat) + rng.normal(0, 0.01)
        add(out, start, taps[int(rng.integers(4))], rng.uniform(0.6, 1))
    return kind, out, rng.uniform(-16, -7)
