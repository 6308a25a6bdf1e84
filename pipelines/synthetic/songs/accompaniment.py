"""Guitars, basses, keys and drums that accompany chords. All layers are float32 ``[SAMPLES]``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE
from pipelines.synthetic.effects import band_pass, low_pass, saturate
from pipelines.synthetic.songs import keyboards, percussion
from pipelines.synthetic.songs.chords import Chord, Span
from pipelines.synthetic.songs.melody import chord_at
from pipelines.synthetic.songs.notes import add
from pipelines.synthetic.songs.stage import Bank, Stage, string_bank

STANDARD_TUNING = (40, 45, 50, 55, 59, 64)
"""Open strings of a guitar, as MIDI pitches."""

# Pitch classes of the tonics in whose keys open chords are easy.
_EASY = {"major": (0, 2, 4, 7, 9), "minor": (2, 4, 9)}

# Beat, loudness and direction (1 is down) of each strum in a bar.
_STRUMS: dict[int, tuple[tuple[tuple[float, float, int], ...], ...]] = {
    4: (
        ((0, 1, 1), (1, 0.8, 1), (1.5, 0.6, -1), (2.5, 0.7, -1), (3, 0.8, 1), (3.5, 0.6, -1)),
        ((0, 1, 1), (1, 0.8, 1), (2, 0.9, 1), (3, 0.8, 1)),
        ((0, 1, 1), (0.5, 0.5, -1), (1, 0.8, 1), (1.5, 0.5, -1), (2, 0.9, 1), (2.5, 0.5, -1), (3, 0.8, 1),
        (3.5, 0.5, -1)),
        ((0, 1, 1), (2, 0.8, 1)),
        ((0, 1, 1), (1.5, 0.8, -1), (2.5, 0.8, -1), (3, 0.8, 1)),
        ((0.5, 0.7, -1), (1.5, 0.8, -1), (2.5, 0.7, -1), (3.5, 0.8, -1)),
        ((0, 1, 1),),
    ),
    3: (
        ((0, 1, 1), (1, 0.7, 1), (2, 0.7, 1)),
        ((0, 1, 1), (1, 0.7, 1), (1.5, 0.5, -1), (2, 0.7, 1), (2.5, 0.5, -1)),
        ((1, 0.8, 1), (2, 0.8, 1)),
        ((0, 1, 1),),
    ),
    2: (
        ((0, 1, 1), (2 / 3, 0.6, -1), (1, 0.9, 1), (5 / 3, 0.6, -1)),
        ((0, 1, 1), (1 / 3, 0.4, -1), (2 / 3, 0.6, 1), (1, 0.9, 1), (4 / 3, 0.4, -1), (5 / 3, 0.6, 1)),
        ((0, 1, 1), (1, 0.8, 1)),
    ),
}  # fmt: skip


def capo(rng: np.random.Generator, tonic: int, mode: str) -> int:
    """Draw where the capo sits so that easy chords are in the key; below 0 the guitar is tuned down."""
    frets = [(tonic - easy) % 12 for easy in _EASY[mode]]
    frets = [fret if fret <= 7 else fret - 12 for fret in frets]
    weights = np.array([1 / (1 + abs(fret)) for fret in frets])
    return int(rng.choice(frets, p=weights / weights.sum()))


def voicing(chord: Chord, tonic: int, fret: int = 0) -> list[int]:
    """Return an open chord on a guitar as players grip it.

    Each string takes its lowest note of the chord below the fifth fret; strings below the lowest root are
    left out.

    Args:
        chord: the chord.
        tonic: pitch class of the tonic.
        fret: where the capo sits.

    Returns:
        MIDI pitches from low to high, at least three.
    """
    classes = {(tonic + pitch) % 12 for pitch in chord.pitch_classes}
    grip = []
    for string in STANDARD_TUNING:
        low = string + fret
        pitch = next((p for p in range(low, low + 5) if p % 12 in classes), None)
        if pitch is not None:
            grip.append(pitch)
    root = (tonic + chord.root) % 12
    first = next((i for i, pitch in enumerate(grip) if pitch % 12 == root), 0)
    return grip[first:] if len(grip) - first >= 3 else grip[-3:]


def bars(stage: Stage) -> range:
    """Return the numbers of the bars."""
    return range(int(np.ceil(stage.last / stage.bar)))


def strummed(stage: Stage, spans: Sequence[Span], name: str, fret: int) -> np.ndarray:
    """Strum chords on the guitar ``name`` in a pattern that varies a little."""
    rng, out = stage.rng, stage.silence()
    bank = string_bank(stage, name, 2.5, detuned=abs(rng.normal(0, 2.5)))
    patterns = _STRUMS[stage.bar]
    pattern = patterns[int(rng.integers(len(patterns)))]
    ringing = rng.random() < 0.7
    strums = [
        (bar * stage.bar + beat, loud, way)
        for bar in bars(stage)
        for beat, loud, way in pattern
        if bar * stage.bar + beat < stage.last and rng.random() < 0.96
    ]
    spread = rng.uniform(0.006, 0.022)
    scratches, scratching = [_scratch(rng) for _ in range(4)], 10 ** rng.uniform(-1.3, 0.2)
    for number, (beat, loud, way) in enumerate(strums):
        grip = voicing(chord_at(spans, beat), stage.tonic, fret)
        if way < 0:
            grip = grip[:-5:-1]
        start = stage.clock.seconds(beat) + rng.normal(0, 0.006)
        following = strums[number + 1][0] if number + 1 < len(strums) else beat + stage.bar
        length = stage.clock.seconds(following) - start if ringing else rng.uniform(0.12, 0.4)
        scratch = scratches[int(rng.integers(len(scratches)))]
        add(out, start, scratch, loud * scratching)
        for order, pitch in enumerate(grip):
            bank.play(out, start + order * spread, length + 0.05, pitch, loud * rng.uniform(0.6, 1))
    return out


def _scratch(rng: np.random.Generator) -> np.ndarray:
    """Return the noise of a plectrum across the strings; float32, peak about 1."""
    length = int(rng.uniform(0.03, 0.08) * SAMPLE_RATE)
    noise = band_pass(
        rng.standard_normal(length, dtype=np.float32), rng.uniform(500, 1500), rng.uniform(3500, 8000)
    )
    return noise * np.hanning(length).astype(np.float32)


def picked(stage: Stage, spans: Sequence[Span], name: str, fret: int) -> np.ndarray:
    """Pick chords: the thumb alternates between low strings, the fingers play a pattern on the high ones."""
    rng, out = stage.rng, stage.silence()
    bank = string_bank(stage, name, 2.5, detuned=abs(rng.normal(0, 2.5)))
    unit = 1 / 3 if stage.bar == 2 else 0.5
    count = round(stage.bar / unit)
    fingers = [int(rng.integers(1, 5)) for _ in range(count)]
    used = rng.random(count) < 0.85
    for bar in bars(stage):
        for step in range(count):
            beat = bar * stage.bar + step * unit
            if beat >= stage.last:
                break
            grip = voicing(chord_at(spans, beat), stage.tonic, fret)
            start = stage.clock.seconds(beat) + rng.normal(0, 0.005)
            if step % (count // 2 or 1) == 0 or (stage.bar == 4 and step % 2 == 0):
                bass = grip[0] if step % 4 == 0 else grip[min(1, len(grip) - 1)]
                bank.play(out, start, 1.2, bass, rng.uniform(0.7, 1))
            if used[step]:
                bank.play(out, start, 1.0, grip[-1 - fingers[step] % (len(grip) - 1)], rng.uniform(0.4, 0.8))
    return out


def power_chords(stage: Stage, spans: Sequence[Span]) -> np.ndarray:
    """Play roots and fifths on a distorted electric guitar."""
    rng, out = stage.rng, stage.silence()
    bank = string_bank(stage, "electric guitar", 2.5)
    unit = float(rng.choice([0.5, 1, stage.bar])) if stage.bar != 2 else float(rng.choice([1 / 3, 1, 2]))
    muted = rng.random() < 0.4
    for step in range(int(stage.last / unit)):
        harmony = chord_at(spans, step * unit)
        root = stage.near(harmony.root, 44)
        start = stage.clock.seconds(step * unit) + rng.normal(0, 0.004)
        length = 0.12 if muted and step % 4 else stage.clock.beat * unit + 0.02
        for interval in (0, 7, 12):
            bank.play(out, start, length, root + interval, rng.uniform(0.8, 1))
    peak = np.abs(out).max() or 1.0
    return low_pass(saturate(out / peak, rng.uniform(3, 25)), rng.uniform(3000, 5000), 4)


def bass(stage: Stage, spans: Sequence[Span], name: str) -> np.ndarray:
    """Play a bass: roots, root and fifth, even notes, or a walk, as drawn once for the clip."""
    rng, out = stage.rng, stage.silence()
    bank = string_bank(stage, name, 2.0)
    style = str(rng.choice(["roots", "alternating", "even", "walking"], p=[0.35, 0.3, 0.2, 0.15]))
    unit = {"roots": stage.bar, "alternating": stage.bar / 2, "even": 0.5, "walking": 1.0}[style]
    if stage.bar == 2 and style in ("even", "walking"):
        unit = 1.0
    for step in range(int(np.ceil(stage.last / unit))):
        beat = step * unit
        harmony = chord_at(spans, beat)
        root = stage.near(harmony.root, 34)
        place = round((beat % stage.bar) / unit)
        pitch = root
        if style == "alternating" and place % 2:
            pitch = (
                root + harmony.intervals[2 if len(harmony.intervals) > 2 else 1] - (12 if root > 36 else 0)
            )
        elif style == "walking" and place:
            pitch = root + harmony.intervals[place % len(harmony.intervals)] % 12
        start = stage.clock.seconds(beat) + rng.normal(0, 0.005)
        bank.play(out, start, min(2.0, stage.clock.beat * unit * 0.95), pitch, rng.uniform(0.8, 1))
    return out


def keys(stage: Stage, spans: Sequence[Span], name: str) -> np.ndarray:
    """Play chords on a keyboard: held, on the beats, or broken."""
    rng, out = stage.rng, stage.silence()
    if name in keyboards.KINDS:
        organ = keyboards.KINDS[name]
        bank = Bank(lambda pitch: keyboards.hold(stage.hertz(pitch), 6.0, organ, rng))
        style = str(rng.choice(["held", "beats"], p=[0.75, 0.25]))
    else:
        bank = string_bank(stage, name, 3.0)
        style = str(rng.choice(["held", "beats", "broken"], p=[0.35, 0.35, 0.3]))
    middle = rng.uniform(54, 66)
    for span in spans:
        pitches = [stage.near(pitch, middle) for pitch in sorted(span.chord.pitch_classes)]
        low = stage.near(span.chord.root, middle - 14)
        unit = span.end - span.start if style == "held" else 1.0 if style == "beats" else 0.5
        if style == "broken" and stage.bar == 2:
            unit = 1 / 3
        for step in range(max(1, round((min(span.end, stage.last) - span.start) / unit))):
            beat = span.start + step * unit
            start = stage.clock.seconds(beat) + rng.normal(0, 0.004)
            seconds = min(6.0, stage.clock.beat * unit * (0.98 if style == "held" else 0.8))
            if style == "broken":
                order = [low, *pitches, *pitches[-2:0:-1]]
                bank.play(out, start, seconds + 0.6, order[step % len(order)], rng.uniform(0.6, 0.9))
                continue
            for pitch in pitches if step % 2 or style == "held" else [low, *pitches]:
                bank.play(out, start, seconds, pitch, rng.uniform(0.6, 0.9))
            if style == "held":
                bank.play(out, start, seconds, low, 0.7)
    return out


def drums(stage: Stage, kit: str) -> np.ndarray:
    """Play a pattern of ``percussion.PATTERNS``; a cymbal opens each eighth bar of a kit."""
    rng, out = stage.rng, stage.silence()
    for stroke, beats, gain in percussion.PATTERNS[kit][stage.bar]:
        made = [percussion.KINDS[stroke](rng) for _ in range(3)]
        for bar in bars(stage):
            for beat in beats:
                if bar * stage.bar + beat < stage.last and rng.random() < 0.97:
                    start = stage.clock.seconds(bar * stage.bar + beat) + rng.normal(0, 0.004)
                    add(out, start, made[int(rng.integers(3))], gain * rng.uniform(0.7, 1))
    if "kit" in kit:
        cymbal = percussion.crash(rng)
        for bar in bars(stage)[::8]:
            add(out, stage.clock.seconds(bar * stage.bar), cymbal, 0.4)
    return out


def bodhran(stage: Stage, division: int) -> np.ndarray:
    """Play a frame drum: accents on the beats, soft strokes between."""
    rng, out = stage.rng, stage.silence()
    made = [percussion.bodhran(rng) for _ in range(5)]
    for step in range(int(stage.last * division)):
        loud = 1.0 if step % division == 0 else 0.45
        if rng.random() < 0.85:
            start = stage.clock.seconds(step / division) + rng.normal(0, 0.006)
            add(out, start, made[int(rng.integers(5))], loud * rng.uniform(0.6, 1))
    return out
