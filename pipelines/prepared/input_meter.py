"""How long a training waits for its input."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf


class InputMeter:
    """Counts the intervals from a ``tf.data`` dataset, and measures how long its reader waits for them.

    The clock is read just before the next batch is requested from the end of the pipeline, and again when
    the batch arrives. A batch that is ready in a prefetch buffer costs nothing. The sum is therefore the time
    that the training step spent waiting, not the time that it took to make the batches.

    This is valid for one reader that requests batches when it needs them. Under a distribution strategy, the
    strategy's buffer requests batches ahead, and the waiting is that of the buffer.
    """

    def __init__(self) -> None:
        self._intervals = 0
        self._seconds = 0.0
        self._asked = 0.0

    def __call__(self) -> tuple[int, float]:
        """Return the number of intervals delivered so far, and the seconds spent waiting for them."""
        return self._intervals, self._seconds

    def watch(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Return the same batches (tuples of clips, labels ``[batch]`` and anything else) with counting."""

        # Python's clock, because TensorFlow's cannot be read if operations must be deterministic.
        def ask(number: np.ndarray) -> np.ndarray:
            self._asked = time.perf_counter()
            return number

        def receive(_: np.ndarray, labels: np.ndarray) -> np.ndarray:
            self._seconds += time.perf_counter() - self._asked
            self._intervals += len(labels)
            return labels

        # Declared stateless, because tf.data removes all buffers and threads from a deterministic pipeline
        # with state. The labels pass through, so that the call cannot be optimised away.
        def call(function: Callable[..., np.ndarray], *tensors: tf.Tensor) -> tf.Tensor:
            result = tf.numpy_function(function, tensors, tensors[-1].dtype, stateful=False)
            return tf.ensure_shape(result, tensors[-1].shape)

        def count(number: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
            clips, labels, *rest = batch
            return clips, call(receive, number, labels), *rest

        # A zip reads its parts in turn: the time first, then the batch.
        asked = tf.data.Dataset.counter().map(lambda number: call(ask, number))
        watched = tf.data.Dataset.zip(asked, batches).map(count)
        options = tf.data.Options()
        # A buffer or threads after the clock would wait instead of the reader.
        options.experimental_optimization.inject_prefetch = False
        options.experimental_optimization.map_parallelization = False
        return watched.with_options(options)
