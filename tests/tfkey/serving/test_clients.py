"""The server as other programs see it: TensorFlow Serving's clients, and schemathesis."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.tfkey.serving.conftest import BINS, INTERVAL, LEAST_FRAMES
from tests.tfkey.serving.processes import serving

pytest.importorskip("starlette")
requests = pytest.importorskip("requests")

# What people write who follow TensorFlow Serving's tutorials; only the model and its input are ours.
CLIENT = """
import json
import sys

import numpy as np
import requests

SERVER_URL = sys.argv[1] + '/v1/models/tfkey:predict'


def main():
    waveforms = np.load(sys.argv[2])

    data = json.dumps({"signature_name": "serving_default", "instances": waveforms.tolist()})
    print('Data: {} ... {}'.format(data[:50], data[len(data)-52:]))

    # Send a request to warm-up the model.
    response = requests.post(SERVER_URL, data=data)
    response.raise_for_status()

    headers = {"content-type": "application/json"}
    total_time = 0
    num_requests = 3
    for _ in range(num_requests):
        json_response = requests.post(SERVER_URL, data=data, headers=headers)
        json_response.raise_for_status()
        total_time += json_response.elapsed.total_seconds()
        predictions = json.loads(json_response.text)['predictions']

    print('Prediction class: {}, avg latency: {} ms'.format(
        np.argmax(predictions[0]), (total_time * 1000) / num_requests))
    np.save(sys.argv[3], np.array(predictions))


