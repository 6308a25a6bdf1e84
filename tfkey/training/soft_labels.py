"""Labels in batches: class indices, or soft labels with a probability for each key."""

from __future__ import annotations

from typing import Any

from keras import ops

from tfkey.keys import N_CLASSES


def is_soft(labels: Any) -> bool:
    """Whether labels are soft, ``[batch, 24]``, and not class indices, ``[batch]`` or ``[batch, 1]``."""
    return len(labels.shape) == 2 and labels.shape[-1] == N_CLASSES


def most_probable(labels: Any) -> Any:
    """Return class indices, int32 ``[batch]``; for soft labels those of the most probable keys."""
    if is_soft(labels):
        return ops.cast(ops.argmax(labels, axis=-1), "int32")
    return ops.reshape(ops.cast(labels, "int32"), (-1,))
