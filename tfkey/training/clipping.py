"""Clipping: training waveforms are overdriven, in the graph, before the constant-Q transform (audio mode).

Clipping adds overtones and combination tones, which cannot be added to a finished spectrogram.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tfkey.settings import AugmentConfig


@keras.saving.register_keras_serializable(package="tfkey")
class Clipping(keras.layers.Layer):
    """Overdrives waveforms in training; outside training it returns them unchanged.

    Called with float ``[batch, samples]``; returns float32 of the same shape. Each clip is amplified by a
    drive, uniform in dB from 0 to the greatest, and clipped at its own highest absolute value, which it
    keeps: hard or soft, with equal probability. See :func:`clipped`.

    Args:
        clipping_db: the greatest drive, in dB.
        seed: the seed of everything random; see :class:`tfkey.training.callbacks.EpochSeeds`.
    """

    def __init__(self, clipping_db: float, *, seed: int = 0, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self._arguments: dict[str, Any] = {"clipping_db": clipping_db, "seed": seed}
        self._random = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        """The layer has no weights."""

    def call(self, waveforms: Any, training: bool = False) -> Any:
        """Overdrive a batch."""
        if not training:
            return waveforms
        shape = (ops.shape(waveforms)[0], 1)
        drive = keras.random.uniform(shape, 0.0, self._arguments["clipping_db"], seed=self._random)
        hard = keras.random.uniform(shape, 0.0, 1.0, seed=self._random) < 0.5
        return clipped(waveforms, drive, hard)

    def compute_output_spec(self, waveforms: Any, training: bool = False) -> Any:
        """The shape of the input, in float32."""
        return keras.KerasTensor(waveforms.shape, "float32")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **self._arguments}


def clipped(waveforms: Any, drive: Any, hard: Any) -> Any:
    """Amplify waveforms and clip them at the peaks that they had before.

    With x relative to the peak and the factor g of the drive, hard clipping limits g x to [-1, 1]; soft
    clipping gives tanh(g x) / tanh(g), which bends a little even without a drive.

    Args:
        waveforms: float ``[batch, samples]``.
        drive: in dB, at least 0, float ``[batch, 1]``.
        hard: whether to clip hard, bool ``[batch, 1]``.

    Returns:
        The same shape.
    """
    peak = ops.max(ops.abs(waveforms), axis=1, keepdims=True)
    gain = 10.0 ** (drive / 20)
    driven = gain * waveforms / ops.maximum(peak, 1e-30)
    return peak * ops.where(hard, ops.clip(driven, -1.0, 1.0), ops.tanh(driven) / ops.tanh(gain))


def build_clipping(settings: AugmentConfig, seed: int = 0) -> Clipping | None:
    """The layer that a configuration asks for; None without clipping."""
    if not settings.clipping_db:
        return None
    # Not the seed of the other variations, whose draws would otherwise be the same.
    return Clipping(settings.clipping_db, seed=(seed + 2) % 2**32, name="clipping")
