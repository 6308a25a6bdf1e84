from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tfkey.inference.bundle import Metadata
from tfkey.serving.signatures import Served
from tfkey.spectrogram.parameters import Features

if TYPE_CHECKING:
    from tfkey.runs import Run

RATE, INTERVAL, BINS, LEAST_FRAMES = 8000, 15600, 24, 8


@pytest.fixture(scope="session")
def metadata() -> Metadata:
    """That of a small network: 8 kHz, intervals of 15 600 samples, 24 bins, at least 8 frames."""
    features = Features(RATE, 1024, 200.0, BINS, 12, 1.0, -40.0, 40.0)
    return Metadata(features, INTERVAL / RATE, LEAST_FRAMES, 1.7, 1.2, False, "For tests.")


@pytest.fixture
def served(metadata: Metadata) -> Served:
    return Served(metadata, 3)


@pytest.fixture
def fake_estimator(metadata: Metadata) -> SimpleNamespace:
    """An estimator whose network is arithmetic: the distribution moves with the mean of its input."""
    calls: list[tuple[int, ...]] = []

    def network(inputs: np.ndarray) -> np.ndarray:
        calls.append(inputs.shape)
        mean = inputs.reshape(len(inputs), -1).mean(axis=1, keepdims=True)
        logits = np.sin(np.arange(24) * (1 + mean))
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    return SimpleNamespace(metadata=metadata, network=network, calls=calls)


@pytest.fixture(scope="package")
def exports(
    tmp_path_factory: pytest.TempPathFactory, small_config: Callable, decided_network: Callable
) -> Path:
    """A folder with a run and its exports as ``litert`` and ``saved_model``, calibrated by 1.7."""
    from tfkey.export.formats import export_run
    from tfkey.files import sha256
    from tfkey.runs import create_run
    from tfkey.scoring.calibration import Calibration

    folder = tmp_path_factory.mktemp("served")
    config = small_config(f"runs_dir={folder}")
    run: Run = create_run(config, "run")
    decided_network(config, 1).save(run.best)
    Calibration(1.7, 9, ("ncs",), "audio", 2.0, 1.0, sha256(run.best)).write(run.path / "calibration.json")
    for kind in ("litert", "saved_model"):
        export_run(run, kind, folder / kind, description="For tests.")
    return folder


def request(name: str, rows: list, *, column: bool = False, objects: bool = False, **more: object) -> bytes:
    """The body of a request."""
    values: object = rows
    if objects:
        values = {name: rows} if column else [{name: row} for row in rows]
    return json.dumps({"inputs" if column else "instances": values, **more}).encode()
