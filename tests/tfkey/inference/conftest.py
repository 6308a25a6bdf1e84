from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

RATE = 44100


@pytest.fixture(scope="package")
def noises() -> Callable[[float], dict[str, np.ndarray]]:
    """Make sounds without tones, float32 ``[samples]`` at 44.1 kHz, of some seconds."""

    def make(seconds: float) -> dict[str, np.ndarray]:
        random = np.random.default_rng(1)
        samples = round(seconds * RATE)
        spectrum = np.fft.rfft(random.standard_normal(samples))
        rising = np.maximum(np.fft.rfftfreq(samples, 1 / RATE), 20.0)
        time = np.arange(RATE // 2) / RATE
        drums = {
            "clicks": (time == 0).astype(float),
            "bursts": random.standard_normal(time.size) * np.exp(-time / 0.05),
            "long bursts": random.standard_normal(time.size) * np.exp(-time / 0.3),
            "kick": np.sin(2 * np.pi * (45 * time + 3.15 * (1 - np.exp(-time / 0.03))))
            * np.exp(-time / 0.12),
            "snare": (random.standard_normal(time.size) + np.sin(2 * np.pi * 190 * time))
            * np.exp(-time / 0.04),
        }
        sounds = {
            "white": random.standard_normal(samples),
            "pink": np.fft.irfft(spectrum / np.sqrt(rising), samples),
            "brown": np.fft.irfft(spectrum / rising, samples),
        }
        for name, drum in drums.items():
            repeats = -(-samples // drum.size)
            sounds[name] = np.tile(drum, repeats)[:samples]
        hats = np.tile(np.diff(drums["bursts"][: RATE // 8], prepend=0), 8 * int(seconds) + 8)[:samples]
        sounds["drum kit"] = 3 * sounds["kick"] + np.roll(sounds["snare"], RATE // 4) + 0.3 * hats
        return {
            name: (0.5 * sound / np.abs(sound).max()).astype(np.float32) for name, sound in sounds.items()
        }

    return make
