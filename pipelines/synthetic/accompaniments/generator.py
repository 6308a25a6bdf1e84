"""Clips of accompaniments: from a key and a style to audio."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.synthetic.accompaniments import mma
from pipelines.synthetic.accompaniments.arranging import arrange
from pipelines.synthetic.accompaniments.melody import Bar, bars_of, melody
from pipelines.synthetic.accompaniments.midi import MOST_PARTS, midi_bytes
from pipelines.synthetic.accompaniments.parts import BASS_PROGRAMS, CHORD_PROGRAMS, KITS, Part
from pipelines.synthetic.accompaniments.progressions import Chart, draw_chart
from pipelines.synthetic.accompaniments.rendering import render
from pipelines.synthetic.accompaniments.styles import Manner, manner_of_mma, styles
from pipelines.synthetic.clip import SECONDS, Clip, draw_cents, finished
from pipelines.synthetic.effects import add_noise, high_pass, low_pass, reverberate, saturate
from tfkey.errors import DataError, UsageError
from tfkey.keys import Key, Mode

_RENDERED_SECONDS = SECONDS + 1.5
"""A clip that is half a semitone high is played 3 % faster."""

_GROOVES_TRIED = 4
_LEAST_PITCHES = 40
"""Pitched notes of a clip; a groove with fewer does not state its chords."""


@dataclass(frozen=True)
class Tools:
    """What the clips are made with.

    Attributes:
        soundfonts: ``.sf2`` files, one of which is drawn for each clip.
        mma: the folder of MMA, which contains ``MMA`` and ``lib``; None leaves tfkey's own styles.
    """

    soundfonts: tuple[Path, ...]
    mma: Path | None = None


@dataclass(frozen=True)
class _Band:
    """What accompanies: the parts, the chart in time, and the groove's name."""

    parts: list[Part]
    bars: list[Bar]
    chart: Chart
    groove: str


def groups(mode: Mode, tools: Tools) -> list[str]:
    """Return the styles: ``own:bossa nova``, and with MMA ``mma:stdlib/bossanova`` (all grooves of a file).

    Both modes have the same.

    Raises:
        DataError: MMA's folder holds no styles.
    """
    own = [f"own:{name}" for name in styles()]
    return own + [f"mma:{name}" for name in (mma.style_files(tools.mma) if tools.mma else ())]


def accompaniment(rng: np.random.Generator, key: Key, group: str, tools: Tools) -> Clip:
    """Make a clip: a band in a style, mostly with a melody above, in a room.

    Args:
        rng: random numbers.
        key: the key.
        group: one of :func:`groups`.
        tools: soundfonts and MMA.

    Raises:
        UsageError: the group is unknown, or no soundfont is given.
        DataError: a soundfont cannot be read, or MMA fails on several grooves of the group.
    """
    if group not in groups(key.mode, tools):
        raise UsageError(
            f"there is no style {group!r} of accompaniments{'' if tools.mma else ' without MMA'}"
        )
    if not tools.soundfonts:
        raise UsageError("accompaniments need at least one soundfont")
    kind, name = group.split(":", 1)
    manner = styles()[name].manner if kind == "own" else manner_of_mma(name)
    tempo = round(float(rng.uniform(*manner.tempo)), 1)
    band = (
        _own_band(name, manner, tempo, key, rng)
        if kind == "own"
        else _mma_band(tools.mma, name, manner, tempo, key, rng)
    )
    parts, changed = _other_instruments(band.parts, rng) if rng.random() < 0.4 else (band.parts, 0)
    lead: list[Part] = []
    # Fewer pitch classes leave the key open, which a melody then states.
    is_open = len(frozenset().union(*(chord.classes for chord in band.chart.chords))) < 7
    if is_open or rng.random() < 0.75:
        lead = melody(band.bars, key, tempo, manner.swing, rng)
    if rng.random() < 0.3:
        parts = _thinned(parts, band.bars, rng)
    parts = _mixed(parts, lead, rng)
    soundfont = tools.soundfonts[int(rng.integers(len(tools.soundfonts)))]
    cents = draw_cents(rng)
    samples = render(midi_bytes(parts, tempo, _RENDERED_SECONDS, rng), soundfont, cents)
    settings: dict[str, float | str] = {
        "tempo": tempo,
        "groove": band.groove,
        "progression": band.chart.name,
        "soundfont": soundfont.name,
        "cents": round(cents, 2),
        "instruments": " ".join(str(part.program) for part in parts if part.role != "drums"),
        "instruments_changed": changed,
        "melody": len(lead),
    }
    return Clip(finished(_roughened(samples, rng), rng), settings)


