"""Spectrograms as magnitudes and back, in the graph: the inverse of the mapping to [0, 1].

The mapping is defined in :mod:`tfkey.spectrogram.frontend`. Here magnitudes are relative to that of
``db_max``, so that their powers stay within the range of float32.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tfkey.spectrogram.parameters import soft_span

# Magnitudes below it, relative to db_max, count as silence.
_TINY = 1e-30


def to_magnitudes(values: Any, db_range: float, floor: str) -> Any:
    """Return the magnitudes, relative to that of ``db_max``, that values in [0, 1] represent.

    A value of 0 is silence on a soft floor, and the magnitude of ``db_min`` on a hard one.

    Args:
        values: float, any shape.
        db_range: the distance from ``db_min`` to ``db_max``, in dB.
        floor: ``hard`` or ``soft``.
    """
    if floor == "soft":
        return ops.expm1(values * soft_span(db_range)) * 10 ** (-db_range / 20)
    return 10.0 ** ((values - 1.0) * (db_range / 20))


def to_values(magnitudes: Any, db_range: float, floor: str) -> Any:
    """Return the values in [0, 1] that represent magnitudes relative to that of ``db_max``.

    Args:
        magnitudes: float, any shape, at least 0.
        db_range: the distance from ``db_min`` to ``db_max``, in dB.
        floor: ``hard`` or ``soft``.
    """
    if floor == "soft":
        values = ops.log1p(magnitudes * 10 ** (db_range / 20)) / soft_span(db_range)
    else:
        values = 1.0 + 20.0 / db_range * ops.log10(ops.maximum(magnitudes, _TINY))
    return ops.clip(values, 0.0, 1.0)
