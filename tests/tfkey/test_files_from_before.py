"""Runs and exports that earlier code wrote still load, and give the answers that they gave then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from tfkey.inference.estimator import KeyEstimator
from tfkey.models import build_network
from tfkey.runs import open_run
from tfkey.spectrogram.frontend import frontend_of
from tfkey.training.fit import _restore, compile_model

BEFORE = Path(__file__).parents[1] / "data" / "before"
# Keras saves settings of layers that earlier versions of it do not know.
pytestmark = pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15),
    reason=f"the files are by Keras 3.15, and the installed {keras.__version__} does not load them",
)


# Three sines alone are not taken for music any more: hence ``least_tonality`` below.
def waveform(samples: int = 32000, rate: int = 8000) -> np.ndarray:
    """Three partials, two of them unsteady: float32 ``[samples]``."""
    t = np.arange(samples) / rate
    tones = np.sin(2 * np.pi * 440 * t)
    tones += np.sin(2 * np.pi * 554.37 * t) * (1 + np.sin(5 * t)) / 2
    tones += np.sin(2 * np.pi * 659.26 * t * (1 + 0.0001 * np.sin(t)))
    return (0.2 * tones).astype(np.float32)


@pytest.mark.parametrize("name", ["spectrograms", "waveforms"])
def test_a_run_gives_the_same_answer(name: str) -> None:
    answer = json.loads((BEFORE / name / "answer.json").read_text())
    estimate = KeyEstimator.from_run(BEFORE / name, least_tonality=0).estimate(waveform())
    np.testing.assert_allclose(estimate.probabilities, answer, atol=1e-5)


@pytest.mark.parametrize("kind", ["keras", "litert"])
def test_an_export_gives_the_same_answer(kind: str) -> None:
    answer = json.loads((BEFORE / "spectrograms" / "answer.json").read_text())
    estimate = KeyEstimator.from_export(BEFORE / "spectrograms" / "export" / kind, least_tonality=0).estimate(
        waveform()
    )
    np.testing.assert_allclose(estimate.probabilities, answer, atol=1e-5)


def test_the_trained_filters_of_a_run_are_found() -> None:
    """The file holds the layers of the frontend beside the others, a new network holds a model of them."""
    run = open_run(BEFORE / "waveforms")
    old, new = run.load_network(), build_network(run.config.model, run.config.features)
    assert {type(layer).__name__ for layer in old.layers} >= {"CQT", "LogMagnitude"}
    assert [layer.name for layer in new.layers][:2] == ["waveform", "frontend"]
    new.set_weights(old.get_weights())
    x = waveform()[np.newaxis]
    np.testing.assert_array_equal(frontend_of(old)(x), frontend_of(new)(x))
    np.testing.assert_allclose(old(x, training=False), new(x, training=False), atol=1e-6)


def test_training_resumes_from_a_checkpoint(tmp_path: Path) -> None:
    run = open_run(Path(shutil.copytree(BEFORE / "waveforms", tmp_path / "run")))
    network = build_network(run.config.model, run.config.features)
    model = compile_model(network, None, run.config, 4)
    _restore(model, run.checkpoints / "epoch-0001.keras")
    for new, old in zip(network.get_weights(), run.load_network().get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    # The file was written with a number of its own in each slot of the optimiser.
    slots = [
        (number, keras.ops.convert_to_numpy(slot)) for number, slot in enumerate(model.optimizer.variables)
    ]
    for number, slot in slots:
        if slot.ndim:
            np.testing.assert_allclose(slot, np.full(slot.shape, number / 100), rtol=1e-6)
