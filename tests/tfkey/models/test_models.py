"""What holds for every model; what is one model's own stands in ``test_models_<name>.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkey.config import load_config
from tfkey.errors import ConfigError, UsageError
from tfkey.models import (
    MODEL_NAMES,
    build_model,
    check_mode,
    minimum_frames,
    model_settings,
    takes_waveforms,
)
from tfkey.settings import AugmentConfig, FeatureConfig

# Two octaves of quarter tones, so that a network is built and run in moments.
FEATURES = FeatureConfig(sample_rate=8000, hop_length=1024, fmin=130.81, n_bins=48, bins_per_octave=24)
SMALL = {
    "allconv": {"maps": 2},
    "allconv_rnn": {"maps": 2, "units": 4},
    "cqt_allconv": {"maps": 2},
    "inception": {"divisor": 32},
    "octave": {"maps": 2},
    "timepool": {"maps": 2},
}


def spectrograms(batch: int, frames: int, bins: int = 120, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((batch, frames, bins, 1), dtype="float32")


def trainable_parameters(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def small(name: str, **settings: object) -> keras.Model:
    shape = (None,) if takes_waveforms(name) else (None, FEATURES.n_bins, 1)
    return build_model(name, shape, features=FEATURES, **{**SMALL[name], **settings})


def clips(name: str, batch: int, frames: int, seed: int = 0) -> np.ndarray:
    """What a model takes: noise of so many frames."""
    if not takes_waveforms(name):
        return spectrograms(batch, frames, FEATURES.n_bins, seed)
    samples = (frames - 1) * FEATURES.hop_length
    return 0.3 * np.random.default_rng(seed).standard_normal((batch, samples), dtype="float32")


def test_all_models_are_tested() -> None:
    assert tuple(SMALL) == MODEL_NAMES


@pytest.mark.parametrize(
    ("name", "bins", "parameters"),
    [
        ("allconv", 120, 462_764),
        ("allconv_rnn", 120, 600_168),
        ("inception", 168, 1_624_289),
        ("octave", 120, 96_650),
        ("octave", 48, 96_650),
        ("timepool", 120, 108_984),
    ],
)
def test_parameters(name: str, bins: int, parameters: int) -> None:
    assert trainable_parameters(build_model(name, (None, bins, 1))) == parameters


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_any_number_of_frames_and_the_same_answer_twice(name: str) -> None:
    model = small(name)
    assert model.output_shape == (None, 24)
    for frames in (minimum_frames(name), minimum_frames(name) + 1, 60):
        x = clips(name, 2, frames)
        logits = np.asarray(model(x, training=False))
        assert (logits.dtype, logits.shape) == (np.float32, (2, 24))
        assert np.isfinite(logits).all()
        np.testing.assert_array_equal(logits, model(x, training=False))
    assert np.abs(np.asarray(model(x, training=True)) - np.asarray(model(x, training=True))).max() > 0


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_smallest_input_is_the_smallest(name: str) -> None:
    """The stated minimum is what the layers need, neither more nor less."""
    least = minimum_frames(name)
    if takes_waveforms(name):
        shape, less = ((least - 1) * FEATURES.hop_length,), ((least - 1) * FEATURES.hop_length - 1,)
    else:
        shape, less = (least, FEATURES.n_bins, 1), (least - 1, FEATURES.n_bins, 1)
    assert build_model(name, shape, features=FEATURES, **SMALL[name]).output_shape == (None, 24)
    with pytest.raises(UsageError, match=f"model {name}: input shape"):
        build_model(name, less, features=FEATURES, **SMALL[name])


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_few_steps_learn_a_toy_batch(name: str) -> None:
    keras.utils.set_random_seed(0)
    x, y = clips(name, 8, 16), np.arange(8) * 3
    model = small(name, dropout=0.0)
    before = [np.array(weight) for weight in model.trainable_weights]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # A graph of all of InceptionKeyNet takes far longer to make than to run a few times.
    model.compile(keras.optimizers.Adam(1e-2), loss, run_eagerly=True)
    losses = []
    for _ in range(8):
        # Older Keras gives the mean since the last reset.
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x, y)))
    assert losses[-1] < 0.8 * losses[0]
    changed = [
        np.abs(np.array(w) - b).max() > 0 for w, b in zip(model.trainable_weights, before, strict=True)
    ]
    assert all(changed), "every weight takes part"


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_mixed_precision_keeps_float32_logits(name: str) -> None:
    x = clips(name, 2, 24)
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = small(name)
        mixed = np.asarray(model(x))
        assert "bfloat16" in {layer.compute_dtype for layer in model.layers}
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    assert mixed.dtype == np.float32
    full = small(name)
    full.set_weights(model.get_weights())
    exact = np.asarray(full(x))
    np.testing.assert_allclose(mixed, exact, atol=0.05 * np.abs(exact).max() + 0.02)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model as a file and as a SavedModel, a batch, and what they say to it."""
    folder = tmp_path_factory.mktemp("saved")
    for name in MODEL_NAMES:
        keras.utils.set_random_seed(1)
        model = small(name)
        x = clips(name, 2, 30)
        np.savez(folder / f"{name}.npz", x=x, y=np.asarray(model(x)))
        model.save(folder / f"{name}.keras")
        model.export(folder / name, verbose=False)
    return folder


