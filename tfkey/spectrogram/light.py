"""From a waveform to the network's input, in NumPy (its twin in Keras: :mod:`tfkey.spectrogram.frontend`)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tfkey.spectrogram.filters import Features, Parameters
from tfkey.spectrogram.light_cqt import ConstantQ

# Below it a magnitude counts as 0.
_TINY = 1e-10


def spectrogram(waveform: np.ndarray, features: Features, cents: float = 0.0) -> np.ndarray:
    """Transform a waveform.

    Args:
        waveform: float ``[samples]`` at ``features.sample_rate``.
        features: the parameters.
        cents: upward shift of all bins. Designing the filters for a new value takes half a second.

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
    return ConstantQ(Parameters.of(features, cents))
