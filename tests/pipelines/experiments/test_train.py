"""Trainings from prepared data; as a module, this trains on two devices that stand in for GPUs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.experiments.train import Experiment
from tests.conftest import ROOT, SETTINGS, write_settings, write_tracks
from tfkey.config import load_config
from tfkey.errors import UsageError
from tfkey.runs import create_run

# A shift needs bins that are stored beside the band.
FEATURES = {**SETTINGS["features"], "extra_semitones": 1}
ALL_ON = ["augment={pitch_shift: 1, noise_db: 1, time_masks: 1, detune_cents: 20, reverb_seconds: 0.5}",
          "augment={noise_floor_db: -20, band_limits: 0.5}", "train.class_weights=balanced",
          "train.warmup_epochs=1", "train.clip_norm=1", "train.average=0.9", "loss.name=mirex"]  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings for data that is prepared with extra semitones as spectrograms and as audio."""
    from pipelines.prepare.prepare import prepare

    root = tmp_path_factory.mktemp("experiments")
    folders = {"data_dir": str(root / "data"), "runs_dir": str(root / "runs")}
    path = write_settings(root / "settings.yaml", **folders, features=FEATURES, mode="spectrograms")
    source = write_tracks(root / "small")
    for mode in ("spectrograms", "audio"):
        prepare(load_config(path, [f"mode={mode}"]), "small", source=source)
    return path


