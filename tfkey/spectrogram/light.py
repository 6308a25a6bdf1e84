"""From a waveform to the network's input, in NumPy (its twin in Keras: :mod:`tfkey.spectrogram.frontend`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np

from tfkey.spectrogram.filters import Parameters
from tfkey.spectrogram.light_cqt import ConstantQ

# Below it a magnitude counts as 0.
_TINY = 1e-10


@dataclass(frozen=True)
class Features:
    """The parameters of a spectrogram; :class:`tfkey.settings.FeatureConfig` explains and checks them."""

    sample_rate: int
    hop_length: int
    fmin: float
    n_bins: int
    bins_per_octave: int
    filter_scale: float
    db_min: float
    db_max: float

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Features:
        """Take what is needed from the values of all settings.

        Raises:
            KeyError: a parameter is missing.
        """
        return cls(**{field.name: values[field.name] for field in fields(cls)})

    @property
    def decibels(self) -> float:
        """The range of levels, in dB, that a spectrogram's [0, 1] stands for."""
        return self.db_max - self.db_min


def spectrogram(waveform: np.ndarray, features: Features, cents: float = 0.0) -> np.ndarray:
    """Transform a waveform.

    Args:
        waveform: float ``[samples]`` at ``features.sample_rate``.
        features: the parameters.
        cents: by which all bins are shifted upwards. Each new value has its filters designed, half a second.

    Returns:
        float32 ``[1 + samples // hop_length, n_bins]`` in [0, 1].
    """
    picture = _transform(features, cents)(np.asarray(waveform, np.float32))
    np.maximum(picture, _TINY, out=picture)
    np.log10(picture, out=picture)
    picture *= np.float32(20 / features.decibels)
    picture -= np.float32(features.db_min / features.decibels)
    return np.clip(picture, 0.0, 1.0, out=picture)


@lru_cache(maxsize=64)
def _transform(features: Features, cents: float) -> ConstantQ:
    return ConstantQ(
        Parameters(
            sample_rate=float(features.sample_rate),
            hop_length=features.hop_length,
            fmin=features.fmin * 2 ** (cents / 1200),
            n_bins=features.n_bins,
            bins_per_octave=features.bins_per_octave,
            tuning=0.0,
            filter_scale=features.filter_scale,
            norm=1,
            window="hann",
            scale=True,
        )
    )
