"""Syllables as of rappers and samples of films: vowels whose gliding pitch has nothing to do with the key."""

from __future__ import annotations

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE, SAMPLES
from pipelines.synthetic.effects import high_pass
from pipelines.synthetic.electronic import wavetables
from pipelines.synthetic.electronic.patches import place
from pipelines.synthetic.electronic.piece import Piece, log_uniform
from pipelines.synthetic.electronic.wavetables import VOWELS, Spectrum


def syllable(rng: np.random.Generator, hertz: float, seconds: float) -> np.ndarray:
    """Make a syllable: a hiss in front of half of them, then a vowel that glides to another.

    Args:
        rng: draws vowels, glide and hiss.
        hertz: the speaker's mean pitch.
        seconds: the length of the syllable.
    """
    samples = max(2, round(seconds * SAMPLE_RATE))
    bend = np.linspace(rng.normal(1, 2), rng.normal(-2, 2), samples)
    phase = wavetables.phases(hertz, samples, 0, bend)
    fade = np.linspace(0, 1, samples, dtype=np.float32)
    first, second = (
        wavetables.look_up(wavetables.bank(Spectrum(f"vowel {vowel}"), hertz, np.array([np.inf])), phase)
        for vowel in rng.choice(list(VOWELS), 2)
    )
    voice = (first * (1 - fade) + second * fade) * np.sqrt(np.clip(np.sin(np.pi * fade), 0, 1))
    if rng.random() < 0.5:
        hiss = rng.standard_normal(min(samples, round(0.06 * SAMPLE_RATE)), dtype=np.float32)
        voice[: len(hiss)] += high_pass(hiss, rng.uniform(1500, 4000)) * np.float32(rng.uniform(0.1, 0.6))
    return voice


def speech_line(rng: np.random.Generator, piece: Piece) -> np.ndarray:
    """Speak in a rhythm of eighths or sixteenths, in phrases of a bar with pauses between them."""
    line = np.zeros(SAMPLES, np.float32)
    hertz = log_uniform(rng, 90, 240)
    step = float(rng.choice([0.25, 0.5]) if piece.tempo < 130 else 0.5)
    words = [syllable(rng, hertz * 2 ** rng.normal(0, 0.15), float(rng.uniform(0.1, 0.3))) for _ in range(12)]
    for bar in range(0, piece.beats, 4):
        if rng.random() < 0.25:
            continue
        for start in np.arange(0, 4, step):
            if rng.random() < 0.75 and piece.plays("speech", bar + start):
                word = words[int(rng.integers(len(words)))]
                place(line, word, piece.sample_at(bar + float(start)), float(rng.uniform(0.5, 1)))
    return line
