"""Drums. Their pitches are arbitrary, or the tonic's: a detector must not take the one for the other."""

from __future__ import annotations

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE, SAMPLES
from pipelines.synthetic.effects import band_pass, high_pass
from pipelines.synthetic.electronic.patches import place
from pipelines.synthetic.electronic.piece import Piece, log_uniform


def _seconds(length: float) -> np.ndarray:
    return np.arange(round(length * SAMPLE_RATE), dtype=np.float32) / np.float32(SAMPLE_RATE)


def _noise(rng: np.random.Generator, length: float, decay: float) -> np.ndarray:
    time = _seconds(length)
    return rng.standard_normal(len(time), dtype=np.float32) * np.exp(-time / np.float32(decay))


def swept_drum(hertz: float, sweep: float, sweep_seconds: float, decay: float) -> np.ndarray:
    """Make a drum whose pitch falls.

    Args:
        hertz: the pitch at which it ends.
        sweep: how far above it the pitch begins, in Hz.
        sweep_seconds: time constant of the fall.
        decay: time constant of the level.
    """
    time = _seconds(min(1.2, 5 * decay))
    cycles = hertz * time + sweep * sweep_seconds * (1 - np.exp(-time / sweep_seconds))
    # The last hundredth fades, so that the drum ends without a click.
    fade = np.clip((time[-1] - time) * 100, 0, 1)
    return (np.sin(2 * np.pi * cycles) * np.exp(-time / decay) * fade).astype(np.float32)


def _pitch(rng: np.random.Generator, piece: Piece, low: float, high: float, tuned: float) -> float:
    """Draw the pitch of a drum in Hz: with probability ``tuned`` the tonic's, else any."""
    hertz = log_uniform(rng, low, high)
    if rng.random() >= tuned:
        return hertz
    tonic = piece.hertz(piece.tonic)
    return float(tonic * 2.0 ** round(np.log2(hertz / tonic)))


def kick_line(rng: np.random.Generator, piece: Piece, pattern: tuple[float, ...]) -> np.ndarray:
    """Play the bass drum; in some clips it is long and has a clear pitch, as that of a TR-808."""
    long = rng.random() < (0.35 if piece.style_name in ("hip hop", "dubstep") else 0.1)
    kick = swept_drum(
        _pitch(rng, piece, 40, 64, tuned=0.75 if long else 0.35),
        float(rng.uniform(80, 300)),
        float(rng.uniform(0.015, 0.05)),
        float(rng.uniform(0.3, 0.5) if long else rng.uniform(0.06, 0.18)),
    )
    click = _noise(rng, 0.02, 0.003) * np.float32(rng.uniform(0, 0.3))
    kick[: len(click)] += click
    return _patterned(piece, "kick", pattern, kick)


def snare_line(rng: np.random.Generator, piece: Piece, pattern: tuple[float, ...]) -> np.ndarray:
    """Play a snare drum (noise and a tone) or a clap (several short noises)."""
    if rng.random() < 0.5:
        snare = high_pass(_noise(rng, 0.3, rng.uniform(0.04, 0.1)), rng.uniform(400, 1500)) * np.float32(0.7)
        body = swept_drum(_pitch(rng, piece, 150, 260, tuned=0.15), 60, 0.02, float(rng.uniform(0.03, 0.08)))
        body = body[: len(snare)]
        snare[: len(body)] += body * np.float32(rng.uniform(0.2, 1))
    else:
        snare = np.zeros(round(0.35 * SAMPLE_RATE), np.float32)
        for start in (0.0, 0.011, 0.023):
            place(
                snare,
                _noise(rng, 0.2, 0.006 if start < 0.02 else rng.uniform(0.05, 0.1)),
                round(start * SAMPLE_RATE),
            )
        snare = band_pass(snare, rng.uniform(600, 1200), rng.uniform(3000, 7000))
    return _patterned(piece, "snare", pattern, snare)


def hat_line(rng: np.random.Generator, piece: Piece, pattern: tuple[float, ...]) -> np.ndarray:
    """Play the hi-hat: the pattern of the style, softer sixteenths between, open on some."""
    if rng.random() < 0.4:
        closed = metal(rng, 0.08) * np.exp(-_seconds(0.08) / np.float32(rng.uniform(0.01, 0.03)))
    else:
        closed = high_pass(_noise(rng, 0.08, rng.uniform(0.008, 0.03)), rng.uniform(4000, 8000))
    opened = high_pass(_noise(rng, 0.35, rng.uniform(0.06, 0.15)), 6000)
    between = tuple(sixteenth / 4 for sixteenth in range(16) if rng.random() < rng.choice([0.1, 0.4, 0.8]))
    line = _patterned(piece, "hats", between, closed * np.float32(0.4))
    line += _patterned(piece, "hats", pattern, opened if rng.random() < 0.35 else closed)
    return line


def metal(rng: np.random.Generator, length: float) -> np.ndarray:
    """Make the clang of a cymbal: six square waves whose frequencies have no common fundamental."""
    time = _seconds(length)
    frequencies = rng.uniform(300, 900, 6)
    clang = sum(np.sign(np.sin(2 * np.pi * hertz * time)) for hertz in frequencies)
    return high_pass(np.asarray(clang, np.float32), 6000)


def percussion_line(rng: np.random.Generator, piece: Piece) -> np.ndarray:
    """Play toms, congas or blips with pitches of their own in a rhythm of sixteenths."""
    line = np.zeros(SAMPLES, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        drum = swept_drum(
            _pitch(rng, piece, 90, 900, tuned=0.2),
            float(rng.choice([0, 30, 120])),
            0.03,
            log_uniform(rng, 0.02, 0.15),
        )
        starts = tuple((rng.choice(16, int(rng.integers(1, 4)), replace=False) / 4).tolist())
        line += _patterned(piece, "percussion", starts, drum)
    return line


def _patterned(piece: Piece, layer: str, pattern: tuple[float, ...], sound: np.ndarray) -> np.ndarray:
    """Play a sound at the positions of a bar of four beats, in the sections in which the layer plays."""
    line = np.zeros(SAMPLES, np.float32)
    for bar in range(0, piece.beats, 4):
        for position in pattern:
            if piece.plays(layer, bar + position):
                place(line, sound, piece.sample_at(bar + position))
    return line
