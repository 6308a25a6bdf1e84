from __future__ import annotations

import keras
import numpy as np
import pytest

from tfkey.settings import FeatureConfig
from tfkey.spectrogram.cqt import CQT
from tfkey.spectrogram.frontend import LogMagnitude, build_frontend, frontend_of, to_pixels
from tfkey.spectrogram.parameters import Parameters

SMALL = FeatureConfig(sample_rate=8000, hop_length=512, fmin=100.0, n_bins=48, bins_per_octave=12)


@pytest.fixture
def policy():
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("bounds", [(-40.0, 40.0), (-60.0, 0.0)])
def test_log_magnitude_is_decibels_on_a_fixed_range(bounds: tuple[float, float]) -> None:
    low, high = bounds
    magnitude = 10 ** np.random.default_rng(0).uniform(-6, 4, (3, 5, 7))
    magnitude[0, 0, :2] = 0.0, 1e-30
    with np.errstate(divide="ignore"):
        expected = np.clip((20 * np.log10(magnitude) - low) / (high - low), 0, 1)[..., np.newaxis]
    layer = LogMagnitude(low, high)
    picture = layer(magnitude.astype(np.float32)).numpy()
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture, expected, atol=2e-6)
    assert {0.0, 1.0} < set(picture.ravel().tolist())
    # The range is not taken from the clip: a part looks the same alone.
    np.testing.assert_array_equal(layer(magnitude[1:2, 2:3].astype(np.float32)), picture[1:2, 2:3])
    assert layer.compute_output_shape((None, None, 7)) == (None, None, 7, 1)


@pytest.mark.parametrize("bounds", [(0.0, 55.4), (-40.0, 40.0), (12.0, 20.0)])
def test_soft_floor_is_the_logarithm_of_one_more(bounds: tuple[float, float]) -> None:
    low, high = (10 ** (level / 20) for level in bounds)
    magnitude = 10 ** np.random.default_rng(0).uniform(-6, 4, (3, 5, 7))
    magnitude[0, 0, :3] = 0.0, low, high
    expected = np.clip(np.log(1 + magnitude / low) / np.log(1 + high / low), 0, 1)[..., np.newaxis]
    picture = LogMagnitude(*bounds, "soft")(magnitude.astype(np.float32)).numpy()
    np.testing.assert_allclose(picture, expected, atol=1e-6)
    assert (picture[0, 0, 0, 0], picture[0, 0, 2, 0]) == (0, pytest.approx(1, abs=1e-6))
    # Below db_min, differences remain, unlike on a hard floor.
    below = np.asarray([[[low / 10, low / 20]]], np.float32)
    soft, hard = (LogMagnitude(*bounds, floor)(below).numpy().ravel() for floor in ("soft", "hard"))
    assert soft[0] > 1.9 * soft[1] > 0
    assert not hard.any()


def test_with_0_db_it_is_log1p_of_the_magnitude() -> None:
    magnitude = np.asarray([[[0.0, 0.01, 1.0, 30.0, 500.0]]], np.float32)
    picture = LogMagnitude(0.0, 55.4, "soft")(magnitude).numpy()[..., 0]
    np.testing.assert_allclose(picture, np.log1p(magnitude) / np.log1p(10 ** (55.4 / 20)), atol=1e-6)


def test_floor_is_saved_and_older_layers_have_a_hard_one() -> None:
    layer = LogMagnitude(-30.0, 50.0, "soft")
    assert LogMagnitude.from_config(layer.get_config()).floor == "soft"
    older = {name: value for name, value in layer.get_config().items() if name != "floor"}
    assert LogMagnitude.from_config(older).floor == "hard"
    with pytest.raises(ValueError, match="floor='low'; it must be one of hard, soft"):
        LogMagnitude(-30.0, 50.0, "low")


