"""Networks from files: whether a file holds the expected network."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

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
