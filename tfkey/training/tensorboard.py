"""What TensorBoard shows about a run: curves, speed, pictures, audio and settings, below ``tensorboard/``.

- ``tensorboard/``: every setting of the run, for the HParams page;
- ``tensorboard/train``: below ``epoch/``, ``loss``, ``accuracy``, ``mirex``, ``learning_rate``,
  ``intervals_per_second`` and ``input_stall``;
- ``tensorboard/validation``: below ``epoch/``, ``loss``, ``accuracy``, ``mirex`` and ``best_mirex``; beside
  it the pictures ``confusion`` and ``spectrogram/N``; in audio mode ``sound/N``, too.

Steps are epochs, counted from 1 as in ``history.csv``. An epoch lost to a kill is trained and logged again;
its first records are removed from the files. The log is therefore written record by record
(:mod:`tfkey.training.tensorboard_events`), not by Keras' callback, and without TensorFlow. tensorboardX is
not used either: it leaves the records of lost epochs in the files, and a full disk ends its writing thread,
after which the training blocks once the thread's queue is full, without an error.
"""

from __future__ import annotations

import contextlib
import gc
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from tfkey.keys import N_CLASSES, Key
from tfkey.runs import MONITOR, Run
from tfkey.spectrogram.frontend import build_frontend
from tfkey.training.averaging import averaged
from tfkey.training.jax_devices import LocalNetwork
from tfkey.training.soft_labels import most_probable
from tfkey.training.tensorboard_events import EventLog, hyper_parameters, image, scalar, sound

PICTURES = 20
"""The most drawings of a run: each costs a pass over the validation split, and space."""

EPOCHS_BETWEEN = 5
"""The fewest epochs between two drawings, which keeps their cost at a few per cent of a short run."""

EXAMPLES = 4
"""The number of validation intervals whose spectrograms are drawn, each of a different key."""

SOUND_SECONDS = 10.0
"""The length of the audio of each of these, in audio mode."""

Meter = Callable[[], tuple[int, float]]
"""Returns how many intervals training has received so far, and how many seconds it waited for them."""


class CurveLogger(keras.callbacks.Callback):
    """Logs the figures of every epoch. It runs before the checkpoint is written: no epoch is left out.

    ``intervals_per_second`` covers training alone, from the beginning of an epoch to its last batch.
    ``input_stall`` is the share of that time that the training step waited for a batch. With an accelerator,
    which works asynchronously, it is an upper bound: the host may wait while the device is still busy. The
    first batch that a process trains is left out, because the step is compiled in it; an epoch of that batch
    alone has neither figure.

    Args:
        run: the run to log.
        history: the figures of the epochs that are done.
        meter: counts the training batches; None to log no stall.
    """

    def __init__(self, run: Run, history: list[dict[str, float]], meter: Meter | None = None) -> None:
        super().__init__()
        folder = run.path / "tensorboard"
        self._settings = EventLog(folder, 1 if history else 0)
        self._train = EventLog(folder / "train", len(history) + 1)
        self._validation = EventLog(folder / "validation", len(history) + 1)
        self._run = run
        self._best = max((line[MONITOR] for line in history), default=-math.inf)
        self._is_new = not history
        self._meter = meter
        self._steps = 0
        self._start: tuple[float, int, float] | None = None
        self._end = 0.0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Log the settings, once per run."""
        if self._is_new:
            self._settings.write(0, [hyper_parameters(self._run)])

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock, unless the step is still to be compiled in the first batch."""
        if self._end:
            self._begin()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Read the clock."""
        self._end = time.perf_counter()
        self._steps += 1
        if self._start is None:
            self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log the epoch."""
        figures = {name: float(value) for name, value in (logs or {}).items()}
        learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        validation = {
            name.removeprefix("val_"): value for name, value in figures.items() if name.startswith("val_")
        }
        self._best = max(self._best, validation.get("mirex", -math.inf))
        if math.isfinite(self._best):
            validation["best_mirex"] = self._best
        train = {name: value for name, value in figures.items() if not name.startswith("val_")}
        train |= {"learning_rate": learning_rate, **self._speed()}
        for log, lines in ((self._train, train), (self._validation, validation)):
            log.write(epoch + 1, (scalar(f"epoch/{tag}", value) for tag, value in lines.items()))

    def _begin(self) -> None:
        self._steps = 0
        intervals, waited = self._meter() if self._meter else (0, 0.0)
        self._start = (time.perf_counter(), intervals, waited)

    def _speed(self) -> dict[str, float]:
        """Throughput and stall since the clock started."""
        if self._start is None or not self._steps:
            return {}
        began, intervals, waited = self._start
        seconds = self._end - began
        if self._meter is None:
            return {"intervals_per_second": self._steps * self._run.config.train.batch_size / seconds}
        intervals_now, waited_now = self._meter()
        return {
            "intervals_per_second": (intervals_now - intervals) / seconds,
            "input_stall": min(1.0, (waited_now - waited) / seconds),
        }


