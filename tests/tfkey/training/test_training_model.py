"""Augmentation of all kinds in front of a network, as it is trained in each mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tfkey.config import Config, load_config
from tfkey.errors import UsageError
from tfkey.models import check_mode
from tfkey.settings import AugmentConfig
from tfkey.spectrogram.frontend import build_frontend
from tfkey.training.callbacks import EpochSeeds
from tfkey.training.fit import compile_model

BATCH, SAMPLES = 4, 16000
ROUGH = "augment={detune_cents: 40, reverb_seconds: 0.5, noise_floor_db: -20, band_limits: 0.5}"
OLD = "augment={pitch_shift: 2, gain_db: 6, noise_db: 1, crop_seconds: 1}"


def make_config(*more: str) -> Config:
    return load_config(
        None,
        ["features={sample_rate: 8000, hop_length: 512, fmin: 130.81, n_bins: 48, extra_semitones: 2}",
         "features={floor: soft, db_min: 0, db_max: 55.4}", "intervals.seconds=2",
         "train.deterministic=false", *more],
    )  # fmt: skip


def build_network(config: Config) -> keras.Model:
    """A small network with dropout, behind a frontend if the configured one takes waveforms."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(config.train.precision)
    try:
        inputs = pictures = keras.Input((None, config.features.n_bins, 1))
        if config.model.name == "cqt_allconv":
            inputs = keras.Input((None,))
            pictures = build_frontend(config.features, trainable=True)(inputs)
        x = keras.layers.Dropout(0.1)(keras.layers.Conv2D(24, (1, config.features.n_bins))(pictures))
        x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
        return keras.Model(inputs, x, name="small")
    finally:
        keras.config.set_dtype_policy("float32")


def inputs_of(config: Config) -> tuple[keras.Model | None, np.ndarray]:
    """The frontend that a mode needs, and a batch of its data."""
    random = np.random.default_rng(0)
    features = config.features
    if config.mode == "audio":
        waveforms = random.uniform(-0.5, 0.5, (BATCH, SAMPLES)).astype(np.float32)
        if config.model.name == "cqt_allconv":
            return None, waveforms
        return build_frontend(features, SAMPLES, wide=config.augment.needs_stored_bins), waveforms
    bins = features.stored_bins if config.augment.needs_stored_bins else features.n_bins
    shape = (BATCH, features.frames(SAMPLES), bins, 1)
    return None, random.uniform(0, 0.7, shape).astype(np.float32)


def trained(config: Config) -> tuple[keras.Model, keras.Model, np.ndarray, list[float]]:
    """The network, the model around it, data, and the losses of two epochs."""
    network = build_network(config)
    frontend, data = inputs_of(config)
    model = compile_model(network, frontend, config, 2)
    fitted = model.fit(data, np.arange(BATCH), batch_size=2, epochs=2, shuffle=False, verbose=0,
                       callbacks=[EpochSeeds(config.seed)])  # fmt: skip
    return network, model, data, fitted.history["loss"]


@pytest.mark.parametrize(
    "changes",
    [
        ["mode=audio", ROUGH, OLD, "augment.clipping_db=12", "train.precision=mixed_float16"],
        ["mode=audio", "augment.clipping_db=12", "model.name=cqt_allconv"],
        ["mode=spectrograms", "augment.detune_cents=20"],
        ["mode=spectrograms", ROUGH, "train.xla=true"],
        ["mode=images", ROUGH, OLD, "train.precision=mixed_bfloat16"],
    ],
)
def test_training_is_repeatable_and_saved_and_predictions_are_the_networks(
    changes: list[str], tmp_path: Path
) -> None:
    config = make_config(*changes)
    check_mode(config.model.name, config.mode, config.augment)
    network, model, data, losses = trained(config)
    assert np.isfinite(losses).all()
    if not config.train.xla and config.train.precision != "mixed_bfloat16":
        assert trained(config)[3] == pytest.approx(losses, rel=1e-4)
    frontend, extra = inputs_of(config)[0], config.features.extra_bins
    pictures = data if frontend is None else frontend(data).numpy()
    if config.augment.needs_stored_bins:
        pictures = pictures[:, :, extra:-extra]
    plain, loud = (network.predict(pictures, verbose=0), model.predict(data, verbose=0))
    np.testing.assert_allclose(loud, plain, atol=2e-2 if config.train.precision != "float32" else 1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(data, verbose=0), loud)


def generators(model: keras.Model) -> list[Any]:
    return [state for state in model.variables if state.name == "seed_generator_state"]


def test_without_roughening_there_is_nothing_of_it() -> None:
    """Neither layers nor generators, whose number decides the random numbers of those after them."""
    config = make_config("mode=audio", OLD)
    frontend, _ = inputs_of(config)
    network = build_network(config)
    model = compile_model(network, frontend, config, 2)
    names = [layer.name for layer in model.layers]
    assert names == ["waveform", "cqt", "log_magnitude", "augmentation", "small", "key_shift"]
    assert len(generators(model)) == len(generators(network)) + 1


@pytest.mark.parametrize("mode", ["spectrograms", "images"])
def test_clipping_is_refused_where_there_are_no_waveforms(mode: str) -> None:
    with pytest.raises(
        UsageError, match=rf"augment\.clipping_db=3 clips waveforms, but mode={mode} has none"
    ):
        check_mode("allconv", mode, AugmentConfig(clipping_db=3))
    # An evaluation does not clip.
    check_mode("allconv", mode)
    with pytest.raises(UsageError, match=r"augment\.reverb_seconds=2"):
        check_mode("cqt_allconv", "audio", AugmentConfig(reverb_seconds=2, clipping_db=3))
