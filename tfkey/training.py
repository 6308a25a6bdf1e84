"""Fitting a network: epochs that leave a checkpoint, a table and the best network behind."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfkey.errors import TfkeyError
from tfkey.files import atomic_path, write_text
from tfkey.metrics import MirexScore
from tfkey.runs import LOAD_ERRORS, Run
from tfkey.settings import TrainConfig

MONITOR = "val_mirex"

Report = Callable[[int, int, dict[str, float]], None]
"""Called after each epoch with its number from 1, the number of epochs, and its figures."""


@dataclass(frozen=True)
class TrainingData:
    """What :func:`fit` trains on.

    Attributes:
        batches: makes endless shuffled batches, starting at an epoch.
        steps: batches an epoch.
        validation: the validation batches, once.
        validation_steps: their number.
    """

    batches: Callable[[int], Iterable[Any]]
    steps: int
    validation: Iterable[Any]
    validation_steps: int


def compile_model(
    network: keras.Model, frontend: keras.Model | None, settings: TrainConfig, steps: int
) -> keras.Model:
    """Put an optimiser, a loss and metrics on a network, behind a frontend if the data is audio.

    Args:
        network: from pictures to logits.
        frontend: from waveforms to pictures, run on the training device; None if the data are pictures.
        settings: how to train.
        steps: batches an epoch.
    """
    model = network
    if frontend is not None:
        model = keras.Model(frontend.input, network(frontend.output), name="audio_model")
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate, decay_steps=settings.epochs * steps
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy"), MirexScore()],
        # Left to itself, Keras would choose XLA where it thinks it can.
        jit_compile=False,
    )
    return model


def fit(
    run: Run,
    network: keras.Model,
    frontend: keras.Model | None,
    data: TrainingData,
    report: Report | None = None,
) -> list[dict[str, float]]:
    """Train until the epochs are over or the validation score has long stopped rising.

    A run that was interrupted goes on after its last finished epoch; one that is finished is left as it is.

    Args:
        run: where everything goes; its configuration says how to train.
        network: from pictures to logits; its name tells it in checkpoints.
        frontend: see :func:`compile_model`.
        data: what to train on.
        report: told about every epoch.

    Returns:
        The figures of every epoch, as in ``history.csv``.

    Raises:
        TfkeyError: the loss is no longer a number; a checkpoint or the table cannot be read or written.
    """
    settings = run.config.train
    checkpoint = _last_checkpoint(run.checkpoints)
    if checkpoint is None:
        first_epoch = 0
        model = compile_model(network, frontend, settings, data.steps)
    else:
        first_epoch = int(checkpoint.stem.rpartition("-")[2])
        model = _load_checkpoint(checkpoint)
        network = model if frontend is None else model.get_layer(network.name)
    recorder = RunRecorder(run, network, first_epoch, report)
    if not recorder.is_finished:
        model.fit(
            data.batches(first_epoch),
            validation_data=data.validation,
            initial_epoch=first_epoch,
            epochs=settings.epochs,
            steps_per_epoch=data.steps,
            validation_steps=data.validation_steps,
            callbacks=[EpochSeeds(run.config.seed), recorder, _tensorboard(run.path / "tensorboard")],
            shuffle=False,
            verbose=0,
        )
    return recorder.history


class EpochSeeds(keras.callbacks.Callback):
    """Seeds dropout, and whatever else draws numbers in a model, at the start of every epoch.

    The numbers of an epoch depend on the seed and the epoch alone, so that a run that resumes draws what an
    uninterrupted one would have drawn: Keras leaves the state of its generators out of checkpoints.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Set the state of every generator in the model."""
        # The variables that a model has beyond its weights are these and the state of metrics.
        states = [state for state in self.model.variables if state.name == "seed_generator_state"]
        for number, state in enumerate(states):
            start = np.random.SeedSequence([self._seed, epoch, number]).generate_state(1)[0] >> 1
            state.assign(np.array([start, 0], state.dtype))


class RunRecorder(keras.callbacks.Callback):
    """After each epoch: a line of history, the network if it is the best so far, then a checkpoint.

    A kill between any two of them loses at most the epoch, which then is trained again with the same outcome.
    """

    def __init__(
        self, run: Run, network: keras.Model, first_epoch: int, report: Report | None = None
    ) -> None:
        """Take up the history of ``run`` up to ``first_epoch``; a TfkeyError if it does not reach so far."""
        super().__init__()
        self._run = run
        self._network = network
        self._report = report
        self.history = read_history(run.history)[:first_epoch] if first_epoch else []
        if len(self.history) < first_epoch:
            raise TfkeyError(
                f"{run.history}: holds {len(self.history)} of the {first_epoch} epochs that were trained; "
                f"delete {run.checkpoints} to train from the start"
            )

    @property
    def is_finished(self) -> bool:
        """Whether the epochs are over, or the best of them is ``patience`` epochs old."""
        settings = self._run.config.train
        return (
            len(self.history) >= settings.epochs
            or len(self.history) - self._best_epoch() >= settings.patience
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop at a loss that is no number."""
        if logs and not math.isfinite(logs.get("loss", 0.0)):
            epoch = len(self.history) + 1
            raise TfkeyError(
                f"{self._run.path}: the loss is no longer a number (epoch {epoch}, batch {batch + 1}); "
                "lower train.learning_rate and give another --name"
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the epoch down."""
        figures = {name: float(value) for name, value in (logs or {}).items()}
        learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.history.append({"epoch": epoch + 1, **figures, "learning_rate": learning_rate})
        _write_history(self._run.history, self.history)
        if self._best_epoch() == len(self.history):
            with atomic_path(self._run.best) as temporary:
                self._network.save(temporary, include_optimizer=False)
        target = self._run.checkpoints / f"epoch-{epoch + 1:04d}.keras"
        with atomic_path(target) as temporary:
            self.model.save(temporary)
        for older in set(self._run.checkpoints.glob("epoch-*.keras")) - {target}:
            older.unlink()
        if self._report:
            self._report(epoch + 1, self._run.config.train.epochs, self.history[-1])
        if self.is_finished:
            self.model.stop_training = True

    def _best_epoch(self) -> int:
        """The first of the epochs with the highest score, from 1; 0 before the first epoch."""
        scores = [line[MONITOR] for line in self.history]
        return scores.index(max(scores)) + 1 if scores else 0


def read_history(path: Path) -> list[dict[str, float]]:
    """Read ``history.csv``; nothing if there is none.

    Raises:
        TfkeyError: it is no such table.
    """
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            lines = [{name: float(value) for name, value in line.items()} for line in csv.DictReader(stream)]
        if not all({"epoch", MONITOR} <= line.keys() for line in lines):
            raise ValueError("columns are missing")
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise TfkeyError(
            f"{path}: not a table of epochs; delete the run's checkpoints to train from the start"
        ) from error
    return lines


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**line, "epoch": int(line["epoch"])} for line in history)
    write_text(path, stream.getvalue())


def _tensorboard(folder: Path) -> keras.callbacks.TensorBoard:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TfkeyError(f"{folder}: cannot be made ({error.strerror}); free the place") from error
    return keras.callbacks.TensorBoard(folder, write_graph=False)


def _last_checkpoint(folder: Path) -> Path | None:
    return max(folder.glob("epoch-*.keras"), default=None)


def _load_checkpoint(path: Path) -> keras.Model:
    try:
        return keras.models.load_model(path)
    except LOAD_ERRORS as error:
        raise TfkeyError(
            f"{path}: not a checkpoint that can be loaded; delete it to train from the start"
        ) from error
