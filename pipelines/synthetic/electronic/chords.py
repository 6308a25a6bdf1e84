"""The layers that play whole chords: pads, stabs, arpeggios."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipelines.synthetic.electronic.patches import Note
from pipelines.synthetic.electronic.piece import CHORDS, Piece

Voicing = Callable[[float], list[int]]
"""From a beat to the MIDI pitches of its chord."""


def draw_voicing(rng: np.random.Generator, piece: Piece, layer: str) -> tuple[str, Voicing]:
    """Draw how a layer spells its chords, in words and as a function of the beat.

    The chords are triads, sevenths or ninths; they lie as close together as they can, or move as blocks. A
    pad may play open fifths where other layers play the thirds.
    """
    size = int(rng.choice([3, 4, 5], p=[0.7, 0.25, 0.05]))
    others = [name for name in (*CHORDS, "riff") if name in piece.layers and name != layer]
    fifths = bool(rng.random() < 0.2) and layer == "pad" and bool(others)
    close = rng.random() < 0.7
    octave = int(rng.choice([2, 2, 3]))
    turn = int(rng.integers(0, 12))
    doubled = rng.random() < 0.2

    def voicing(beat: float) -> list[int]:
        tones = piece.chord_at(beat, size)
        if fifths:
            tones = [tones[0], tones[2]]
        bottom = piece.tonic + 12 * octave
        if close:
            tones = sorted((tone + turn) % 12 - turn for tone in tones)
        elif tones[0] > 7:
            tones = [tone - 12 for tone in tones]
        pitches = [bottom + tone for tone in tones]
        return [*pitches, pitches[0] - 12] if doubled else pitches

    kind = "fifths" if fifths else {3: "triads", 4: "sevenths", 5: "ninths"}[size]
    return f"{'close' if close else 'block'} {kind}", voicing


def pad_notes(piece: Piece, voicing: Voicing) -> list[Note]:
    """Write a pad, which holds each chord; chords longer than two bars are struck again."""
    step = min(piece.chord_beats, 8)
    return [
        Note(beat, step, pitch)
        for beat in range(0, piece.beats, step)
        if piece.plays("pad", beat)
        for pitch in voicing(beat)
    ]


def draw_rhythm(rng: np.random.Generator, least: int, most: int) -> list[float]:
    """Draw the positions of a rhythm of sixteenths in a bar of four beats; the off-beats are likelier."""
    weights = np.array([3, 1, 2, 2.5] * 4, np.float64)
    count = int(rng.integers(least, most + 1))
    return sorted((rng.choice(16, count, replace=False, p=weights / weights.sum()) / 4).tolist())


def stab_notes(rng: np.random.Generator, piece: Piece, voicing: Voicing) -> tuple[str, list[Note]]:
    """Write stabs, short chords in a rhythm; return ``parallel`` or nothing, and their notes.

    One in six is *parallel*, as where a sampler plays one chord at several pitches: the chord of the tonic
    moves with a riff, leaving the scale, and comes back.
    """
    rhythm, length = draw_rhythm(rng, 2, 6), float(rng.choice([0.2, 0.35, 0.6]))
    if rng.random() < 0.16:
        rhythm = sorted({0.0, *rhythm})
        moves = [0, *rng.choice([0, 0, 0, 3, -2, 5, -4, 2, 1, -1], len(rhythm) - 1).tolist()]
        size = int(rng.choice([3, 4]))
        chord = [piece.pitch(2 * number, 2) for number in range(size)]
        notes = [
            Note(bar + start, length, pitch + move)
            for bar in range(0, piece.beats, 4)
            for start, move in zip(rhythm, moves, strict=True)
            if piece.plays("stabs", bar + start)
            for pitch in chord
        ]
        return "parallel", notes
    return "", [
        Note(bar + start, length, pitch)
        for bar in range(0, piece.beats, 4)
        for start in rhythm
        if piece.plays("stabs", bar + start)
        for pitch in voicing(bar + start)
    ]


def arpeggio_notes(rng: np.random.Generator, piece: Piece, voicing: Voicing) -> list[Note]:
    """Write an arpeggio: the tones of the chord one by one, over one or two octaves, with gaps or without."""
    step = float(rng.choice([0.25, 0.25, 0.5, 1 / 3]))
    octaves = int(rng.integers(1, 3))
    order = _order(rng)
    gaps = rng.random(16) < (0.25 if rng.random() < 0.5 else 0)
    length = step * float(rng.uniform(0.6, 1.4))
    accents = rng.uniform(0.5, 1, 16)
    notes = []
    for number in range(int(piece.beats / step)):
        beat = number * step
        if not piece.plays("arpeggio", beat) or gaps[number % 16]:
            continue
        chord = sorted(voicing(beat))
        ladder = [pitch + 12 * octave for octave in range(octaves) for pitch in chord]
        notes.append(
            Note(beat, length, ladder[order(number, len(ladder))] + 12, level=float(accents[number % 16]))
        )
    return notes


def _order(rng: np.random.Generator) -> Callable[[int, int], int]:
    """Draw the order of an arpeggio: from the number of a note and of the tones to the place of the tone."""
    kind, shuffled = str(rng.choice(["up", "down", "both", "random"])), rng.integers(0, 60, 8)
    if kind == "up":
        return lambda number, tones: number % tones
    if kind == "down":
        return lambda number, tones: -1 - number % tones
    if kind == "both":
        return lambda number, tones: tones - 1 - abs(number % max(1, 2 * tones - 2) - (tones - 1))
    return lambda number, tones: int(shuffled[number % 8]) % tones
