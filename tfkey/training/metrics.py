"""Keras metrics of key recognition."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tfkey.errors import UsageError
from tfkey.keys import N_CLASSES
from tfkey.scoring.mirex import score_matrix
from tfkey.training.soft_labels import most_probable


@keras.saving.register_keras_serializable(package="tfkey")
class MirexScore(keras.metrics.Mean):
    """The MIREX weighted score as a streaming metric: the mean over all examples since the last reset.

    The functions in :mod:`tfkey.scoring.mirex` define the score and its two conventions.

    Args:
        both_fifths: credit a fifth in both directions, not only an estimate a fifth above the reference.
        name: the name of the metric, as it appears in logs.
        dtype: the data type of its state.

    """

    def __init__(self, both_fifths: bool = True, name: str = "mirex", dtype: Any = None) -> None:
        """Create the metric; the arguments are those of the class."""
        super().__init__(name=name, dtype=dtype)
        self.both_fifths = bool(both_fifths)
        # Callbacks in mode "auto" read here that higher is better.
        self._direction = "up"

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Args:
            y_true: class indices, 0 to 23, ``[batch]`` or ``[batch, 1]``; or soft labels, ``[batch, 24]``, of
                which the most probable key is the reference.
            y_pred: logits or probabilities, ``[batch, 24]``; the highest is the estimate.
            sample_weight: ``[batch]`` or ``[batch, 1]``; 1 for each if left out.

        Raises:
            UsageError: the number of classes is not 24.

        """
        y_pred = ops.convert_to_tensor(y_pred)
        if y_pred.shape[-1] != N_CLASSES:
            raise UsageError(f"the MIREX score needs {N_CLASSES} classes; y_pred has {y_pred.shape[-1]}")
        references = most_probable(ops.convert_to_tensor(y_true))
        estimates = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        table = ops.convert_to_tensor(score_matrix(self.both_fifths).ravel(), dtype=self.dtype)
        scores = ops.take(table, references * N_CLASSES + ops.reshape(estimates, (-1,)))
        if sample_weight is not None:
            sample_weight = ops.reshape(ops.convert_to_tensor(sample_weight), (-1,))
        super().update_state(scores, sample_weight=sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, for saving."""
        return {**super().get_config(), "both_fifths": self.both_fifths}


@keras.saving.register_keras_serializable(package="tfkey")
class KeyAccuracy(keras.metrics.MeanMetricWrapper):
    """The share of examples whose key is right; of soft labels, the most probable key is the reference."""

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(_is_right, name=name, dtype=dtype)
        self._direction = "up"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, for saving."""
        return {"name": self.name, "dtype": self.dtype}


def _is_right(y_true: Any, y_pred: Any) -> Any:
    references = most_probable(y_true)
    return ops.cast(references == ops.cast(ops.argmax(y_pred, axis=-1), "int32"), "float32")
