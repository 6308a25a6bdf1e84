"""The exponential average of the weights in training."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfkey.training.test_fit import (
    STEPS,
    StoppedError,
    make_clips,
    make_config,
    make_data,
    make_network,
    state_of,
    stop_after,
    train,
)
from tfkey.config import Config, changed
from tfkey.runs import Run, create_run
from tfkey.scoring.calibration import softmax
from tfkey.training.averaging import averaged
from tfkey.training.fit import _restore, compile_model, fit
from tfkey.training.schedules import build_schedule
from tfkey.training.tensorboard import PictureLogger


def weights_of(model: keras.Model) -> list[np.ndarray]:
    return [weight.numpy().copy() for weight in model.trainable_weights]


@pytest.fixture(scope="module", autouse=True)
def _determinism() -> None:
    """As in every run by default; there is no way back within a process."""
    tf.config.experimental.enable_op_determinism()


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_the_average_is_that_of_the_weights_after_each_step(tmp_path: Path, precision: str) -> None:
    config = changed(make_config(tmp_path, average=0.75), {"train.precision": precision}, "test")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        model = compile_model(make_network(), None, config, STEPS)
    finally:
        keras.config.set_dtype_policy(before)
    is_scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert is_scaled == (precision == "mixed_float16")
    clips, labels = make_clips("pictures")
    average = None
    for step in range(4):
        model.train_on_batch(clips[8 * step : 8 * step + 8], labels[8 * step : 8 * step + 8])
        now = weights_of(model)
        average = now if average is None else [
            0.75 * old + 0.25 * new for old, new in zip(average, now, strict=True)
        ]  # fmt: skip
    with averaged(model):
        for found, expected in zip(weights_of(model), average, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
        assert not np.allclose(model.trainable_weights[0], now[0], rtol=1e-3)
    for found, expected in zip(weights_of(model), now, strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(StoppedError), averaged(model):
        raise StoppedError
    np.testing.assert_array_equal(model.trainable_weights[0], now[0])


def test_the_average_is_validated_and_kept(tmp_path: Path) -> None:
    run = create_run(make_config(tmp_path, epochs=1, average=0.9), "run")
    network, seen, drawn = make_network(), [], []

    class Watch(keras.callbacks.Callback):
        """The weights between the steps, as the optimiser left them."""

        def on_train_batch_end(self, batch, logs=None):
            seen.append(weights_of(network))

    original = keras.Model.fit

    def watched(self, *arguments, callbacks, **given):
        return original(self, *arguments, callbacks=[*callbacks, Watch()], **given)

    judge = PictureLogger._judge
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", watched)
        patch.setattr(
            PictureLogger, "_judge", lambda self: (drawn.append(weights_of(network)), judge(self))[1]
        )
        (line,) = fit(run, network, None, make_data("pictures"))
    assert len(seen) == STEPS
    average = seen[0]
    for weights in seen[1:]:
        average = [0.9 * old + 0.1 * new for old, new in zip(average, weights, strict=True)]
    best = keras.models.load_model(run.best, compile=False)
    for kept in (weights_of(best), *drawn):
        for found, expected in zip(kept, average, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    assert len(drawn) == 1
    # By hand, on the validation clips: the figures are those of the network that is kept.
    clips, labels = (part[:20] for part in make_clips("pictures"))
    logits = best(clips, training=False).numpy()
    losses = -np.log(softmax(logits)[np.arange(20), labels])
    assert line["val_loss"] == pytest.approx(losses.mean(), rel=1e-4)
    assert line["val_accuracy"] == pytest.approx((logits.argmax(axis=1) == labels).mean(), abs=1e-6)
    # The checkpoint goes on from the weights as they were.
    (checkpoint,) = run.checkpoints.iterdir()
    saved = keras.models.load_model(checkpoint)
    for found, expected in zip(weights_of(saved), seen[-1], strict=True):
        np.testing.assert_array_equal(found, expected)


def run_through(config: Config, name: str) -> Run:
    run = create_run(config, name)
    train(run)
    return run


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_resumed_run_ends_like_an_uninterrupted_one(tmp_path: Path, precision: str) -> None:
    config = changed(make_config(tmp_path, average=0.8, epochs=2), {"train.precision": precision}, "test")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        whole = run_through(config, "whole")
        resumed = create_run(config, "resumed")
        with pytest.raises(StoppedError):
            train(resumed, report=stop_after(1))
        train(resumed)
    finally:
        keras.config.set_dtype_policy(before)
    assert resumed.history.read_bytes() == whole.history.read_bytes()
    for one, other in zip(state_of(resumed), state_of(whole), strict=True):
        np.testing.assert_array_equal(one, other)
    best = [keras.models.load_model(run.best, compile=False).get_weights() for run in (resumed, whole)]
    for one, other in zip(*best, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_average_leaves_the_training_alone(tmp_path: Path) -> None:
    """The weights of the last checkpoint are those of a run without it; what is kept differs."""
    plain, average = (
        run_through(make_config(tmp_path, average=value, epochs=1), f"{value}") for value in (0.0, 0.9)
    )
    count = len(make_network().weights)
    for one, other in zip(state_of(plain)[:count], state_of(average)[:count], strict=True):
        np.testing.assert_array_equal(one, other)
    kept = [keras.models.load_model(run.best, compile=False).get_weights()[0] for run in (plain, average)]
    assert not np.allclose(*kept, rtol=1e-3)


def test_off_nothing_changes(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    model = compile_model(make_network(), None, config, STEPS)
    assert not model.optimizer.use_ema
    before = weights_of(model)
    with averaged(model):
        for found, expected in zip(weights_of(model), before, strict=True):
            np.testing.assert_array_equal(found, expected)
    # A checkpoint from before there were averages and soft labels: another metric, the same state.
    old = make_network()
    old.compile(
        keras.optimizers.AdamW(build_schedule(config.train, STEPS)),
        "sparse_categorical_crossentropy",
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    clips, labels = make_clips("pictures")
    old.train_on_batch(clips, labels)
    old.save(tmp_path / "epoch-0001.keras")
    _restore(model, tmp_path / "epoch-0001.keras")
    for found, expected in zip(model.optimizer.variables, old.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(weights_of(model), weights_of(old), strict=True):
        np.testing.assert_array_equal(found, expected)
