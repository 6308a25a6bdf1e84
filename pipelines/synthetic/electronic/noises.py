"""What has no key: risers before a section begins, a floor of noise, the crackle of a record."""

from __future__ import annotations

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE, SAMPLES
from pipelines.synthetic.effects import band_pass, high_pass
from pipelines.synthetic.electronic.patches import place
from pipelines.synthetic.electronic.piece import SECTION_BEATS, Piece, log_uniform

_BANDS = ((200, 700), (600, 1800), (1500, 4000), (3500, 9000))


def riser_line(rng: np.random.Generator, piece: Piece) -> np.ndarray:
    """Play noise, a siren or both, which rise for half a section or a whole one until the next begins."""
    line = np.zeros(SAMPLES, np.float32)
    beats = int(rng.choice([SECTION_BEATS // 2, SECTION_BEATS]))
    samples = piece.samples_of(beats)
    kind = str(rng.choice(["noise", "siren", "both"], p=[0.7, 0.15, 0.15]))
    sound = np.zeros(samples, np.float32)
    if kind != "siren":
        sound += _rising_noise(rng, samples)
    if kind != "noise":
        sound += _siren(rng, samples)
    every = int(rng.choice([2, 4])) * SECTION_BEATS
    for end in range(every, piece.beats + 1, every):
        if rng.random() < 0.8:
            place(line, sound, piece.sample_at(end - beats))
    return line


def _rising_noise(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Cross-fade bands of noise from the lowest to the highest."""
    noise = rng.standard_normal(samples, dtype=np.float32)
    height = np.linspace(0, len(_BANDS) - 1, samples, dtype=np.float32)
    bands = [
        band_pass(noise, low, high) * np.clip(1 - np.abs(height - number), 0, 1)
        for number, (low, high) in enumerate(_BANDS)
    ]
    return np.asarray(sum(bands) * np.linspace(0, 1, samples) ** 1.5, np.float32)


def _siren(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Make a tone that glides over one to three octaves from anywhere."""
    octaves = np.linspace(0, rng.uniform(1, 3), samples)
    hertz = log_uniform(rng, 150, 700) * np.exp2(octaves)
    wave = np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE) * np.linspace(0, 0.5, samples)
    return wave.astype(np.float32)


def noise_line(rng: np.random.Generator) -> np.ndarray:
    """Play a floor of noise, or the crackle of a record."""
    if rng.random() < 0.6:
        return rng.standard_normal(SAMPLES, dtype=np.float32)
    crackle = rng.standard_normal(SAMPLES, dtype=np.float32) * np.float32(0.05)
    clicks = rng.integers(0, SAMPLES, int(rng.integers(100, 1500)))
    np.add.at(crackle, clicks, rng.uniform(-6, 6, len(clicks)).astype(np.float32))
    return high_pass(crackle, 500)
