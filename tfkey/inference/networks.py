"""Networks from exports of each format, as functions from inputs to probabilities."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfkey.errors import DataError, MissingExtraError
from tfkey.inference.bundle import Bundle

Network = Callable[[np.ndarray], np.ndarray]
"""From float32 ``[batch, frames, bins, 1]`` (``[batch, samples]`` for a network that takes waveforms) to
probabilities ``[batch, 24]``."""


def load_network(bundle: Bundle, threads: int = 1) -> Network:
    """Load the network of an export.

    Args:
        bundle: the export.
        threads: the number of threads that one call may use.

    Raises:
        DataError: the file is damaged, or a later Keras than the installed one saved it.
        MissingExtraError: the format needs a package that is not installed.
    """
    try:
        return _LOADERS[bundle.format](bundle.network, threads)
    except ImportError as error:
        package, wanted = _PACKAGES[bundle.format]
        raise MissingExtraError(f"{bundle.network}", package, wanted) from error
    except (ValueError, RuntimeError, OSError) as error:
        raise DataError(f"{bundle.network}: the network cannot be loaded; export the run again") from error


class LiteNetwork:
    """A LiteRT model.

    One object serves one thread at a time.

    Args:
        path: the ``.tflite`` file.
        threads: the number of threads that one call may use.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter

        # From memory: the interpreter only accepts file names in UTF-8, but names may be any bytes.
        self._interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] = ()

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Return the probabilities of a batch of inputs of the same length."""
        if inputs.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, inputs.shape)
            with contextlib.nullcontext() if self._shape else quiet():
                self._interpreter.allocate_tensors()
            self._shape = inputs.shape
        self._interpreter.set_tensor(self._input, np.ascontiguousarray(inputs, np.float32))
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide what native code writes to stderr past Python's streams, such as LiteRT's greeting.

    Lines that other threads write in the meantime are lost, too; keep the block short.
    """
    try:
        old = os.dup(2)
    except OSError:  # closed: nothing can be written to it
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(old, 2)
        os.close(old)
        os.close(sink)


def _onnx(path: Path, threads: int) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise ValueError(str(error)) from error
    name = session.get_inputs()[0].name
    return lambda inputs: session.run(None, {name: np.asarray(inputs, np.float32)})[0]


def _keras(path: Path, threads: int) -> Network:
    from tfkey.models import register_layers
    from tfkey.models.saved import LOAD_ERRORS, load_keras_file

    register_layers()
    try:
        return keras_network(load_keras_file(path))
    except LOAD_ERRORS as error:
        raise ValueError(str(error)) from error


def keras_network(model: Any) -> Network:
    """Return a Keras model that outputs probabilities as a network."""
    import keras

    return lambda inputs: keras.ops.convert_to_numpy(model(inputs, training=False))


_LOADERS: dict[str, Callable[[Path, int], Network]] = {"litert": LiteNetwork, "onnx": _onnx, "keras": _keras}
# The package that each format needs, and what pip installs for it.
_PACKAGES = {
    "litert": ("ai-edge-litert", "tfkey"),
    "onnx": ("onnxruntime", "onnxruntime"),
    "keras": ("TensorFlow", "tfkey[train]"),
}
