"""The models, by name.

Each model is one module with a section ``Settings``, which states the domain and the meaning of each setting,
``MIN_FRAMES``, and a function ``build(input_shape, settings, features)``; one that depends on what its bins
mean refuses features that it cannot use in ``check_features(features)``. Nothing here imports Keras before a
model is built, so a configuration is checked without it.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tfkey.errors import UsageError
from tfkey.sections import Section, complaint
from tfkey.settings import FeatureConfig

if TYPE_CHECKING:
    import keras

    from tfkey.settings import AugmentConfig, ModelConfig

MODEL_NAMES: tuple[str, ...] = ("allconv", "allconv_rnn", "cqt_allconv", "inception", "octave", "timepool")
"""The names that :func:`build_model` knows."""


def _module(name: str) -> ModuleType:
    if name not in MODEL_NAMES:
        raise UsageError(f"model {name!r} is unknown; choose one of {', '.join(MODEL_NAMES)}")
    return importlib.import_module(f"tfkey.models.{name}")


def settings_class(name: str) -> type[Section]:
    """The section of a model's own settings.

    Raises:
        UsageError: the model is unknown.
    """
    return _module(name).Settings


def model_settings(name: str, **settings: Any) -> Any:
    """The checked settings of a model, its defaults filled in, as an instance of its ``Settings``.

    Raises:
        UsageError: the model or a setting is unknown, or a value lies outside of its domain.
    """
    section = settings_class(name)
    try:
        return section(**settings)
    except ValidationError as error:
        complaints = "; ".join(complaint(item, section) for item in error.errors())
        raise UsageError(f"model {name}: {complaints}") from error


def build_model(
    name: str,
    input_shape: tuple[int | None, int, int] | tuple[int | None],
    *,
    features: FeatureConfig | None = None,
    **settings: Any,
) -> keras.Model:
    """Build an untrained model.

    Args:
        name: one of :data:`MODEL_NAMES`.
        input_shape: of one spectrogram, ``(frames, bins, 1)``; frames may be ``None`` for any number
            of them from the model's minimum up. For a model that takes waveforms, ``(samples,)`` or
            ``(None,)``.
        features: the meaning of the bins, for models that depend on it; None for the defaults.
        settings: the settings of the model, see its module; the others keep their defaults.

    Returns:
        A model from float32 ``[batch, frames, bins, 1]`` (or ``[batch, samples]``) to logits, float32
        ``[batch, classes]``.

    Raises:
        UsageError: the model or a setting is unknown, a value lies outside of its domain, the
            input shape is too small or of the wrong kind, or the model cannot use the features.

    """
    module, checked = _module(name), model_settings(name, **settings)
    return module.build(input_shape, checked, features or FeatureConfig())


def build_network(model: ModelConfig, features: FeatureConfig) -> keras.Model:
    """Build the untrained model of a configuration, for inputs of any length (see :func:`build_model`)."""
    return build_model(model.name, input_shape(model.name, features), features=features, **model.settings)


def input_shape(name: str, features: FeatureConfig) -> tuple[int | None, int, int] | tuple[int | None]:
    """What a model takes: ``(None, bins, 1)``, or ``(None,)`` if it takes waveforms."""
    return (None,) if takes_waveforms(name) else (None, features.n_bins, 1)


def takes_waveforms(name: str) -> bool:
    """Whether a model makes its spectrogram itself, from waveforms, and needs data of audio mode."""
    return getattr(_module(name), "TAKES_WAVEFORMS", False)


def minimum_frames(name: str) -> int:
    """The fewest frames that a model can see."""
    return _module(name).MIN_FRAMES


def check_features(name: str, features: FeatureConfig) -> None:
    """Refuse feature parameters that a model cannot use.

    Raises:
        UsageError: names the parameter and the fix.
    """
    check = getattr(_module(name), "check_features", None)
    if check is not None:
        check(features)


def check_mode(name: str, mode: str, augment: AugmentConfig | None = None) -> None:
    """Refuse a mode that a model cannot use, and an augmentation that has no effect in this mode.

    Args:
        name: the model.
        mode: the mode of the data.
        augment: how the data is varied; None outside training.

    Raises:
        UsageError: names the setting and the fix.
    """
    if augment is not None and augment.clipping_db and mode != "audio":
        raise UsageError(
            f"augment.clipping_db={augment.clipping_db:g} clips waveforms, but mode={mode} has none; "
            "use mode audio, or set it to 0",
            remedy="mode",
        )
    if not takes_waveforms(name):
        return
    if mode != "audio":
        raise UsageError(
            f"model {name} takes waveforms, but mode={mode} has none; use mode audio or another model",
            remedy="mode",
        )
    if augment is None:
        return
    defaults = type(augment)()
    for setting, value in augment:
        # Waveforms themselves may be clipped.
        if setting != "clipping_db" and value != getattr(defaults, setting):
            raise UsageError(
                f"model {name} makes its spectrogram itself: augment.{setting}={value} would have no effect; "
                "leave it out or use another model"
            )


def register_layers() -> None:
    """Make tfkey's own layers known to ``keras.models.load_model``, whatever was imported before."""
    importlib.import_module("tfkey.spectrogram.cqt")
    importlib.import_module("tfkey.spectrogram.frontend")
