"""Training on JAX: two devices in a process, and two processes, compute what a single device does."""

from __future__ import annotations

import csv
import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT, SETTINGS, write_settings, write_tracks
from tfkey.config import load_config

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed; run make test-jax"
)

TWO = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
# Everything that draws random numbers, too: all draw the same.
ALL_ON = ["augment={pitch_shift: 1, noise_db: 1, time_masks: 1, detune_cents: 20, reverb_seconds: 0.5}",
          "augment={noise_floor_db: -20, band_limits: 0.5}", "train.class_weights=balanced",
          "train.warmup_epochs=1", "train.clip_norm=1", "train.average=0.9", "loss.name=mirex",
          "model.dropout=0.2", "train.epochs=3"]  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings for data that is prepared with extra semitones."""
    from pipelines.prepare.prepare import prepare

    root = tmp_path_factory.mktemp("jax")
    path = write_settings(
        root / "settings.yaml",
        data_dir=str(root / "data"),
        runs_dir=str(root / "runs"),
        features={**SETTINGS["features"], "extra_semitones": 1},
        mode="spectrograms",
    )
    prepare(load_config(path), "small", source=write_tracks(root / "small"))
    return path


def begin(settings: Path, name: str, **environment: str) -> subprocess.Popen[str]:
    options = [part for setting in ALL_ON for part in ("-o", setting)]
    command = [sys.executable, "-c", "from scripts.main import main; main()", "train"]
    return subprocess.Popen(
        [*command, "--config", str(settings), "--name", name, *options],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "KERAS_BACKEND": "jax", **environment},
    )  # fmt: skip


def both(settings: Path, name: str) -> list[subprocess.Popen[str]]:
    """Two processes on loopback that train together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    together = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    return [begin(settings, name, JAX_PROCESS_ID=str(index), **together) for index in (0, 1)]


def finish(process: subprocess.Popen[str]) -> str:
    try:
        out, err = process.communicate(timeout=280)
    finally:
        process.kill()
    assert process.returncode == 0, err[-3000:]
    assert "Warning" not in err
    return out


def table(run: Path) -> tuple[list[str], np.ndarray]:
    with (run / "history.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.reader(stream))
    return lines[0], np.array(lines[1:], np.float64)


@pytest.fixture(scope="module")
def runs(settings: Path) -> Path:
    """The folder with the runs ``one``, ``devices`` and ``processes``."""
    single = [begin(settings, "one"), begin(settings, "devices", **TWO)]
    first, second = both(settings, "processes")
    for process in [*single, first]:
        assert "epoch   3/3" in finish(process)
    assert finish(second) == "", "the first process alone reports"
    return load_config(settings).runs_dir


@pytest.mark.parametrize("name", ["devices", "processes"])
def test_all_devices_compute_what_one_does(runs: Path, name: str) -> None:
    import keras

    (columns, one), (others, shared) = (table(runs / run) for run in ("one", name))
    assert columns == others
    np.testing.assert_allclose(shared, one, rtol=1e-4, atol=1e-6)
    files = [sorted(path.name for path in (runs / run).iterdir()) for run in ("one", name)]
    assert files[0] == files[1]
    best = [keras.models.load_model(runs / run / "best.keras", compile=False) for run in ("one", name)]
    for weight, other in zip(*(network.get_weights() for network in best), strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-3, atol=1e-5)


def test_tensorflow_takes_the_run(
    runs: Path, tfkey: Callable[..., Any], tmp_path: Path, settings: Path
) -> None:
    run = runs / "processes"
    assert tfkey("evaluate", run)[0] == 0
    assert tfkey("export", run, "--output", tmp_path / "export")[0] == 0
    song = next((settings.parent / "small" / "test").rglob("*.flac"))
    code, lines, _ = tfkey("predict", song, "--run", run)
    assert code == 0
    assert song.name in lines[-1]


def test_tensorflow_validates_alike(runs: Path) -> None:
    """The figures of the table, from the best network, by Keras on TensorFlow."""
    import keras

    from pipelines.experiments.train import Experiment
    from tfkey.runs import open_run
    from tfkey.training.losses import build_loss
    from tfkey.training.metrics import KeyAccuracy, MirexScore

    run = open_run(runs / "processes")
    assert keras.backend.backend() == "tensorflow"
    network = run.load_network()
    network.compile(loss=build_loss(run.config.loss), metrics=[KeyAccuracy(), MirexScore()])
    # The band in the middle of what is stored.
    batches = Experiment.open(run.config).data().validation.map(lambda x, y: (x[:, :, 1:-1], y))
    found = network.evaluate(batches, return_dict=True, verbose=0)
    columns, rows = table(run.path)
    best = rows[np.argmax(rows[:, columns.index("val_mirex")])]
    for name, value in found.items():
        assert value == pytest.approx(best[columns.index(f"val_{name}")], rel=1e-4), name


def test_two_processes_continue_after_a_kill(runs: Path, settings: Path) -> None:
    first, second = both(settings, "killed")
    assert first.stdout is not None
    while "epoch   1/3" not in first.stdout.readline():
        assert first.poll() is None
    second.send_signal(signal.SIGKILL)
    # Either it was done already, or it says at once that the other has gone.
    code = first.wait(timeout=200)
    assert code in (0, 1), first.stderr and first.stderr.read()[-3000:]
    if code:
        assert "the processes lost each other" in (first.stderr.read() if first.stderr else "")
    second.wait()
    if code:
        for process in both(settings, "killed"):
            finish(process)
    np.testing.assert_allclose(table(runs / "killed")[1], table(runs / "one")[1], rtol=1e-4, atol=1e-6)
