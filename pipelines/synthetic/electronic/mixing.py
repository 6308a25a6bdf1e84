"""From layers to a mix: filters, echo, reverberation, ducking, levels, and the processing of the whole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE, SAMPLES
from pipelines.synthetic.effects import add_noise, echo, high_pass, low_pass, reverberate, rms, saturate
from pipelines.synthetic.electronic.modulation import chorus, wow
from pipelines.synthetic.electronic.piece import ATONAL, DRUMS, Piece, log_uniform

# Levels of layers, in dB: lowest and highest. Drums share one level, from which each is a little away.
_DRUMS, _TONAL = (-13.0, 1.0), (-9.0, 1.0)
_LEVELS = {"bass": (-7.0, 3.0), "speech": (-14.0, -3.0), "noise": (-45.0, -20.0), "risers": (-26.0, -12.0)}
_DRY = ("kick", "bass", "noise", "risers")
"""Layers that the room leaves out."""
_SOFTER = {"hats": (-16.0, -4.0), "percussion": (-10.0, 0.0), "snare": (-8.0, 2.0), "kick": (-3.0, 4.0)}


def mix(
    rng: np.random.Generator, piece: Piece, layers: Mapping[str, np.ndarray], kicks: tuple[float, ...]
) -> np.ndarray:
    """Mix the layers of a clip.

    Args:
        rng: draws effects and levels.
        piece: the plan of the clip.
        layers: float32 ``[SAMPLES]`` by the layer's name.
        kicks: when the bass drum plays, in beats of a bar of four; it ducks the other layers.

    Returns:
        float32 ``[SAMPLES]``, of any level.
    """
    total, room = np.zeros(SAMPLES, np.float32), np.zeros(SAMPLES, np.float32)
    ducking = _ducking(rng, piece, kicks) if rng.random() < piece.style.ducking else None
    drum_level = rng.uniform(*_DRUMS)
    for name, line in layers.items():
        if name in DRUMS:
            level = drum_level + rng.uniform(*_SOFTER[name])
        else:
            level = rng.uniform(*_LEVELS.get(name, _TONAL))
            if name not in ATONAL:
                line = _processed(rng, piece, name, line)
        loudness = rms(line)
        if not loudness:
            continue
        line = line * np.float32(10 ** (level / 20) / loudness)
        if ducking is not None and name != "kick":
            line *= ducking
        total += line
        if name not in _DRY and rng.random() < 0.75:
            room += line * np.float32(log_uniform(rng, 0.1, 1))
    if room.any():
        total += reverberate(room, log_uniform(rng, 0.4, 4), 1.0, rng) - room
    return _mastered(rng, piece, total)


def _processed(rng: np.random.Generator, piece: Piece, name: str, line: np.ndarray) -> np.ndarray:
    """Apply the effects of a tonal layer."""
    if name == "bass":
        return _driven(line, rng.uniform(1, 6)) if rng.random() < 0.3 else line
    if rng.random() < 0.15:
        line = _swept(rng, line)
    elif rng.random() < 0.25:
        line = low_pass(line, log_uniform(rng, 500, 6000))
    if rng.random() < 0.4:
        line = high_pass(line, rng.uniform(80, 400))
    if rng.random() < 0.3:
        beats = float(rng.choice([0.5, 0.75, 0.75, 1]))
        line = echo(line, beats * 60 / piece.tempo, float(rng.uniform(0.25, 0.6)), int(rng.integers(1, 5)))
    if rng.random() < 0.12:
        line = _swirled(rng, line)
    if rng.random() < 0.2:
        line = _tremolo(rng, piece, line)
    return line


def _driven(samples: np.ndarray, drive: float) -> np.ndarray:
    """Saturate a waveform of any level."""
    return saturate(samples / np.float32(max(float(np.abs(samples).max()), 1e-6)), drive)


def _swept(rng: np.random.Generator, line: np.ndarray) -> np.ndarray:
    """Open or close a filter over the clip, by cross-fading with the filtered layer."""
    fade = np.linspace(0, 1, len(line), dtype=np.float32)
    if rng.random() < 0.4:
        fade = fade[::-1]
    filtered = low_pass(line, log_uniform(rng, 250, 1000))
    return filtered + (line - filtered) * fade**2


def _swirled(rng: np.random.Generator, line: np.ndarray) -> np.ndarray:
    """Send a layer through a chorus or a flanger."""
    shortest = 0.018 if rng.random() < 0.6 else 0.001
    return chorus(line, shortest, 0.004, log_uniform(rng, 0.1, 1.5), 0.8, float(rng.uniform(0, 6)))


def _tremolo(rng: np.random.Generator, piece: Piece, line: np.ndarray) -> np.ndarray:
    """Cut a layer in time with the beat, as a gate does."""
    beats = np.arange(len(line), dtype=np.float32) * np.float32(piece.tempo / 60 / SAMPLE_RATE)
    pulse = np.sin(np.float32(2 * np.pi * float(rng.choice([1, 2, 4]))) * beats)
    return line * (1 - np.float32(rng.uniform(0.2, 0.45)) * (1 + np.clip(3 * pulse, -1, 1)))


def _ducking(rng: np.random.Generator, piece: Piece, kicks: tuple[float, ...]) -> np.ndarray:
    """Return the gain that falls with each stroke of the bass drum and recovers."""
    seconds = np.arange(SAMPLE_RATE, dtype=np.float32) / np.float32(SAMPLE_RATE)
    depth, recovery = np.float32(rng.uniform(0.4, 0.95)), np.float32(rng.uniform(0.05, 0.25))
    dip = 1 - depth * np.exp(-seconds / recovery)
    gain = np.ones(SAMPLES, np.float32)
    for bar in range(0, piece.beats, 4):
        for position in kicks:
            start = piece.sample_at(bar + position)
            if piece.plays("kick", bar + position) and start < SAMPLES:
                part = gain[start : start + len(dip)]
                np.minimum(part, dip[: len(part)], out=part)
    return gain


def _mastered(rng: np.random.Generator, piece: Piece, total: np.ndarray) -> np.ndarray:
    """Process the whole: worn tape, band limits, saturation, noise."""
    if rng.random() < (0.2 if piece.style_name in ("hip hop", "ambient") else 0.03):
        total = wow(total, float(rng.uniform(2, 12)), log_uniform(rng, 0.4, 3), float(rng.uniform(0, 6)))
    if rng.random() < 0.3:
        total = low_pass(total, log_uniform(rng, 2500, 9000))
    if rng.random() < 0.15:
        total = high_pass(total, rng.uniform(30, 150))
    if rng.random() < 0.6:
        total = _driven(total, rng.uniform(1, 5))
    if rng.random() < 0.1:
        total = add_noise(total, rng.uniform(-50, -25), rng)
    return total
