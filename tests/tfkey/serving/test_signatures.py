"""The signatures of any network give what the exported SavedModel gives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tfkey.serving.conftest import BINS, INTERVAL, LEAST_FRAMES, request
from tfkey import KeyEstimator
from tfkey.errors import DataError
from tfkey.inference.saved_model import SavedModelNetwork, find_saved_model
from tfkey.scoring.calibration import calibrated
from tfkey.serving.errors import RequestError
from tfkey.serving.predict_task import DescribeTask, PredictTask
from tfkey.serving.protocol import Limits
from tfkey.serving.signatures import apply_signature

LIMITS = Limits(seconds=100.0, rows=64)
LENGTHS = (1, 5000, INTERVAL - 1, INTERVAL, INTERVAL + 1, 3 * INTERVAL + 77, 5000)


@pytest.fixture(scope="module")
def estimators(exports: Path) -> dict[str, KeyEstimator]:
    return {kind: KeyEstimator.from_export(exports / kind) for kind in ("litert", "saved_model")}


@pytest.fixture(scope="module")
def signatures(exports: Path):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(exports / "saved_model" / "1"))
    yield loaded.signatures
    del loaded


@pytest.fixture(scope="module")
def waveforms(music) -> list[np.ndarray]:
    return [music(samples, seed) for seed, samples in enumerate(LENGTHS)]


@pytest.fixture(scope="module")
def spectrograms() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    frames = (LEAST_FRAMES, 16, 16, 40, LEAST_FRAMES)
    return [rng.random((count, BINS, 1)).astype(np.float32) for count in frames]


@pytest.mark.parametrize(("kind", "tolerance"), [("litert", 1e-3), ("saved_model", 1e-6)])
@pytest.mark.parametrize("name", ["waveform", "spectrogram"])
def test_answers_are_those_of_the_saved_model(request, estimators, signatures, name, kind, tolerance) -> None:
    rows = request.getfixturevalue(f"{name}s")
    expected = np.concatenate([signatures[name](**{name: row[None]})["probabilities"] for row in rows])
    # Untrained, but calibrated, and unlike each other.
    assert np.abs(expected - expected[0])[1:].max() > 0.01
    for at_once in (1, 3, 100):
        got = apply_signature(estimators[kind].metadata, estimators[kind].network, name, rows, at_once)
        assert (got.dtype, got.shape) == (np.float32, (len(rows), 24))
        np.testing.assert_allclose(got, expected, atol=tolerance)


def test_an_estimator_on_a_saved_model_answers_as_on_the_light_runtime(estimators, waveforms) -> None:
    for waveform in waveforms:
        light, heavy = (estimator.estimate(waveform) for estimator in estimators.values())
        np.testing.assert_allclose(heavy.probabilities, light.probabilities, atol=1e-3)
        np.testing.assert_allclose(heavy.interval_probabilities, light.interval_probabilities, atol=1e-3)
        assert heavy.key == light.key


def test_which_saved_model_is_found(exports: Path, tmp_path: Path) -> None:
    for number in ("2", "10", "x", "07.old"):
        (tmp_path / number).mkdir()
    assert find_saved_model(tmp_path) is None
    for number in ("2", "10", "x"):
        (tmp_path / number / "saved_model.pb").touch()
    found = find_saved_model(tmp_path)
    assert found is not None
    assert (found.path, found.version) == (tmp_path / "10", 10)
    assert find_saved_model(tmp_path / "x").version == 1
    assert find_saved_model(tmp_path / "nowhere") is None
    assert DescribeTask().do(KeyEstimator.from_export(exports / "saved_model" / "1")).version == 1
    with pytest.raises(DataError, match="not an export"):
        SavedModelNetwork(found)
    (tmp_path / "10" / "tfkey.json").write_bytes((exports / "litert" / "tfkey.json").read_bytes())
    with pytest.raises(DataError, match="cannot be loaded"):
        KeyEstimator.from_export(tmp_path)


def test_inputs_of_the_same_shape_go_together(fake_estimator) -> None:
    rows = [np.zeros((frames, BINS, 1), np.float32) for frames in (8, 9, 8, 8, 9, 8, 8)]
    apply_signature(fake_estimator.metadata, fake_estimator.network, "spectrogram", rows, 4)
    # Four are in memory at most, and the group that has waited longest goes first.
    assert [(shape[0], shape[1]) for shape in fake_estimator.calls] == [(3, 8), (2, 9), (2, 8)]


def test_a_network_on_waveforms_gets_waveforms(fake_estimator) -> None:
    metadata = replace(fake_estimator.metadata, takes_waveforms=True)
    rows = [np.full(2 * INTERVAL + 10, 0.5, np.float32), np.ones(3, np.float32)]
    got = apply_signature(metadata, fake_estimator.network, "waveform", rows, 8)
    least = (LEAST_FRAMES - 1) * 1024
    assert sorted(fake_estimator.calls) == [(1, least), (3, INTERVAL)]
    expected = calibrated(fake_estimator.network(np.pad(rows[1], (0, least - 3))[None]), metadata.temperature)
    np.testing.assert_allclose(got[1:], expected, atol=1e-6)


def test_a_task_answers_each_request_of_its_own(fake_estimator, served, tmp_path: Path) -> None:
    long = tmp_path / "long.json"
    long.write_bytes(request("waveform", [[0.1] * 20_000], objects=True))
    picture = [[[0.5]] * BINS] * LEAST_FRAMES
    bodies = (
        request("waveform", [[0.5], [0.2] * 7]),
        b"{",
        long,
        request("spectrogram", [picture], column=True, signature_name="spectrogram"),
        request("waveform", [[float("nan")]]),
        request("waveform", [[0.2] * 7], column=True),
    )
    answers = PredictTask(bodies, served, LIMITS, 4).do(fake_estimator)
    alone = [PredictTask((body,), served, LIMITS, 1).do(fake_estimator)[0] for body in bodies]
    for number, (together, single) in enumerate(zip(answers, alone, strict=True)):
        assert isinstance(together, RequestError) == (number in (1, 4))
        if isinstance(together, RequestError):
            assert str(together) == str(single)
            continue
        got, expected = json.loads(together), json.loads(single)
        assert list(got) == ["outputs" if number in (3, 5) else "predictions"]
        np.testing.assert_allclose(*(next(iter(values.values())) for values in (got, expected)), atol=1e-6)
        np.testing.assert_allclose(np.sum(next(iter(got.values())), axis=1), 1, atol=1e-5)
