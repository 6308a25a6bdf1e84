"""What all players of a clip share: the clock, the key, the tuning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pipelines.synthetic.clip import SAMPLE_RATE, SAMPLES
from pipelines.synthetic.harmony import hertz
from pipelines.synthetic.songs import strings
from pipelines.synthetic.songs.notes import Clock, add


@dataclass(frozen=True)
class Stage:
    """The players' common ground.

    Attributes:
        rng: draws whatever a player leaves to chance.
        clock: when beats come.
        tonic: pitch class of the tonic, 0 to 11.
        cents: distance of the instruments from A4 = 440 Hz.
        bar: beats in a bar; 2 is 6/8.
        last: beat at which the music ends.
    """

    rng: np.random.Generator
    clock: Clock
    tonic: int
    cents: float
    bar: int
    last: float

    def near(self, pitch_class: int, middle: float) -> int:
        """Return the MIDI pitch nearest to ``middle`` that is ``pitch_class`` semitones above a tonic."""
        wanted = (self.tonic + pitch_class) % 12
        return wanted + 12 * round((middle - wanted) / 12)

    def hertz(self, pitch: float) -> float:
        """Return the frequency of a MIDI pitch in the clip's tuning."""
        return hertz(pitch, self.cents)

    def silence(self) -> np.ndarray:
        """Return an empty layer, float32 ``[SAMPLES]``."""
        return np.zeros(SAMPLES, np.float32)


@dataclass
class Bank:
    """Notes of an instrument that are made once in a clip and played often.

    Attributes:
        make: from a MIDI pitch to a waveform.
    """

    make: Callable[[float], np.ndarray]
    _made: dict[float, np.ndarray] = field(default_factory=dict)

    def play(self, buffer: np.ndarray, start: float, seconds: float, pitch: float, gain: float) -> None:
        """Add a note that is damped after ``seconds`` to a buffer, in place."""
        if pitch not in self._made:
            self._made[pitch] = self.make(pitch)
        samples = self._made[pitch]
        length = max(256, round(seconds * SAMPLE_RATE))
        if length < len(samples):
            samples = samples[:length].copy()
            samples[-200:] *= np.linspace(1, 0, 200, dtype=np.float32)
        add(buffer, start, samples, gain)


def string_bank(stage: Stage, name: str, seconds: float = 2.5, detuned: float = 0.0) -> Bank:
    """Return a bank of plucked strings.

    Args:
        stage: whose tuning and random numbers are used.
        name: in ``strings.KINDS``.
        seconds: how long a string rings at most.
        detuned: standard deviation of the mistuning of each pitch, in cents.
    """

    def make(pitch: float) -> np.ndarray:
        cents = float(stage.rng.normal(0, detuned)) if detuned else 0.0
        return strings.pluck(stage.hertz(pitch + cents / 100), seconds, strings.KINDS[name], stage.rng)

    return Bank(make)
