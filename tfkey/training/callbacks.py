"""What happens around the epochs of a training: seeds, records, checkpoints, the error if the loss is NaN."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from tfkey.errors import TfkeyError
from tfkey.files import atomic_path
from tfkey.runs import MONITOR, Run, read_history, write_history
from tfkey.training.averaging import averaged
from tfkey.training.jax_devices import undistributed

OnEpoch = Callable[[int, int, dict[str, float]], None]
"""Called after each epoch with its number from 1, the number of epochs, and its figures."""

Suspects = Callable[[int, int], tuple[list[str], list[str]]]
"""Called with an epoch and a batch, both from 0; returns that batch's files, and which of them are broken."""

_FILES_NAMED = 4


class EpochSeeds(keras.callbacks.Callback):
    """Seeds dropout, and any other random layer of a model, at the start of every epoch.

    The random numbers of an epoch depend only on the seed and the epoch. A resumed run therefore draws the
    same numbers as an uninterrupted one, although Keras does not save the state of its generators in
    checkpoints.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Set the state of every generator in the model."""
        # Besides its weights, a model's variables are these states and the state of its metrics.
        states = [state for state in self.model.variables if state.name == "seed_generator_state"]
        for number, state in enumerate(states):
            start = np.random.SeedSequence([self._seed, epoch, number]).generate_state(1)[0] >> 1
            state.assign(np.array([start, 0], state.dtype))


class RunRecorder(keras.callbacks.Callback):
    """Writes, after each epoch, a line of history, a checkpoint, and the network if it is the best so far.

    A kill between any two of these loses at most the current epoch, which is then trained again. The best
    network is kept beside the checkpoint until the checkpoint is complete, and therefore never belongs to an
    epoch that is redone.

    If several processes train together, all but the first only read and keep count: ``writes`` is False.
    """

    def __init__(
        self,
        run: Run,
        network: keras.Model,
        first_epoch: int,
        report: OnEpoch | None = None,
        suspects: Suspects | None = None,
        broken: Callable[[], list[str]] | None = None,
        *,
        writes: bool = True,
    ) -> None:
        """Read the history of ``run`` up to ``first_epoch``; raise a TfkeyError if it is shorter."""
        super().__init__()
        self._run = run
        self._network = network
        self._report = report
        self._suspects = suspects
        self._broken = broken
        self._writes = writes
        self.history = read_history(run.history)[:first_epoch] if first_epoch else []
        if len(self.history) < first_epoch:
            raise TfkeyError(
                f"{run.history}: holds {len(self.history)} of the {first_epoch} epochs that were trained; "
                f"delete {run.checkpoints} to train from the start"
            )
        if writes:
            self._take_best(first_epoch)

    @property
    def is_finished(self) -> bool:
        """Whether the epochs are over, or the best of them is ``patience`` epochs old."""
        settings = self._run.config.train
        return (
            len(self.history) >= settings.epochs
            or len(self.history) - self._best_epoch() >= settings.patience
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop if the loss is NaN or infinite."""
        if logs and not math.isfinite(logs.get("loss", 0.0)):
            epoch = len(self.history)
            files, broken = self._suspects(epoch, batch) if self._suspects else ([], [])
            what = f"the loss became NaN or infinite in epoch {epoch + 1}, batch {batch + 1}"
            if broken:
                raise TfkeyError(
                    f"{self._run.path}: {what}: NaN or infinite values in {_some(broken)}; "
                    "delete the damaged files, prepare them again, and resume"
                )
            of = f" (of {_some(files)})" if files else ""
            raise TfkeyError(
                f"{self._run.path}: {what}{of}; lower train.learning_rate or set train.clip_norm, and give "
                "the run another name",
                remedy="name",
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record the epoch."""
        figures = {name: float(value) for name, value in (logs or {}).items()}
        if not all(map(math.isfinite, figures.values())):
            raise self._not_finite(epoch)
        learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.history.append({"epoch": epoch + 1, **figures, "learning_rate": learning_rate})
        if self._writes:
            self._write(epoch)
        if self.is_finished:
            self.model.stop_training = True

    def _write(self, epoch: int) -> None:
        write_history(self._run.history, self.history)
        if self._best_epoch() == epoch + 1:
            with (
                averaged(self.model),
                undistributed(),
                atomic_path(self._best_beside(epoch + 1)) as temporary,
            ):
                self._network.save(temporary, include_optimizer=False)
        target = self._run.checkpoints / f"epoch-{epoch + 1:04d}.keras"
        try:
            with undistributed(), atomic_path(target) as temporary:
                self.model.save(temporary)
        except BaseException:
            # On a full disk it would take up the space that the next attempt needs.
            self._best_beside(epoch + 1).unlink(missing_ok=True)
            raise
        self._take_best(epoch + 1)
        for older in set(self._run.checkpoints.glob("epoch-*.keras")) - {target}:
            older.unlink()
        if self._report:
            self._report(epoch + 1, self._run.config.train.epochs, self.history[-1])

    def _best_beside(self, epoch: int) -> Path:
        return self._run.checkpoints / f"best-{epoch:04d}.keras"

    def _take_best(self, epoch: int) -> None:
        """Move the best network into place if its checkpoint exists; delete one whose epoch was lost."""
        for path in self._run.checkpoints.glob("best-*.keras"):
            if path == self._best_beside(epoch):
                os.replace(path, self._run.best)
            else:
                path.unlink()

    def _not_finite(self, epoch: int) -> TfkeyError:
        broken = self._broken() if self._broken else []
        if broken:
            return TfkeyError(
                f"{self._run.path}: the validation loss is NaN or infinite: such values are in "
                f"{_some(broken)}; delete the damaged files, prepare them again, and resume"
            )
        return TfkeyError(
            f"{self._run.path}: the loss is NaN or infinite at the end of epoch {epoch + 1}; lower "
            "train.learning_rate or set train.clip_norm, and give the run another name",
            remedy="name",
        )

    def _best_epoch(self) -> int:
        """The first epoch with the highest score, counted from 1; 0 before the first epoch."""
        scores = [line[MONITOR] for line in self.history]
        return scores.index(max(scores)) + 1 if scores else 0


def _some(files: list[str]) -> str:
    """The first few of a list of files, and the number of the others."""
    more = len(files) - _FILES_NAMED
    return ", ".join(files[:_FILES_NAMED]) + (f" and {more} more" if more > 0 else "")
