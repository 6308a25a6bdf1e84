"""Files elsewhere inside a ``tf.data`` pipeline: read from their copies, which are fetched ahead."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pipelines.prepared.collecting import collect_apart
from pipelines.prepared.split_intervals import SplitIntervals

AHEAD = 8
"""Files fetched before they are needed."""

LocalFile = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""From the address of a file (string scalar) and those that come next (``[files]``) to a path to read."""


def local_file(intervals: SplitIntervals) -> LocalFile:
    """Return what finds the files of intervals on this machine, in the graph.

    A failure to fetch one ends the pipeline with an error of TensorFlow's; what it was is kept in the copies.
    """
    copies = next((dataset.copies for dataset, _ in intervals.parts if dataset.copies), None)
    if copies is None:
        return lambda address, upcoming: address
    collect_apart()

    def find(address: bytes, upcoming: np.ndarray) -> bytes:
        assert copies is not None
        return os.fsencode(copies.open(address.decode(), [name.decode() for name in upcoming]))

    def call(address: tf.Tensor, upcoming: tf.Tensor) -> tf.Tensor:
        # Declared stateless, because tf.data never reads ahead in a deterministic pipeline with state.
        path = tf.numpy_function(find, [address, upcoming], tf.string, stateful=False)
        return tf.ensure_shape(path, [])

    return call


def with_waiting(batches: tf.data.Dataset, intervals: SplitIntervals) -> tf.data.Dataset:
    """Return the same batches, with threads of their own if some of them may wait for a network.

    Waiting in TensorFlow's own threads, of which there is one per processor, would stop the training step.
    """
    if not any(dataset.copies for dataset, _ in intervals.parts):
        return batches
    options = tf.data.Options()
    options.threading.private_threadpool_size = (os.cpu_count() or 1) + 2 * AHEAD
    return batches.with_options(options)
