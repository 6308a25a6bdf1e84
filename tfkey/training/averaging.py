"""An exponential average of a network's weights, which generalises better than the last weights.

The optimiser keeps the average (Polyak and Juditsky 1992, doi:10.1137/0330046; Keras' ``use_ema``) in its
variables, so that checkpoints contain it. The network is judged and saved with the average in place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Put the averages, if there are any, in place of a model's weights within a ``with`` block."""
    optimizer = _inner(getattr(model, "optimizer", None))
    if optimizer is None or not optimizer.use_ema:
        yield
        return
    _swap(optimizer)
    try:
        yield
    finally:
        _swap(optimizer)


def averages_of(model: keras.Model) -> list[keras.Variable] | None:
    """Return the averages of a model's trainable variables, in their order; None if it keeps none."""
    optimizer = _inner(getattr(model, "optimizer", None))
    if optimizer is None or not optimizer.use_ema:
        return None
    return list(optimizer._model_variables_moving_average)


class AverageInValidation(keras.callbacks.Callback):
    """Validates a model with the averages of its weights."""

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put the averages in place."""
        _swap(_inner(self.model.optimizer))

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Put the weights back."""
        _swap(_inner(self.model.optimizer))


def _inner(optimizer: keras.optimizers.Optimizer | None) -> keras.optimizers.Optimizer | None:
    """Return the optimiser within one that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _swap(optimizer: keras.optimizers.Optimizer) -> None:
    for weight, average in zip(
        optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True
    ):
        value = keras.ops.copy(weight.value)
        weight.assign(average)
        average.assign(value)
