"""Rooms, and what recorders, tapes, radios and listeners do to music."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from pipelines.synthetic.clip import SAMPLE_RATE
from pipelines.synthetic.effects import band_pass, high_pass, low_pass, reverberate, rms, saturate
from pipelines.synthetic.songs import lines

KINDS = ("studio", "live", "rough", "telephone", "radio", "cassette")
"""The kinds of recording."""

_SHARES = (0.32, 0.25, 0.22, 0.05, 0.06, 0.1)


def draw(rng: np.random.Generator) -> str:
    """Draw a kind of recording."""
    return str(rng.choice(KINDS, p=_SHARES))


def record(mix: np.ndarray, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, float | str]]:
    """Record music.

    Args:
        mix: float32 ``[samples]``, at any level above 0.
        kind: one of :data:`KINDS`.
        rng: draws the room and the damage.

    Returns:
        float32 ``[samples]`` with a root mean square near 1, and what was drawn.
    """
    out = mix / np.float32(rms(mix) + 1e-12)
    settings: dict[str, float | str] = {"recording": kind}
    if kind != "studio" or rng.random() < 0.7:
        seconds, wet = rng.uniform(0.2, 2.5), rng.uniform(0.1, 0.6 if kind == "studio" else 1.2)
        out = reverberate(out, seconds, wet, rng)
        settings |= {"room_seconds": round(seconds, 2), "room_level": round(wet, 2)}
    if kind == "live" or (kind == "rough" and rng.random() < 0.5):
        out = out + crowd(len(out), rng) * np.float32(10 ** rng.uniform(-1.6, -0.4))
    out = equalised(out, rng, rng.uniform(1, 6))
    if rng.random() < 0.75:
        out = compressed(out, rng.uniform(0.2, 0.7))
    if kind != "telephone" and rng.random() < 0.5:
        drive = 10 ** rng.uniform(-0.7, 0.6)
        out = saturate(out / np.float32(3 * rms(out) + 1e-12), 2 * drive)
        settings["drive"] = round(drive, 2)
    if kind == "cassette":
        out = tape(out, rng)
    out = out / np.float32(rms(out) + 1e-12)
    out = _limited(out, kind, rng)
    if kind in ("rough", "telephone", "radio") and rng.random() < 0.5:
        limit = np.float32(rng.uniform(1.0, 3.0))
        out = np.clip(out, -limit, limit)
        settings["clipped_at"] = round(float(limit), 2)
    return out, settings


def _limited(samples: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Give music the noise and the band of a kind of recording."""
    out = samples
    if kind != "studio" or rng.random() < 0.25:
        if rng.random() < 0.35:
            out = out + hum(len(out), rng) * np.float32(10 ** rng.uniform(-2.2, -1.0))
        noise = rng.standard_normal(len(out), dtype=np.float32)
        if rng.random() < 0.6:
            # The noise of rooms, winds and old records falls with frequency; that of amplifiers does not.
            noise = low_pass(noise, rng.uniform(300, 2000), 1)
        out = out + noise * np.float32(10 ** rng.uniform(-2.3, -0.45) / rms(noise))
    if kind in ("telephone", "radio"):
        low, high = (300, 3400) if kind == "telephone" else (rng.uniform(80, 200), rng.uniform(3500, 5500))
        out = band_pass(out, low, high)
    elif kind != "studio" or rng.random() < 0.3:
        out = low_pass(high_pass(out, rng.uniform(30, 150)), rng.uniform(2500, 9000))
    return out / np.float32(rms(out) + 1e-12)


