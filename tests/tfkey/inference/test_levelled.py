"""Bringing a recording to a level: against the definition, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest

from tfkey.audio.recordings import Waveform
from tfkey.inference.level import Conditioning, levelled

RATE = 8000


def noise(seconds: float, level_db: float, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (samples * 10 ** (level_db / 20)).astype(np.float32)


def level_of(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))))


@pytest.mark.parametrize("level_db", [-80.0, -40.0, -14.0, 0.0])
@pytest.mark.parametrize("seconds", [0.1, 0.7, 30.0])
def test_steady_sound_comes_to_the_level(level_db: float, seconds: float) -> None:
    sound = noise(seconds, level_db)
    found = levelled(Waveform(sound), RATE, -14.0)
    assert found.limit == pytest.approx(10 ** (16 / 20))
    # The block than which a tenth is louder is a little above the mean.
    assert level_of(found(sound)) == pytest.approx(-14.0, abs=0.7)


def test_gain_of_a_recording_cancels_that_of_its_maker() -> None:
    sound = noise(5, -30)
    loud, soft = (levelled(Waveform(sound * np.float32(gain)), RATE, -14.0) for gain in (1.0, 0.125))
    np.testing.assert_allclose(loud(sound), soft(sound * np.float32(0.125)), rtol=1e-5)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda sound: np.concatenate([sound, np.zeros(3 * sound.size, np.float32)]), id="pause"),
        pytest.param(lambda sound: np.where(np.arange(sound.size) == 4000, 0.99, sound), id="click"),
        pytest.param(lambda sound: sound + np.float32(0.2), id="offset"),
    ],
)
def test_pauses_clicks_and_offsets_do_not_change_the_level(other) -> None:
    sound = noise(10, -40)
    changed = other(sound).astype(np.float32)
    gains = [levelled(Waveform(item), RATE, -14.0).gain for item in (sound, changed)]
    assert 20 * np.log10(gains[1] / gains[0]) == pytest.approx(0, abs=0.5)


def test_offset_is_removed_and_what_is_too_loud_is_clipped() -> None:
    sound = noise(5, -40) + np.float32(0.2)
    found = levelled(Waveform(sound), RATE, -14.0)
    assert found.offset == pytest.approx(0.2, abs=1e-3)
    assert abs(found(sound).mean()) < 0.01
    assert np.abs(found(np.array([0.9, -0.9], np.float32))).tolist() == pytest.approx([found.limit] * 2)


def test_silence_stays_as_it_is() -> None:
    assert levelled(Waveform(np.zeros(RATE, np.float32)), RATE, -14.0) == Conditioning()
    assert levelled(Waveform(np.zeros(0, np.float32)), RATE, -14.0) == Conditioning()


def test_only_the_first_ten_minutes_of_a_long_recording_count() -> None:
    class Long:
        samples = 3 * 600 * RATE
        warning = None
        read = 0

        def windows(self, starts, length):
            for start in starts:
                self.read = max(self.read, start + length)
                yield noise(length / RATE, -20, seed=start)

    recording = Long()
    found = levelled(recording, RATE, -14.0)
    assert 20 * np.log10(found.gain) == pytest.approx(6, abs=0.5)
    assert recording.read <= 601 * RATE + RATE * 10
