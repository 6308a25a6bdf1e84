"""Augmentation: training spectrograms are varied in the graph, on the training device.

A pitch shift costs nothing: it takes another part of the band of a spectrogram that was stored with extra
semitones. The label would have to move with it. Instead the network's logits are moved back
(:class:`KeyShift`), which gives the same loss and keeps the labels, and the metrics, those of the recording.
All other variations leave the key unchanged. Masks and crops follow SpecAugment (Park et al. 2019, arXiv
1904.08779).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from tfkey.keys import N_CLASSES
from tfkey.settings import AugmentConfig, FeatureConfig
from tfkey.training.levels import to_magnitudes, to_values


@keras.saving.register_keras_serializable(package="tfkey")
class Augmentation(keras.layers.Layer):
    """Varies spectrograms in training; outside training it only cuts out the network's band.

    Called with float ``[batch, frames, stored bins, 1]`` in [0, 1]. Returns float32
    ``[batch, frames, bins, 1]`` in [0, 1], and int32 ``[batch]``: the number of semitones by which each
    example was moved up.

    Args:
        bins: the bins of the network's band, which is in the middle of the stored bins.
        bins_per_semitone: the bins by which a shift of one semitone moves the picture.
        db_range: the distance from ``features.db_min`` to ``features.db_max``, in dB.
        floor: ``hard`` or ``soft``, how values represent levels; see :mod:`tfkey.spectrogram.frontend`.
        pitch_shift: the largest shift up or down, in semitones; all shifts are equally likely.
        crop_frames: length of the part taken at random; None for all frames.
        time_masks: the number of stretches of time that are blanked (set to 0).
        time_mask_frames: the longest of them; lengths are uniform from 0.
        frequency_masks: the number of bands that are blanked.
        frequency_mask_bins: the widest of them; widths are uniform from 0.
        equaliser_db: the greatest boost or cut of a curve through a random value per octave.
        gain_db: the greatest change of level.
        noise_db: standard deviation of normal noise added to every value.
        seed: the seed of everything random; see :class:`tfkey.training.callbacks.EpochSeeds`.
    """

    def __init__(
        self,
        bins: int,
        bins_per_semitone: int = 2,
        db_range: float = 80.0,
        *,
        floor: str = "hard",
        pitch_shift: int = 0,
        crop_frames: int | None = None,
        time_masks: int = 0,
        time_mask_frames: int = 1,
        frequency_masks: int = 0,
        frequency_mask_bins: int = 1,
        equaliser_db: float = 0.0,
        gain_db: float = 0.0,
        noise_db: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        # Half precision would round the pictures before they are varied.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self._arguments: dict[str, Any] = {
            "bins": bins,
            "bins_per_semitone": bins_per_semitone,
            "db_range": db_range,
            "floor": floor,
            "pitch_shift": pitch_shift,
            "crop_frames": crop_frames,
            "time_masks": time_masks,
            "time_mask_frames": time_mask_frames,
            "frequency_masks": frequency_masks,
            "frequency_mask_bins": frequency_mask_bins,
            "equaliser_db": equaliser_db,
            "gain_db": gain_db,
            "noise_db": noise_db,
            "seed": seed,
        }
        self._random = keras.random.SeedGenerator(seed)
        # Triangles an octave apart that sum to 1 everywhere: no curve through them exceeds its knots.
        octaves = np.arange(bins) / (12 * bins_per_semitone)
        knots = np.arange(int(octaves[-1]) + 2)
        self._triangles = np.maximum(0, 1 - np.abs(octaves - knots[:, np.newaxis])).astype(np.float32)

    def build(self, input_shape: Any) -> None:
        """The layer has no weights."""

    def call(self, pictures: Any, training: bool = False) -> tuple[Any, Any]:
        """Vary a batch, or only cut out its band."""
        given = self._arguments
        batch, bins = ops.shape(pictures)[0], given["bins"]
        extra = (pictures.shape[2] - bins) // 2
        shift = ops.zeros((batch,), "int32")
        if not training:
            return pictures[:, :, extra : extra + bins], shift
        if given["pitch_shift"]:
            shift = self._whole((batch,), -given["pitch_shift"], given["pitch_shift"])
        # A lower window on the stored band makes the music higher.
        pictures = _windows(pictures, extra - shift * given["bins_per_semitone"], bins, axis=2)
        if given["crop_frames"] is not None and given["crop_frames"] < (pictures.shape[1] or np.inf):
            frames = ops.shape(pictures)[1]
            spare = ops.maximum(frames - given["crop_frames"], 0)
            start = self._whole((batch,), 0, spare)
            pictures = _windows(pictures, start, given["crop_frames"], axis=1)
        pictures = self._levels(pictures)
        pictures = self._masks(pictures, 1, given["time_masks"], given["time_mask_frames"])
        pictures = self._masks(pictures, 2, given["frequency_masks"], given["frequency_mask_bins"])
        return pictures, shift

    def _levels(self, pictures: Any) -> Any:
        """Apply equaliser, gain and noise, which all add up in dB of magnitude."""
        given = self._arguments
        batch = ops.shape(pictures)[0]
        decibels: list[Any] = []
        if given["equaliser_db"]:
            knots = self._uniform((batch, len(self._triangles)), given["equaliser_db"])
            curve = ops.matmul(knots, ops.convert_to_tensor(self._triangles))
            decibels.append(curve[:, None, :, None])
        if given["gain_db"]:
            decibels.append(self._uniform((batch, 1, 1, 1), given["gain_db"]))
        if given["noise_db"]:
            shape = ops.shape(pictures)
            decibels.append(keras.random.normal(shape, 0.0, given["noise_db"], seed=self._random))
        if not decibels:
            return pictures
        if given["floor"] == "hard":
            return ops.clip(pictures + sum(decibels) / given["db_range"], 0.0, 1.0)
        scale = given["db_range"], given["floor"]
        # Beyond these gains, everything is silent or at the top; float32 ends at 770 dB.
        gain = 10.0 ** (ops.clip(sum(decibels), -600.0, 600.0) / 20)
        return to_values(to_magnitudes(pictures, *scale) * gain, *scale)

    def _masks(self, pictures: Any, axis: int, count: int, longest: int) -> Any:
        batch, length = ops.shape(pictures)[0], ops.shape(pictures)[axis]
        place = ops.arange(length)[None]
        for _ in range(count):
            width = ops.minimum(self._whole((batch, 1), 0, longest), length)
            start = self._whole((batch, 1), 0, length - width)
            kept = ops.cast((place < start) | (place >= start + width), pictures.dtype)
            pictures = pictures * (kept[:, :, None, None] if axis == 1 else kept[:, None, :, None])
        return pictures

    def _whole(self, shape: tuple[Any, ...], least: Any, most: Any) -> Any:
        """Whole numbers from ``least`` to ``most``, both included."""
        share = keras.random.uniform(shape, 0.0, 1.0, seed=self._random)
        span = ops.cast(most - least + 1, "float32")
        # Rounding may give a share of exactly 1.
        return least + ops.minimum(ops.cast(ops.floor(share * span), "int32"), most - least)

    def _uniform(self, shape: tuple[Any, ...], greatest: float) -> Any:
        return keras.random.uniform(shape, -greatest, greatest, seed=self._random)

    def compute_output_spec(self, pictures: Any, training: bool = False) -> tuple[Any, Any]:
        """With crops the number of frames is open: outside training nothing is cropped."""
        batch, frames, _, channels = pictures.shape
        frames = None if self._arguments["crop_frames"] is not None else frames
        shape = (batch, frames, self._arguments["bins"], channels)
        return keras.KerasTensor(shape, "float32"), keras.KerasTensor((batch,), "int32")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **self._arguments}


@keras.saving.register_keras_serializable(package="tfkey")
class KeyShift(keras.layers.Layer):
    """Moves logits back by the semitones that the music was moved up.

    ``result[key] = logits[key moved up]``: float ``[batch, 24]`` and int32 ``[batch]`` to float32
    ``[batch, 24]``. The cross-entropy of the result with the recording's key equals that of the logits with
    the moved key.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    def build(self, input_shape: Any) -> None:
        """The layer has no weights."""

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Move a batch."""
        logits, shift = inputs
        classes = ops.arange(N_CLASSES)[None]
        moved = ops.mod(classes + ops.cast(shift, "int32")[:, None], 12) + classes // 12 * 12
        # The gradient of a gather is a scatter, which GPUs cannot compute deterministically.
        is_source = moved[:, :, None] == classes[:, None]
        return ops.sum(ops.where(is_source, ops.cast(logits, "float32")[:, None], 0.0), axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the logits."""
        return tuple(input_shape[0])


