"""How long a training waits for its input."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf


class InputMeter:
    """Counts what a ``tf.data`` dataset hands out, and for how long its reader waited for it.

    The clock is read just before the last element of the pipeline is asked for the next batch and again when
    it is there. What lies ready in a prefetch buffer costs nothing, so the sum is the time for which the
    training step stood still; how long it took to make a batch is not in it.

    It holds for one reader that asks for batches when it needs them. Under a distribution strategy a buffer
    of the strategy's own asks ahead, and the waiting is that buffer's.
    """

    def __init__(self) -> None:
        self._intervals = 0
        self._seconds = 0.0
        self._asked = 0.0

    def __call__(self) -> tuple[int, float]:
        """The intervals that were handed out so far, and the seconds that were waited for them."""
        return self._intervals, self._seconds

    def watch(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Give the same batches, tuples of clips, labels ``[batch]`` and what else there is, counted."""

        # Python's clock: TensorFlow's own cannot be read where operations are to be deterministic.
        def ask(number: np.ndarray) -> np.ndarray:
            self._asked = time.perf_counter()
            return number

        def receive(_: np.ndarray, labels: np.ndarray) -> np.ndarray:
            self._seconds += time.perf_counter() - self._asked
            self._intervals += len(labels)
            return labels

        # Called stateless, since tf.data takes every buffer and thread away from a deterministic pipeline
        # with a state in it. The labels pass through, so that the call cannot be optimised away.
        def call(function: Callable[..., np.ndarray], *tensors: tf.Tensor) -> tf.Tensor:
            result = tf.numpy_function(function, tensors, tensors[-1].dtype, stateful=False)
            return tf.ensure_shape(result, tensors[-1].shape)

        def count(number: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
            clips, labels, *rest = batch
            return clips, call(receive, number, labels), *rest

        # A zip asks its parts in turn: the time first, then the batch.
        asked = tf.data.Dataset.counter().map(lambda number: call(ask, number))
        watched = tf.data.Dataset.zip(asked, batches).map(count)
        options = tf.data.Options()
        # A buffer or threads behind the clock would do the waiting in the reader's place.
        options.experimental_optimization.inject_prefetch = False
        options.experimental_optimization.map_parallelization = False
        return watched.with_options(options)
