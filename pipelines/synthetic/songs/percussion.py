"""Drums, claps and stamping."""

from __future__ import annotations

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE
from pipelines.synthetic.effects import band_pass, high_pass


def _time(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def kick(rng: np.random.Generator) -> np.ndarray:
    """Return a bass drum whose pitch falls; float32, peak about 1."""
    time, low = _time(0.3), rng.uniform(45, 75)
    fall = low * time + rng.uniform(1, 4) * (1 - np.exp(-time / rng.uniform(0.01, 0.03)))
    return (np.sin(2 * np.pi * fall) * np.exp(-time / rng.uniform(0.06, 0.12))).astype(np.float32)


def snare(rng: np.random.Generator) -> np.ndarray:
    """Return a snare drum; float32, peak about 1."""
    time = _time(0.35)
    rattle = rng.standard_normal(len(time)) * np.exp(-time / rng.uniform(0.03, 0.12))
    skin = np.sin(2 * np.pi * rng.uniform(160, 240) * time) * np.exp(-time / 0.05)
    return (0.4 * rattle + 0.5 * skin).astype(np.float32)


def tom(rng: np.random.Generator) -> np.ndarray:
    """Return a tom of any pitch; float32, peak about 1."""
    time, pitch = _time(0.4), rng.uniform(80, 190)
    sweep = pitch * time + 0.8 * (1 - np.exp(-time / 0.03))
    skin = np.sin(2 * np.pi * sweep) * np.exp(-time / rng.uniform(0.08, 0.16))
    return (skin + 0.2 * rng.standard_normal(len(time)) * np.exp(-time / 0.02)).astype(np.float32)


def hat(rng: np.random.Generator) -> np.ndarray:
    """Return a closed hi-hat or a shaker; float32, peak about 1."""
    time = _time(0.12)
    noise = high_pass(rng.standard_normal(len(time), dtype=np.float32), 6000)
    return noise * np.exp(-time / rng.uniform(0.01, 0.04)).astype(np.float32)


def ride(rng: np.random.Generator) -> np.ndarray:
    """Return an open hi-hat or a ride cymbal; float32, peak about 1."""
    time = _time(0.6)
    noise = high_pass(rng.standard_normal(len(time), dtype=np.float32), rng.uniform(2500, 5000))
    return noise * np.exp(-time / rng.uniform(0.08, 0.3)).astype(np.float32)


def crash(rng: np.random.Generator) -> np.ndarray:
    """Return a cymbal; float32, peak about 1."""
    time = _time(1.5)
    noise = high_pass(rng.standard_normal(len(time), dtype=np.float32), 3500)
    return noise * np.exp(-time / 0.5).astype(np.float32)


def clap(rng: np.random.Generator) -> np.ndarray:
    """Return a few people who clap, not quite together; float32, peak about 1."""
    out = np.zeros(round(0.2 * SAMPLE_RATE), np.float32)
    time = _time(0.04)
    for _ in range(int(rng.integers(2, 7))):
        noise = band_pass(rng.standard_normal(len(time), dtype=np.float32), rng.uniform(600, 1200), 5000)
        first = int(rng.uniform(0, 0.03) * SAMPLE_RATE)
        out[first : first + len(time)] += noise * np.exp(-time / 0.01).astype(np.float32)
    return out


def stomp(rng: np.random.Generator) -> np.ndarray:
    """Return a foot on a wooden floor; float32, peak about 1."""
    time = _time(0.2)
    thump = np.sin(2 * np.pi * rng.uniform(60, 100) * time) * np.exp(-time / 0.03)
    return (thump + 0.1 * rng.standard_normal(len(time)) * np.exp(-time / 0.01)).astype(np.float32)


def bodhran(rng: np.random.Generator) -> np.ndarray:
    """Return a stroke on a frame drum, whose pitch the other hand bends; float32, peak about 1."""
    time, pitch = _time(0.3), rng.uniform(70, 130)
    sweep = pitch * time * rng.uniform(0.95, 1.1) + 0.6 * (1 - np.exp(-time / 0.02))
    skin = np.sin(2 * np.pi * sweep) * np.exp(-time / rng.uniform(0.04, 0.09))
    stick = 0.3 * rng.standard_normal(len(time)) * np.exp(-time / 0.008)
    return (skin + stick).astype(np.float32)


KINDS = {
    "kick": kick, "snare": snare, "hat": hat, "ride": ride, "tom": tom, "crash": crash, "clap": clap,
    "stomp": stomp,
    "bodhran": bodhran,
}  # fmt: skip
"""The strokes by name."""

# For each kit and metre: stroke, beats of the bar (a stroke per position), loudness.
Pattern = tuple[tuple[str, tuple[float, ...], float], ...]
PATTERNS: dict[str, dict[float, Pattern]] = {
    "kit": {
        4: (("kick", (0, 2), 0.9), ("snare", (1, 3), 0.8), ("hat", (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5), 0.3)),
        3: (("kick", (0,), 0.9), ("snare", (1, 2), 0.5), ("hat", (0, 1, 2), 0.3)),
        2: (("kick", (0,), 0.9), ("snare", (1,), 0.7), ("hat", (0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3), 0.3)),
    },
    "busy kit": {
        4: (("kick", (0, 1.5, 2, 2.5), 0.9), ("snare", (1, 3), 0.9), ("hat", (0, 0.5, 1, 1.5, 2, 2.5, 3,
        3.5), 0.4)),
        3: (("kick", (0, 1.5), 0.9), ("snare", (1, 2), 0.6), ("hat", (0, 0.5, 1, 1.5, 2, 2.5), 0.3)),
        2: (("kick", (0, 2 / 3), 0.9), ("snare", (1, 5 / 3), 0.7), ("hat", (0, 1 / 3, 2 / 3, 1, 4 / 3,
        5 / 3), 0.3)),
    },
    "loud kit": {
        4: (
            ("kick", (0, 2, 2.5), 0.9), ("snare", (1, 3), 1.0), ("ride", (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5),
            0.5),
            ("tom", (3.5,), 0.4),
        ),
        3: (("kick", (0,), 0.9), ("snare", (1, 2), 0.8), ("ride", (0, 1, 2), 0.5), ("tom", (2.5,), 0.4)),
        2: (("kick", (0,), 0.9), ("snare", (1,), 1.0), ("ride", (0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3), 0.5)),
    },
    "claps": {4: (("clap", (1, 3), 0.8),), 3: (("clap", (0,), 0.8),), 2: (("clap", (0, 1), 0.8),)},
    "stomps": {
        4: (("stomp", (0, 2), 0.9), ("clap", (1, 3), 0.4)),
        3: (("stomp", (0,), 0.9),),
        2: (("stomp", (0, 1), 0.9),),
    },
    "shaker": {
        4: (("hat", (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5), 0.6),),
        3: (("hat", (0, 0.5, 1, 1.5, 2, 2.5), 0.6),),
        2: (("hat", (0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3), 0.6),),
    },
}  # fmt: skip
"""Patterns by kit and beats in a bar; two beats are 6/8."""
