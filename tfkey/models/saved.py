"""Networks from files: loading, and whether a file holds the expected network."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkey.errors import DataError

if TYPE_CHECKING:
    import keras

LOAD_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)
"""The exceptions of Keras for a damaged file or one that is not a ``.keras`` file."""


def load_keras_file(path: Path, *, compiled: bool = False) -> keras.Model:
    """Load a ``.keras`` file.

    Args:
        path: the file.
        compiled: whether to load the optimiser and its state, too.

    Raises:
        DataError: a later Keras than the installed one saved it.
        Exception: one of :data:`LOAD_ERRORS`; the file is damaged.
    """
    import keras

    try:
        return keras.models.load_model(path, compile=compiled)
    except LOAD_ERRORS as error:
        version = _version_of(path)
        if _numbers(version) > _numbers(keras.__version__):
            raise DataError(
                f"{path}: Keras {version} saved it, and the installed {keras.__version__} does not load it; "
                f"install Keras {version} or later, which may need a later Python"
            ) from error
        raise


def _version_of(path: Path) -> str:
    """The version of Keras that saved a file, an empty text if the file does not say."""
    try:
        with zipfile.ZipFile(path) as archive:
            return str(json.loads(archive.read("metadata.json"))["keras_version"])
    except LOAD_ERRORS:
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def bins_of(network: keras.Model) -> int | None:
    """The bins of the spectrograms of a network; None for a waveform network not made by tfkey."""
    from tfkey.spectrogram.frontend import frontend_of

    if len(network.input_shape) == 2:
        frontend = frontend_of(network)
        return frontend.output_shape[2] if frontend else None
    return network.input_shape[2]


def difference(model: keras.Model, other: keras.Model) -> str | None:
    """The difference that makes the weights of one model meaningless in another, or None."""
    plan, wanted = _plan(model), _plan(other)
    return next((what for what, found in plan.items() if found != wanted[what]), None)


def _plan(model: keras.Model) -> dict[str, Any]:
    from tfkey.spectrogram.cqt import CQT
    from tfkey.spectrogram.frontend import LogMagnitude

    features = [layer.get_config() for layer in _layers(model) if isinstance(layer, CQT | LogMagnitude)]
    # Only the bins of the input count: a network is the same for any number of frames.
    return {
        "another model": (model.name, [tuple(weight.shape) for weight in model.weights]),
        "other features": (len(model.input_shape), model.input_shape[2:], features),
    }


def _layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """The layers of a model, those of the models inside it included."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _layers(layer)
