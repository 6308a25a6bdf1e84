from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkey.config import load_config
from tfkey.settings import FeatureConfig
from tfkey.spectrogram.frontend import LogMagnitude
from tfkey.training.augmentation import Augmentation, KeyShift, build_augmentation
from tfkey.training.fit import compile_model
from tfkey.training.losses import KeyCrossEntropy

BINS, PER, EXTRA, FRAMES, BATCH = 48, 2, 3, 20, 64
RNG = np.random.default_rng(0)
WIDE = RNG.uniform(0.2, 0.8, (BATCH, FRAMES, BINS + 2 * EXTRA * PER, 1)).astype(np.float32)
BAND = WIDE[:, :, EXTRA * PER : EXTRA * PER + BINS]
ALL = {"crop_frames": 12, "time_masks": 2, "time_mask_frames": 4, "frequency_masks": 2,
       "frequency_mask_bins": 6, "equaliser_db": 6.0, "gain_db": 6.0, "noise_db": 2.0}  # fmt: skip


def varied(pictures: np.ndarray = BAND, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
    pictures, shift = Augmentation(BINS, PER, 80.0, **settings)(pictures, training=True)
    return pictures.numpy(), shift.numpy()


def test_pitch_shift_is_another_part_of_the_band() -> None:
    pictures, shift = varied(WIDE, pitch_shift=EXTRA)
    assert set(shift) == set(range(-EXTRA, EXTRA + 1))
    for picture, wide, semitones in zip(pictures, WIDE, shift, strict=True):
        start = (EXTRA - semitones) * PER
        assert np.array_equal(picture, wide[:, start : start + BINS])


def test_music_that_is_moved_up_stands_higher_and_its_key_moves_with_it() -> None:
    """A tone at a stored bin appears above it, and the logits' classes are taken back by as much."""
    wide = np.zeros_like(WIDE)
    wide[:, :, EXTRA * PER + 10] = 1.0
    pictures, shift = varied(wide, pitch_shift=EXTRA)
    assert np.array_equal(pictures[:, 0, :, 0].argmax(axis=1), 10 + shift * PER)
    logits = RNG.normal(size=(BATCH, 24)).astype(np.float32)
    labels = RNG.integers(0, 24, BATCH)
    moved = (labels + shift) % 12 + labels // 12 * 12
    loss = KeyCrossEntropy(reduction="none")
    back = KeyShift()([logits, shift])
    assert np.allclose(loss(labels, back), loss(moved, logits), rtol=1e-6)


@pytest.mark.parametrize("name", sorted(set(ALL) - {"time_mask_frames", "frequency_mask_bins"}))
def test_all_else_leaves_the_key_alone(name: str) -> None:
    companion = {"time_masks": "time_mask_frames", "frequency_masks": "frequency_mask_bins"}.get(name)
    settings = {key: ALL[key] for key in (name, companion) if key}
    pictures, shift = varied(**settings)
    assert not shift.any()
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert pictures.shape == (BATCH, 12 if name == "crop_frames" else FRAMES, BINS, 1)
    assert not np.array_equal(pictures[:, :12], BAND[:, :12])
    assert not np.array_equal(varied(seed=1, **settings)[0], pictures)


def test_crop_is_a_part_of_each_picture_in_order() -> None:
    starts = set()
    for picture, whole in zip(varied(crop_frames=12)[0], BAND, strict=True):
        (start,) = [at for at in range(FRAMES - 11) if np.array_equal(whole[at : at + 12], picture)]
        starts.add(start)
    assert starts == set(range(FRAMES - 11))


@pytest.mark.parametrize(("axis", "kind", "longest"), [(1, "time", 4), (2, "frequency", 6)])
def test_masks_blank_one_run_no_longer_than_asked(axis: int, kind: str, longest: int) -> None:
    word = "frames" if kind == "time" else "bins"
    pictures, _ = varied(**{f"{kind}_masks": 1, f"{kind}_mask_{word}": longest})
    blank = (pictures == 0).all(axis=(3 - axis, 3))
    lengths = blank.sum(axis=1)
    assert set(lengths) == set(range(longest + 1))
    # One run: it begins at most once.
    assert (np.diff(np.pad(blank, ((0, 0), (1, 0))).astype(int), axis=1) == 1).sum(axis=1).max() == 1
    kept = np.broadcast_to(~blank[:, :, None, None] if axis == 1 else ~blank[:, None, :, None], BAND.shape)
    assert np.array_equal(pictures[kept], BAND[kept])


def test_levels_are_sums_of_decibels() -> None:
    gain = (varied(gain_db=6.0)[0] - BAND) * 80
    assert np.allclose(gain, gain[:, :1, :1], atol=1e-4)
    assert 4 < np.abs(gain).max() <= 6 + 1e-4
    curve = (varied(equaliser_db=6.0)[0] - BAND) * 80
    assert np.allclose(curve, curve[:, :1], atol=1e-4)
    assert 3 < np.abs(curve).max() <= 6 + 1e-4
    # Smooth: an octave from knot to knot, which differ by 12 dB at most.
    assert np.abs(np.diff(curve, axis=2)).max() <= 12 / (12 * PER) + 1e-3
    noise = (varied(noise_db=2.0)[0] - BAND) * 80
    assert noise.std() == pytest.approx(2, rel=0.05)
    assert abs(noise.mean()) < 0.05


def test_soft_floor_keeps_decibels_of_magnitude() -> None:
    """A gain multiplies the magnitude that a value represents, and 0 stays silence."""
    features = FeatureConfig(floor="soft", db_min=0.0, db_max=55.4)
    scale = LogMagnitude(features.db_min, features.db_max, "soft")
    magnitude = (10 ** RNG.uniform(-2, 2, (BATCH, FRAMES, BINS))).astype(np.float32)
    magnitude[:, 0, 0] = 0
    layer = Augmentation(BINS, PER, 55.4, floor="soft", gain_db=6.0)
    got = layer(scale(magnitude), training=True)[0].numpy()[..., 0]
    # The same random gains, seen on a hard floor.
    flat = np.full((BATCH, 1, BINS, 1), 0.5, np.float32)
    gains = (Augmentation(BINS, PER, 55.4, gain_db=6.0)(flat, training=True)[0].numpy() - 0.5) * 55.4
    assert 4 < np.abs(gains).max() <= 6 + 1e-4
    expected = scale(magnitude * 10 ** (gains[..., 0] / 20)).numpy()[..., 0]
    np.testing.assert_allclose(got, expected, atol=2e-5)
    assert not got[:, 0, 0].any()
    louder, _ = Augmentation(BINS, PER, 55.4, floor="soft", noise_db=200.0)(scale(magnitude), training=True)
    assert np.isfinite(louder.numpy()).all()


def test_out_of_training_it_is_the_band_and_nothing_else() -> None:
    pictures, shift = Augmentation(BINS, PER, pitch_shift=EXTRA, **ALL)(WIDE)
    assert np.array_equal(pictures, BAND)
    assert not shift.numpy().any()


def config(*more: str) -> Any:
    return load_config(
        None,
        ["features={fmin: 65.41, n_bins: 48, bins_per_octave: 24, hop_length: 8192, extra_semitones: 3}",
         "intervals.seconds=3.6", "augment={pitch_shift: 3, crop_seconds: 2, time_masks: 1,"
         " frequency_masks: 1, equaliser_db: 3, gain_db: 3, noise_db: 1}", *more],
    )  # fmt: skip


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, BINS, 1))
    x = keras.layers.Conv2D(24, (1, BINS))(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(dtype="float32")(x), name="net")


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_training_model_with_all_of_it_learns_saves_and_goes_on(
    precision: str, xla: bool, tmp_path: Path
) -> None:
    settings = config(
        f"train={{precision: {precision}, xla: {str(xla).lower()}, warmup_epochs: 1, deterministic: false}}"
    )
    keras.config.set_dtype_policy(precision)
    try:
        net = network()
    finally:
        keras.config.set_dtype_policy("float32")
    model = compile_model(net, None, settings, steps=4)
    labels = np.arange(BATCH) % 24
    data = tf.data.Dataset.from_tensor_slices((WIDE, labels)).batch(16)
    before = model.predict(WIDE, verbose=0)
    assert np.allclose(before, net.predict(BAND, verbose=0), atol=1e-3)
    history = model.fit(data, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert not np.array_equal(model.predict(WIDE, verbose=0), before)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(again.predict(WIDE, verbose=0), model.predict(WIDE, verbose=0))
    assert again.get_layer("augmentation").get_config() == model.get_layer("augmentation").get_config()
    assert np.isfinite(again.fit(data, epochs=1, verbose=0).history["loss"]).all()


def test_nothing_asked_for_is_no_layer() -> None:
    plain = load_config()
    assert build_augmentation(plain.augment, plain.features) is None
    net = network()
    assert compile_model(net, None, plain, 1) is net


def test_every_setting_reaches_the_layer_in_its_units() -> None:
    config = load_config(
        "demo",
        ["features={sample_rate: 16000, hop_length: 500, bins_per_octave: 24, db_min: -70, db_max: 20,"
         " floor: soft}",
         "features.n_bins=96", "features.extra_semitones=3", "intervals.seconds=4",
         "augment={pitch_shift: 3, crop_seconds: 2, equaliser_db: 6, gain_db: 7, noise_db: 8}",
         "augment={time_masks: 4, time_mask_seconds: 0.5}",
         "augment={frequency_masks: 5, frequency_mask_semitones: 2}"],
    )  # fmt: skip
    layer = build_augmentation(config.augment, config.features, seed=9)
    given = layer.get_config()
    # 32 frames a second, two bins a semitone.
    expected = {
        "pitch_shift": 3, "crop_frames": 65, "time_masks": 4, "time_mask_frames": 16, "frequency_masks": 5,
        "frequency_mask_bins": 4, "equaliser_db": 6.0, "gain_db": 7.0, "noise_db": 8.0, "db_range": 90.0,
        "bins_per_semitone": 2, "bins": 96, "seed": 9, "floor": "soft",
    }  # fmt: skip
    assert {name: given[name] for name in expected} == expected
