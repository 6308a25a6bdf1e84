"""Percussion sounds, made from noise and decaying sines, float64 ``[samples]`` at RATE."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

RATE = 44100
SECONDS = 12.0

Make = Callable[[np.random.Generator], np.ndarray]


def kick(
    rng: np.random.Generator, pitch: float = 50.0, sweep: float = 4.0, decay: float = 0.12
) -> np.ndarray:
    """A bass drum: a sine that falls to ``pitch`` in Hz from ``sweep`` times that, and a click."""
    time = _time(5 * decay)
    frequency = pitch * (1 + (sweep - 1) * np.exp(-time / 0.02))
    body = np.sin(2 * np.pi * np.cumsum(frequency) / RATE) * np.exp(-time / decay)
    return body + 0.3 * rng.standard_normal(time.size) * np.exp(-time / 0.002)


def snare(rng: np.random.Generator, pitch: float = 190.0, decay: float = 0.09) -> np.ndarray:
    """Two modes of the head and the rattle of the wires."""
    time = _time(6 * decay)
    head = sum(np.sin(2 * np.pi * pitch * mode * time) for mode in (1.0, 1.59))
    return 0.35 * head * np.exp(-time / 0.05) + 0.6 * rng.standard_normal(time.size) * np.exp(-time / decay)


def hat(rng: np.random.Generator, decay: float = 0.03) -> np.ndarray:
    """A hi-hat, cymbal or shaker: noise without its lows."""
    noise = np.diff(rng.standard_normal(_time(6 * decay).size + 2), 2)
    return 0.25 * noise * np.exp(-_time(6 * decay) / decay)


def ride(rng: np.random.Generator, decay: float = 0.5) -> np.ndarray:
    """A cymbal with many modes that are no harmonics."""
    time = _time(2.5 * decay)
    modes = np.exp(rng.uniform(np.log(400), np.log(12000), 90))
    phases = rng.uniform(0, 2 * np.pi, modes.size)
    sound = sum(np.sin(2 * np.pi * mode * time + phase) for mode, phase in zip(modes, phases, strict=True))
    return 0.04 * sound * np.exp(-time / decay)


def tom(rng: np.random.Generator, pitch: float = 120.0, decay: float = 0.15) -> np.ndarray:
    """A tom: the modes of a round membrane, which fall a little as they die away."""
    time = _time(4 * decay)
    fall = np.cumsum(1 + 0.25 * np.exp(-time / 0.06)) / RATE
    sound = sum(
        np.sin(2 * np.pi * pitch * mode * fall) * np.exp(-time * mode / decay) / mode
        for mode in (1.0, 1.59, 2.14, 2.3)
    )
    return 0.6 * sound + 0.1 * rng.standard_normal(time.size) * np.exp(-time / 0.01)


def wood(rng: np.random.Generator, pitch: float = 800.0, decay: float = 0.015) -> np.ndarray:
    """A rim shot, clave or wood block: a short sine."""
    time = _time(8 * decay)
    return 0.5 * np.sin(2 * np.pi * pitch * time) * np.exp(-time / decay) + 0.01 * rng.standard_normal(
        time.size
    )


def clap(rng: np.random.Generator, centre: float = 1200.0, width: float = 900.0) -> np.ndarray:
    """Two hands: a burst of noise about ``centre`` Hz."""
    size = round(0.06 * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(size) * np.exp(-np.arange(size) / RATE / 0.008))
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    spectrum *= 1 / (1 + ((frequency - centre) / width) ** 2)
    return np.fft.irfft(spectrum, size)


def applause(rng: np.random.Generator, people: int) -> np.ndarray:
    """People who clap, each with hands, a tempo and a distance of their own."""
    sound = np.zeros(round(SECONDS * RATE))
    for _ in range(people):
        centre, width, loudness = rng.uniform(600, 2200), rng.uniform(400, 1500), rng.uniform(0.1, 1)
        gap = rng.uniform(0.18, 0.35)
        place = rng.uniform(0, gap)
        while place < SECONDS - 0.1:
            _put(sound, loudness * rng.uniform(0.6, 1) * clap(rng, centre, width), place)
            place += gap * rng.normal(1, 0.05)
    return sound


def hits_as_rain(rng: np.random.Generator) -> np.ndarray:
    """Drops on leaves: thousands of short knocks over soft noise."""
    sound = 0.03 * rng.standard_normal(round(SECONDS * RATE))
    for place in rng.uniform(0, SECONDS - 0.1, 6000):
        drop = wood(rng, np.exp(rng.uniform(np.log(600), np.log(6000))), rng.uniform(0.001, 0.004))
        _put(sound, rng.exponential(0.3) * drop, place)
    return sound


def crackle(rng: np.random.Generator) -> np.ndarray:
    """The surface of an old record: clicks of every size over hiss."""
    size = round(SECONDS * RATE)
    clicks = np.where(rng.random(size) < 2e-3, rng.laplace(0, 1, size), 0.0)
    return np.convolve(clicks, np.exp(-np.arange(40) / 8.0), "same") + 0.01 * rng.standard_normal(size)


def engine(rng: np.random.Generator) -> np.ndarray:
    """A motor whose speed wanders: pulses of noise through the resonances of an exhaust."""
    size = round(SECONDS * RATE)
    speed = np.interp(np.linspace(0, 40, size), np.arange(41), 28 * np.exp(rng.normal(0, 0.35, 41)))
    pulses = np.maximum(0, np.sin(2 * np.pi * np.cumsum(speed) / RATE)) ** 12
    body = np.convolve(rng.standard_normal(size), np.exp(-np.arange(400) / 60.0), "same")
    return pulses * body + 0.1 * body


def drum_loops() -> Iterator[tuple[str, np.ndarray]]:
    """A dozen kits in two loops each."""
    kits: list[tuple[str, dict[str, Make]]] = [
        ("rock", {"kick": kick, "snare": snare, "hat": hat}),
        ("kick alone", {"kick": kick}),
        ("snare alone", {"snare": snare}),
        ("hats and ride", {"hat": hat, "snare": ride}),
        ("tuned kick", {"kick": lambda rng: kick(rng, 55.0, 2.0, 0.2), "hat": hat}),
        ("long kick", {"kick": lambda rng: kick(rng, 43.65, 5.0, 0.3), "snare": snare, "hat": hat}),
        (
            "toms",
            {"kick": kick, "snare": snare, "hat": lambda rng: tom(rng, rng.choice([90, 120, 160, 210]))},
        ),
        ("tom fill", {"snare": lambda rng: tom(rng, rng.choice([80, 110, 150])), "hat": hat}),
        ("high snare", {"kick": kick, "snare": lambda rng: snare(rng, 260.0, 0.15)}),
        ("house", {"kick": lambda rng: kick(rng, 48.0, 6.0, 0.15), "snare": clap, "hat": hat}),
        (
            "latin",
            {"kick": lambda rng: tom(rng, 200, 0.06), "snare": wood, "hat": lambda rng: hat(rng, 0.05)},
        ),
        ("crash", {"kick": kick, "snare": lambda rng: hat(rng, 0.8), "hat": ride}),
    ]
    for number, (name, kit) in enumerate(kits):
        for turn, tempo in enumerate((0.13, 0.19)):
            rng = np.random.default_rng([number, turn])
            sound = 1e-4 * rng.standard_normal(round(SECONDS * RATE))
            for step in range(int((SECONDS - 2.5) / tempo)):
                for drum, chance in (
                    ("kick", (0.95, 0.1, 0.2, 0.3)[step % 4]),
                    ("snare", (0.05, 0.1, 0.9, 0.15)[step // 2 % 4]),
                    ("hat", 0.8),
                ):
                    if drum in kit and rng.random() < chance:
                        _put(sound, rng.uniform(0.5, 1) * kit[drum](rng), step * tempo)
            yield f"{name}, {15 / tempo:.0f} bpm", sound


def _time(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * RATE)) / RATE


def _put(sound: np.ndarray, part: np.ndarray, seconds: float) -> None:
    """Add a part to a sound from a place on."""
    start = round(seconds * RATE)
    end = min(sound.size, start + part.size)
    sound[start:end] += part[: end - start]
