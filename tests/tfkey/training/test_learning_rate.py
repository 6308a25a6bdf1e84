from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkey.config import load_config
from tfkey.errors import TfkeyError
from tfkey.training.learning_rate import Sweep, sweep


def test_suggestion_is_a_tenth_of_where_the_loss_is_least() -> None:
    rates = np.geomspace(1e-6, 1, 150)
    # A valley at 0.01 under noise; the first batch is low by chance.
    losses = 3 + 0.3 * np.log10(rates / 1e-2) ** 2 / 4 + np.random.default_rng(0).normal(0, 0.05, 150)
    losses[0] = 0.1
    # The smoothed loss lags behind.
    assert 5e-4 < Sweep(rates, losses).suggestion < 7e-3


def test_sweep_learns_then_breaks_and_ends_early() -> None:
    """A linear regression to classes by one feature: with a rate near 1 its loss explodes."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 24, 512)
    pictures = (10 * np.eye(24, dtype=np.float32)[labels] + rng.normal(0, 3, (512, 24)))[:, None, :, None]
    inputs = keras.Input((1, 24, 1))
    x = keras.layers.Dense(24)(keras.layers.Flatten()(inputs))
    network = keras.Model(inputs, x, name="linear")
    batches = tf.data.Dataset.from_tensor_slices((pictures.astype(np.float32), labels)).repeat().batch(32)
    found = sweep(network, None, load_config(), batches, steps=120)
    assert len(found.rates) == len(found.losses) <= 120
    assert found.rates[0] == pytest.approx(1e-6)
    assert np.isfinite(found.losses).all()
    assert found.smoothed.min() < 0.8 * found.losses[:10].mean()
    assert 1e-4 < found.suggestion < 0.1


def test_a_loss_that_is_nan_from_the_start_is_an_error() -> None:
    inputs = keras.Input((1, 24, 1))
    network = keras.Model(inputs, keras.layers.Dense(24)(keras.layers.Flatten()(inputs)))
    pictures = np.full((64, 1, 24, 1), np.nan, np.float32)
    batches = tf.data.Dataset.from_tensor_slices((pictures, np.zeros(64, int))).repeat().batch(32)
    with pytest.raises(TfkeyError, match="the loss of the first batch is NaN or infinite"):
        sweep(network, None, load_config(), batches, steps=20)


def test_a_sweep_is_written_as_a_table_and_a_curve(tmp_path: Path) -> None:
    Sweep(np.geomspace(1e-6, 1, 50), np.linspace(3, 1, 50)).write(tmp_path / "new")
    lines = (tmp_path / "new" / "learning-rate.csv").read_text().splitlines()
    assert (lines[0], lines[1], lines[-1], len(lines)) == ("learning_rate,loss", "1e-06,3", "1,1", 51)
    assert (tmp_path / "new" / "learning-rate.png").read_bytes().startswith(b"\x89PNG")
