from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tfkey.audio.reading import read
from tfkey.config import load_config
from tfkey.inference.tones import find_tones
from tfkey.settings import FeatureConfig
from tfkey.spectrogram.light import spectrogram
from tfkey.spectrogram.parameters import Features
from tfkey.training.levels import to_magnitudes, to_values
from tfkey.training.roughening import (
    Roughening,
    band_gains,
    build_roughening,
    detuned,
    noisy,
    reverberated,
)

REAL = Path(__file__).parents[2] / "data" / "real"
RNG = np.random.default_rng(0)
BINS, FRAMES, BATCH, RANGE = 48, 40, 32, 80.0
SCALES = {"hard": (-40.0, 40.0), "soft": (0.0, 55.4)}
PICTURES = RNG.uniform(0.2, 0.8, (BATCH, FRAMES, BINS, 1)).astype(np.float32)
ALL = {"detune_cents": 40.0, "reverb_seconds": 1.0, "noise_floor_db": -10.0, "band_limits": 0.5}


def rough(pictures: np.ndarray, floor: str = "hard", **settings: Any) -> np.ndarray:
    layer = Roughening(65.41, 24, 0.1, RANGE, floor, **settings)
    return layer(pictures, training=True).numpy()


def in_decibels(pictures: np.ndarray) -> np.ndarray:
    return (pictures.astype(np.float64) - 1) * RANGE


@pytest.mark.parametrize("floor", SCALES)
@pytest.mark.parametrize("bounds", [(0.0, 55.4), (-40.0, 40.0), (-300.0, 300.0)])
def test_values_become_magnitudes_and_values_again(floor: str, bounds: tuple[float, float]) -> None:
    decibels = bounds[1] - bounds[0]
    values = np.linspace(0, 1, 101, dtype=np.float32)
    magnitudes = np.asarray(to_magnitudes(values, decibels, floor))
    np.testing.assert_allclose(to_values(magnitudes, decibels, floor), values, atol=1e-5)
    assert magnitudes[-1] == pytest.approx(1, rel=1e-4)
    assert magnitudes[0] == (0 if floor == "soft" else pytest.approx(10 ** (-decibels / 20), rel=1e-4))


def features_of(floor: str) -> Features:
    low, high = SCALES[floor]
    changes = {"sample_rate": 22050, "hop_length": 4096, "floor": floor, "db_min": low, "db_max": high}
    return Features.of(FeatureConfig(**changes).model_dump())


def moved(picture: np.ndarray, features: Features, cents: float) -> np.ndarray:
    """A spectrogram ``[frames, bins]`` of quarter tones, detuned."""
    scale = features.decibels, features.floor
    magnitudes = to_magnitudes(picture[np.newaxis], *scale)
    shift = np.asarray([cents / 50], np.float32)
    return to_values(detuned(magnitudes, shift, 1), *scale).numpy()[0]


@pytest.mark.parametrize("floor", SCALES)
@pytest.mark.parametrize("cents", [-40, -25, 10, 33, 50])
def test_a_tone_moves_by_the_cents_asked(floor: str, cents: float) -> None:
    features = features_of(floor)
    time = np.arange(3 * 22050) / 22050
    for pitch in (82.4, 223.0, 440.0, 1100.0):
        picture = spectrogram((0.3 * np.sin(2 * np.pi * pitch * time)).astype(np.float32), features)
        distance = (
            find_tones(moved(picture, features, cents), features).cents - find_tones(picture, features).cents
        )
        assert abs((distance - cents + 50) % 100 - 50) < 2.5


@pytest.mark.parametrize("floor", SCALES)
@pytest.mark.parametrize("cents", [-33, 25])
def test_detuning_is_close_to_the_transform_of_detuned_music(floor: str, cents: float) -> None:
    """The transform with all its bins lower shows the same music higher."""
    features = features_of(floor)
    waveform = read(REAL / "naev_empire1.ogg", 22050)[: 20 * 22050]
    plain, expected = spectrogram(waveform, features), spectrogram(waveform, features, -cents)
    error = np.abs(moved(plain, features, cents) - expected).mean()
    assert error < 0.45 * np.abs(plain - expected).mean()
    assert error < 0.35 * np.abs(moved(plain, features, -cents) - expected).mean()


def test_detuning_is_exact_for_parabolas_and_repeats_the_edges() -> None:
    bins = np.arange(20.0)
    shift = np.asarray([0.3, -0.7, 0.0, 1.6], np.float32)
    root = np.broadcast_to(0.9 - 0.005 * (bins - 9) ** 2, (4, 3, 20)).astype(np.float32)
    got = np.sqrt(detuned(root**2, shift, 2))[:, :, 4:-4]
    expected = 0.9 - 0.005 * (bins - 9 - shift[:, np.newaxis]) ** 2
    np.testing.assert_allclose(got, np.repeat(expected[:, np.newaxis, 4:-4], 3, axis=1), atol=1e-6)
    np.testing.assert_allclose(detuned(np.full_like(root, 0.4), shift, 2), 0.4, atol=1e-6)
    np.testing.assert_allclose(detuned(root**2, np.zeros(4, np.float32), 2), root**2, atol=1e-6)


