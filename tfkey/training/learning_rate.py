"""Finding a learning rate: one short training in which it rises from far too low to far too high.

Smith 2017, *Cyclical Learning Rates for Training Neural Networks*, arXiv 1506.01186, section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfkey.config import Config
from tfkey.errors import TfkeyError
from tfkey.files import atomic_path, write_csv
from tfkey.training.fit import compile_model

LOWEST, HIGHEST = 1e-6, 1.0
# The loss is smoothed over about twenty steps; above four times its minimum it does not recover.
_MEMORY, _LOST = 0.95, 4.0


@dataclass(frozen=True)
class Sweep:
    """The result of a learning rate sweep.

    Attributes:
        rates: float64 ``[steps]``, rising.
        losses: the loss of each step's batch, float64 ``[steps]``.
    """

    rates: np.ndarray
    losses: np.ndarray

    @property
    def smoothed(self) -> np.ndarray:
        """The losses, exponentially smoothed with bias correction, float64 ``[steps]``."""
        smoothed, mean = [], 0.0
        for step, loss in enumerate(self.losses, 1):
            mean = _MEMORY * mean + (1 - _MEMORY) * float(loss)
            smoothed.append(mean / (1 - _MEMORY**step))
        return np.array(smoothed)

    @property
    def suggestion(self) -> float:
        """A tenth of the rate at which the smoothed loss is lowest, well within the stable range."""
        # The mean of the first steps is over a few batches and may be low by chance.
        start = min(20, len(self.rates) - 1)
        return float(self.rates[start + int(np.argmin(self.smoothed[start:]))] / 10)

    def write(self, folder: Path) -> None:
        """Write ``learning-rate.csv`` (columns ``learning_rate``, ``loss``) and its curve as a PNG.

        Raises:
            TfkeyError: a file cannot be written.
        """
        from tfkey.scoring.charts import png, sweep_figure

        rows = ([f"{rate:.6g}", f"{loss:.6g}"] for rate, loss in zip(self.rates, self.losses, strict=True))
        write_csv(folder / "learning-rate.csv", ["learning_rate", "loss"], rows)
        figure = sweep_figure(self.rates, self.losses, self.smoothed, self.suggestion)
        with atomic_path(folder / "learning-rate.png") as temporary:
            temporary.write_bytes(png(figure))


def sweep(
    network: keras.Model, frontend: keras.Model | None, config: Config, batches: Iterable[Any], steps: int
) -> Sweep:
    """Train for ``steps`` batches while the learning rate rises by a constant factor from 1e-6 to 1.

    It ends early once the loss is NaN or infinite, or above four times its minimum.

    Args:
        network: an untrained network; the sweep leaves it unusable.
        frontend: see :func:`tfkey.training.fit.compile_model`.
        config: how to train; its learning rate and schedule are ignored.
        batches: at least ``steps`` batches.
        steps: the length of the sweep.

    Raises:
        TfkeyError: the loss of the first batch is already NaN or infinite.
    """
    factor = (HIGHEST / LOWEST) ** (1 / max(1, steps - 1))
    rise = keras.optimizers.schedules.ExponentialDecay(LOWEST, 1, factor)
    model = compile_model(network, frontend, config, steps, schedule=rise)
    watch = _Watch()
    model.fit(batches, steps_per_epoch=steps, epochs=1, callbacks=[watch], shuffle=False, verbose=0)
    if not watch.losses:
        raise TfkeyError(
            "the loss of the first batch is NaN or infinite, which no learning rate can fix; check the data"
        )
    rates = LOWEST * factor ** np.arange(len(watch.losses))
    return Sweep(rates, np.array(watch.losses))


class _Watch(keras.callbacks.Callback):
    """Records the loss of each batch; Keras reports only the mean so far."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []
        self._sum = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Record a loss, and stop once the loss has exploded."""
        total = float((logs or {}).get("loss", math.nan)) * (batch + 1)
        loss, self._sum = total - self._sum, total
        if not math.isfinite(loss):
            self.model.stop_training = True
            return
        self.losses.append(loss)
        if len(self.losses) > 10 and loss > _LOST * max(min(self.losses), 1e-6):
            self.model.stop_training = True