def _main(settings: str) -> None:
    """Two epochs on one device and on two: without batch statistics, both compute the same."""
    import keras

    import pipelines.experiments.train as experiments

    cpus = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    assert experiments._strategy() is None
    # One for all: the collective operations of a second one would take those of the first for their own.
    both = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

    def network(self: experiments.Experiment) -> keras.Model:
        pictures = x = keras.Input((None, self.config.features.n_bins, 1))
        if self.config.augment.noise_db:
            x = keras.layers.Dropout(0.3)(keras.layers.BatchNormalization()(x))
        x = keras.layers.Conv2D(24, (1, self.config.features.n_bins))(x)
        return keras.Model(pictures, keras.layers.GlobalAveragePooling2D()(x), name="plain")

    weights = {}
    experiments.Experiment.network = network  # type: ignore[method-assign]
    for devices in (1, 2):
        if devices == 2:
            experiments._strategy = lambda: both
        # Even batches, so that each device has half of every one.
        config = load_config(settings, ["train.class_weights=balanced", "train.learning_rate=0.01"])
        run, history = experiments.train(config, f"{devices}-devices")
        best = keras.models.load_model(run.best, compile=False)
        weights[devices] = [history[-1]["loss"], history[-1]["val_loss"], *best.get_weights()]
    for one, two in zip(*weights.values(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)
    # Everything at once, and on after an interruption.
    config = load_config(settings, ALL_ON)

    class StoppedError(Exception):
        pass

    def stop(*_: object) -> None:
        raise StoppedError

    try:
        experiments.train(config, "all", stop)
    except StoppedError:
        _, history = experiments.train(config, "all")
    assert len(history) == 2
    assert np.isfinite([list(line.values()) for line in history]).all()
    print("two devices ok")


@pytest.mark.parametrize(
    ("intervals", "devices", "size"),
    [(10, 2, 2), (11, 2, 4), (12, 2, 4), (10, 1, 4), (13, 4, None), (1, 2, None)],
)
def test_no_device_is_left_without_an_interval(
    intervals: int, devices: int, size: int | None, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "pipelines.experiments.train.evaluation_batches",
        lambda _, size: asked.append(size) or tf.data.Dataset.range(1),
    )
    experiment = Experiment.open(load_config(settings))
    row = experiment.validation.rows[0]
    dataset = experiment.validation.parts[0][0]
    validation = replace(experiment.validation, parts=((dataset, (row,) * intervals),))
    shared = replace(experiment, validation=validation)
    if size is None:
        with pytest.raises(UsageError, match=f"{devices} GPUs cannot share {intervals} intervals"):
            shared.data(devices=devices)
    else:
        shared.data(devices=devices)
        assert asked == [size]
    with pytest.raises(UsageError, match=r"train\.batch_size=4: 3 GPUs cannot share"):
        experiment.data(devices=3)


def test_several_devices_train_as_one_does(settings: Path) -> None:
    command = [sys.executable, "-m", "tests.pipelines.experiments.test_train", str(settings)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "two devices ok\n"


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_network_computes_in_the_precision_asked_for(settings: Path, precision: str) -> None:
    import keras

    config = load_config(settings, [f"train.precision={precision}"])
    network = Experiment.open(config).network()
    convolution = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    assert convolution.dtype_policy.name == precision
    assert {weight.dtype for weight in network.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_two_trainings_of_one_run_take_turns(settings: Path, caplog: pytest.LogCaptureFixture) -> None:
    from pipelines.experiments.train import train
    from pipelines.folder_lock import alone_in

    config = load_config(settings, ["train.deterministic=false", "train.epochs=1"])
    began, ended = threading.Event(), threading.Event()

    def other() -> None:
        with alone_in(config.runs_dir / "turns"):
            began.set()
            give_up = time.monotonic() + 120
            while "another call is working" not in caplog.text and time.monotonic() < give_up:
                time.sleep(0.01)
            if not (config.runs_dir / "turns" / "config.yaml").exists():
                ended.set()

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    began.wait()
    train(config, "turns")
    thread.join()
    assert "another call is working" in caplog.text
    assert ended.is_set(), "the run was begun while another had its folder"


def test_quick_checks_leave_nothing(settings: Path, tfkey: Callable[..., Any]) -> None:
    before = {path for path in settings.parent.rglob("*") if "runs" in path.parts}
    common = ["train", "--config", settings, "-o", "train.deterministic=false"]
    everything = [argument for value in ALL_ON for argument in ("-o", value)]
    code, (line,), err = tfkey(*common, "--check", "overfit", *everything, "-o", "train.learning_rate=0.02")
    assert (code, err) == (0, [])
    assert float(line.split()[2]) <= 0.02
    assert line.startswith("overfit: loss ")
    code, out, (error,) = tfkey(*common, "--check", "overfit", "-o", "train.learning_rate=1e-9")
    assert (code, out) == (1, [])
    assert "the network cannot overfit one batch of 4 intervals" in error
    for more in (["--check", "fdr", "--mode", "audio", *everything], ["--check", "limit"]):
        code, (line,), err = tfkey(*common, *more, "-o", "train.epochs=30")
        assert (code, err) == (0, [])
        assert line.startswith(f"{more[1]}: loss ")
    assert {path for path in settings.parent.rglob("*") if "runs" in path.parts} == before


def test_a_learning_rate_is_found_beside_the_run(settings: Path, tfkey: Callable[..., Any]) -> None:
    runs = settings.parent / "found"
    arguments = ["train", "--config", settings, "--runs-dir", runs, "-o", "train.deterministic=false"]
    code, (line,), err = tfkey(*arguments, "--find-learning-rate", "--name", "mine")
    assert (code, err) == (0, [])
    suggestion = float(line.split()[0].removeprefix("train.learning_rate="))
    assert 1e-5 < suggestion < 0.1
    folder = runs / "mine-learning-rate"
    assert sorted(path.relative_to(runs).as_posix() for path in runs.rglob("*")) == [
        "mine-learning-rate", "mine-learning-rate/learning-rate.csv", "mine-learning-rate/learning-rate.png"
    ]  # fmt: skip
    table = np.loadtxt(folder / "learning-rate.csv", delimiter=",", skiprows=1)
    assert table[0, 0] == pytest.approx(1e-6)
    assert (np.diff(np.log(table[:, 0])) > 0).all()
    assert (folder / "learning-rate.png").read_bytes().startswith(b"\x89PNG")
    assert tfkey(*arguments, "--find-learning-rate", "--check", "fdr")[0] == 2


def test_a_run_keeps_its_length(settings: Path, tfkey: Callable[..., Any]) -> None:
    config = load_config(settings)
    create_run(config, "short")
    code, _, (error,) = tfkey("train", "--config", settings, "--name", "short", "-o", "train.epochs=9")
    assert code == 2
    assert "train.epochs=2 (now 9), and a run keeps the length that it started with; give another" in error


if __name__ == "__main__":
    _main(sys.argv[1])
