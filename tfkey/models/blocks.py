"""Parts that models share, on plain Keras layers."""

from __future__ import annotations

from typing import Any

from keras import layers


def convolution(
    x: Any,
    maps: int,
    kernel: int | tuple[int, int],
    name: str,
    *,
    strides: int | tuple[int, int] = 1,
    padding: str = "same",
    activation: str = "elu",
    scale: bool = True,
) -> Any:
    """A convolution without bias, batch normalisation (with a factor if ``scale``), activation."""
    x = layers.Conv2D(
        maps,
        kernel,
        strides,
        padding=padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    # The usual 0.99 takes hundreds of steps to forget the initial statistics, more than a short training has.
    x = layers.BatchNormalization(momentum=0.9, scale=scale, name=f"{name}_norm")(x)
    return layers.Activation(activation, name=f"{name}_{activation}")(x)


def pooled_blocks(x: Any, maps: int, dropout: float) -> Any:
    """Three blocks of two convolutions each, ``maps``, twice and four times as many feature maps.

    Every block ends with a maximum over 2 x 2 and drops whole maps. Frames and bins shrink to an eighth.
    """
    for block, kernel in enumerate((5, 3, 3), start=1):
        block_maps = maps * 2 ** (block - 1)
        x = convolution(x, block_maps, kernel, f"block{block}_a")
        x = convolution(x, block_maps, 3, f"block{block}_b")
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
        x = layers.SpatialDropout2D(dropout, name=f"block{block}_dropout")(x)
    return x
