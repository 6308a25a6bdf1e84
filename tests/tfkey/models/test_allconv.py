from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.tfkey.models.test_models import spectrograms, trainable_parameters
from tfkey.models import build_model
from tfkey.models.allconv import MIN_FRAMES


@pytest.mark.parametrize("bins", [105, 120])
def test_allconv_has_the_published_parameter_count(bins):
    model = build_model("allconv", (None, bins, 1))
    assert trainable_parameters(model) == 462_764
    assert round(trainable_parameters(model) / 1000) == 463
    # The moving mean and variance of 600 feature maps.
    assert model.count_params() == 462_764 + 2 * 600


@pytest.mark.parametrize(("maps", "classes"), [(1, 24), (6, 12)])
def test_allconv_parameters_by_formula(maps, classes):
    kernels = [(1, 1, 25), (1, 1, 9), (1, 2, 9), (2, 2, 9), (2, 4, 9), (4, 4, 9), (4, 8, 9), (8, 8, 9)]
    convolutions = sum(i * o * maps**2 * k for i, o, k in kernels[1:]) + 25 * maps
    expected = convolutions + 2 * 30 * maps + (8 * maps + 1) * classes
    assert (
        trainable_parameters(build_model("allconv", (None, 48, 1), maps=maps, n_classes=classes)) == expected
    )


def test_time_pooling_gives_each_row_its_own_weights():
    model = build_model("allconv", (None, 120, 1), pooling="time")
    assert trainable_parameters(model) == 462_764 + (120 // 8 - 1) * 160 * 24
    assert model(spectrograms(2, 40)).shape == (2, 24)


def test_allconv_takes_any_number_of_frames_and_is_deterministic():
    model = build_model("allconv", (None, 120, 1), maps=4)
    assert model.input_shape == (None, None, 120, 1)
    assert model.output_shape == (None, 24)
    for frames in (MIN_FRAMES, 9, 107, 646):
        x = spectrograms(2, frames)
        logits = model.predict(x, verbose=0)
        assert logits.dtype == np.float32
        assert np.isfinite(logits).all()
        np.testing.assert_array_equal(logits, model.predict(x, verbose=0))
    assert np.abs(model(x, training=True) - model(x, training=True)).max() > 0


def test_logits_are_linear_and_neither_squashed_nor_normalised():
    model = build_model("allconv", (None, 120, 1), maps=2)
    x = spectrograms(3, 40)
    before = np.asarray(model(x))
    head = model.get_layer("class_maps")
    kernel, bias = head.get_weights()
    head.set_weights([-100 * kernel, bias - 7])
    np.testing.assert_allclose(np.asarray(model(x)), -100 * before - 7, rtol=1e-4, atol=1e-3)


def test_dropout_drops_whole_maps():
    model = build_model("allconv", (None, 120, 1), maps=4)
    dropouts = [layer for layer in model.layers if "dropout" in layer.name]
    assert len(dropouts) == 5
    dropped = np.asarray(dropouts[0](np.ones((1, 20, 60, 64), "float32"), training=True))
    assert {len(np.unique(dropped[0, :, :, i])) for i in range(64)} == {1}
    assert set(np.unique(dropped)) == {0.0, 2.0}


@pytest.mark.parametrize("pooling", ["global", "time"])
def test_allconv_learns_pitch(pooling):
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 96).astype("int32")
    x = generator.random((96, 16, 48, 1), dtype="float32")
    for row, label in enumerate(labels):
        x[row, :, [8 + 2 * label, 32 + 2 * label]] += 2
    model = build_model("allconv", (None, 48, 1), maps=4, dropout=0.1, n_classes=4, pooling=pooling)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
    model.fit(x[:64], labels[:64], batch_size=16, epochs=8, verbose=0)
    assert model.evaluate(x[64:], labels[64:], verbose=0)[1] > 0.9