def test_saved_models_answer_the_same_in_another_process(saved: Path) -> None:
    """Without tfkey; those that hold layers of its own, once these are registered."""
    code = (
        "import keras, numpy as np, sys\n"
        f"for name in {[name for name in MODEL_NAMES if not takes_waveforms(name)]}:\n"
        "    data = np.load(f'{name}.npz')\n"
        "    y = keras.models.load_model(f'{name}.keras')(data['x'])\n"
        "    np.testing.assert_allclose(y, data['y'], rtol=1e-5, atol=1e-5, err_msg=name)\n"
        "assert 'tfkey' not in sys.modules\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from tfkey.models import register_layers\n"
        "register_layers()\n"
        "data = np.load('cqt_allconv.npz')\n"
        "y = keras.models.load_model('cqt_allconv.keras')(data['x'])\n"
        "np.testing.assert_allclose(y, data['y'], rtol=1e-5, atol=1e-5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=saved, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_exported_model_answers_the_same(saved: Path, name: str) -> None:
    data = np.load(saved / f"{name}.npz")
    exported = tf.saved_model.load(str(saved / name))
    np.testing.assert_allclose(exported.serve(data["x"]), data["y"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("resnet", {}, "'resnet'.*allconv, allconv_rnn, cqt_allconv, inception, octave, timepool"),
        (
            "allconv",
            {"map": 20},
            r"allconv: map: no such setting \(did you mean maps\?\); allowed: dropout, maps",
        ),
        (
            "allconv",
            {"maps": 0},
            "model allconv: maps: 0 is not allowed: input should be greater than or eq",
        ),
        ("allconv", {"maps": 2.5}, "maps: 2.5 is not allowed: .* integer"),
        ("allconv", {"maps": True}, "maps: true is not allowed: it is a boolean"),
        ("allconv", {"dropout": 1.0}, "dropout: 1.0 is not allowed: .* less than 1"),
        ("allconv", {"dropout": "half"}, "dropout: 'half' is not allowed: .* number"),
        ("allconv", {"n_classes": 1}, "n_classes: 1 is not allowed"),
        ("allconv", {"pooling": "max"}, "pooling: 'max' is not allowed: .*'global' or 'time'"),
        ("allconv_rnn", {"units": 0}, "model allconv_rnn: units: 0"),
        ("allconv_rnn", {"bidirectional": 1}, "bidirectional: 1 is not allowed: .* valid boolean"),
        ("cqt_allconv", {"maps": 0}, "model cqt_allconv: maps: 0"),
        ("cqt_allconv", {"train_filters": "no"}, "train_filters: 'no' is not allowed"),
        ("inception", {"divisor": 0}, "model inception: divisor: 0"),
        ("inception", {"divisor": 33}, "divisor: 33 is not allowed: .* less than or equal to 32"),
        ("octave", {"maps": -1}, "model octave: maps: -1"),
        ("octave", {"n_classes": 12}, "model octave: n_classes: no such setting; allowed: dropout, maps"),
        ("timepool", {"dropout": -0.1}, "model timepool: dropout: -0.1"),
    ],
)
def test_unknown_models_and_settings_are_named(name: str, settings: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        model_settings(name, **settings)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=said):
        build_model(name, (None, 120, 1), **settings)


@pytest.mark.parametrize(
    "shape", [(3, 120, 1), (None, 7, 1), (None, None, 1), (None, 120), (None, 120, None)]
)
def test_impossible_shapes_are_named(shape: tuple) -> None:
    for name in MODEL_NAMES:
        with pytest.raises(UsageError, match=f"model {name}: input shape"):
            build_model(name, shape)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_every_model_has_a_configuration_with_its_defaults(name: str) -> None:
    config = load_config(None, [f"model={name}"])
    assert config.model.name == name
    assert model_settings(name, **config.model.settings) == model_settings(name)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model=octave", "features.bins_per_octave=30"], "octave.*bins_per_octave=30.*multiple of 12"),
        (["model=octave", "features.fmin=200"], "octave.*fmin=200 Hz.*set it to 196.00 or 207.65"),
        (["model=cqt_allconv", "features.n_bins=7"], "cqt_allconv.*n_bins=7.*at least 8"),
    ],
)
def test_features_that_a_model_cannot_use_are_named(overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(None, overrides)


def test_a_model_of_waveforms_is_refused_where_there_are_none() -> None:
    for name in MODEL_NAMES:
        for mode in ("audio", "spectrograms", "images"):
            if name == "cqt_allconv" and mode != "audio":
                with pytest.raises(
                    UsageError, match=f"cqt_allconv takes waveforms, but mode={mode} has none"
                ):
                    check_mode(name, mode, AugmentConfig())
            else:
                check_mode(name, mode, AugmentConfig())
    with pytest.raises(UsageError, match=r"augment\.time_masks=2"):
        check_mode("cqt_allconv", "audio", AugmentConfig(time_masks=2))
