"""Networks from files: whether a file holds the network that it should."""

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
"""What Keras raises for a file that is damaged or not a ``.keras`` file."""


def bins_of(network: keras.Model) -> int | None:
    """The bins of the spectrograms that a network takes or makes; None for a foreign one of waveforms."""
    from tfkey.spectrogram.frontend import frontend_of

    if len(network.input_shape) == 2:
        frontend = frontend_of(network)
        return frontend.output_shape[2] if frontend else None
    return network.input_shape[2]


def difference(model: keras.Model, other: keras.Model) -> str | None:
    """What keeps the weights of one model from meaning anything to another, or None."""
    plan, wanted = _plan(model), _plan(other)
    return next((what for what, found in plan.items() if found != wanted[what]), None)


def _plan(model: keras.Model) -> dict[str, Any]:
    from tfkey.spectrogram.cqt import CQT
    from tfkey.spectrogram.frontend import LogMagnitude

    features = [layer.get_config() for layer in _layers(model) if isinstance(layer, CQT | LogMagnitude)]
    # Of the input, the bins alone: a network is the same for any number of frames.
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