def _own_band(name: str, manner: Manner, tempo: float, key: Key, rng: np.random.Generator) -> _Band:
    style = styles()[name]
    chart = _chart(manner, style.beats, tempo, key, rng)
    bars = bars_of(chart.bars, [style.beats * bar for bar in range(len(chart.bars))], style.beats)
    return _Band(arrange(style, bars, key, rng), bars, chart, name)


def _mma_band(
    folder: Path | None, name: str, manner: Manner, tempo: float, key: Key, rng: np.random.Generator
) -> _Band:
    assert folder is not None
    grooves = mma.style_files(folder)[name]
    beats = mma.beats_of_a_bar(folder, name)
    chart = _chart(manner, beats, tempo, key, rng)
    order = rng.permutation(len(grooves))[:_GROOVES_TRIED]
    seed = int(rng.integers(2**31))
    failure: mma.GrooveError | None = None
    for number in order:
        try:
            parts, starts = mma.play(folder, name, grooves[number], chart, key.tonic, tempo, seed)
        except mma.GrooveError as error:
            failure = error
            continue
        if sum(len(part.notes) for part in parts if part.role != "drums") >= _LEAST_PITCHES:
            return _Band(parts, bars_of(chart.bars, starts, beats), chart, grooves[number])
        failure = mma.GrooveError(f"MMA's {name}, groove {grooves[number]}, plays too few notes with a pitch")
    raise DataError(f"{folder / 'lib' / name}.mma: no groove can be played; {failure}") from failure


def _chart(manner: Manner, beats: int, tempo: float, key: Key, rng: np.random.Generator) -> Chart:
    family = manner.families[int(rng.integers(len(manner.families)))]
    colour = manner.colours[int(rng.integers(len(manner.colours)))]
    bars = math.ceil(_RENDERED_SECONDS * tempo / 60 / beats)
    return draw_chart(rng, key.mode, family, colour, bars)


def _other_instruments(parts: Sequence[Part], rng: np.random.Generator) -> tuple[list[Part], int]:
    """Exchange about half of the instruments; return the parts, and how many changed."""
    palettes = {"drums": KITS, "bass": BASS_PROGRAMS, "chords": CHORD_PROGRAMS}
    changed = [
        replace(part, program=int(rng.choice(palettes[part.role]))) if rng.random() < 0.5 else part
        for part in parts
    ]
    return changed, sum(a.program != b.program for a, b in zip(parts, changed, strict=True))


def _thinned(parts: Sequence[Part], bars: Sequence[Bar], rng: np.random.Generator) -> list[Part]:
    """Let parts pause in some sections of four bars, of which each keeps at least one part with pitches."""
    pitched = [number for number, part in enumerate(parts) if part.role != "drums"]
    pauses: list[set[int]] = []
    for _ in range(0, len(bars), 4):
        pausing = {number for number in range(len(parts)) if rng.random() < 0.25}
        pauses.append(set() if pausing.issuperset(pitched) else pausing)
    edges = [bar.start for bar in bars[4::4]]
    return [
        replace(
            part,
            notes=tuple(note for note in part.notes if number not in pauses[bisect_right(edges, note.start)]),
        )
        for number, part in enumerate(parts)
    ]


def _mixed(parts: Sequence[Part], lead: Sequence[Part], rng: np.random.Generator) -> list[Part]:
    """Balance the parts, at times without drums; the melody has its channel in any case."""
    without_drums = rng.random() < 0.06
    drums = [] if without_drums else [part for part in parts if part.role == "drums"][:1]
    pitched = [part for part in parts if part.role != "drums"][: MOST_PARTS - len(lead)]
    band = [replace(part, volume=int(rng.integers(55, 120))) for part in (*drums, *pitched)]
    return [*band, *lead]


def _roughened(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put a mix into a room and through the equipment of a recording."""
    samples = samples / np.float32(max(float(np.abs(samples).max()), 1e-6))
    if rng.random() < 0.4:
        samples = reverberate(samples, float(rng.uniform(0.3, 1.8)), float(rng.uniform(0.05, 0.5)), rng)
    if rng.random() < 0.2:
        samples = low_pass(samples, float(rng.uniform(3000, 8000)))
    if rng.random() < 0.2:
        samples = high_pass(samples, float(rng.uniform(60, 250)))
    if rng.random() < 0.35:
        peak = np.float32(max(float(np.abs(samples).max()), 1e-6))
        samples = saturate(samples / peak, float(rng.uniform(1, 5)))
    if rng.random() < 0.5:
        samples = add_noise(samples, float(rng.uniform(-70, -25)), rng)
    return samples
