"""Losses, metrics and pitch shift with soft labels."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfkey.training.test_fit import make_clips, make_config, make_network
from tests.tfkey.training.test_losses import LABELS, LOGITS, log_softmax
from tfkey.scoring.mirex import score_matrix
from tfkey.settings import LossConfig
from tfkey.training.augmentation import KeyShift
from tfkey.training.fit import compile_model
from tfkey.training.losses import KeyCrossEntropy, build_loss, target_table
from tfkey.training.metrics import KeyAccuracy, MirexScore
from tfkey.training.soft_labels import is_soft, most_probable

RNG = np.random.default_rng(0)
SOFT = RNG.dirichlet(np.full(24, 0.3), 32).astype(np.float32)
ONE_HOT = np.eye(24, dtype=np.float32)[LABELS]


@pytest.mark.parametrize(
    ("labels", "soft"),
    [(LABELS, False), (LABELS[:, np.newaxis], False), (SOFT, True), (ONE_HOT, True), (LABELS[:24], False)],
    ids=["indices", "column", "soft", "one-hot", "24 indices"],
)
def test_soft_labels_are_told_by_their_shape(labels: np.ndarray, soft: bool) -> None:
    assert is_soft(labels) == is_soft(tf.constant(labels)) == soft
    found = np.asarray(most_probable(tf.constant(labels)))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, SOFT.argmax(axis=1) if labels is SOFT else LABELS[: len(labels)])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", ["cross_entropy", "mirex"])
def test_the_loss_is_its_formula(name: str, smoothing: float) -> None:
    credit = np.eye(24) if name == "cross_entropy" else score_matrix(both_fifths=True)
    taught = SOFT.astype(np.float64) @ (credit / credit.sum(axis=1, keepdims=True))
    taught = (1 - smoothing) * taught + smoothing / 24
    expected = -(taught * log_softmax(LOGITS)).sum(axis=1)
    settings = LossConfig(name=name, label_smoothing=smoothing)
    assert float(build_loss(settings)(SOFT, LOGITS)) == pytest.approx(expected.mean(), rel=1e-5)
    each = KeyCrossEntropy(name, smoothing, reduction="none")
    np.testing.assert_allclose(each(SOFT, LOGITS), expected, rtol=1e-5)
    weights = RNG.uniform(0, 2, 32).astype(np.float32)
    weighted = float(build_loss(settings)(SOFT, LOGITS, sample_weight=weights))
    assert weighted == pytest.approx((weights * expected).mean(), rel=1e-5)
    # A known key is a soft label that is certain.
    np.testing.assert_allclose(each(ONE_HOT, LOGITS), each(LABELS, LOGITS), rtol=1e-6)
    assert np.allclose(target_table(name, smoothing).sum(axis=1), 1)


def test_the_loss_is_least_for_the_vote_itself() -> None:
    loss = KeyCrossEntropy(reduction="none")
    entropy = -(SOFT * np.log(SOFT + 1e-30)).sum(axis=1)
    np.testing.assert_allclose(loss(SOFT, np.log(SOFT + 1e-30)), entropy, atol=1e-5)
    assert (np.asarray(loss(SOFT, LOGITS)) > entropy).all()


def test_metrics_take_the_most_probable_key_for_the_reference() -> None:
    estimates, references = LOGITS.argmax(axis=1), SOFT.argmax(axis=1)
    # Some are right.
    logits = LOGITS.copy()
    logits[np.arange(0, 32, 3), references[::3]] = 20
    estimates = logits.argmax(axis=1)
    for labels in (SOFT, references, references[:, np.newaxis], tf.constant(SOFT)):
        accuracy, mirex = KeyAccuracy(), MirexScore()
        for part in (slice(0, 24), slice(24, 32)):
            accuracy.update_state(labels[part], logits[part])
            mirex.update_state(labels[part], logits[part])
        assert float(accuracy.result()) == pytest.approx((estimates == references).mean())
        assert float(mirex.result()) == pytest.approx(
            score_matrix(True)[references, estimates].mean(), abs=1e-6
        )
    reference = keras.metrics.SparseCategoricalAccuracy()
    weights = RNG.uniform(0, 2, 32)
    for metric in (accuracy, reference):
        metric.reset_state()
        metric.update_state(references, logits, sample_weight=weights)
    assert float(accuracy.result()) == pytest.approx(float(reference.result()))


def test_a_metric_is_saved_with_its_settings() -> None:
    metric = KeyAccuracy(name="mine")
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    again.update_state(ONE_HOT, ONE_HOT)
    assert float(again.result()) == 1


def moved_up(vote: np.ndarray, semitones: int) -> np.ndarray:
    """The vote on music that was moved up."""
    return np.roll(vote.reshape(2, 12), semitones, axis=1).ravel()


@pytest.mark.parametrize("name", ["cross_entropy", "mirex"])
def test_music_that_is_moved_takes_its_vote_with_it(name: str) -> None:
    """The loss of logits that are moved back is that of the logits with the vote moved up."""
    shift = RNG.integers(-5, 7, 32)
    back = KeyShift()([LOGITS, shift.astype(np.int32)])
    moved = np.stack([moved_up(vote, semitones) for vote, semitones in zip(SOFT, shift, strict=True)])
    loss = KeyCrossEntropy(name, 0.1, reduction="none")
    np.testing.assert_allclose(loss(SOFT, back), loss(moved, LOGITS), rtol=1e-5)
    assert not np.allclose(loss(SOFT, LOGITS), loss(moved, LOGITS), rtol=1e-3)


def test_a_compiled_model_is_trained_saved_and_loaded(tmp_path: Path) -> None:
    clips, labels = make_clips("pictures")
    soft = 0.8 * np.eye(24, dtype=np.float32)[labels] + 0.2 / 24
    model = compile_model(make_network(), None, make_config(tmp_path, schedule="constant"), 6)
    # The weights of examples come with soft labels, too.
    batches = tf.data.Dataset.from_tensor_slices((clips, soft, np.ones(len(clips), np.float32))).batch(8)
    losses = model.fit(batches, epochs=15, verbose=0).history
    assert losses["loss"][-1] < losses["loss"][0] - 0.3
    assert losses["accuracy"][-1] > 0.5
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    names = ("loss", "accuracy", "mirex")
    before, after = (
        [one.evaluate(clips, soft, verbose=0, return_dict=True)[name] for name in names]
        for one in (model, again)
    )
    assert after == pytest.approx(before, rel=1e-6)
    # The same model takes known keys.
    known = again.evaluate(clips, labels, verbose=0, return_dict=True)
    assert [known[name] for name in names[1:]] == pytest.approx(after[1:])
