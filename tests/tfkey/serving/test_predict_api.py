"""The paths below ``/v1/models`` over HTTP, with a pool that works in this process."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette")

from starlette.testclient import TestClient

from tests.tfkey.serving.conftest import BINS, LEAST_FRAMES, request
from tfkey.serving.app import create_app
from tfkey.serving.errors import NoWorkerFree, TaskFailed, WorkerCrashed, WorkerTimedOut
from tfkey.serving.settings import ServerSettings
from tfkey.serving.uploads import UploadFolder

MEGABYTE = 2**20
MODEL = "/v1/models/tfkey"
FAULTS = {
    404.0: WorkerCrashed("signal 11"),
    405.0: WorkerTimedOut("took longer than 5 s"),
    406.0: NoWorkerFree("no process"),
    407.0: TaskFailed("Traceback (most recent call last):\nValueError: /odd/path", "ValueError"),
}


class LocalPool:
    """Does tasks in this process; some first samples bring faults about."""

    def __init__(self, estimator: SimpleNamespace) -> None:
        self.counts: Counter[str] = Counter()
        self.ready, self.queued = 1, 0
        self.tasks: list[Any] = []
        self._estimator = estimator

    async def run(self, task: Any, timeout: float, wait: float | None = None) -> Any:
        self.tasks.append(task)
        for value, error in FAULTS.items():
            if any(f"[[{value}" in str(body) for body in getattr(task, "bodies", ())):
                raise error
        return task.do(self._estimator)


@pytest.fixture
def pool(fake_estimator) -> LocalPool:
    return LocalPool(fake_estimator)


@pytest.fixture
def client(pool: LocalPool, tmp_path) -> Iterator[TestClient]:
    settings = ServerSettings(max_upload_mb=3, max_seconds=60, max_rows=8, timeout_seconds=5)
    with UploadFolder(tmp_path) as folder:
        app = create_app(settings, pool, folder)
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=True) as client:
            client.folder = folder.path
            yield client


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/1", f"{MODEL}/versions/01"])
def test_status(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.json()["model_version_status"][0]["state"] == "AVAILABLE"


@pytest.mark.parametrize("path", [f"{MODEL}/metadata", f"{MODEL}/versions/1/metadata"])
def test_metadata(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert set(answer.json()) == {"model_spec", "metadata"}


@pytest.mark.parametrize("path", [f"{MODEL}:predict", f"{MODEL}/versions/1:predict"])
def test_predict(client: TestClient, pool: LocalPool, path: str) -> None:
    answer = client.post(path, content=request("waveform", [[0.5], [0.25, 0.5]]))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    predictions = np.array(answer.json()["predictions"])
    assert predictions.shape == (2, 24)
    np.testing.assert_allclose(predictions.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/v1/models/half", 404, "Could not find any versions of model half"),
        ("GET", f"{MODEL}/versions/7", 404, "Could not find version 7 of model tfkey"),
        ("GET", f"{MODEL}/versions/7/metadata", 404, "Could not find version 7 of model tfkey"),
        ("GET", f"{MODEL}/versions/x", 404, "Failed to convert version: x to numeric."),
        ("GET", f"{MODEL}/versions/{'9' * 5000}", 404, f"Failed to convert version: {'9' * 40} to numeric."),
        ("POST", "/v1/models/half:predict", 404, "Servable not found for request: Latest(half)"),
        (
            "POST",
            f"{MODEL}/versions/7:predict",
            404,
            "Servable not found for request: Specific(tfkey, 7)",
        ),
        ("POST", f"{MODEL}/versions/%D9%A1:predict", 404, "Failed to convert version: \\u0661 to numeric."),
        ("POST", "/v1/models/%ff%00:predict", 404, "Servable not found for request: Latest(\\ufffd\\x00)"),
        ("GET", f"{MODEL}/labels/stable", 404, "there is no such path here; /openapi.json lists the paths"),
        ("GET", "/v1/models", 404, "there is no such path here; /openapi.json lists the paths"),
        ("POST", f"{MODEL}:classify", 404, "there is no such path here; /openapi.json lists the paths"),
        ("POST", MODEL, 405, "this path does not take this method; use GET, HEAD"),
        ("GET", f"{MODEL}:predict", 405, "this path does not take this method; use POST"),
    ],
)
def test_what_is_not_there(client: TestClient, method, path, status, error) -> None:
    answer = client.request(method, path, content=request("waveform", [[1]]) if method == "POST" else None)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "the body is empty"),
        (b'{"instances": [[1,]]}', 400, "is not JSON"),
        (b'{"instances": [[NaN]]}', 400, "row 0 of waveform has NaN"),
        (b'{"instances": [[1.0, -Infinity]]}', 400, "row 0 of waveform has NaN, infinite"),
        (request("waveform", [[1]] * 9), 400, "has 9 rows; send at most 8"),
        (b" " * (MEGABYTE + 1) + b"{", 400, "is not JSON"),
        (b" " * (4 * MEGABYTE), 413, "larger than 3 MB"),
        (request("waveform", [[404.0]]), 422, "the process crashed over this request .signal 11."),
        (request("waveform", [[405.0]]), 422, "took longer than 5 s, which is the limit"),
        (request("waveform", [[406.0]]), 503, "try again later"),
        (request("waveform", [[407.0]]), 422, "cannot be analysed .ValueError.; please"),
    ],
    ids=lambda value: str(value[:20]) if isinstance(value, bytes) else None,
)
def test_bodies_that_are_refused(client: TestClient, body, status, error) -> None:
    answer = client.post(f"{MODEL}:predict", content=body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert client.post(f"{MODEL}:predict", content=request("waveform", [[1]])).status_code == 200
    import re

    assert re.search(error, answer.json()["error"])
    assert ("retry-after" in answer.headers) == (status == 503)


def test_a_body_is_refused_by_its_stated_length_alone(client: TestClient) -> None:
    headers = {"content-length": str(10**12)}
    answer = client.post(f"{MODEL}:predict", content=b"{}", headers=headers)
    assert answer.status_code == 413


def test_compressed_bodies_are_refused(client: TestClient) -> None:
    answer = client.post(f"{MODEL}:predict", content=b"x", headers={"content-encoding": "gzip"})
    assert answer.status_code == 415


def test_long_bodies_travel_as_files_that_do_not_stay(client: TestClient, pool: LocalPool) -> None:
    rng = np.random.default_rng(0)
    row = rng.standard_normal(100_000).round(8)
    body = request("waveform", [row.tolist()])
    assert len(body) > MEGABYTE
    long = client.post(f"{MODEL}:predict", content=body)
    (path,) = pool.tasks[-1].bodies
    assert path.suffix == ".json"
    assert not [path for path in client.folder.iterdir() if not path.name.startswith(".")]
    # The same answer as in a short body.
    short = client.post(f"{MODEL}:predict", content=request("waveform", [row.round(3).tolist()]))
    assert isinstance(pool.tasks[-1].bodies[0], bytes)
    np.testing.assert_allclose(long.json()["predictions"], short.json()["predictions"], atol=1e-3)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no file for a full disk")
@pytest.mark.parametrize("size", [MEGABYTE + 1, MEGABYTE + 100_000])
def test_a_full_disk(client: TestClient, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    full = partial(os.open, "/dev/full", os.O_WRONLY)
    with monkeypatch.context() as patch:
        patch.setattr("tfkey.serving.uploads.os.open", lambda *_: full())
        answer = client.post(f"{MODEL}:predict", content=b" " * size)
    assert (answer.status_code, "no room" in answer.json()["error"]) == (503, True)


def test_a_body_that_vanishes_before_it_is_read(
    client: TestClient, pool: LocalPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post(f"{MODEL}:predict", content=request("waveform", [[1]]))

    async def failing(task: Any, timeout: float, wait: float | None = None) -> None:
        task.bodies[0].unlink()
        raise TaskFailed("FileNotFoundError: the path", "FileNotFoundError")

    monkeypatch.setattr(pool, "run", failing)
    answer = client.post(f"{MODEL}:predict", content=b" " * (MEGABYTE + 1))
    assert (answer.status_code, "send it again" in answer.json()["error"]) == (503, True)


def test_any_content_type_is_json(client: TestClient) -> None:
    # curl -d says that it sends a form; TensorFlow Serving's documentation does that.
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"):
        answer = client.post(
            f"{MODEL}:predict", content=request("waveform", [[1]]), headers={"content-type": kind}
        )
        assert answer.status_code == 200


def test_metrics(client: TestClient) -> None:
    client.get("/v1/models/half")
    client.get("/nothing/here")
    client.request("BREW", "/healthz")
    client.post(f"{MODEL}/versions/1:predict", content=request("waveform", [[1]]))
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        'tfkey_requests_total{method="GET",path="/v1/models/{model}",status="404"} 1.0',
        'tfkey_requests_total{method="GET",path="unknown",status="404"} 1.0',
        'tfkey_requests_total{method="unknown",path="/healthz",status="405"} 1.0',
        "tfkey_requests_in_flight 1.0",
        "tfkey_batch_requests_count 1.0",
        'tfkey_tasks_total{outcome="timed_out"} 0.0',
        "tfkey_workers_ready 1.0",
        "tfkey_audio_seconds_total 0.0",
    ):
        assert line in answer.text.splitlines()
    newer = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    assert newer.text.endswith("# EOF\n")
    assert client.get("/metrics", headers={"accept": ";;;=,q=x"}).status_code == 200


def test_the_description_is_valid_and_complete(client: TestClient) -> None:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    described = set(document["paths"])
    routes = {
        getattr(route, "path", "").replace("{model:model}", "tfkey").replace("{version:model}", "{version}")
        for route in client.app.routes
    }
    assert described == routes - {path for path in routes if path == "/" or path.startswith("/page")}
    row = document["components"]["schemas"]["PredictRequest"]["anyOf"][-1]
    assert str(BINS) in json.dumps(row)
    assert f'"minItems": {LEAST_FRAMES}' in json.dumps(row)


def test_the_description_asks_for_the_token(pool, tmp_path) -> None:
    with UploadFolder(tmp_path) as folder:
        client = TestClient(
            create_app(ServerSettings(token="secret-token"), pool, folder), base_url="http://localhost"
        )
        assert client.get("/openapi.json").status_code == 401
        answer = client.get("/openapi.json", headers={"authorization": "Bearer secret-token"})
        assert answer.json()["security"] == [{"token": []}]