def equalised(samples: np.ndarray, rng: np.random.Generator, decibels: float) -> np.ndarray:
    """Apply a random smooth equaliser: gains with a standard deviation of ``decibels`` at seven points."""
    gains = rng.normal(0, decibels, 7)
    length = next_fast_len(len(samples), real=True)
    octaves = np.log2(np.maximum(np.arange(length // 2 + 1) * (SAMPLE_RATE / length), 30) / 60)
    curve = np.interp(octaves, np.linspace(0, 7.5, 7), gains)
    spectrum = rfft(samples, length) * (10 ** (curve / 20)).astype(np.float32)
    return np.asarray(irfft(spectrum, length)[: len(samples)], np.float32)


def compressed(samples: np.ndarray, amount: float) -> np.ndarray:
    """Make soft passages louder: an amount of 0 changes nothing, with 1 all are equally loud."""
    points = len(samples) // lines.HOP + 2
    blocks = np.pad(np.square(samples), (0, (points - 1) * lines.HOP - len(samples)))
    power = np.pad(blocks.reshape(-1, lines.HOP).mean(1), (0, 1), mode="edge")
    level = np.sqrt(lines.smoothed(power, 0.3))
    # Silence is not made louder than a tenth of the loudest passage would be.
    gain = np.maximum(level, 0.1 * level.max() + 1e-9) ** -amount
    return samples * lines.upsampled(gain.astype(np.float32)).ravel()[: len(samples)]


def tape(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Play a tape whose speed is not constant: wow of about 1 Hz, flutter of about 8 Hz, a few cents each."""
    points = len(samples) // lines.HOP + 2
    time = np.arange(points) / lines.RATE
    cents = rng.uniform(2, 12) * np.sin(2 * np.pi * (rng.uniform(0.4, 1.5) * time + rng.random()))
    cents += rng.uniform(1, 5) * lines.smooth_noise(rng, points, 8.0)
    # The position on the tape is the sum of the speeds; the mean speed stays 1.
    late = np.cumsum(2 ** (cents / 1200) - 1) * lines.HOP
    late -= np.linspace(late[0], late[-1], points)
    position = lines.upsampled(late).ravel()[: len(samples)] + np.arange(len(samples))
    index = np.clip(position.astype(np.int64), 1, len(samples) - 3)
    part = (position - index).astype(np.float32)
    before, here, after, last = (samples[index + shift] for shift in (-1, 0, 1, 2))
    # Cubic interpolation (Catmull and Rom): linear would dull the sound as the tape drifts.
    return here + 0.5 * part * (
        after
        - before
        + part * (2 * before - 5 * here + 4 * after - last + part * (3 * (here - after) + last - before))
    )


def hum(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return the hum of the mains: 50 or 60 Hz and harmonics, in no key; float32, root mean square 1."""
    base = float(rng.choice([50, 60])) * rng.uniform(0.999, 1.001)
    time = np.arange(samples) / SAMPLE_RATE
    out = np.zeros(samples, np.float32)
    for number in (1, 2, 3, 5, 6, 9):
        wave = np.sin(
            (2 * np.pi * base * number * time + rng.uniform(0, 6)).astype(np.float32) % np.float32(2 * np.pi)
        )
        out += wave * np.float32(rng.uniform(0.1, 1) / number**0.7)
    return out / np.float32(rms(out))


def crowd(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return people who talk and, now and then, clap; float32, root mean square 1."""
    points = samples // lines.HOP + 2
    # The noise of four seconds is repeated; what varies is its loudness, syllable by syllable.
    noise = rng.standard_normal(4 * SAMPLE_RATE, dtype=np.float32)
    out = np.zeros(samples, np.float32)
    for low, high in ((200, 900), (500, 2000), (1200, 4000)):
        syllables = np.square(np.maximum(0, lines.smooth_noise(rng, points, 5.0) + 0.6)).astype(np.float32)
        talk = np.resize(band_pass(np.roll(noise, int(rng.integers(len(noise)))), low, high), samples)
        out += talk * lines.upsampled(syllables).ravel()[:samples]
    for _ in range(int(rng.poisson(0.7))):
        first, length = int(rng.integers(samples)), int(rng.uniform(1, 5) * SAMPLE_RATE)
        hands = (rng.random(length) < 0.004).astype(np.float32) * rng.uniform(0.3, 1.0, length).astype(
            np.float32
        )
        applause = band_pass(hands, 700, 4000) * np.hanning(length).astype(np.float32) * 20
        out[first : first + length] += applause[: samples - first]
    return out / np.float32(rms(out) + 1e-12)
