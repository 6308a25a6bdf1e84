from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr

from tfkey.audio.reading import read
from tfkey.inference.tones import LEAST_TONALITY, Tones, find_tones
from tfkey.settings import FeatureConfig
from tfkey.spectrogram.light import spectrogram
from tfkey.spectrogram.parameters import Features

REAL = sorted((Path(__file__).parents[2] / "data" / "real").glob("*.ogg"))
FEATURES = Features.of(FeatureConfig().model_dump())
RATE = 44100


def tones_of(waveform: np.ndarray) -> Tones:
    return find_tones(spectrogram(waveform, FEATURES), FEATURES)


def distance(cents: float | None, expected: float) -> float:
    """On the circle of 100 cents."""
    assert cents is not None
    assert -50 <= cents < 50
    return abs((cents - expected + 50) % 100 - 50)


@pytest.mark.parametrize("a4", [415.3, 428, 432, 436, 440, 442, 444, 448, 452.5])
def test_tuning_of_tones_to_two_cents(a4: float) -> None:
    time = np.arange(2 * RATE) / RATE
    expected = 1200 * np.log2(a4 / 440)
    for semitones in (-26, -9, 0, 7, 21):
        sine = 0.3 * np.sin(2 * np.pi * a4 * 2 ** (semitones / 12) * time)
        assert distance(tones_of(sine).cents, expected) < 2
    chord = sum(
        np.sin(2 * np.pi * overtone * a4 * 2 ** (semitones / 12) * time) / overtone
        for semitones in (-21, -9, -5, -2, 3)
        for overtone in range(1, 6)
    )
    # Overtones lie beside the tempered scale: the third by 2 cents, the fifth by 14.
    assert distance(tones_of(0.1 * chord).cents, expected) < 3


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_tuning_of_recordings_follows_their_speed(path: Path) -> None:
    waveform = read(path)[: 20 * RATE]
    plain = tones_of(waveform)
    for shift in (-40, 25):
        faster = soxr.resample(waveform, RATE * 2 ** (shift / 1200), RATE)
        assert distance(tones_of(faster).cents, plain.cents + shift) < 3


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_soft_floor_shows_the_same_tones(path: Path) -> None:
    values = {**FeatureConfig().model_dump(), "floor": "soft", "db_min": 0.0, "db_max": 55.4}
    soft = Features.of(values)
    waveform = read(path)[: 20 * RATE]
    hard, found = tones_of(waveform), find_tones(spectrogram(waveform, soft), soft)
    assert found.cents == pytest.approx(hard.cents, abs=1)
    assert found.tonality == pytest.approx(hard.tonality, abs=0.02)
    assert (found.frames, found.peaks) == (hard.frames, pytest.approx(hard.peaks, rel=0.02))


@pytest.mark.parametrize("seconds", [1, 5, 30])
def test_noise_and_percussion_have_no_tones(noises, seconds: int) -> None:
    sounds = noises(seconds)
    assert len(sounds) == 9
    for name, sound in sounds.items():
        for level in (1.0, 0.01):
            assert tones_of(level * sound).tonality < LEAST_TONALITY, name


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_recordings_have_tones(path: Path) -> None:
    waveform = read(path)
    assert tones_of(waveform).tonality > 1.4 * LEAST_TONALITY
    for start in range(0, waveform.size - 5 * RATE, 10 * RATE):
        assert tones_of(waveform[start : start + 5 * RATE]).tonality > LEAST_TONALITY
    # A recording that is mostly silent has the tones that it has.
    assert tones_of(np.pad(waveform[: 5 * RATE], (0, 20 * RATE))).tonality > LEAST_TONALITY


@pytest.mark.parametrize(("overtones", "seconds"), [(1, 0.5), (2, 0.1), (6, 0.1), (6, 0.5)])
def test_a_lone_voice_has_tones(overtones: int, seconds: float) -> None:
    time = np.arange(round(seconds * RATE)) / RATE
    scale = 262 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
    notes = [
        sum(np.sin(2 * np.pi * pitch * part * time) / part for part in range(1, overtones + 1))
        for pitch in scale
    ]
    assert tones_of(0.2 * np.tile(np.concatenate(notes), 3)).tonality > LEAST_TONALITY


def test_what_has_no_tuning(noises) -> None:
    for waveform in (np.zeros(RATE), np.zeros(0), np.full(RATE, 0.5), noises(30)["white"]):
        assert tones_of(waveform).cents is None


def test_parts_of_a_track_join(noises) -> None:
    music, noise = tones_of(read(REAL[0])[: 15 * RATE]), tones_of(noises(15)["white"])
    joined = music + noise + noise
    assert joined.frames == music.frames + 2 * noise.frames
    assert joined.deviation == pytest.approx(music.deviation + 2 * noise.deviation)
    # Music in a part of a track is music, and no length of noise is.
    assert joined.tonality > LEAST_TONALITY
    assert sum(20 * [noise], Tones()).tonality < LEAST_TONALITY
    assert (Tones() + music).tonality == music.tonality


def test_tuning_of_parts_of_a_track() -> None:
    high, low = Tones(deviation=3 + 0j, weight=3.0), Tones(deviation=0 + 1j, weight=1.0)
    assert (high + low).cents == pytest.approx(np.degrees(np.arctan2(1, 3)) / 3.6)
    # Two halves in tunings as far apart as can be agree on none.
    assert (Tones(deviation=1 + 0j, weight=1.0) + Tones(deviation=-1 + 0j, weight=1.0)).cents is None


def test_a_click_does_not_make_a_pause_of_music() -> None:
    waveform = 0.01 * read(REAL[0])[: 15 * RATE]
    plain = tones_of(waveform)
    waveform[5 * RATE : 5 * RATE + 2000] = 0.9 * np.random.default_rng(0).uniform(-1, 1, 2000)
    clicked = tones_of(waveform)
    assert clicked.tonality == pytest.approx(plain.tonality, abs=0.05)
    assert distance(clicked.cents, plain.cents) < 3


def glides(seconds: int, pause: float) -> np.ndarray:
    """A voice that speaks: harmonics of a pitch that never stays, in syllables."""
    random = np.random.default_rng(1)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 130 * 2 ** np.interp(
        time, np.arange(0, seconds + 0.2, 0.2), random.normal(0, 0.25, round(seconds / 0.2) + 1)
    )
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    syllables = np.sin(np.pi * time / 0.22) ** 2 * (time % 3 > pause)
    return (0.05 * syllables * sum(np.sin(part * phase) / part for part in range(1, 20))).astype(np.float32)


@pytest.mark.parametrize("pause", [0.0, 0.7])
@pytest.mark.parametrize("seconds", [10, 15, 40])
def test_speech_has_no_tones(seconds: int, pause: float) -> None:
    tones = tones_of(glides(seconds, pause))
    # It has as many peaks as music.
    assert tones.peaks > 2 * tones.frames
    assert tones.tonality < LEAST_TONALITY
