"""Whole tracks as one TensorFlow function, for the SavedModel."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfkey.config import Config
from tfkey.models import minimum_frames, takes_waveforms
from tfkey.spectrogram.frontend import build_frontend


def whole_track_function(config: Config, network: keras.Model, temperature: float = 1.0) -> Any:
    """Return a compiled function that takes whole tracks.

    The intervals of :func:`tfkey.inference.covering.covering_starts`, of the length that the network was
    trained on, cover a track; their probabilities are averaged and then calibrated. A shorter track is used
    unchanged, padded with silence to the minimum length for the network. Only one interval is in memory at a
    time.

    The waveform is not processed in any other way: very quiet recordings are not amplified, as they are in
    an estimator by :mod:`tfkey.inference.level`.

    Args:
        config: the configuration that the network was trained with.
        network: the network, which outputs logits.
        temperature: see :mod:`tfkey.scoring.calibration`.

    Returns:
        A ``tf.function`` from float32 ``[batch, samples]``, any batch and length, to float32 ``[batch, 24]``.
    """
    features = config.features
    length = config.intervals.samples(features.sample_rate)
    least = (minimum_frames(config.model.name) - 1) * features.hop_length
    classes = network.output_shape[-1]
    frontend = (
        (lambda waveforms: waveforms) if takes_waveforms(config.model.name) else build_frontend(features)
    )

    def probabilities(waveforms: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(network(frontend(waveforms), training=False))

    def of_short(waveforms: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
        return probabilities(tf.pad(waveforms, [[0, 0], [0, tf.maximum(least - samples, 0)]]))

    def of_long(waveforms: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
        # In 64 bits: the product of a start and a count exceeds 2**31 within ten hours of audio.
        spare = tf.cast(samples - length, tf.int64)
        count = tf.cast(-(-samples // length), tf.int64)

        def add(number: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            start = number * spare // tf.maximum(count - 1, 1)
            interval = tf.slice(waveforms, tf.stack([tf.constant(0, tf.int64), start]), [-1, length])
            return number + 1, total + probabilities(tf.ensure_shape(interval, [None, length]))

        _, total = tf.while_loop(
            lambda number, _: number < count,
            add,
            (tf.constant(0, tf.int64), tf.zeros([tf.shape(waveforms)[0], classes])),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, classes])),
            parallel_iterations=1,
        )
        return total / tf.cast(count, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="waveform")])
    def judge(waveform: tf.Tensor) -> tf.Tensor:
        batch, samples = tf.unstack(tf.shape(waveform))
        mean = tf.case(
            [
                # TensorFlow's convolutions fail on an empty batch.
                (batch == 0, lambda: tf.zeros([0, classes])),
                (samples < length, lambda: of_short(waveform, samples)),
            ],
            default=lambda: of_long(waveform, samples),
        )
        return calibrated_in_graph(mean, temperature)

    return judge


def calibrated_in_graph(probabilities: tf.Tensor, temperature: float) -> tf.Tensor:
    """Apply a temperature to float32 ``[batch, classes]``, as
    :func:`tfkey.scoring.calibration.calibrated` does.
    """
    tiny = tf.constant(1e-37, tf.float32)
    return tf.nn.softmax(tf.math.log(tf.maximum(probabilities, tiny)) / temperature)
