"""InceptionKeyNet, a narrow Inception V3 without pooling.

S. A. Baumann, *Deeper Convolutional Neural Networks and Broad Augmentation Policies Improve Performance in
Musical Key Estimation*, ISMIR 2021. The layout is that of Inception V3 (Szegedy et al., *Rethinking the
Inception Architecture for Computer Vision*, CVPR 2016, arXiv 1512.00567) with every number of maps divided by
5, rounded down, and all pooling left out; it is as in the author's published implementation::

    stem       conv 3x3 of stride 2, conv 3x3, conv 3x3, conv 1x1, conv 3x3
    3 modules  1x1 | 1x1, 5x5 | 1x1, 3x3, 3x3 | 1x1
    1 module   3x3 | 1x1, 3x3, 3x3 | as it is
    4 modules  1x1 | 1x1, 1x7, 7x1 | 1x1, 7x1, 1x7, 7x1, 1x7 | 1x1
    1 module   1x1, 3x3 | 1x1, 1x7, 7x1, 3x3 | as it is
    2 modules  1x1 | 1x1, 1x3 and 3x1 | 1x1, 3x3, 1x3 and 3x1 | 1x1
    head       one kernel per key over all rows, mean over time

Kernels are written bins x frames. Each convolution is without bias, batch-normalised without a factor and
followed by a ReLU; the first, second and last of the stem are not padded, all others are zero-padded. Whole
maps are dropped after the stem and after each module. The published 1,624,289 parameters are the trainable
ones on 168 bins (seven octaves of quarter tones); the head grows with the bins, and the default 120 leave
1,390,433.

Two things differ from the author's: the momentum of the normalisation, as everywhere in tfkey, and
He's initialisation of the convolutions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tfkey.keys import N_CLASSES
from tfkey.models.input_checks import check_picture_shape
from tfkey.sections import Section
from tfkey.settings import FeatureConfig

if TYPE_CHECKING:
    import keras

MIN_FRAMES = 11
"""The fewest frames, and the fewest bins, that survive the unpadded convolutions of the stem."""

# Kernels are (frames, bins).
_TALL, _WIDE = (1, 7), (7, 1)
_Layer = tuple[int, tuple[int, int]]
_Branch = tuple[_Layer, ...]


def _seven(inner: int) -> tuple[_Branch, ...]:
    """The branches of a module that spans seven frames and seven bins."""
    short = ((inner, (1, 1)), (inner, _WIDE), (192, _TALL))
    long = ((inner, (1, 1)), (inner, _TALL), (inner, _WIDE), (inner, _TALL), (192, _WIDE))
    return ((192, (1, 1)),), short, long, ((192, (1, 1)),)


def _five(last: int) -> tuple[_Branch, ...]:
    """The branches of a module that spans five frames and five bins."""
    one, two = ((48, (1, 1)), (64, (5, 5))), ((64, (1, 1)), (96, (3, 3)), (96, (3, 3)))
    return ((64, (1, 1)),), one, two, ((last, (1, 1)),)


# An empty branch passes on the input of the module.
_MODULES: tuple[tuple[_Branch, ...], ...] = (
    _five(32),
    _five(64),
    _five(64),
    (((384, (3, 3)),), ((64, (1, 1)), (96, (3, 3)), (96, (3, 3))), ()),
    _seven(128),
    _seven(160),
    _seven(160),
    _seven(192),
    (
        ((192, (1, 1)), (320, (3, 3))),
        ((192, (1, 1)), (192, _WIDE), (192, _TALL), (192, (3, 3))),
        (),
    ),
)


class Settings(Section):
    """Settings of InceptionKeyNet."""

    divisor: int = Field(
        5,
        ge=1,
        # Beyond it, layers have no maps.
        le=32,
        description="by which Inception V3's numbers of feature maps are divided; 5 in the paper",
    )
    dropout: float = Field(
        0.5, ge=0, lt=1, description="probability with which a whole feature map is dropped in training"
    )
    n_classes: int = Field(N_CLASSES, ge=2, description="number of logits")


def build(
    input_shape: tuple[int | None, int, int], settings: Settings, features: FeatureConfig
) -> keras.Model:
    """Build InceptionKeyNet, untrained; shapes and errors as in :func:`tfkey.models.allconv.build`."""
    check_picture_shape("inception", input_shape, MIN_FRAMES, MIN_FRAMES)
    import keras
    from keras import layers

    from tfkey.models.blocks import convolution

    def conv(x: Any, layer: _Layer, name: str, **options: Any) -> Any:
        maps, kernel = layer
        return convolution(
            x, maps // settings.divisor, kernel, name, activation="relu", scale=False, **options
        )

    inputs = keras.Input(tuple(input_shape), name="spectrogram")
    x = conv(inputs, (32, (3, 3)), "stem_1", strides=2, padding="valid")
    x = conv(x, (32, (3, 3)), "stem_2", padding="valid")
    x = conv(x, (64, (3, 3)), "stem_3")
    x = conv(x, (80, (1, 1)), "stem_4")
    x = conv(x, (192, (3, 3)), "stem_5", padding="valid")
    x = layers.SpatialDropout2D(settings.dropout, name="stem_dropout")(x)
    for number, branches in enumerate(_MODULES):
        ends = [_chain(conv, x, branch, f"module{number}_{part}") for part, branch in enumerate(branches)]
        x = layers.Concatenate(name=f"module{number}")(ends)
        x = layers.SpatialDropout2D(settings.dropout, name=f"module{number}_dropout")(x)
    for number in (len(_MODULES), len(_MODULES) + 1):
        x = layers.Concatenate(name=f"module{number}")(_forked(conv, x, f"module{number}"))
        x = layers.SpatialDropout2D(settings.dropout, name=f"module{number}_dropout")(x)
    # Half precision is too coarse for a mean over hundreds of frames.
    x = layers.Conv2D(settings.n_classes, (1, x.shape[2]), dtype="float32", name="class_maps")(x)
    logits = layers.GlobalAveragePooling2D(dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="inception")


def _chain(conv: Callable[..., Any], x: Any, branch: _Branch, name: str) -> Any:
    for step, layer in enumerate(branch):
        x = conv(x, layer, f"{name}_{step}")
    return x


def _forked(conv: Callable[..., Any], x: Any, name: str) -> list[Any]:
    """The ends of a module in which two branches end in a 1x3 and a 3x1 kernel side by side."""
    one = _chain(conv, x, ((384, (1, 1)),), f"{name}_1")
    two = _chain(conv, x, ((448, (1, 1)), (384, (3, 3))), f"{name}_2")
    ends = [conv(x, (320, (1, 1)), f"{name}_0")]
    for branch, start in (("1", one), ("2", two)):
        ends += [
            conv(start, (384, (3, 1)), f"{name}_{branch}_wide"),
            conv(start, (384, (1, 3)), f"{name}_{branch}_tall"),
        ]
    return [*ends, conv(x, (192, (1, 1)), f"{name}_3")]
