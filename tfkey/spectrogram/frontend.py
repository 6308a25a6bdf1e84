"""From a waveform to the input of the networks: constant-Q magnitudes, mapped to [0, 1].

With ``m_min = 10 ** (db_min / 20)`` and ``m_max = 10 ** (db_max / 20)``, a magnitude m becomes

- with a **hard** floor ``log(m / m_min) / log(m_max / m_min)``: decibels; those below ``db_min`` are 0;
- with a **soft** floor ``log(1 + m / m_min) / log(1 + m_max / m_min)``: decibels far above ``db_min``, the
  magnitude itself far below it, and 0 only for silence. With ``db_min`` 0 it is the logarithm of 1 + m, the
  usual input in the literature (Korzeniowski and Widmer 2017, arXiv 1706.02921).

Both are clipped to [0, 1].
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import keras
import numpy as np
from keras import ops

from tfkey.settings import FeatureConfig
from tfkey.spectrogram.parameters import FLOORS, Parameters, soft_span

_TINY = 1e-10


@keras.saving.register_keras_serializable(package="tfkey")
class LogMagnitude(keras.layers.Layer):
    """Magnitudes to a fixed range of levels, as a one-channel picture; see the module for the formulas.

    The range is fixed, not derived from the clip, so that a part of a recording looks the same alone and
    within the whole.

    Args:
        db_min: the level in dB (re magnitude 1) that a hard floor maps to 0, and where a soft one begins.
        db_max: the level in dB that maps to 1.
        floor: ``hard`` or ``soft``.

    Raises:
        ValueError: the floor is unknown.

    Input float ``[batch, frames, bins]``, at least 0; output float32 ``[batch, frames, bins, 1]`` in [0, 1].
    """

    def __init__(self, db_min: float, db_max: float, floor: str = "hard", **kwargs: Any) -> None:
        # Eight bits of mantissa are coarser than the quantisation of the pictures.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.db_min = float(db_min)
        self.db_max = float(db_max)
        if floor not in FLOORS:
            raise ValueError(f"floor={floor!r}; it must be one of {', '.join(FLOORS)}.")
        self.floor = floor

    def call(self, magnitude):
        """Map magnitudes to [0, 1]."""
        if self.floor == "soft":
            # Not log1p, for which LiteRT has no operation; the rounding is 1e-8 of the range.
            logarithm = ops.log(1.0 + magnitude * 10 ** (-self.db_min / 20))
            levels = logarithm / soft_span(self.db_max - self.db_min)
        else:
            decibels = 20.0 * ops.log10(ops.maximum(magnitude, _TINY))
            levels = (decibels - self.db_min) / (self.db_max - self.db_min)
        return ops.expand_dims(ops.clip(levels, 0.0, 1.0), -1)

    def compute_output_shape(self, input_shape):
        """``[batch, frames, bins]`` to ``[batch, frames, bins, 1]``."""
        return (*input_shape, 1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "db_min": self.db_min, "db_max": self.db_max, "floor": self.floor}


def build_frontend(
    features: FeatureConfig, samples: int | None = None, *, wide: bool = False, trainable: bool = False
) -> keras.Model:
    """Build the model that turns waveforms into pictures, in TensorFlow ops.

    Args:
        features: the parameters.
        samples: the length of a clip if it is fixed; keeps the shapes of the graph static.
        wide: include the extra semitones below and above the network's band.
        trainable: make the filters weights, initialised with the analytic ones; else there are no weights.

    Returns:
        A model from float32 ``[batch, samples]`` at ``features.sample_rate`` to float32
        ``[batch, 1 + samples // hop_length, bins, 1]`` in [0, 1]; bins are ``features.n_bins``, if ``wide``
        ``features.stored_bins``.
    """
    from tfkey.spectrogram.cqt import CQT

    waveform = keras.Input((samples,), dtype="float32", name="waveform")
    transform = CQT(**asdict(Parameters.of(features, wide=wide)), trainable=trainable, name="cqt")
    levels = LogMagnitude(features.db_min, features.db_max, features.floor, name="log_magnitude")
    return keras.Model(waveform, levels(transform(waveform)), name="frontend")


def frontend_of(network: keras.Model) -> keras.Model | None:
    """Return the part of a network that turns waveforms into pictures, with its weights; None without one.

    Args:
        network: a network built by :func:`tfkey.models.build_model` or loaded from a file. In older files,
            the layers of the frontend are beside the others, not in a separate model.
    """
    for layer in network.layers:
        if isinstance(layer, keras.Model) and any(isinstance(item, LogMagnitude) for item in layer.layers):
            return layer
        if isinstance(layer, LogMagnitude):
            return keras.Model(network.input, layer.output, name="frontend")
    return None


def to_pixels(picture: np.ndarray) -> np.ndarray:
    """Return a picture in [0, 1] as the pixels of its PNG.

    Args:
        picture: float ``[frames, bins]`` in [0, 1].

    Returns:
        uint8 ``[bins, frames]``: the lowest bin in row 0, rounded to the nearest of 256 levels.
    """
    return np.round(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8).T
