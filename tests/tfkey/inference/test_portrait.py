"""The portrait of a recording against one that is computed as a whole, directly from the definitions."""

from __future__ import annotations

import base64
import dataclasses
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT
from tfkey.audio.reading import read
from tfkey.audio.recordings import Waveform, open_recording
from tfkey.errors import AudioError
from tfkey.inference.estimator import KeyEstimator
from tfkey.inference.portrait import RANGE_DB, Portrait, portrait
from tfkey.spectrogram.light_cqt import ConstantQ
from tfkey.spectrogram.parameters import Features, Parameters

SONG = ROOT / "tests" / "data" / "real" / "supertuxkart_west.ogg"
FEATURES = Features(
    sample_rate=22050, hop_length=4096, fmin=32.70319566, n_bins=192, bins_per_octave=24,
    filter_scale=1.0, db_min=0.0, db_max=55.4, floor="soft",
)  # fmt: skip
# The hop in short recordings: as close as 20 ms allow.
SHORT_HOP = 512


def music(seconds: float) -> np.ndarray:
    """A melody that gets louder, over soft noise, float32 ``[samples]``."""
    random = np.random.default_rng(0)
    time = np.arange(max(1, round(seconds * FEATURES.sample_rate))) / FEATURES.sample_rate
    pitches = 110 * 2 ** (random.integers(0, 24, 2 + int(2 * seconds)) / 12)
    phase = 2 * np.pi * np.cumsum(pitches[(2 * time).astype(int)]) / FEATURES.sample_rate
    sound = (0.1 + 0.4 * time / time.size) * sum(np.sin(n * phase) / n for n in range(1, 5))
    return (sound + 0.001 * random.standard_normal(time.size)).astype(np.float32)


