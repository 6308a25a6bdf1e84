"""The constant-Q transform as a Keras layer on core TensorFlow operations.

**Definition.** For a signal ``x`` of sample rate ``s`` (Brown 1991, with the filters of librosa)::

    C[m, k] = sum_t x[m * hop_length + t] * g_k * w(t / L_k) * exp(-2 pi i f_k t / s)

over the whole numbers ``|t| <= L_k / 2``, with

- centre frequencies ``f_k = fmin * 2 ** ((k + tuning) / bins_per_octave)`` in Hz;
- filter lengths ``L_k = Q * s / f_k`` in samples, not rounded, where with ``a = 2 ** (2 / bins_per_octave)``
  ``Q = filter_scale * (a + 1) / (a - 1)``;
- the window ``w(u)``, ``|u| <= 1/2``, a sum of cosines about its centre, for ``hann`` ``(1 + cos 2 pi u)/2``;
- the gain ``g_k``: ``L_k``, or with ``scale`` its root, divided by the ``norm``-norm of the sampled window.
  With the defaults, a sine of amplitude A at ``f_k`` therefore has the magnitude ``A * sqrt(L_k) / 2``.

``x`` is extended beyond both ends as by ``numpy.pad`` in mode ``pad_mode``; frame m is centred on sample
``m * hop_length``, and there are ``1 + samples // hop_length`` frames. librosa rounds the filter lengths of
each octave at a different rate and is centred half a sample off; its values agree to a few tenths of a
percent. (For a ``norm`` other than 1, librosa's gain jumps from octave to octave; here it does not.)

**Method.** Multirate filtering (Crochiere and Rabiner 1983; for this transform Schörkhuber and Klapuri 2010)
written as matrix products. The signal is decimated step by step by factors of the hop; every bin is read from
the lowest rate that contains its band, with one short filter per frame. No resampler or Fourier transform is
involved: a decimator is a block-Toeplitz matrix that makes 32 samples at a time, a filter bank is a matrix
that makes all bins of a frame at a time, and both run as convolutions over blocks, which suits every device.
The filters at a decimated rate are not windowed exponentials: they are the least-squares solution for
"decimators, then filter" to equal the definition, so the decimators' pass bands need not be flat.

**Error.** Three terms, measured at design (:attr:`CQT.filter_errors`, per bin: at most 5e-5, mostly below
2e-5): a filter's energy above the decimated rate's highest frequency (1e-9 of the whole), the attenuation of
the bands that decimation folds in (100 dB, Kaiser 1974), and the cut of the least-squares solution to
the filter's length. float32 adds about 1e-6. On GPUs that round products to TensorFloat-32 the factors
are split in two, which takes three products instead of one, unless TensorFlow is configured not to round.
Windows whose spectrum falls too slowly (``hamming``, ``boxcar``) and hops that are
large primes use no decimation: exact, but slower.

**Cost.** With the defaults some 250 operations per sample, additions and multiplications: 190 in the
decimators, 60 in the filters. The cost of the filters grows with the bins and with 1 / hop, hardly with
the octaves; nothing grows faster than the signal. A Fourier transform of 30 s alone takes 50 operations per
sample, but a processor runs these some ten times slower than a matrix product. Memory besides input and
result: the padded signal and its decimated copies, less than twice the input.

A NaN or infinity stays in the frames around it.

References:
- J. C. Brown, "Calculation of a constant Q spectral transform", JASA 89(1), 1991.
- C. Schörkhuber and A. Klapuri, "Constant-Q transform toolbox for music processing", SMC 2010.
- R. E. Crochiere and L. R. Rabiner, "Multirate Digital Signal Processing", 1983.
- J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", ISCAS 1974.
- F. J. Harris, "On the use of windows for harmonic analysis with the DFT", Proc. IEEE 66(1), 1978.
- A. H. Nuttall, "Some windows with very good sidelobe behavior", IEEE Trans. ASSP 29(1), 1981.
- B. McFee et al., librosa, https://librosa.org (names and meaning of the parameters).
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfkey.spectrogram.filters import WINDOWS, design
from tfkey.spectrogram.operations import correlate, magnitude, reflected
from tfkey.spectrogram.parameters import Parameters

PAD_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")
OUTPUTS = ("magnitude", "complex")


@keras.saving.register_keras_serializable(package="tfkey")
class CQT(keras.layers.Layer):
    """Constant-Q transform: float32 ``[batch, samples]`` to ``[batch, frames, bins]``.

    It computes in float32 whatever the dtype policy, needs the TensorFlow backend, and takes any batch
    and any number of samples, including 0. The module's docstring defines the result and explains the method.

    Args:
        sample_rate: the sample rate of the signal, in Hz.
        hop_length: samples between frames, at least 1. Products of small primes are fast.
        fmin: centre frequency of bin 0 in Hz, above 0.
        n_bins: number of bins, at least 1; the highest must be at or below half the sample rate.
        bins_per_octave: at least 1.
        tuning: shift of all bins, in fractions of a bin.
        filter_scale: factor on the filter lengths, above 0. Below 1, time resolution rises and bins widen.
        norm: order of the norm by which windows are divided: above 0, ``math.inf``, or None for no division.
        window: ``hann``, ``hamming``, ``blackman``, ``nuttall``, ``blackmanharris`` or ``boxcar``.
        scale: divide each bin by the root of its filter's length.
        pad_mode: how the signal is extended beyond its ends: ``constant`` (zeros), ``edge``, ``reflect``,
            ``symmetric`` or ``wrap``, as in ``numpy.pad``.
        output: ``magnitude`` (float32) or ``complex`` (complex64).
        trainable: make the filters weights, initialised with the analytic ones; else there are no weights.
        **kwargs: arguments of ``keras.layers.Layer``. A ``dtype`` is ignored.

    Raises:
        ValueError: at construction if a parameter is out of range; when called with an input that is not
            floating-point or does not have two dimensions.
    """

    def __init__(
        self,
        sample_rate: float = 44100,
        hop_length: int = 2048,
        fmin: float = 65.41,
        n_bins: int = 120,
        bins_per_octave: int = 24,
        tuning: float = 0.0,
        filter_scale: float = 1.0,
        norm: float | None = 1,
        window: str = "hann",
        scale: bool = True,
        pad_mode: str = "constant",
        output: str = "magnitude",
        trainable: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(trainable=trainable, **kwargs)
        self.parameters = Parameters(
            sample_rate=_number("sample_rate", sample_rate),
            hop_length=_count("hop_length", hop_length),
            fmin=_number("fmin", fmin),
            n_bins=_count("n_bins", n_bins),
            bins_per_octave=_count("bins_per_octave", bins_per_octave),
            tuning=_number("tuning", tuning, lowest=-math.inf),
            filter_scale=_number("filter_scale", filter_scale),
            norm=norm if norm is None or norm == math.inf else _number("norm", norm),
            window=_choice("window", window, tuple(WINDOWS)),
            scale=bool(scale),
        )
        self.pad_mode = _choice("pad_mode", pad_mode, PAD_MODES)
        self.output_kind = _choice("output", output, OUTPUTS)
        highest, nyquist = self.parameters.frequencies[-1], self.parameters.sample_rate / 2
        if highest > nyquist:
            raise ValueError(
                f"n_bins={n_bins} puts the highest bin at {highest:.1f} Hz, above half the sample rate "
                f"({nyquist:g} Hz); lower n_bins or fmin={fmin:g}, or raise sample_rate={sample_rate:g}."
            )
        # `trainable` may change later (a frozen model); whether the filters are weights does not.
        self._learned = bool(trainable)
        self._plan = design(self.parameters)
        self._filters: list[Any] = []

    @property
    def frequencies(self) -> np.ndarray:
        """Centre frequency of every bin in Hz, float64 ``[bins]``."""
        return self.parameters.frequencies

    @property
    def filter_errors(self) -> np.ndarray:
        """Relative L2 distance of each filter, as designed, from its definition, float64 ``[bins]``."""
        return self._plan.errors

    def build(self, input_shape: Any) -> None:
        """Create the filters as weights if they are to be learned."""
        if not self._learned:
            return
        for i, group in enumerate(group for level in self._plan.levels for group in level.groups):
            start = keras.initializers.Constant(group.kernel)
            self._filters.append(
                self.add_weight(shape=group.kernel.shape, initializer=start, name=f"filters_{i}")
            )

    def call(self, inputs: Any) -> Any:
        """Transform float ``[batch, samples]`` to float32 or complex64 ``[batch, frames, bins]``."""
        self._check(inputs)
        x = tf.cast(inputs, tf.float32)
        frames = 1 + tf.shape(x)[1] // self.parameters.hop_length
        signal = self._extend(x, frames)
        learned = iter(self._filters)
        banks: list[Any] = []
        for level in self._plan.levels:
            hop = self.parameters.hop_length // level.rate
            if level.stage is not None:
                stage = level.stage
                blocks = frames * (hop // stage.kernel.shape[2]) + stage.extra_blocks
                signal = correlate(signal, stage.offset, blocks, stage.kernel, 1)
                signal = tf.reshape(
                    signal, [tf.shape(x)[0], (blocks - len(stage.kernel) + 1) * signal.shape[2]]
                )
            bank = []
            for group in level.groups:
                kernel = next(learned) if self._learned else group.kernel
                blocks = (frames - 1) * group.stride + len(group.kernel)
                bank.append(correlate(signal, group.offset, blocks, kernel, group.stride))
            banks = bank + banks
        parts = [tf.split(bank, 2, -1) for bank in banks]
        real, imag = (tf.concat(part, -1) for part in zip(*parts, strict=True))
        result = tf.complex(real, imag) if self.output_kind == "complex" else magnitude(real, imag)
        return tf.ensure_shape(result, self.compute_output_shape(inputs.shape))

    def _extend(self, x: Any, frames: Any) -> Any:
        """Return the samples that all frames need: padded on both sides, or cut where no frame reaches."""
        left, n = self._plan.left, tf.shape(x)[1]
        right = frames * self.parameters.hop_length + self._plan.right - left - n
        right, body = tf.maximum(right, 0), x[:, : n + tf.minimum(right, 0)]
        if self.pad_mode == "constant":
            return tf.pad(body, [[0, 0], [left, right]])
        # An empty signal has nothing to repeat.
        x = tf.pad(x, [[0, 0], [0, tf.cast(n == 0, n.dtype)]])
        n = tf.maximum(n, 1)
        before = tf.gather(x, reflected(tf.range(-left, 0), n, self.pad_mode), axis=1)
        after = tf.gather(x, reflected(tf.range(n, n + right), n, self.pad_mode), axis=1)
        # The sample that was added to an empty signal is part of neither.
        return tf.concat([before, body, after], 1)

    def _check(self, inputs: Any) -> None:
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        if "float" not in dtype:
            raise ValueError(f"{self.name}: inputs have dtype {dtype}; it must be floating-point.")
        if len(inputs.shape) != 2:
            raise ValueError(
                f"{self.name}: inputs have shape {tuple(inputs.shape)}; it must be [batch, samples]."
            )

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """``[batch, 1 + samples // hop_length, bins]``."""
        batch, samples = input_shape
        frames = None if samples is None else 1 + samples // self.parameters.hop_length
        return (batch, frames, self.parameters.n_bins)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Shape and dtype of the result, from those of a symbolic input."""
        self._check(inputs)
        dtype = "complex64" if self.output_kind == "complex" else "float32"
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, and whether learned filters are frozen."""
        config = {**super().get_config(), **asdict(self.parameters)}
        config.update(pad_mode=self.pad_mode, output=self.output_kind, trainable=self._learned)
        if self._learned and not self.trainable:
            config["frozen"] = True
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CQT:
        """Return a layer from the result of :meth:`get_config`."""
        config = dict(config)
        frozen = config.pop("frozen", False)
        layer = cls(**config)
        if frozen:
            layer.trainable = False
        return layer


def _number(name: str, value: Any, lowest: float = 0.0) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.number)
        or not lowest < value < math.inf
    ):
        wanted = "a finite number" + ("" if math.isinf(lowest) else f" above {lowest:g}")
        raise ValueError(f"{name}={value!r}; it must be {wanted}.")
    return float(value)


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name}={value!r}; it must be a whole number of at least 1.")
    return int(value)


def _choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}={value!r}; it must be one of {', '.join(allowed)}.")
    return value
