from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.media import encode
from tfkey.audio.mixing import Mixer, mix, turned
from tfkey.audio.reading import blocks, read

RATE = 44100
REAL = sorted((Path(__file__).parents[2] / "data" / "real").glob("*.ogg"))


@pytest.fixture(scope="module")
def song() -> np.ndarray:
    """Six seconds of music, float64 ``[samples]``."""
    return 0.5 * soundfile.read(REAL[1])[0].reshape(-1)[: 6 * RATE]


@pytest.fixture(scope="module")
def other() -> np.ndarray:
    """Six seconds of other music."""
    return 0.5 * soundfile.read(REAL[4])[0].reshape(-1)[: 6 * RATE]


def similarity(one: np.ndarray, two: np.ndarray) -> float:
    """The correlation of two waveforms, whatever their sign."""
    return abs(float(np.corrcoef(one, two)[0, 1]))


CANCELLING = {
    "opposite": [1, -1],
    "opposite, the first turned": [-1, 1],
    "opposite and softer": [1, -0.708],
    "nearly silent and opposite": [1, -0.9],
    "four of six": [1, -1, 1, -1, 0, 0],
    "half of eight": [1, -1, 1, -1, 1, -1, 1, -1],
    "three": [1, -1, -0.5],
}


@pytest.mark.parametrize("offset", [0.0, 0.3])
@pytest.mark.parametrize("name", CANCELLING)
def test_what_cancels_is_turned(tmp_path: Path, song, other, name: str, offset: float) -> None:
    gains = np.array(CANCELLING[name])
    sound = 0.6 * song[:, np.newaxis] * gains + 0.02 * other[:, np.newaxis] + offset
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    waveform = read(tmp_path / "a.wav")
    # The most that these channels can give.
    assert np.std(waveform) == pytest.approx(np.abs(gains).mean() * 0.6 * np.std(song), rel=0.03)
    assert similarity(waveform, song) > 0.99
    np.testing.assert_array_equal(
        np.concatenate([part.copy() for part in blocks(tmp_path / "a.wav")]), waveform
    )


def test_stereo_whose_channels_differ(tmp_path: Path, song, other) -> None:
    """What is in the middle is lost from the mean, and is most of the music."""
    side = 0.3 * np.std(song) / np.std(other) * other
    left, right = song + side, song - side
    soundfile.write(tmp_path / "a.wav", np.stack([left, -right], axis=1), RATE, subtype="FLOAT")
    assert similarity(read(tmp_path / "a.wav"), song) > 0.99


@pytest.mark.parametrize("channels", range(1, 9))
def test_other_channels_are_averaged(tmp_path: Path, song, other, channels: int) -> None:
    """Alike, independent, silent, mid and side: the mean, to the last bit that it always had."""
    random = np.random.default_rng(channels)
    mixtures = [
        np.stack([song] * channels, axis=1),
        np.stack([np.roll(song, 9000 * channel) for channel in range(channels)], axis=1),
        np.stack([song if channel == channels - 1 else 0 * song for channel in range(channels)], axis=1),
        np.stack([song + other, 0.2 * (song - other)] * 4, axis=1)[:, :channels],
        0.1 * random.standard_normal((RATE, channels)),
    ]
    for number, sound in enumerate(mixtures):
        sound = (0.4 * sound).astype(np.float32)
        soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
        expected = sound[:, 0].copy()
        for channel in range(1, channels):
            expected += sound[:, channel]
        expected /= np.float32(channels)
        np.testing.assert_array_equal(read(tmp_path / "a.wav"), expected, err_msg=str(number))


def test_phase_that_changes_in_the_middle(tmp_path: Path, song) -> None:
    long = np.tile(song, 16)
    right = long.copy()
    right[long.size // 2 :] *= -1
    soundfile.write(tmp_path / "a.wav", np.stack([long, right], axis=1), RATE)
    waveform = read(tmp_path / "a.wav")
    half = long.size // 2
    assert similarity(waveform[:half], long[:half]) > 0.99
    # Followed after half a minute: what was is forgotten slowly.
    assert similarity(waveform[half + 36 * RATE :], long[half + 36 * RATE :]) > 0.99


def test_silence_before_what_cancels(tmp_path: Path, song) -> None:
    sound = np.concatenate([np.zeros(20 * RATE), song])
    soundfile.write(tmp_path / "a.flac", np.stack([sound, -sound], axis=1), RATE)
    assert similarity(read(tmp_path / "a.flac")[20 * RATE :], song) > 0.9


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "aac"), ("matroska", "pcm_s16le"), ("asf", "wmav2")]
)
def test_containers(tmp_path: Path, song, container: str, codec: str) -> None:
    sound = np.stack([song, -0.8 * song], axis=1)
    path = encode(tmp_path / "a", codec, sound.astype(np.float32), RATE, container=container)
    waveform = read(path)
    late = slice(2 * RATE, 5 * RATE)
    # Encoders delay, so by power.
    assert np.std(waveform[late]) == pytest.approx(0.9 * np.std(song[late]), rel=0.1)


@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "i8", "f4", "f8"])
def test_turned_samples_of_all_types(kind: str) -> None:
    full = 1.0 if kind[0] == "f" else float(2 ** (8 * int(kind[1]) - 1))
    zero = full if kind[0] == "u" else 0.0
    wave = np.array([-1.0, -0.5, 0.0, 0.25, 0.99])
    if kind[0] != "f":
        wave[0] = -0.999
    samples = (wave * full * np.array([[1.0], [0.5]]) + zero).astype(kind)
    result = turned(samples, np.array([1.0, -1.0]))
    assert result.dtype == samples.dtype
    np.testing.assert_array_equal(result[0], samples[0])
    np.testing.assert_allclose((result[1] - zero) / full, -0.5 * wave, atol=2 / 128 if kind == "u1" else 1e-4)


def test_mixer_without_anything_to_tell() -> None:
    mixer = Mixer(RATE)
    assert mixer.signs(np.zeros((0, 2), np.float32)) is None
    assert mixer.signs(np.zeros((500, 1), np.float32)) is None
    assert mixer.signs(np.zeros((500, 2), np.float32)) is None
    assert mixer.signs(np.full((500, 2), np.nan, np.float32)) is None
    # The number of channels may change.
    noise = np.random.default_rng(0).standard_normal((500, 1))
    assert list(mixer.signs(noise * [1, -1, 1])) == [1, -1, 1]
    assert mixer.signs(noise * [1, 1]) is None
    out = np.empty(500, np.float32)
    mix((noise * [1, -1, 1]).astype(np.float32), np.array([1.0, -1.0, 1.0]), out)
    np.testing.assert_allclose(out, noise[:, 0], atol=1e-6)
