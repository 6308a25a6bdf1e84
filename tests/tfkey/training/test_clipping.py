from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from tfkey.config import load_config
from tfkey.training.clipping import Clipping, build_clipping, clipped

RATE = 8000
SINES = (np.asarray([[0.5], [0.02], [1.3]]) * np.sin(2 * np.pi * 200 * np.arange(4000) / RATE)).astype(
    np.float32
)


def overtone(waveforms: np.ndarray, number: int) -> np.ndarray:
    """The level of an overtone relative to the fundamental, in dB."""
    spectrum = np.abs(np.fft.rfft(waveforms.astype(np.float64), axis=1))
    return 20 * np.log10(spectrum[:, 100 * number] / spectrum[:, 100] + 1e-9)


@pytest.mark.parametrize("decibels", [0.0, 6.0, 20.0])
def test_clipping_against_its_formula(decibels: float) -> None:
    drive = np.full((3, 1), decibels, np.float32)
    x = SINES / np.abs(SINES).max(axis=1, keepdims=True)
    peak, gain = np.abs(SINES).max(axis=1, keepdims=True), 10 ** (decibels / 20)
    hard = clipped(SINES, drive, np.full((3, 1), True)).numpy()
    np.testing.assert_allclose(hard, peak * np.clip(gain * x, -1, 1), atol=1e-6)
    soft = clipped(SINES, drive, np.full((3, 1), False)).numpy()
    np.testing.assert_allclose(soft, peak * np.tanh(gain * x) / np.tanh(gain), atol=1e-6)
    for waveforms in (hard, soft):
        np.testing.assert_allclose(np.abs(waveforms).max(axis=1), peak[:, 0], rtol=1e-5)


def test_a_driven_sine_approaches_a_square_wave() -> None:
    """Odd overtones appear: the third of a square wave has a third of the fundamental's amplitude."""
    drive = np.full((3, 1), 40.0, np.float32)
    for hard in (True, False):
        driven = clipped(SINES, drive, np.full((3, 1), hard)).numpy()
        np.testing.assert_allclose(overtone(driven, 3), -20 * np.log10(3), atol=0.5)
        assert (overtone(driven, 2) < -60).all()
    assert (overtone(SINES, 3) < -60).all()


def test_layer_draws_a_drive_and_a_kind_for_each_clip() -> None:
    waveforms = np.repeat(SINES[:1], 200, axis=0)
    got = Clipping(12.0, seed=1)(waveforms, training=True).numpy()
    # Hard clipping leaves stretches at the peak; soft clipping, at these drives, only comes close.
    steep = got[:, 1] / waveforms[:, 1]
    assert 3.5 < steep.max() < 10 ** (12 / 20) + 1e-2
    assert 1.0 <= steep.min() < 1.4
    flat = (got >= 0.5 * (1 - 1e-6)).mean(axis=1)
    assert 0.3 < (flat > 0.15).mean() < 0.6
    np.testing.assert_array_equal(Clipping(12.0, seed=1)(waveforms, training=True), got)
    assert not np.array_equal(Clipping(12.0, seed=2)(waveforms, training=True), got)


def test_silence_and_damage_pass_and_nothing_happens_outside_training(tmp_path: Path) -> None:
    waveforms = SINES.copy()
    waveforms[1], waveforms[2, 5] = 0.0, np.nan
    layer = Clipping(12.0)
    got = layer(waveforms, training=True).numpy()
    assert np.isfinite(got[:2]).all()
    assert not got[1].any()
    assert np.isnan(got[2]).any()
    inputs = keras.Input((4000,))
    model = keras.Model(inputs, layer(inputs))
    np.testing.assert_array_equal(model(SINES), SINES)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.layers[-1].get_config() == layer.get_config()


def test_setting_reaches_the_layer() -> None:
    settings = load_config(None, ["augment.clipping_db=9"]).augment
    given = build_clipping(settings, 4).get_config()
    assert (given["clipping_db"], given["seed"]) == (9.0, 6)
    assert build_clipping(load_config().augment) is None