class PictureLogger(keras.callbacks.Callback):
    """Shows every few epochs, on the validation split, which keys the network confuses.

    Draws the confusion matrix in the order of the circle of fifths, and a few spectrograms with the true and
    the estimated key; in audio mode also logs their audio, once per run. It runs after the checkpoint is
    written: a kill while drawing loses no epoch.

    Args:
        run: the run to log.
        first_epoch: the number of epochs that are done.
        frontend: from waveforms to pictures, if the network has one before it.
        validation: the validation batches, once, always in the same order.
        network: called with a batch of inputs, judges in place of the model, once it has taken its weights.
    """

    def __init__(
        self,
        run: Run,
        first_epoch: int,
        frontend: keras.Model | None,
        validation: Iterable[Any],
        network: LocalNetwork | None = None,
    ) -> None:
        super().__init__()
        self._log = EventLog(run.path / "tensorboard" / "validation", first_epoch + 1)
        self._config = run.config
        self._frontend = frontend
        self._validation = validation
        self._network = network

    def is_due(self, epoch: int) -> bool:
        """Whether epoch ``epoch``, counted from 1, is drawn: the first, the last, and some in between."""
        epochs = self._config.train.epochs
        every = max(EPOCHS_BETWEEN, math.ceil(epochs / PICTURES))
        return epoch in (1, epochs) or epoch % every == 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draw if this epoch is due."""
        if self.is_due(epoch + 1):
            if self._network is not None:
                self._network.take()
            with contextlib.nullcontext() if self._network else averaged(self.model):
                matrix, examples = self._judge()
            self._log.write(epoch + 1, self._draw(matrix, examples, with_sound=epoch == 0))
            # Figures hold reference cycles; without this, those of several drawings would pile up.
            gc.collect()

    def _judge(self) -> tuple[np.ndarray, list[tuple[np.ndarray, int, int]]]:
        """Counts of true keys (rows) and estimates, and examples: the input, true key, estimate."""
        predict = self._network or self.model.predict_on_batch
        matrix = np.zeros((N_CLASSES, N_CLASSES), np.int64)
        examples: dict[int, tuple[np.ndarray, int, int]] = {}
        for batch in self._validation:
            given = keras.ops.convert_to_numpy(batch[0])
            labels = keras.ops.convert_to_numpy(most_probable(batch[1]))
            # With several devices, each returns the whole batch, one after the other.
            estimates = np.argmax(predict(given)[: len(labels)], axis=-1)
            np.add.at(matrix, (labels, estimates), 1)
            for number, label in enumerate(labels.tolist()):
                if len(examples) < EXAMPLES and label not in examples:
                    # A view would keep the whole batch in memory.
                    examples[label] = (given[number].copy(), label, int(estimates[number]))
        return matrix, list(examples.values())

    def _draw(
        self, matrix: np.ndarray, examples: list[tuple[np.ndarray, int, int]], with_sound: bool
    ) -> Iterable[Any]:
        from tfkey.scoring.charts import confusion_figure, spectrogram_figure

        yield image("confusion", confusion_figure(matrix), "rows: true key, in the order of fifths")
        for number, (given, label, estimate) in enumerate(examples):
            truth, guess = (Key.from_index(index).long for index in (label, estimate))
            title = f"{truth}: recognised" if label == estimate else f"{truth}: taken for {guess}"
            figure = spectrogram_figure(self._picture(given), self._config.features, title)
            yield image(f"spectrogram/{number}", figure)
        rate = self._config.features.sample_rate
        for number, (given, label, _) in enumerate(examples if with_sound else []):
            if given.ndim == 1:
                part = given[: round(SOUND_SECONDS * rate)]
                yield sound(f"sound/{number}", part, rate, Key.from_index(label).long)

    def _picture(self, given: np.ndarray) -> np.ndarray:
        """The network's band ``[frames, n_bins]`` of a waveform or a spectrogram."""
        if given.ndim == 1:
            # A network that takes waveforms has no frontend before it.
            if self._frontend is None:
                self._frontend = build_frontend(self._config.features, len(given))
            given = keras.ops.convert_to_numpy(self._frontend(given[np.newaxis], training=False))[0]
        features = self._config.features
        picture = given[..., 0]
        extra = (picture.shape[1] - features.n_bins) // 2
        return picture[:, extra : extra + features.n_bins]
