"""AllConv behind a constant-Q transform whose filters are trained with it.

The front of the network is tfkey's own (:func:`tfkey.spectrogram.frontend.build_frontend`), starting from the
analytic filters; with ``train_filters`` training may change each of them. The idea is from Cheuk et al.,
*nnAudio*, IEEE Access 8, 2020, arXiv 1912.12055. The rest of the network is :mod:`tfkey.models.allconv`.

**This model takes waveforms**, float32 ``[batch, samples]`` at ``features.sample_rate``, and therefore only
data of audio mode: spectrograms made beforehand have no filters left to train. It needs the TensorFlow
backend. Its file loads only after a call of :func:`tfkey.models.register_layers`; an export as a SavedModel
loads anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from tfkey.errors import UsageError
from tfkey.models import allconv
from tfkey.models.input_checks import check_waveform_shape
from tfkey.settings import FeatureConfig

if TYPE_CHECKING:
    import keras

MIN_FRAMES = allconv.MIN_FRAMES
"""The fewest frames, and the fewest bins, that the network behind the transform can see."""

TAKES_WAVEFORMS = True


class Settings(allconv.Settings):
    """Settings of AllConv with its own transform: those of AllConv, and one more."""

    model: ClassVar[str] = "cqt_allconv"

    train_filters: bool = Field(
        True, strict=True, description="whether the filters of the transform are trained"
    )


def check_features(features: FeatureConfig) -> None:
    """Refuse features of too few bins.

    Raises:
        UsageError: ``n_bins`` is too small for three poolings by 2.
    """
    if features.n_bins < MIN_FRAMES:
        raise UsageError(
            f"model cqt_allconv: features.n_bins={features.n_bins} must be at least {MIN_FRAMES}"
        )


def build(input_shape: tuple[int | None], settings: Settings, features: FeatureConfig) -> keras.Model:
    """Build AllConv behind its own transform, untrained.

    Args:
        input_shape: ``(samples,)``; ``None`` or enough for :data:`MIN_FRAMES` frames.
        settings: see :class:`Settings`.
        features: the parameters of the transform that training starts from.

    Returns:
        A model from ``[batch, samples]`` to float32 logits ``[batch, n_classes]``.

    Raises:
        UsageError: the input shape is invalid, or the features have too few bins.

    """
    check_waveform_shape(settings.model, input_shape, (MIN_FRAMES - 1) * features.hop_length)
    check_features(features)
    import keras

    from tfkey.spectrogram.frontend import build_frontend

    waveform = keras.Input(tuple(input_shape), dtype="float32", name="waveform")
    frontend = build_frontend(features, input_shape[0], trainable=settings.train_filters)
    logits = allconv.logits_of(frontend(waveform), settings)
    return keras.Model(waveform, logits, name=settings.model)
