"""Timepool: a small network that averages over time only and keeps absolute pitch to the end.

After the observation of Schreiber & Müller, *Musical Tempo and Key Estimation using Convolutional Neural
Networks with Directional Filters*, SMC 2019, arXiv 1903.10839, that key wants pitch kept and time summarised.
Each convolution is zero-padded, without bias, batch-normalised and followed by an ELU::

    conv 3x3 k     max-pool 2x2   map dropout
    conv 3x3 2k    max-pool 2x2   map dropout
    conv 3x3 3k    max-pool 2x2   map dropout
    mean over time
    dense 24 over all rows and maps

At k = 32 and 120 bins it has 108,984 trainable parameters, a third of them in the last layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tfkey.keys import N_CLASSES
from tfkey.models.input_checks import check_picture_shape
from tfkey.sections import Section
from tfkey.settings import FeatureConfig

if TYPE_CHECKING:
    import keras

MIN_FRAMES = 8
"""The fewest frames, and the fewest bins, that survive three poolings by 2."""


class Settings(Section):
    """Settings of Timepool."""

    maps: int = Field(
        32, ge=1, description="feature maps of the first block; the others have two and three times as many"
    )
    dropout: float = Field(
        0.2, ge=0, lt=1, description="probability with which a whole feature map is dropped in training"
    )
    n_classes: int = Field(N_CLASSES, ge=2, description="number of logits")


def build(
    input_shape: tuple[int | None, int, int], settings: Settings, features: FeatureConfig
) -> keras.Model:
    """Build Timepool, untrained; shapes and errors as in :func:`tfkey.models.allconv.build`."""
    check_picture_shape("timepool", input_shape, MIN_FRAMES, MIN_FRAMES)
    import keras
    from keras import layers, ops

    from tfkey.models.blocks import convolution

    inputs = keras.Input(tuple(input_shape), name="spectrogram")
    x: Any = inputs
    for block in (1, 2, 3):
        x = convolution(x, block * settings.maps, 3, f"block{block}")
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
        x = layers.SpatialDropout2D(settings.dropout, name=f"block{block}_dropout")(x)
    # Half precision is too coarse for a mean over hundreds of frames.
    x = layers.Flatten(dtype="float32", name="rows_and_maps")(ops.mean(ops.cast(x, "float32"), axis=1))
    logits = layers.Dense(settings.n_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="timepool")