main()
"""


@pytest.fixture(scope="module")
def server(exports: Path) -> Iterator[str]:
    """The address of a server on the light runtime."""
    with serving(exports / "litert", "--workers", 1) as address:
        yield address


@pytest.fixture(scope="module")
def signatures(exports: Path):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(exports / "saved_model" / "1"))
    yield loaded.signatures
    del loaded


def expected(signatures, name: str, batch: np.ndarray) -> np.ndarray:
    return signatures[name](**{name: batch})["probabilities"].numpy()


def test_a_client_of_tensorflow_serving_gets_its_answer(
    server: str, signatures, music, tmp_path: Path
) -> None:
    waveforms = np.stack([music(2 * INTERVAL + 5, seed) for seed in range(3)])
    np.save(tmp_path / "in.npy", waveforms)
    (tmp_path / "client.py").write_text(CLIENT, encoding="utf-8")
    command = [sys.executable, "client.py", server, "in.npy", "out.npy"]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 0, outcome.stderr
    answer = expected(signatures, "waveform", waveforms)
    assert f"Prediction class: {answer[0].argmax()}," in outcome.stdout
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), answer, atol=1e-3)


def test_the_requests_of_the_documentation(server: str) -> None:
    """Those of https://www.tensorflow.org/tfx/serving/api_rest, with our model's name and input."""
    status = requests.get(f"{server}/v1/models/tfkey", timeout=30)
    assert status.json() == {
        "model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    assert requests.get(f"{server}/v1/models/tfkey/versions/1", timeout=30).json() == status.json()
    metadata = requests.get(f"{server}/v1/models/tfkey/metadata", timeout=30).json()
    assert metadata["model_spec"]["name"] == "tfkey"
    assert "serving_default" in metadata["metadata"]["signature_def"]["signature_def"]

    # curl -d '{"instances": ...}' -X POST: the body is stated to be a form.
    body = '{"instances": [[1.0,2.0,5.0]]}'
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{server}/v1/models/tfkey:predict", data=body, headers=form, timeout=30)
    assert answer.headers["content-type"] == "application/json"
    (row,) = answer.json()["predictions"]
    assert len(row) == 24
    version = requests.post(f"{server}/v1/models/tfkey/versions/1:predict", data=body, timeout=30)
    assert version.json() == answer.json()

    named = {"instances": [{"waveform": [1.0, 2.0, 5.0]}, {"waveform": [1.0, 2.0, 5.0]}]}
    found = requests.post(f"{server}/v1/models/tfkey:predict", json=named, timeout=30)
    np.testing.assert_allclose(found.json()["predictions"], [row, row], atol=1e-6)
    column = {"inputs": {"waveform": [[1.0, 2.0, 5.0]]}}
    found = requests.post(f"{server}/v1/models/tfkey:predict", json=column, timeout=30)
    assert found.json() == {"outputs": [row]}

    wrong = requests.post(f"{server}/v1/models/half:predict", data=body, timeout=30)
    assert wrong.status_code == 404
    assert wrong.json() == {"error": "Servable not found for request: Latest(half)"}
    special = requests.post(
        f"{server}/v1/models/tfkey:predict", data='{"instances": [[1.0, -3.14, NaN, Infinity]]}', timeout=30
    )
    assert special.status_code == 400
    assert "NaN" in special.json()["error"]


@pytest.mark.parametrize("name", ["waveform", "spectrogram"])
def test_requests_at_the_same_time_get_answers_of_their_own(server: str, signatures, music, name) -> None:
    rng = np.random.default_rng(0)
    if name == "waveform":
        rows = [music(samples, seed) for seed, samples in enumerate((900, INTERVAL, 900, 40_000, 900, 900))]
    else:
        rows = [rng.random((LEAST_FRAMES, BINS, 1)).astype(np.float32) for _ in range(6)]

    def ask(row: np.ndarray) -> list[float]:
        body = {"signature_name": name, "instances": [row.tolist()]}
        return requests.post(f"{server}/v1/models/tfkey:predict", json=body, timeout=30).json()["predictions"]

    with ThreadPoolExecutor(len(rows)) as threads:
        answers = list(threads.map(ask, rows))
    for row, answer in zip(rows, answers, strict=True):
        np.testing.assert_allclose(answer, expected(signatures, name, row[np.newaxis]), atol=1e-3)


def test_a_saved_model_is_served(exports: Path, signatures, music) -> None:
    rows = [music(samples, samples) for samples in (1000, INTERVAL + 5)]
    with serving(exports / "saved_model", "--workers", 1) as address:
        for name, batch in (
            *(("waveform", row[np.newaxis]) for row in rows),
            ("spectrogram", np.random.default_rng(0).random((2, 20, BINS, 1)).astype(np.float32)),
        ):
            body = {"signature_name": name, "inputs": {name: batch.tolist()}}
            answer = requests.post(f"{address}/v1/models/tfkey:predict", json=body, timeout=60)
            np.testing.assert_allclose(answer.json()["outputs"], expected(signatures, name, batch), atol=1e-6)
        song = next((ROOT / "tests" / "data" / "real").glob("*.ogg"))
        with song.open("rb") as stream:
            estimate = requests.post(f"{address}/estimate", files={"file": stream}, timeout=60)
        assert estimate.status_code == 200, estimate.text


@pytest.mark.parametrize(
    ("phases", "paths", "tested"),
    [
        # All that the schemas forbid, one by one: hundreds of requests for those of :predict.
        ("examples,coverage,fuzzing", ("--exclude-path-regex", ":predict"), 7),
        ("fuzzing", ("--include-path-regex", "tfkey:predict"), 1),
    ],
    ids=["others", "predict"],
)
def test_schemathesis_finds_nothing(server: str, tmp_path: Path, phases, paths, tested) -> None:
    pytest.importorskip("schemathesis")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{server}/openapi.json", *paths),
        *("--max-examples", "10", "--max-failures", "1", "--seed", "1", "--no-color", "--phases", phases),
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.tfkey.serving.audio_for_schemathesis", "PYTHONPATH": str(ROOT)}
    outcome = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **hooks}, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stdout[-3000:] + outcome.stderr[-1000:]
    assert f"Tested: {tested}\n" in outcome.stdout
    metrics = requests.get(f"{server}/metrics", timeout=30).text
    assert 'status="500"' not in metrics
    assert 'outcome="crashed"} 0.0' in metrics
