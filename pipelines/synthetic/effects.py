"""Effects of a studio, and of bad recordings, on mono waveforms float32 ``[samples]``.

All functions return a new array of the same length.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from pipelines.synthetic.clip import SAMPLE_RATE


@functools.lru_cache(256)
def _sections(order: int, edges: float | tuple[float, float], kind: str) -> np.ndarray:
    return np.asarray(butter(order, edges, kind, fs=SAMPLE_RATE, output="sos"))


def low_pass(samples: np.ndarray, hertz: float, order: int = 2) -> np.ndarray:
    """Remove what is above ``hertz`` (Butterworth)."""
    return np.asarray(sosfilt(_sections(order, round(hertz), "low"), samples), np.float32)


def high_pass(samples: np.ndarray, hertz: float, order: int = 2) -> np.ndarray:
    """Remove what is below ``hertz`` (Butterworth)."""
    return np.asarray(sosfilt(_sections(order, round(hertz), "high"), samples), np.float32)


def band_pass(samples: np.ndarray, low: float, high: float, order: int = 2) -> np.ndarray:
    """Keep what is between two frequencies in Hz (Butterworth); 300 and 3,400 make a telephone."""
    return np.asarray(sosfilt(_sections(order, (round(low), round(high)), "band"), samples), np.float32)


def reverberate(samples: np.ndarray, seconds: float, wet: float, rng: np.random.Generator) -> np.ndarray:
    """Add a room of decaying noise.

    Args:
        samples: the waveform.
        seconds: the time in which the room decays by 43 dB.
        wet: level of the room relative to the direct sound.
        rng: draws the room.
    """
    length = max(2, round(seconds * SAMPLE_RATE))
    decay = np.exp(-np.linspace(0, 5, length))
    room = (rng.standard_normal(length) * decay).astype(np.float32)
    room /= np.sqrt(np.square(room).sum())
    return samples + np.float32(wet) * fftconvolve(samples, room)[: len(samples)].astype(np.float32)


def echo(samples: np.ndarray, seconds: float, feedback: float = 0.5, repeats: int = 2) -> np.ndarray:
    """Add repetitions, each softer than the one before by the factor ``feedback``."""
    delay, out = max(1, round(seconds * SAMPLE_RATE)), samples.copy()
    for number in range(1, repeats + 1):
        if number * delay < len(samples):
            out[number * delay :] += np.float32(feedback**number) * samples[: -number * delay]
    return out


def saturate(samples: np.ndarray, drive: float) -> np.ndarray:
    """Compress and distort as a hyperbolic tangent does; the peak of the input should be about 1."""
    return (np.tanh(samples * np.float32(drive)) / np.tanh(drive)).astype(np.float32)


def add_noise(samples: np.ndarray, decibels: float, rng: np.random.Generator) -> np.ndarray:
    """Add white noise, ``decibels`` relative to the root mean square of the waveform."""
    level = rms(samples) * 10 ** (decibels / 20)
    return samples + np.float32(level) * rng.standard_normal(len(samples), dtype=np.float32)


def rms(samples: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def balanced(layers: list[np.ndarray], decibels: list[float]) -> np.ndarray:
    """Mix layers after setting the root mean square of each, in dB; silent layers are left out."""
    mix = np.zeros_like(layers[0])
    for layer, level in zip(layers, decibels, strict=True):
        loudness = rms(layer)
        if loudness > 0:
            mix += layer * np.float32(10 ** (level / 20) / loudness)
    return mix
