"""Products of blocks of a signal with filters, and magnitudes, as TensorFlow operations."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def correlate(signal: Any, offset: int, blocks: Any, kernel: Any, stride: int) -> Any:
    """Cut ``blocks`` blocks from ``signal`` at ``offset``; correlate with ``[width, samples, outputs]``."""
    width, samples, outputs = kernel.shape
    batch = tf.shape(signal)[0]
    x = tf.reshape(signal[:, offset : offset + blocks * samples], [batch, blocks, samples])
    kernel = tf.convert_to_tensor(kernel)
    if _rounds_products():
        # Leave out the smallest of the four products of the halves, 2 ** -22 of the whole.
        x_high, k_high = _leading_bits(x), _leading_bits(kernel)
        x = tf.concat([x_high, x - x_high, x_high], -1)
        kernel = tf.concat([k_high, k_high, kernel - k_high], 1)
    products = tf.nn.conv1d(x, kernel, stride, "VALID")
    # TensorFlow forgets the stride when the batch is empty.
    return tf.reshape(products, [batch, (blocks - width) // stride + 1, outputs])


def _rounds_products() -> bool:
    """Whether products may be rounded to TensorFloat-32 (10 bits after the point, error 5e-4)."""
    return bool(tf.config.list_physical_devices("GPU")) and bool(
        tf.config.experimental.tensor_float_32_execution_enabled()
    )


def _leading_bits(x: Any) -> Any:
    """Return ``x`` with only the 10 leading bits of its fraction."""
    bits = tf.bitwise.bitwise_and(tf.bitcast(x, tf.int32), tf.constant(-1 << 13, tf.int32))
    return tf.stop_gradient(tf.bitcast(bits, tf.float32))


def magnitude(real: Any, imag: Any) -> Any:
    """Return the magnitudes of complex values, with a gradient of 0 at silence."""
    power = tf.square(real) + tf.square(imag)
    # Not a square root, whose slope is infinite at silence.
    return power * tf.math.rsqrt(tf.maximum(power, 1e-36))


def reflected(index: Any, n: Any, mode: str) -> Any:
    """Return the samples in ``[0, n)`` at ``index`` (any whole number) for a ``mode`` of ``numpy.pad``."""
    if mode == "edge":
        return tf.clip_by_value(index, 0, n - 1)
    if mode == "wrap":
        return tf.math.floormod(index, n)
    if mode == "symmetric":
        index = tf.math.floormod(index, 2 * n)
        return tf.minimum(index, 2 * n - 1 - index)
    period = tf.maximum(2 * n - 2, 1)
    index = tf.math.floormod(index, period)
    return tf.minimum(index, period - index)
