"""AllConv, the all-convolutional key classifier of Korzeniowski & Widmer.

*Genre-Agnostic Key Classification With Convolutional Neural Networks*, ISMIR 2018, arXiv 1808.05340.

With ``k`` maps, every convolution zero-padded, without bias, batch-normalised and followed by an ELU::

    conv 5x5 k     conv 3x3 k     max-pool 2x2   map dropout
    conv 3x3 2k    conv 3x3 2k    max-pool 2x2   map dropout
    conv 3x3 4k    conv 3x3 4k    max-pool 2x2   map dropout
    conv 3x3 8k    map dropout    conv 3x3 8k    map dropout
    conv 1x1 24    mean over time and frequency

The paper leaves two points open, which the parameter count decides. Its 463 k at k = 20 match one 5x5 kernel
(462,764 trainable; two of them give 469,164), and a single 1x1 kernel that classifies every place, averaged
over time and frequency: a head that distinguishes the pooled rows of 105 bins needs 46 k more. Such a mean
does not see absolute pitch in itself. It learns about pitch from the zero padding, since each place sees 70
bins and therefore, mostly, an edge; from the phase of the pooling (a period of 8 bins); and from the position
of the bass. ``pooling="time"`` gives each row its own weights: it costs ``8k (rows - 1)`` more weights per
class and sees absolute pitch directly.

One thing differs from the paper: the 24 class maps are linear. A normalisation and an ELU there would bound
the logits from below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tfkey.keys import N_CLASSES
from tfkey.models.input_checks import check_picture_shape
from tfkey.sections import Section
from tfkey.settings import FeatureConfig

if TYPE_CHECKING:
    import keras

MIN_FRAMES = 8
"""The fewest frames, and the fewest bins, that survive three poolings by 2. Fewer give no finite output."""


class Settings(Section):
    """Settings of AllConv."""

    model: ClassVar[str] = "allconv"

    maps: int = Field(20, ge=1, description="feature maps of the first block, doubled in each further one")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="probability with which a whole feature map is dropped in training"
    )
    n_classes: int = Field(N_CLASSES, ge=2, description="number of logits")
    pooling: Literal["global", "time"] = Field(
        "global", description="global: over time and frequency, as in the paper; time: over time only"
    )


def build(
    input_shape: tuple[int | None, int, int], settings: Settings, features: FeatureConfig
) -> keras.Model:
    """Build AllConv, untrained.

    Args:
        input_shape: ``(frames, bins, channels)``; frames ``None`` or at least :data:`MIN_FRAMES`, bins
            at least as many.
        settings: see :class:`Settings`.
        features: of the spectrograms; AllConv takes any.

    Returns:
        A model from ``[batch, frames, bins, channels]`` to logits ``[batch, n_classes]``, which are float32
        also under mixed precision.

    Raises:
        UsageError: the input shape is invalid.

    """
    check_picture_shape(settings.model, input_shape, MIN_FRAMES, MIN_FRAMES)
    import keras

    inputs = keras.Input(tuple(input_shape), name="spectrogram")
    return keras.Model(inputs, logits_of(inputs, settings), name=settings.model)


def logits_of(picture: Any, settings: Settings) -> Any:
    """AllConv on a symbolic ``[batch, frames, bins, channels]``: logits ``[batch, n_classes]``."""
    from keras import layers

    from tfkey.models.blocks import convolution, pooled_blocks

    x = pooled_blocks(picture, settings.maps, settings.dropout)
    for part in "ab":
        x = convolution(x, 8 * settings.maps, 3, f"block4_{part}")
        x = layers.SpatialDropout2D(settings.dropout, name=f"block4_{part}_dropout")(x)
    rows = x.shape[2] if settings.pooling == "time" else 1
    # Half precision is too coarse for a mean over thousands of places.
    x = layers.Conv2D(settings.n_classes, (1, rows), dtype="float32", name="class_maps")(x)
    return layers.GlobalAveragePooling2D(dtype="float32", name="logits")(x)
