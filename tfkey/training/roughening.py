"""Roughening: training spectrograms get the flaws of recordings, in the graph, on the training device.

Music on disk is cleaner than music at large. :class:`Roughening` detunes it, puts it into a reverberant room,
adds noise and cuts off low and high frequencies, by amounts that are drawn for each clip. The key stays the
same. It precedes :class:`tfkey.training.augmentation.Augmentation`, in a layer of its own with its own random
numbers: without roughening, those of the other variations are as if it did not exist.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from tfkey.settings import AugmentConfig, FeatureConfig
from tfkey.training.levels import to_magnitudes, to_values

NOISE_RANGE_DB = 40.0
"""The quietest noise floor is this far below the loudest, in dB."""

NOISE_TILTS = (-6.0, 3.0)
"""Spectra of noise floors, from brown to blue, in dB per octave. White noise is flat in these spectrograms,
whose bins are scaled by the root of their filters' lengths."""

LOW_CUTS_HZ = (20.0, 400.0)
"""Where a cut of low frequencies begins; small loudspeakers and telephones lack those below 300 Hz."""

HIGH_CUTS_HZ = (2000.0, 16000.0)
"""Where a cut of high frequencies begins: telephone 3,400 Hz, AM radio 4,500 Hz, low-rate MP3 11,000 Hz."""

CUT_SLOPES = (12.0, 96.0)
"""Slopes of both cuts, from simple filters to codecs, in dB per octave."""

_DEEPEST_CUT_DB = 120.0


@keras.saving.register_keras_serializable(package="tfkey")
class Roughening(keras.layers.Layer):
    """Roughens spectrograms in training; outside training it returns them unchanged.

    Called with float ``[batch, frames, bins, 1]`` in [0, 1]; returns float32 of the same shape in [0, 1].

    Args:
        fmin: centre of the lowest bin, in Hz.
        bins_per_octave: the bins per octave.
        frame_seconds: the time between frames.
        db_range: the distance from ``features.db_min`` to ``features.db_max``, in dB.
        floor: ``hard`` or ``soft``, how values represent levels; see :mod:`tfkey.spectrogram.frontend`.
        detune_cents: the greatest detuning up or down; uniform. See :func:`detuned`.
        reverb_seconds: the longest time in which reverberation decays by 60 dB; uniform from 0, and so is the
            share of the reverberated sound. See :func:`reverberated`.
        noise_floor_db: the level of the loudest noise floor, in dB relative to the clip's mean power; uniform
            in dB over :data:`NOISE_RANGE_DB`, with a tilt from :data:`NOISE_TILTS`. None for no noise. See
            :func:`noisy`.
        band_limits: the share of the clips that :func:`band_gains` limits, by random frequencies (uniform in
            octaves) from :data:`LOW_CUTS_HZ` and :data:`HIGH_CUTS_HZ`, and slopes from :data:`CUT_SLOPES`.
        seed: the seed of everything random; see :class:`tfkey.training.callbacks.EpochSeeds`.
    """

    def __init__(
        self,
        fmin: float,
        bins_per_octave: int,
        frame_seconds: float,
        db_range: float,
        floor: str = "hard",
        *,
        detune_cents: float = 0.0,
        reverb_seconds: float = 0.0,
        noise_floor_db: float | None = None,
        band_limits: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        # Half precision would round the pictures before they are varied.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self._arguments: dict[str, Any] = {
            "fmin": fmin,
            "bins_per_octave": bins_per_octave,
            "frame_seconds": frame_seconds,
            "db_range": db_range,
            "floor": floor,
            "detune_cents": detune_cents,
            "reverb_seconds": reverb_seconds,
            "noise_floor_db": noise_floor_db,
            "band_limits": band_limits,
            "seed": seed,
        }
        self._random = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        """The layer has no weights."""

    def call(self, pictures: Any, training: bool = False) -> Any:
        """Roughen a batch, in the order of the recording chain: instrument, room, noise, channel."""
        given = self._arguments
        if not training:
            return pictures
        magnitudes = to_magnitudes(pictures[..., 0], given["db_range"], given["floor"])
        if given["detune_cents"]:
            most = given["detune_cents"] * given["bins_per_octave"] / 1200
            shift = self._uniform((ops.shape(magnitudes)[0],), -most, most)
            magnitudes = detuned(magnitudes, shift, math.ceil(most))
        if given["reverb_seconds"]:
            magnitudes = self._reverberated(magnitudes)
        if given["noise_floor_db"] is not None:
            magnitudes = self._noisy(magnitudes)
        if given["band_limits"]:
            magnitudes = magnitudes * self._band_gains(magnitudes)[:, None]
        return to_values(magnitudes, given["db_range"], given["floor"])[..., None]

    def _reverberated(self, magnitudes: Any) -> Any:
        longest, batch = self._arguments["reverb_seconds"], ops.shape(magnitudes)[0]
        seconds = self._uniform((batch,), 0.0, longest)
        share = self._uniform((batch,), 0.0, 1.0)
        frames = self._arguments["frame_seconds"]
        return reverberated(magnitudes, seconds / frames, share, longest / frames)

    def _noisy(self, magnitudes: Any) -> Any:
        loudest, batch = self._arguments["noise_floor_db"], ops.shape(magnitudes)[0]
        level = self._uniform((batch,), loudest - NOISE_RANGE_DB, loudest)
        tilt = self._uniform((batch,), *NOISE_TILTS)
        draws = keras.random.uniform(ops.shape(magnitudes), 0.0, 1.0, seed=self._random)
        return noisy(magnitudes, level, self._octaves(magnitudes)[None] * tilt[:, None], draws)

    def _band_gains(self, magnitudes: Any) -> Any:
        """The factor for each bin, float32 ``[batch, bins]``."""
        batch = ops.shape(magnitudes)[0]
        cuts = [
            (self._uniform((batch, 1), *map(math.log2, span)), self._uniform((batch, 1), *CUT_SLOPES))
            for span in (LOW_CUTS_HZ, HIGH_CUTS_HZ)
        ]
        pitches = self._octaves(magnitudes)[None] + math.log2(self._arguments["fmin"])
        gains = band_gains(pitches, *cuts[0], *cuts[1])
        limited = self._uniform((batch, 1), 0.0, 1.0) < self._arguments["band_limits"]
        return ops.where(limited, gains, 1.0)

    def _octaves(self, magnitudes: Any) -> Any:
        """The octaves from the lowest bin to each, float32 ``[bins]``."""
        bins = magnitudes.shape[2]
        return ops.convert_to_tensor(
            (np.arange(bins) / self._arguments["bins_per_octave"]).astype(np.float32)
        )

    def _uniform(self, shape: tuple[Any, ...], least: float, most: float) -> Any:
        return keras.random.uniform(shape, least, most, seed=self._random)

    def compute_output_spec(self, pictures: Any, training: bool = False) -> Any:
        """The shape of the input, in float32."""
        return keras.KerasTensor(pictures.shape, "float32")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **self._arguments}