@pytest.mark.parametrize("decay", [1.0, 4.0, 11.5, 37.0])
def test_reverberation_decays_by_60_db_in_the_time_asked(decay: float) -> None:
    magnitudes = np.zeros((2, 100, 3), np.float32)
    magnitudes[:, 10, 1] = 1.0
    share = np.asarray([1.0, 0.25], np.float32)
    got = reverberated(magnitudes, np.full(2, decay, np.float32), share, 40.0).numpy()
    ratio = 10 ** (-3 / decay)
    times = np.arange(1, int(decay) + 1)
    # The share of the reverberation only scales what follows the sound itself.
    expected = share[:, np.newaxis] * (1 - ratio) * ratio**times
    np.testing.assert_allclose(got[:, 10 + times, 1], expected, rtol=1e-3)
    np.testing.assert_allclose(got[:, 10, 1], 1 - share * ratio, rtol=1e-5)
    assert not got[:, :10].any()
    assert not got[..., [0, 2]].any()
    # Between the next frame and 60 dB below it lies the decay.
    levels = 20 * np.log10(np.maximum(got[0, 11:, 1], 1e-12))
    assert np.interp(60, levels[0] - levels, np.arange(levels.size)) == pytest.approx(decay, rel=0.02)


def test_reverberation_keeps_what_lasts() -> None:
    lasting = RNG.uniform(0, 1, (3, 1, 5)).astype(np.float32) * np.ones((1, 50, 1), np.float32)
    decay, share = np.asarray([0.0, 5.0, 30.0], np.float32), np.ones(3, np.float32)
    np.testing.assert_allclose(reverberated(lasting, decay, share, 30.0), lasting, atol=1e-6)
    changing = RNG.uniform(0, 1, (3, 50, 5)).astype(np.float32)
    np.testing.assert_allclose(reverberated(changing, decay, share, 30.0)[0], changing[0], atol=1e-6)
    dry = reverberated(changing, decay, np.zeros(3, np.float32), 30.0)
    np.testing.assert_array_equal(dry, changing)


def test_noise_has_the_level_and_the_colour_asked() -> None:
    magnitudes = np.zeros((3, 400, BINS), np.float32)
    magnitudes[:, :, 7] = [[0.1], [0.2], [0.4]]
    power = (magnitudes**2).mean(axis=(1, 2))
    level = np.asarray([-30.0, -20.0, -5.0], np.float32)
    colour = np.asarray([[0.0], [-6.0], [3.0]], np.float32) * np.arange(BINS, dtype=np.float32) / 24
    draws = RNG.random(magnitudes.shape).astype(np.float32)
    got = noisy(magnitudes, level, colour, draws).numpy().astype(np.float64)
    # Powers add up.
    noise = got**2 - magnitudes.astype(np.float64) ** 2
    np.testing.assert_allclose(10 * np.log10(noise.mean(axis=(1, 2)) / power), level, atol=0.2)
    spectrum = noise.mean(axis=1)
    slopes = [np.polyfit(np.arange(BINS) / 24, 10 * np.log10(row), 1)[0] for row in spectrum]
    np.testing.assert_allclose(slopes, [0, -6, 3], atol=0.5)
    # As of Gaussian noise: the deviation of the power is its mean.
    np.testing.assert_allclose(noise.std(axis=1) / spectrum, 1, atol=0.25)
    assert not noisy(np.zeros_like(magnitudes), level, colour, draws).numpy().any()


def test_band_limits_fall_by_so_many_db_an_octave() -> None:
    pitches = np.log2(np.asarray([[50.0, 100, 200, 400, 1600, 3200, 6400]], np.float32))
    cuts = [np.asarray([[value]], np.float32) for value in (np.log2(200), 12, np.log2(1600), 30)]
    gains = band_gains(pitches, *cuts).numpy()
    expected = [-24, -12, 0, 0, 0, -30, -60]
    np.testing.assert_allclose(20 * np.log10(gains[0]), expected, atol=1e-3)
    cuts[1] = np.asarray([[500.0]], np.float32)
    assert 20 * np.log10(band_gains(pitches, *cuts).numpy()[0, 0]) == pytest.approx(-120, abs=1e-3)


def test_layer_draws_the_decay_of_each_clip() -> None:
    pictures = np.zeros((BATCH, FRAMES, BINS, 1), np.float32)
    pictures[:, 5] = 1.0
    levels = in_decibels(rough(pictures, reverb_seconds=2.0))[:, :, 0, 0]
    # Two frames that are above the floor, 0.1 s apart.
    seconds = 60 * 0.1 / (levels[:, 6] - levels[:, 7])
    heard = levels[:, 7] > -70
    assert heard.sum() > BATCH / 2
    assert seconds[heard].max() <= 2.0 + 1e-3
    assert np.ptp(seconds[heard]) > 1


