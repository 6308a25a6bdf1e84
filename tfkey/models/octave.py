"""Octave: a key classifier that is equivariant to transposition by construction.

Music moved up by a semitone moves the 24 logits up by one tonic within each mode and changes nothing else,
whatever the weights. Everything learned from one key therefore holds for all twelve of its mode. The idea is
from Kong et al., *STONE: Self-supervised Tonality Estimator*, ISMIR 2024, arXiv 2407.07408, and from *S-KEY*,
arXiv 2501.12907: a network that keeps pitch, folded to pitch classes. The layout is tfkey's own::

    silence added below and above the band
    conv 5 frames x 2 semitones, a row per semitone, k maps
    max-pool 2 frames   conv 3 x 3 rows, 2k maps
    max-pool 2 frames   conv 1 x 13 rows (an octave), 2k maps
    mean over time      rows folded to octaves x 12: mean and maximum over octaves
    circular conv over the 12 pitch classes, 2k maps
    two modes per pitch class

Convolutions are unpadded along pitch, without bias, batch-normalised and followed by an ELU. The margins
around the band are 0, which is silence in decibels on tfkey's scale. They are wide enough that all rows which
content can reach are computed, in whole octaves. Beyond them, every row of an endless band would equal the
margins. A move by a semitone therefore moves every row by one, and the row that leaves at one end equals the
row that enters at the other.

**At the edges of the band.** This is exact, to rounding, for every input whose content (all that is not 0) is
inside the band before and after the move, right up to its first and last bin, and for every length. A
transposition of recorded music also brings content into the band at one edge and removes some at the other:
the rows near the edges then differ, and the logits differ by the contribution of those rows to mean and
maximum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tfkey.models.input_checks import check_picture_shape, lowest_pitch_class
from tfkey.sections import Section
from tfkey.settings import FeatureConfig

if TYPE_CHECKING:
    import keras

MIN_FRAMES = 4
"""The fewest frames that survive two poolings by 2."""

# How many rows beyond its own the content reaches: half of each kernel, 1 + 1 + 6.
_REACH = 8
_OCTAVE = 13


class Settings(Section):
    """Settings of Octave. It always has 24 classes."""

    maps: int = Field(
        24, ge=1, description="feature maps of the first convolution; the others have twice as many"
    )
    dropout: float = Field(
        0.2, ge=0, lt=1, description="probability with which a whole feature map is dropped in training"
    )


def check_features(features: FeatureConfig) -> None:
    """Refuse features whose bins cannot be gathered to the semitones of A4 = 440 Hz.

    Raises:
        UsageError: ``bins_per_octave`` is not a multiple of 12, or ``fmin`` is between two pitches.
    """
    lowest_pitch_class("octave", features.fmin, features.bins_per_octave)


def build(
    input_shape: tuple[int | None, int, int], settings: Settings, features: FeatureConfig
) -> keras.Model:
    """Build Octave, untrained.

    Args:
        input_shape: ``(frames, bins, channels)``; frames ``None`` or at least :data:`MIN_FRAMES`, bins at
            least an octave.
        settings: see :class:`Settings`.
        features: the parameters of the spectrograms. The lowest bin may be of any pitch class: ``fmin``
            says which key each logit belongs to.

    Returns:
        A model from ``[batch, frames, bins, channels]`` to float32 logits ``[batch, 24]``.

    Raises:
        UsageError: the input shape is invalid; for the features, see :func:`check_features`.

    """
    lowest = lowest_pitch_class("octave", features.fmin, features.bins_per_octave)
    check_picture_shape("octave", input_shape, MIN_FRAMES, features.bins_per_octave)
    import keras
    from keras import layers, ops

    inputs = keras.Input(tuple(input_shape), name="spectrogram")
    low, high, octaves = _margins(input_shape[1], features.bins_per_octave // 12, lowest)
    x = layers.ZeroPadding2D(((2, 2), (low, high)), name="silence")(inputs)
    step = features.bins_per_octave // 12
    x = _semitones(x, settings.maps, (5, 2 * step + 1), "semitones", settings.dropout, strides=(1, step))
    x = layers.MaxPooling2D((2, 1), name="semitones_pool")(x)
    x = layers.ZeroPadding2D(((1, 1), (0, 0)), name="neighbours_pad")(x)
    x = _semitones(x, 2 * settings.maps, (3, 3), "neighbours", settings.dropout)
    x = layers.MaxPooling2D((2, 1), name="neighbours_pool")(x)
    x = _semitones(x, 2 * settings.maps, (1, _OCTAVE), "octave", settings.dropout)
    # Half precision is too coarse for a mean over hundreds of frames.
    x = ops.mean(ops.cast(x, "float32"), axis=1)
    x = layers.Reshape((octaves, 12, 2 * settings.maps), dtype="float32", name="octaves")(x)
    x = ops.concatenate([ops.mean(x, axis=1), ops.max(x, axis=1)], axis=-1)
    logits = _modes(x, settings)
    return keras.Model(inputs, logits, name="octave")


def _margins(bins: int, step: int, lowest: int) -> tuple[int, int, int]:
    """The bins to add below and above, so that the last rows are whole octaves from C, and the octaves.

    Args:
        bins: the bins of the band.
        step: the bins per semitone.
        lowest: the pitch class of the band's lowest bin.
    """
    below = lowest
    while below < _REACH:
        below += 12
    octaves = -(-(below - (-bins // step) + _REACH) // 12)
    # The first computed row is _REACH below the first one that is kept.
    low = (below + _REACH) * step
    # The rows of an unpadded convolution are at every step-th bin, from the middle of the first kernel.
    total = (12 * octaves + 2 * _REACH - 1) * step + 1
    return low, total - low - bins, octaves


def _semitones(
    x: Any, maps: int, kernel: tuple[int, int], name: str, dropout: float, strides: tuple[int, int] = (1, 1)
) -> Any:
    from keras import layers

    from tfkey.models.blocks import convolution

    x = convolution(x, maps, kernel, name, strides=strides, padding="valid")
    return layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(x)


def _modes(x: Any, settings: Settings) -> Any:
    """From ``[batch, 12, maps]`` by pitch class to logits ``[batch, 24]``."""
    from keras import layers, ops

    maps = 2 * settings.maps
    wrapped = ops.concatenate([x, x[:, :11]], axis=1)
    x = layers.Conv1D(maps, 12, use_bias=False, dtype="float32", name="pitch_classes_conv")(wrapped)
    x = layers.BatchNormalization(momentum=0.9, dtype="float32", name="pitch_classes_norm")(x)
    x = layers.Activation("elu", dtype="float32", name="pitch_classes_elu")(x)
    x = layers.SpatialDropout1D(settings.dropout, dtype="float32", name="pitch_classes_dropout")(x)
    x = layers.Dense(2, dtype="float32", name="modes")(x)
    # All major keys come before all minor ones.
    x = layers.Permute((2, 1), dtype="float32", name="by_mode")(x)
    return layers.Flatten(dtype="float32", name="logits")(x)