def detuned(magnitudes: Any, shift: Any, most: int) -> Any:
    """Move spectrograms upwards by a part of a bin.

    The root of the magnitude between two bins is that of the cubic convolution of R. G. Keys (IEEE Trans.
    ASSP 29(6), 1981). With quarter tones, a tone moves by the cents asked to 2.5, and keeps its level to
    0.3 dB; of the magnitude itself, or in dB, cubic and linear convolution err more. Beyond the edges, the
    lowest and highest bins repeat.

    Args:
        magnitudes: float ``[batch, frames, bins]``, at least 0.
        shift: in bins, float ``[batch]``.
        most: a whole number of bins that no shift exceeds in either direction.

    Returns:
        The same shape.
    """
    bins, reach = magnitudes.shape[2], most + 2
    roots = ops.sqrt(magnitudes)
    edges = [ops.repeat(edge, reach, axis=2) for edge in (roots[:, :, :1], roots[:, :, -1:])]
    padded = ops.concatenate([edges[0], roots, edges[1]], axis=2)
    total = ops.zeros_like(roots)
    for step in range(-reach + 1, reach):
        weight = _cubic(ops.abs(step - shift))[:, None, None]
        total = total + weight * padded[:, :, reach - step : reach - step + bins]
    return ops.maximum(total, 0.0) ** 2


def _cubic(distance: Any) -> Any:
    """The kernel of cubic convolution at a distance in bins, at least 0."""
    near = (1.5 * distance - 2.5) * distance**2 + 1.0
    far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    return ops.where(distance < 1, near, ops.where(distance < 2, far, 0.0))


