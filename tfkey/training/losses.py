"""The loss over the 24 keys."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from tfkey.errors import UsageError
from tfkey.keys import N_CLASSES
from tfkey.scoring.mirex import score_matrix
from tfkey.settings import LossConfig
from tfkey.training.soft_labels import is_soft, most_probable


def target_table(name: str, label_smoothing: float = 0.0) -> np.ndarray:
    """The distribution over keys that a network is taught for each true key.

    ``cross_entropy``: all of it on the true key. ``mirex``: shared out in proportion to what the MIREX score
    credits, fifths both ways (1 for the key itself, .5 for either fifth, .3 for the relative, .2 for the
    parallel key: 1/2.5, .5/2.5 and so on). In both, ``label_smoothing`` is spread evenly over all keys
    (Szegedy et al. 2016, arXiv 1512.00567): ``(1 - e) t + e / 24``.

    Returns:
        float32 ``[24 true keys, 24 keys]`` by class index; rows sum to 1.
    """
    base = np.eye(N_CLASSES) if name == "cross_entropy" else score_matrix(both_fifths=True)
    base = base / base.sum(axis=1, keepdims=True)
    return ((1 - label_smoothing) * base + label_smoothing / N_CLASSES).astype(np.float32)


@keras.saving.register_keras_serializable(package="tfkey")
class KeyCrossEntropy(keras.losses.Loss):
    """Cross-entropy between what a network is taught for the true key and its logits.

    Args:
        targets: ``cross_entropy`` or ``mirex``, see :func:`target_table`.
        label_smoothing: share of the target that is spread over all keys, in [0, 1).
        name: the name of the loss.
        reduction: as in Keras.
        dtype: as in Keras.

    Called with class indices ``[batch]``, or soft labels ``[batch, 24]`` whose rows sum to 1, and logits
    ``[batch, 24]``. What is taught for a soft label is the mean of what is taught for its keys.

    Raises:
        UsageError: the number of logits is not 24.
    """

    def __init__(
        self,
        targets: str = "cross_entropy",
        label_smoothing: float = 0.0,
        name: str = "key_cross_entropy",
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.targets = targets
        self.label_smoothing = float(label_smoothing)
        self._table = target_table(targets, self.label_smoothing)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each example, ``[batch]``, in nats."""
        if y_pred.shape[-1] != N_CLASSES:
            raise UsageError(
                f"the loss needs {N_CLASSES} logits, one per key; the network has {y_pred.shape[-1]}"
            )
        table = ops.convert_to_tensor(self._table)
        if is_soft(y_true):
            taught = ops.matmul(ops.cast(y_true, table.dtype), table)
        else:
            taught = ops.take(table, most_probable(y_true), axis=0)
        return -ops.sum(ops.cast(taught, y_pred.dtype) * ops.log_softmax(y_pred, axis=-1), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "targets": self.targets, "label_smoothing": self.label_smoothing}


def build_loss(settings: LossConfig) -> keras.losses.Loss:
    """The loss that a configuration asks for."""
    return KeyCrossEntropy(settings.name, settings.label_smoothing)
