from __future__ import annotations

import keras
import numpy as np
import pytest

from tfkey.scoring.mirex import score_matrix
from tfkey.settings import LossConfig
from tfkey.training.losses import KeyCrossEntropy, build_loss, target_table

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 24, 32)
LOGITS = RNG.normal(0, 3, (32, 24)).astype(np.float32)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", ["cross_entropy", "mirex"])
def test_loss_is_its_formula(name: str, smoothing: float) -> None:
    credit = np.eye(24) if name == "cross_entropy" else score_matrix(both_fifths=True)
    taught = (1 - smoothing) * credit / credit.sum(axis=1, keepdims=True) + smoothing / 24
    expected = -(taught[LABELS] * log_softmax(LOGITS)).sum(axis=1).mean()
    loss = build_loss(LossConfig(name=name, label_smoothing=smoothing))
    assert float(loss(LABELS, LOGITS)) == pytest.approx(expected, rel=1e-5)
    assert np.allclose(target_table(name, smoothing).sum(axis=1), 1)


def test_plain_loss_is_that_of_keras_and_weights_count() -> None:
    reference = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    weights = RNG.uniform(0, 2, 32).astype(np.float32)
    for given in (None, weights):
        ours, theirs = (loss(LABELS, LOGITS, sample_weight=given) for loss in (KeyCrossEntropy(), reference))
        assert float(ours) == pytest.approx(float(theirs), rel=1e-5)


def test_mirex_target_teaches_c_major_its_relations() -> None:
    row = target_table("mirex")[0]
    # C; G and F; A minor; C minor.
    assert row[[0, 7, 5, 21, 12]] == pytest.approx(np.array([1, 0.5, 0.5, 0.3, 0.2]) / 2.5)
    assert np.count_nonzero(row) == 5


def test_loss_is_saved_with_its_settings() -> None:
    loss = KeyCrossEntropy("mirex", 0.2)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert float(again(LABELS, LOGITS)) == float(loss(LABELS, LOGITS))