def reverberated(magnitudes: Any, decay: Any, share: Any, longest: float) -> Any:
    """Smear spectrograms in time, as a room does.

    A sound that ends decays exponentially, by 60 dB in ``decay`` frames; one that lasts keeps its level. What
    sounded before the clip is taken to be its first frame.

    Args:
        magnitudes: float ``[batch, frames, bins]``, at least 0.
        decay: in frames, float ``[batch]``, at least 0.
        share: of the reverberated sound in the sum, float ``[batch]``, 0 to 1.
        longest: a number of frames that no decay exceeds.

    Returns:
        The same shape.
    """
    ratio = (10.0 ** (-3.0 / ops.maximum(decay, 1e-3)))[:, None, None]
    # 1 + r z + r^2 z^2 + ... = (1 + r z) (1 + r^2 z^2) (1 + r^4 z^4) ..., cut off 60 dB down or later.
    frames = magnitudes.shape[1] or np.inf
    first, length = magnitudes[:, :1], ops.shape(magnitudes)[1]
    tail, reach, power = magnitudes - first, 1, ratio
    while reach < min(longest + 1, frames):
        earlier = ops.pad(tail, [[0, 0], [reach, 0], [0, 0]])[:, :length]
        tail, reach, power = tail + power * earlier, 2 * reach, power * power
    wet = first + (1.0 - ratio) * tail
    # Rounding may leave less than nothing.
    return ops.maximum(magnitudes + share[:, None, None] * (wet - magnitudes), 0.0)


def noisy(magnitudes: Any, level: Any, colour: Any, draws: Any) -> Any:
    """Add Gaussian noise to spectrograms: powers add up.

    The power of Gaussian noise in a bin is distributed exponentially. Here it is independent from bin to bin
    and frame to frame, which the overlapping filters of the transform make it only in part.

    Args:
        magnitudes: float ``[batch, frames, bins]``, at least 0.
        level: the mean power of the noise, in dB relative to that of the clip, float ``[batch]``.
        colour: the spectrum of the noise, in dB up to a constant, float ``[batch, bins]``.
        draws: random numbers, uniform from 0 to 1, float ``[batch, frames, bins]``.

    Returns:
        The same shape.
    """
    powers = magnitudes**2
    spectrum = 10.0 ** (colour / 10)
    spectrum = spectrum / ops.mean(spectrum, axis=1, keepdims=True)
    mean = ops.mean(powers, axis=(1, 2)) * 10.0 ** (level / 10)
    noise = -ops.log(ops.maximum(draws, 1e-7))
    return ops.sqrt(powers + noise * (mean[:, None] * spectrum)[:, None])


def band_gains(pitches: Any, low: Any, low_slope: Any, high: Any, high_slope: Any) -> Any:
    """The factors on magnitudes of a high-pass and a low-pass with straight slopes, at least -120 dB.

    Args:
        pitches: of the bins, as logarithms to base 2 of their frequencies, float ``[1, bins]``.
        low: where the high-pass begins, likewise, float ``[batch, 1]``.
        low_slope: its slope in dB per octave, float ``[batch, 1]``.
        high: where the low-pass begins, float ``[batch, 1]``.
        high_slope: its slope, float ``[batch, 1]``.

    Returns:
        Float ``[batch, bins]``, at most 1.
    """
    cut = low_slope * ops.maximum(low - pitches, 0.0) + high_slope * ops.maximum(pitches - high, 0.0)
    return 10.0 ** (-ops.minimum(cut, _DEEPEST_CUT_DB) / 20)


def build_roughening(settings: AugmentConfig, features: FeatureConfig, seed: int = 0) -> Roughening | None:
    """The layer that a configuration asks for; None without any roughening of spectrograms."""
    rough = (settings.detune_cents, settings.reverb_seconds, settings.noise_floor_db, settings.band_limits)
    if not any(rough):
        return None
    extra = features.extra_bins if settings.needs_stored_bins else 0
    return Roughening(
        features.fmin * 2 ** (-extra / features.bins_per_octave),
        features.bins_per_octave,
        features.hop_length / features.sample_rate,
        features.db_max - features.db_min,
        features.floor,
        detune_cents=settings.detune_cents,
        reverb_seconds=settings.reverb_seconds,
        noise_floor_db=settings.noise_floor_db,
        band_limits=settings.band_limits,
        # Not the seed of the other variations, whose draws would otherwise be the same.
        seed=(seed + 1) % 2**32,
        name="roughening",
    )