def build_augmentation(
    settings: AugmentConfig, features: FeatureConfig, seed: int = 0
) -> Augmentation | None:
    """The layer that a configuration asks for; None without any variation.

    Detuned spectrograms come with their extra semitones, which this layer cuts off.
    """
    per_second = features.sample_rate / features.hop_length
    varied = (settings.pitch_shift, settings.time_masks, settings.frequency_masks, settings.equaliser_db,
              settings.gain_db, settings.noise_db, settings.crop_seconds,
              settings.detune_cents and features.extra_bins)  # fmt: skip
    if not any(varied):
        return None
    crop = settings.crop_seconds
    return Augmentation(
        features.n_bins,
        max(1, features.bins_per_octave // 12),
        features.db_max - features.db_min,
        floor=features.floor,
        pitch_shift=settings.pitch_shift,
        crop_frames=None if crop is None else features.frames(round(crop * features.sample_rate)),
        time_masks=settings.time_masks,
        time_mask_frames=max(1, round(settings.time_mask_seconds * per_second)),
        frequency_masks=settings.frequency_masks,
        frequency_mask_bins=max(1, round(settings.frequency_mask_semitones * features.bins_per_octave / 12)),
        equaliser_db=settings.equaliser_db,
        gain_db=settings.gain_db,
        noise_db=settings.noise_db,
        seed=seed,
        name="augmentation",
    )


def _windows(x: Any, start: Any, length: int, axis: int) -> Any:
    """The ``length`` places of an axis from each example's ``start`` on."""
    places = start[:, None] + ops.arange(length)[None]
    shape = [ops.shape(x)[0], ops.shape(x)[1], ops.shape(x)[2], ops.shape(x)[3]]
    shape[axis] = length
    places = places[:, :, None, None] if axis == 1 else places[:, None, :, None]
    return ops.take_along_axis(x, ops.broadcast_to(places, shape), axis=axis)