def test_layer_detunes_each_clip_by_up_to_the_cents_asked() -> None:
    bins = np.arange(BINS)
    root = np.maximum(1e-2, 1 - 0.1 * (bins - 20) ** 2)
    pictures = np.broadcast_to(1 + 40 * np.log10(root) / RANGE, (200, 3, BINS))[..., np.newaxis]
    got = 10 ** (in_decibels(rough(pictures.astype(np.float32), detune_cents=20.0))[:, 1, 18:23, 0] / 40)
    before, peak, after = got[:, 1], got[:, 2], got[:, 3]
    cents = 50 * 0.5 * (before - after) / (before - 2 * peak + after)
    assert 15 < cents.max() < 22
    assert -22 < cents.min() < -15


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_layer_limits_the_band_of_a_share_of_the_clips(share: float) -> None:
    pictures = np.full((300, 2, BINS, 1), 0.9, np.float32)
    # From 5 Hz on, even the lowest cut reaches the lowest bin, and no high cut any.
    got = Roughening(5.0, 24, 0.1, RANGE, band_limits=share)(pictures, training=True).numpy()
    limited = (np.abs(got - 0.9) > 1e-4).any(axis=(1, 2, 3))
    assert limited.mean() == pytest.approx(share, abs=0.08)
    slopes = in_decibels(got)[limited][:, 0, 1] - in_decibels(got)[limited][:, 0, 0]
    steep = slopes[slopes > 1e-3] * 24
    assert steep.min() > 11.9
    assert steep.max() < 96.1


@pytest.mark.parametrize("floor", SCALES)
@pytest.mark.parametrize("name", [*ALL, "all"])
def test_roughening_is_repeatable_and_leaves_nothing_outside_the_range(name: str, floor: str) -> None:
    settings = ALL if name == "all" else {name: ALL[name]}
    got = rough(PICTURES, floor, **settings, seed=3)
    assert (got.dtype, got.shape) == (np.float32, PICTURES.shape)
    assert got.min() >= 0
    assert got.max() <= 1
    assert not np.allclose(got, PICTURES, atol=1e-3)
    assert len(np.unique(np.abs(got - PICTURES).mean(axis=(1, 2, 3)).round(6))) > BATCH / 4, "each its own"
    np.testing.assert_array_equal(rough(PICTURES, floor, **settings, seed=3), got)
    assert not np.array_equal(rough(PICTURES, floor, **settings, seed=4), got)


def test_damage_stays_visible_and_silence_silent() -> None:
    pictures = PICTURES.copy()
    pictures[0, 3, 4], pictures[1] = np.nan, 0.0
    got = rough(pictures, "soft", **ALL)
    assert np.isnan(got[0]).any()
    assert np.isfinite(got[1:]).all()
    assert got[1].max() < 1e-6


@pytest.mark.parametrize("precision", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_layer_keeps_float32_saves_and_is_off_outside_training(precision: str, tmp_path: Path) -> None:
    keras.config.set_dtype_policy(precision)
    try:
        layer = Roughening(65.41, 24, 0.1, RANGE, "soft", **ALL, seed=5)
        inputs = keras.Input((None, BINS, 1))
        model = keras.Model(inputs, layer(inputs))
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"
    np.testing.assert_array_equal(model(PICTURES), PICTURES)
    np.testing.assert_array_equal(layer(PICTURES, training=True), rough(PICTURES, "soft", **ALL, seed=5))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.layers[-1].get_config() == layer.get_config()


def test_every_setting_reaches_the_layer_in_its_units() -> None:
    config = load_config(
        None,
        ["features=wide", "augment={detune_cents: 20, reverb_seconds: 2}",
         "augment={noise_floor_db: -15, band_limits: 0.25}"],
    )  # fmt: skip
    given = build_roughening(config.augment, config.features, 8).get_config()
    expected = {
        "bins_per_octave": 24, "floor": "soft", "detune_cents": 20.0, "reverb_seconds": 2.0,
        "noise_floor_db": -15.0, "band_limits": 0.25, "seed": 9,
    }  # fmt: skip
    assert {name: given[name] for name in expected} == expected
    assert given["db_range"] == pytest.approx(55.4)
    assert given["frame_seconds"] == pytest.approx(4096 / 22050)
    # The lowest of the stored bins, which are needed to detune.
    assert given["fmin"] == pytest.approx(32.7032 * 2 ** (-4 / 12), rel=1e-5)
    band = config.augment.model_copy(update={"detune_cents": 0.0})
    assert build_roughening(band, config.features).get_config()["fmin"] == pytest.approx(32.7032, rel=1e-5)
    assert build_roughening(load_config().augment, config.features) is None
