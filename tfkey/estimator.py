"""From a recording to its key: a trained network applied to whole tracks of any length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import soxr
import tensorflow as tf

from tfkey.audio import is_silent, read
from tfkey.config import Config
from tfkey.errors import AudioError
from tfkey.features import build_frontend
from tfkey.keys import Key
from tfkey.models import minimum_frames
from tfkey.runs import Run, open_run


@dataclass(frozen=True)
class Estimate:
    """The key of a recording.

    Attributes:
        key: the most probable one.
        probabilities: float32 ``[24]`` by class index, sum 1.
    """

    key: Key
    probabilities: np.ndarray

    @property
    def confidence(self) -> float:
        """The probability of :attr:`key`."""
        return float(self.probabilities[self.key.index])


class KeyEstimator:
    """Names the key of recordings by a trained network.

    Args:
        config: the configuration that the network was trained with.
        network: from pictures to logits.
    """

    def __init__(self, config: Config, network: keras.Model) -> None:
        """Compile the network for waveforms of any length."""
        self.config = config
        self.probabilities = whole_track_function(config, network)

    @classmethod
    def from_run(cls, run: Run | Path | str) -> KeyEstimator:
        """Load the best network of a run (see :mod:`tfkey.runs` for what can be wrong with it)."""
        run = run if isinstance(run, Run) else open_run(Path(run))
        return cls(run.config, run.load_network())

    def estimate(self, recording: Path | str | np.ndarray, sample_rate: int | None = None) -> Estimate:
        """Name the key of a recording.

        Args:
            recording: an audio file, or a mono waveform, float ``[samples]`` with full scale at 1.0.
            sample_rate: of the waveform, in Hz; None for that of the features.

        Raises:
            AudioError: a file that cannot be read; a recording that is empty or silent.
        """
        rate = self.config.features.sample_rate
        if isinstance(recording, np.ndarray):
            name, waveform = "waveform", np.asarray(recording, np.float32)
            # Whole numbers have another full scale.
            if recording.dtype.kind != "f" or waveform.ndim != 1 or not np.isfinite(waveform).all():
                raise AudioError(
                    f"waveform of {recording.dtype} {recording.shape}: give finite floats as [samples]"
                )
            if not waveform.size:
                raise AudioError("waveform: holds no samples; give at least one")
            if sample_rate not in (None, rate):
                waveform = soxr.resample(waveform, sample_rate, rate)
        else:
            name, waveform = str(recording), read(recording, rate)
        if is_silent(waveform):
            raise AudioError(f"{name}: silent; silence has no key")
        probabilities = self.probabilities(waveform[np.newaxis]).numpy()[0]
        return Estimate(Key.from_index(int(probabilities.argmax())), probabilities)


def whole_track_function(config: Config, network: keras.Model) -> Any:
    """A compiled function that judges whole tracks.

    A track is covered by the fewest intervals of the length that the network was trained on, evenly spaced
    from its start to its end; their probabilities are averaged. A shorter one is taken as it is, padded with
    silence to the least that the network can see. One interval stands in memory at a time.

    Returns:
        A ``tf.function`` from float32 ``[batch, samples]``, any batch and length, to float32 ``[batch, 24]``.
    """
    features = config.features
    length = config.intervals.samples(features.sample_rate)
    least = (minimum_frames(config.model.name) - 1) * features.hop_length
    frontend = build_frontend(features)

    def probabilities(waveforms: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(network(frontend(waveforms), training=False))

    def of_short(waveforms: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
        return probabilities(tf.pad(waveforms, [[0, 0], [0, tf.maximum(least - samples, 0)]]))

    def of_long(waveforms: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
        # 64 bits: the product of a start and a count passes 2**31 within ten hours.
        spare = tf.cast(samples - length, tf.int64)
        count = tf.cast(-(-samples // length), tf.int64)

        def add(number: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            start = number * spare // tf.maximum(count - 1, 1)
            interval = tf.slice(waveforms, tf.stack([tf.constant(0, tf.int64), start]), [-1, length])
            return number + 1, total + probabilities(tf.ensure_shape(interval, [None, length]))

        start = (tf.constant(0, tf.int64), tf.zeros([tf.shape(waveforms)[0], network.output_shape[-1]]))
        _, total = tf.while_loop(
            lambda number, _: number < count,
            add,
            start,
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, network.output_shape[-1]])),
            parallel_iterations=1,
        )
        return total / tf.cast(count, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="waveform")])
    def judge(waveform: tf.Tensor) -> tf.Tensor:
        batch, samples = tf.unstack(tf.shape(waveform))
        return tf.case(
            [
                # TensorFlow's convolutions fail on an empty batch.
                (batch == 0, lambda: tf.zeros([0, network.output_shape[-1]])),
                (samples < length, lambda: of_short(waveform, samples)),
            ],
            default=lambda: of_long(waveform, samples),
        )

    return judge
