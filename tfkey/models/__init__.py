"""The models, by name.

Each model is one module with a frozen dataclass ``Settings``, which checks its own values, and a function
``build(input_shape, settings)``. Nothing here imports Keras before a model is built, so a configuration is
checked at once.
"""

from __future__ import annotations

import dataclasses
import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tfkey.errors import UsageError

if TYPE_CHECKING:
    import keras

_MODULES = {"allconv": "tfkey.models.allconv"}

MODEL_NAMES: tuple[str, ...] = tuple(sorted(_MODULES))
"""The names that :func:`build_model` knows."""


def _module(name: str) -> ModuleType:
    if name not in _MODULES:
        raise UsageError(f"model {name!r} is unknown: choose one of {', '.join(MODEL_NAMES)}")
    return importlib.import_module(_MODULES[name])


def model_settings(name: str, **settings: Any) -> Any:
    """Return the settings of a model, its defaults filled in, as its frozen dataclass.

    Raises:
        UsageError: the model or a setting is unknown, or a value lies outside of its domain.

    """
    cls = _module(name).Settings
    allowed = [field.name for field in dataclasses.fields(cls)]
    for setting in settings:
        if setting not in allowed:
            raise UsageError(f"model {name} has no setting {setting!r}: choose among {', '.join(allowed)}")
    return cls(**settings)


def build_model(name: str, input_shape: tuple[int | None, int, int], **settings: Any) -> keras.Model:
    """Build an untrained model.

    Args:
        name: one of :data:`MODEL_NAMES`.
        input_shape: of one spectrogram, ``(frames, bins, 1)``; frames may be ``None`` for any number
            of them from the model's minimum up.
        settings: of the model, see its module; what is left out has its default.

    Returns:
        A model from float32 ``[batch, frames, bins, 1]`` to logits, float32 ``[batch, classes]``.

    Raises:
        UsageError: the model or a setting is unknown, a value lies outside of its domain, or the
            input shape is too small or no spectrogram's.

    """
    checked = model_settings(name, **settings)
    return _module(name).build(input_shape, checked)


def minimum_frames(name: str) -> int:
    """The fewest frames that a model can see."""
    return _module(name).MIN_FRAMES
