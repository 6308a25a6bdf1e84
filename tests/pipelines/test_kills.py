"""Killed in training and started again: as a module, this trains in forked processes that die at random."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT, write_settings
from tests.killing import in_fork
from tfkey.config import Config, load_config

KILLS, SEED = 5, 5
# An epoch is some 18 touches of the run's folder, what is before it some 15.
MOST_TOUCHES = 45
# All that draws numbers or keeps a state of its own.
SETTINGS = {
    "mode": "spectrograms",
    "datasets": ["small", "few"],
    "weights": {"few": 2.0},
    "model": {"name": "timepool", "maps": 2, "dropout": 0.3},
    "augment": {"pitch_shift": 1, "crop_seconds": 0.9, "time_masks": 1, "time_mask_seconds": 0.2,
                "frequency_masks": 1, "equaliser_db": 3.0, "gain_db": 3.0, "noise_db": 1.0},
    "loss": {"name": "mirex", "label_smoothing": 0.1},
    "train": {"batch_size": 4, "epochs": 8, "shuffle_buffer": 8, "warmup_epochs": 1.5, "clip_norm": 1.0,
              "class_weights": "balanced"},
}  # fmt: skip


def _train(config: Config, name: str) -> None:
    from pipelines.experiments.train import train
    from tfkey.training.callbacks import RunRecorder
    from tfkey.training.tensorboard import PictureLogger

    ending = RunRecorder.on_train_batch_end

    def on_train_batch_end(self: RunRecorder, batch: int, logs: dict[str, float] | None = None) -> None:
        # Every batch counts as a touch of the run's folder, so that a kill may come after it.
        sys.audit("open", str(config.runs_dir))
        ending(self, batch, logs)

    RunRecorder.on_train_batch_end = on_train_batch_end  # type: ignore[method-assign]
    # Drawing is most of the time that so small a training takes.
    PictureLogger.is_due = lambda self, epoch: False  # type: ignore[method-assign]
    train(config, name)


def _outcome(run: Path) -> list[np.ndarray]:
    """The figures of the epochs, and all numbers of the last checkpoint and of the best network."""
    import keras

    (checkpoint,) = (run / "checkpoints").iterdir()
    model, best = keras.models.load_model(checkpoint), keras.models.load_model(run / "best.keras")
    values = [*model.weights, *model.optimizer.variables, *best.weights]
    table = np.loadtxt(run / "history.csv", delimiter=",", skiprows=1)
    return [table, *(keras.ops.convert_to_numpy(value) for value in values)]


def _main(settings: Path, scratch: Path) -> None:
    # Imported once for all of the forks; none of it is run before the last of them.
    import pipelines.experiments.train  # noqa: F401

    config = load_config(settings)
    drawn, reached = random.Random(SEED), []
    for _ in range(KILLS):
        moment = drawn.randint(1, MOST_TOUCHES)
        assert in_fork(partial(_train, config, "killed"), config.runs_dir, moment, scratch) is None
        reached.extend(path.name for path in (config.runs_dir / "killed").glob("checkpoints/epoch-*"))
    assert len(set(reached)) >= 2, f"kills are to come at all stages: {reached}"
    for name in ("killed", "whole"):
        _train(config, name)
    for one, other in zip(*(_outcome(config.runs_dir / name) for name in ("killed", "whole")), strict=True):
        np.testing.assert_array_equal(one, other)
    print(f"same after {KILLS} kills")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_that_is_killed_at_random_ends_with_the_same_weights(
    tracks_master: Path, tmp_path: Path
) -> None:
    from pipelines.prepare.prepare import prepare
    from tests.conftest import SETTINGS as SMALL

    folders = {"data_dir": str(tmp_path / "data"), "runs_dir": str(tmp_path / "runs")}
    features = {**SMALL["features"], "n_bins": 36, "extra_semitones": 1}
    settings = write_settings(tmp_path / "settings.yaml", **SETTINGS, features=features, **folders)
    few = tmp_path / "few"
    few.mkdir()
    for split in ("train", "test", "validation"):
        (few / split).mkdir()
        (few / split / "A-min").symlink_to(tracks_master / split / "A-min")
    for name, source in (("small", tracks_master), ("few", few)):
        prepare(load_config(settings), name, source=source)
    # A process that TensorFlow has not run in yet can be forked; this one cannot.
    command = [sys.executable, "-m", "tests.pipelines.test_kills", str(settings), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == f"same after {KILLS} kills\n"


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