def parts(samples: int, columns: int) -> list[slice]:
    edges = [column * samples // columns for column in range(columns + 1)]
    return [slice(first, last) for first, last in pairwise(edges)]


def direct_levels(sound: np.ndarray, columns: int, hop: int) -> np.ndarray:
    """The levels of a waveform, float ``[columns, bins]``, from 0 to 255."""
    parameters = dataclasses.replace(Parameters.of(FEATURES), hop_length=hop)
    powers = ConstantQ(parameters)(sound).astype(float) ** 2 / parameters.lengths
    columns = max(1, min(columns, sound.size // hop))
    column = np.minimum(np.arange(len(powers)) * hop * columns // sound.size, columns - 1)
    means = np.stack([powers[column == number].mean(axis=0) for number in range(columns)])
    level = 10 * np.log10(means / np.quantile(means, 0.999) + 1e-30)
    return 255 * np.clip(1 + level / RANGE_DB, 0, 1)


@pytest.mark.parametrize(
    ("seconds", "columns", "hop"),
    [
        # Less than a block; several; a last block that holds only the last frame; many columns to a block and
        # many blocks to a column.
        (0.1, 1200, SHORT_HOP),
        (3.0, 1200, SHORT_HOP),
        (50.0, 1200, SHORT_HOP),
        (862 * SHORT_HOP / 22050, 1200, SHORT_HOP),
        (70.0, 100, 4096),
        (130.0, 1200, 4096),
        (130.0, 7, 4096),
        (61.0, 1, 4096),
    ],
)
def test_portrait_is_that_of_the_whole(seconds, columns, hop):
    sound = music(seconds)
    found = portrait(Waveform(sound), FEATURES, columns)
    where = parts(sound.size, columns)
    np.testing.assert_array_equal(found.low, [sound[part].min() for part in where])
    np.testing.assert_array_equal(found.high, [sound[part].max() for part in where])
    expected = direct_levels(sound, columns, hop)
    assert found.spectrogram.dtype == np.uint8
    assert found.spectrogram.shape == expected.shape
    np.testing.assert_allclose(found.spectrogram, expected, atol=0.6)
    assert (found.seconds, found.lowest_hz, found.bins_per_octave) == (sound.size / 22050, 32.70319566, 24)


@pytest.mark.parametrize("samples", [1, 2, 700, 1199, 1200, 1201])
def test_fewer_samples_than_columns_have_a_column_each(samples):
    sound = music(1.0)[:samples]
    found = portrait(Waveform(sound), FEATURES, 1200)
    if samples <= 1200:
        np.testing.assert_array_equal(found.low, sound)
        np.testing.assert_array_equal(found.high, sound)
    assert found.low.size == min(samples, 1200)
    assert found.spectrogram.shape == (max(1, samples // SHORT_HOP), 192)


def test_tone_is_where_it_should_be():
    """A sine from a third to two thirds of the time, at A4: bin 90."""
    time = np.arange(60 * 22050) / 22050
    sound = (0.2 * np.sin(2 * np.pi * 440 * time) * (abs(time - 30) < 10)).astype(np.float32)
    found = portrait(Waveform(sound), FEATURES, 300)
    sounding = np.flatnonzero(found.spectrogram.max(axis=1) > 200)
    assert sounding[0] == pytest.approx(100, abs=1)
    assert sounding[-1] == pytest.approx(199, abs=1)
    assert set(found.spectrogram[105:195].argmax(axis=1)) == {24 * 3 + 18}
    frequency = found.lowest_hz * 2 ** ((24 * 3 + 18) / found.bins_per_octave)
    assert frequency == pytest.approx(440, rel=1e-4)


def test_equal_amplitudes_look_equally_loud():
    time = np.arange(20 * 22050) / 22050
    tones = FEATURES.fmin * 2 ** np.array([1, 3, 5, 7])
    sound = (0.1 * np.sin(2 * np.pi * np.outer(tones, time)).sum(axis=0)).astype(np.float32)
    level = portrait(Waveform(sound), FEATURES, 100).spectrogram[30:-30].mean(axis=0)
    assert np.ptp(level[[24, 72, 120, 168]]) < 2


@pytest.mark.parametrize("offset", [0.0, 0.00005])
def test_silence_is_dark(offset):
    sound = np.full(22050, offset, np.float32)
    sound[::2] *= -1
    assert not portrait(Waveform(sound), FEATURES).spectrogram.any()


def test_click_does_not_darken_the_rest():
    sound = 0.01 * music(60)
    plain = portrait(Waveform(sound), FEATURES).spectrogram
    sound[22050 * 30] = 1.0
    assert portrait(Waveform(sound), FEATURES).spectrogram[:400].mean() > 0.8 * plain[:400].mean()


@pytest.mark.parametrize(
    ("bins", "per_octave", "wanted", "shown"),
    [(192, 24, 12, 96), (60, 12, 24, 119), (180, 36, 24, 120), (84, 12, 36, 250)],
)
def test_bins_are_in_the_band_of_the_features(bins, per_octave, wanted, shown):
    features = dataclasses.replace(FEATURES, n_bins=bins, bins_per_octave=per_octave)
    found = portrait(Waveform(music(2)), features, 50, wanted)
    assert (found.spectrogram.shape[1], found.bins_per_octave) == (shown, wanted)
    highest = FEATURES.fmin * 2 ** ((bins - 1) / per_octave)
    assert highest / 2 ** (1 / wanted) < found.lowest_hz * 2 ** ((shown - 1) / wanted) <= highest * 1.0001


def test_long_files_are_decoded_once_and_never_held(monkeypatch, tmp_path):
    sound = music(100)
    soundfile.write(tmp_path / "a.wav", sound, 22050, subtype="FLOAT")
    recording = open_recording(tmp_path / "a.wav", 22050, whole_seconds=5.0)
    decoded, longest = [], []

    class Watched:
        samples, warning = recording.samples, None

        def windows(self, starts, length):
            decoded.append(len(starts))
            longest.append(length)
            return recording.windows(starts, length)

    found = portrait(Watched(), FEATURES, 700)
    whole = portrait(tmp_path / "a.wav", FEATURES, 700)
    for name in ("low", "high", "spectrogram"):
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name), atol=1e-6)
    assert len(decoded) == 1
    assert longest[0] < 25 * 22050


def test_json_holds_what_the_arrays_hold():
    sound = music(5)
    sound[:100] = 1.5
    found = portrait(Waveform(sound), FEATURES, 64)
    value = json.loads(json.dumps(found.as_json()))
    assert list(value) == ["seconds", "columns", "waveform", "spectrogram"]
    assert (value["seconds"], value["columns"]) == (5.0, 64)
    low, high = (
        np.frombuffer(base64.b64decode(value["waveform"][name]), np.int8) for name in ("low", "high")
    )
    np.testing.assert_allclose(low / 127, np.clip(found.low, -1, 1), atol=0.004)
    np.testing.assert_allclose(high / 127, np.clip(found.high, -1, 1), atol=0.004)
    levels = value["spectrogram"].pop("values")
    assert value["spectrogram"] == {
        "columns": 64, "bins": 192, "lowest_hz": 32.70319566, "bins_per_octave": 24,
    }  # fmt: skip
    assert base64.b64decode(levels) == found.spectrogram.tobytes()


def test_recording_that_is_opened_once_serves_estimate_and_portrait():
    estimator = KeyEstimator.from_pretrained()
    features = estimator.metadata.features
    recording = open_recording(SONG, features.sample_rate)
    from_recording, from_file = estimator.estimate(recording), estimator.estimate(SONG)
    np.testing.assert_array_equal(from_recording.probabilities, from_file.probabilities)
    found = portrait(recording, features)
    assert isinstance(found, Portrait)
    assert found.seconds == from_file.seconds
    assert found.high.max() == read(SONG, features.sample_rate).max()


@pytest.mark.parametrize(("samples", "columns"), [(0, 10), (10, 0)])
def test_nothing_is_refused(samples, columns):
    with pytest.raises(ValueError, match="at least one"):
        portrait(Waveform(np.zeros(samples, np.float32)), FEATURES, columns)


def test_file_that_is_no_audio(tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioError, match=r"a\.wav"):
        portrait(tmp_path / "a.wav", FEATURES)