def test_frontend_saves_and_stays_float32_under_mixed_precision(tmp_path, policy) -> None:
    waveform = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 4000)).astype(np.float32)
    features = SMALL.model_copy(update={"db_min": -30.0, "db_max": 50.0, "floor": "soft"})
    expected = build_frontend(features)(waveform).numpy()
    for name in ("mixed_bfloat16", "mixed_float16"):
        policy(name)
        frontend = build_frontend(features)
        picture = frontend(waveform)
        assert frontend.output.dtype == "float32"
        np.testing.assert_array_equal(picture, expected)
    frontend.save(tmp_path / "frontend.keras")
    policy("float32")
    again = keras.models.load_model(tmp_path / "frontend.keras")
    np.testing.assert_array_equal(again(waveform), expected)
    assert (again.get_layer("log_magnitude").db_min, again.get_layer("log_magnitude").db_max) == (-30, 50)


def test_parameters_have_one_form() -> None:
    features = FeatureConfig(extra_semitones=3)
    assert CQT().parameters == Parameters.of(FeatureConfig()), "the defaults of the layer"
    for wide, bins, fmin in ((False, 120, 65.41), (True, 132, 65.41 * 2 ** (-1 / 4))):
        parameters = Parameters.of(features, wide=wide)
        assert (parameters.n_bins, parameters.fmin) == (bins, pytest.approx(fmin, rel=1e-12))
        assert build_frontend(features, wide=wide).get_layer("cqt").parameters == parameters
    assert Parameters.of(features, cents=100.0).fmin == pytest.approx(65.41 * 2 ** (1 / 12), rel=1e-12)


def test_a_frontend_is_found_in_a_network() -> None:
    waveform = keras.Input((None,))
    frontend = build_frontend(SMALL)
    head = keras.layers.GlobalAveragePooling2D()
    assert frontend_of(keras.Model(waveform, head(frontend(waveform)))) is frontend
    flat = frontend_of(keras.Model(frontend.input, head(frontend.output)))
    x = np.random.default_rng(0).uniform(-1, 1, (1, 5000)).astype(np.float32)
    np.testing.assert_array_equal(flat(x), frontend(x))
    picture = keras.Input((None, 48, 1))
    assert frontend_of(keras.Model(picture, head(picture))) is None


@pytest.mark.parametrize("samples", [511, 512, 4000])
def test_frontend_shape(samples: int) -> None:
    waveform = np.random.default_rng(2).uniform(-0.5, 0.5, (2, samples)).astype(np.float32)
    shape = (2, 1 + samples // 512, 48, 1)
    assert shape[1] == SMALL.frames(samples)
    static, dynamic = build_frontend(SMALL, samples), build_frontend(SMALL)
    assert static.output_shape == (None, *shape[1:])
    assert dynamic.output_shape == (None, None, 48, 1)
    picture = static(waveform).numpy()
    assert picture.shape == shape
    np.testing.assert_allclose(dynamic(waveform), picture, atol=1e-6)


def test_frontend_shows_a_tone_in_its_bin() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 100.0 * 2 ** (31 / 12) * np.arange(16000) / 8000)
    picture = build_frontend(SMALL)(tone[np.newaxis].astype(np.float32)).numpy()[0, 10:-10, :, 0]
    assert set(picture.argmax(axis=1)) == {31}


def from_pixels(pixels: np.ndarray) -> np.ndarray:
    return (pixels.T.astype(np.float32)) / np.float32(255.0)


def test_pixels_keep_a_picture_to_half_a_level() -> None:
    picture = np.random.default_rng(3).random((9, 5)).astype(np.float32)
    picture[2, 0], picture[2, 4] = 0.0, 1.0
    pixels = to_pixels(picture)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (5, 9))
    # The lowest bin is the top row, time runs to the right.
    assert (pixels[0, 2], pixels[4, 2]) == (0, 255)
    back = from_pixels(pixels)
    assert (back.dtype, back.shape) == (np.float32, picture.shape)
    assert np.abs(back - picture).max() <= 0.5 / 255 + 1e-7


def test_every_level_of_a_pixel_survives_and_excess_is_clipped() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(to_pixels(from_pixels(pixels)), pixels)
    assert to_pixels(np.array([[-0.5, 1.5]])).ravel().tolist() == [0, 255]
