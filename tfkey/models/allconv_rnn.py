"""AllConv's convolutions, then a recurrent network over time.

A convolutional recurrent network after Choi, Fazekas, Sandler & Cho, *Convolutional Recurrent Neural Networks
for Music Classification*, ICASSP 2017, arXiv 1609.04243, on the first three blocks of
:mod:`tfkey.models.allconv`::

    three blocks of two convolutions, k, 2k and 4k maps, each halving frames and bins
    per frame: all maps of all rows as one vector
    LSTM (both directions), its outputs averaged over time
    dense 24

The vector of a frame keeps its rows apart: the network sees absolute pitch directly. The outputs are
averaged instead of taking the last state: the start of a long interval counts as much as its end.
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
    """Settings of AllConv with a recurrent network."""

    maps: int = Field(
        16, ge=1, description="feature maps of the first block, doubled in each of the two further ones"
    )
    units: int = Field(64, ge=1, description="units of the LSTM in each direction")
    bidirectional: bool = Field(
        True, strict=True, description="whether a second LSTM reads the interval from its end"
    )
    dropout: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="probability with which a feature map, or an input of the last layer, is dropped",
    )
    n_classes: int = Field(N_CLASSES, ge=2, description="number of logits")


def build(
    input_shape: tuple[int | None, int, int], settings: Settings, features: FeatureConfig
) -> keras.Model:
    """Build the network, untrained; shapes and errors as in :func:`tfkey.models.allconv.build`."""
    check_picture_shape("allconv_rnn", input_shape, MIN_FRAMES, MIN_FRAMES)
    import keras
    from keras import layers

    from tfkey.models.blocks import pooled_blocks

    inputs = keras.Input(tuple(input_shape), name="spectrogram")
    x: Any = pooled_blocks(inputs, settings.maps, settings.dropout)
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]), name="frames")(x)
    recurrent: Any = layers.LSTM(settings.units, return_sequences=True, name="lstm")
    if settings.bidirectional:
        recurrent = layers.Bidirectional(recurrent, name="both_directions")
    # Half precision is too coarse for a mean over hundreds of frames.
    x = layers.GlobalAveragePooling1D(dtype="float32", name="mean_over_time")(recurrent(x))
    x = layers.Dropout(settings.dropout, dtype="float32", name="dropout")(x)
    logits = layers.Dense(settings.n_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="allconv_rnn")
