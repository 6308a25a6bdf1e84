from __future__ import annotations

import keras
import numpy as np
import pytest

from tfkey.models import build_model
from tfkey.settings import FeatureConfig

A = 440.0
C2, D2, A1 = A * 2 ** (-33 / 12), A * 2 ** (-31 / 12), A / 8


def octave_network(bins: int, bins_per_octave: int = 24, fmin: float = 65.41, seed: int = 0):
    """A network with the moving averages, scales and offsets that training leaves, none of them neutral."""
    features = FeatureConfig(n_bins=bins, bins_per_octave=bins_per_octave, fmin=fmin)
    model = build_model("octave", (None, bins, 1), features=features, maps=6)
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        spread = rng.standard_normal(weight.shape) * np.sqrt(2 / np.prod(weight.shape[:-1]))
        weight.assign(spread if len(weight.shape) > 1 else rng.uniform(0.5, 1.5, weight.shape))
    return model


def moved(picture: np.ndarray, bins: int) -> np.ndarray:
    """A spectrogram ``[batch, frames, bins, 1]`` moved up, nothing of it lost."""
    result = np.roll(picture, bins, axis=2)
    edge = result[:, :, :bins] if bins >= 0 else result[:, :, bins:]
    assert not edge.any(), "the content leaves the band"
    return result


def by_key(logits: np.ndarray) -> np.ndarray:
    """Logits ``[batch, 24]`` as ``[batch, mode, tonic]``."""
    return np.asarray(logits).reshape(-1, 2, 12)


@pytest.mark.parametrize(
    ("bins", "bins_per_octave"), [(120, 24), (105, 24), (60, 12), (48, 12), (180, 36), (25, 24)]
)
def test_a_semitone_moves_the_logits_by_a_step_and_changes_nothing_else(bins, bins_per_octave):
    model = octave_network(bins, bins_per_octave)
    step = bins_per_octave // 12
    semitones = (bins - 1) // step
    rng = np.random.default_rng(1)
    # Content of every width, from all but one semitone of the band to a single bin, and up to both edges.
    for width in {bins - step, bins // 2, 1}:
        picture = np.zeros((2, 12, bins, 1), "float32")
        picture[:, :, :width] = rng.random((2, 12, width, 1))
        start = by_key(model(picture))
        assert np.ptp(start, axis=2).min() > 0.05, "the keys are told apart"
        room = (bins - width) // step
        assert room >= 1
        for semitone in sorted({1, 2, 7, 12, room} & set(range(1, min(room, semitones) + 1))):
            logits = by_key(model(moved(picture, semitone * step)))
            np.testing.assert_allclose(logits, np.roll(start, semitone, axis=2), atol=1e-4, rtol=1e-5)


def test_it_is_the_pitch_that_moves_and_not_the_bin():
    """A move by less than a semitone is no transposition: the test above is not passed by deafness."""
    model = octave_network(120)
    picture = np.zeros((1, 30, 120, 1), "float32")
    picture[:, :, 20:80] = np.random.default_rng(2).random((1, 30, 60, 1))
    start = by_key(model(picture))
    quarter_tone = by_key(model(moved(picture, 1)))
    assert np.abs(quarter_tone - start).max() > 0.01
    assert np.abs(quarter_tone - np.roll(start, 1, axis=2)).max() > 0.01
    assert np.abs(start[:, 0] - start[:, 1]).max() > 0.05, "the modes are told apart"


def test_training_keeps_it():
    """Dropped maps and the statistics of a batch know no pitch, either."""
    model = build_model("octave", (None, 120, 1), maps=4)
    picture = np.zeros((16, 8, 120, 1), "float32")
    picture[:, :, 10:90] = np.random.default_rng(3).random((16, 8, 80, 1))
    labels = np.arange(16) % 24
    model.compile(
        keras.optimizers.Adam(1e-2),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    for _ in range(3):
        model.train_on_batch(picture, labels)
    start = by_key(model(picture))
    up = by_key(model(moved(picture, 10)))
    np.testing.assert_allclose(up, np.roll(start, 5, axis=2), atol=1e-4)


@pytest.mark.parametrize(
    ("fmin", "pitch"), [(C2, 0), (65.41, 0), (D2, 2), (A1, 9), (C2 * 2 ** (-1 / 12), 11)]
)
def test_the_lowest_bin_may_be_any_pitch(fmin, pitch):
    """The same bins under another lowest pitch are other keys, by just that."""
    picture = np.zeros((1, 20, 120, 1), "float32")
    picture[:, :, 30:90] = np.random.default_rng(4).random((1, 20, 60, 1))
    from_c = by_key(octave_network(120, fmin=C2)(picture))
    other = by_key(octave_network(120, fmin=fmin)(picture))
    np.testing.assert_allclose(other, np.roll(from_c, pitch, axis=2), atol=1e-4, rtol=1e-5)
