"""From a waveform to the input of the networks: constant-Q magnitudes in decibels, mapped to [0, 1]."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import keras
import numpy as np
from keras import ops

from tfkey.settings import FeatureConfig
from tfkey.spectrogram.filters import Parameters

_TINY = 1e-10


@keras.saving.register_keras_serializable(package="tfkey")
class LogMagnitude(keras.layers.Layer):
    """Magnitudes to decibels on a fixed range, as a one-channel picture.

    ``y = clip((20 log10(x) - db_min) / (db_max - db_min), 0, 1)``: the range is fixed, not derived from the
    clip, so that a part of a recording looks the same alone and within the whole.

    Args:
        db_min: the level in dB (re magnitude 1) that maps to 0.
        db_max: the level in dB that maps to 1.

    Input float ``[batch, frames, bins]``, at least 0; output float32 ``[batch, frames, bins, 1]`` in [0, 1].
    """

    def __init__(self, db_min: float, db_max: float, **kwargs: Any) -> None:
        # Eight bits of mantissa are coarser than the quantisation of the pictures.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.db_min = float(db_min)
        self.db_max = float(db_max)

    def call(self, magnitude):
        """Map magnitudes to [0, 1]."""
        decibels = 20.0 * ops.log10(ops.maximum(magnitude, _TINY))
        return ops.expand_dims(ops.clip((decibels - self.db_min) / (self.db_max - self.db_min), 0.0, 1.0), -1)

    def compute_output_shape(self, input_shape):
        """``[batch, frames, bins]`` to ``[batch, frames, bins, 1]``."""
        return (*input_shape, 1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "db_min": self.db_min, "db_max": self.db_max}


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
    decibels = LogMagnitude(features.db_min, features.db_max, name="log_magnitude")
    return keras.Model(waveform, decibels(transform(waveform)), name="frontend")


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
