"""From a waveform to the network's input, in NumPy (its twin in Keras: :mod:`tfkey.spectrogram.frontend`)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tfkey.spectrogram.light_cqt import ConstantQ
from tfkey.spectrogram.parameters import Features, Parameters, soft_span

# Below it a magnitude counts as 0.
_TINY = 1e-10

SOFT_DEPTH_DB = 40.0
"""How far below ``db_min`` levels can be told from silence on a soft floor, in dB; the value there is 0.0016
in the usual range, a pixel's step 0.0039."""


def spectrogram(waveform: np.ndarray, features: Features, cents: float = 0.0) -> np.ndarray:
    """Transform a waveform.

    Args:
        waveform: float ``[samples]`` at ``features.sample_rate``.
        features: the parameters.
        cents: upward shift of all bins. Designing the filters for a new value takes a tenth of a second.

    Returns:
        float32 ``[1 + samples // hop_length, n_bins]`` in [0, 1].
    """
    picture = _transform(features, cents)(np.asarray(waveform, np.float32))
    if features.floor == "soft":
        picture *= np.float32(10 ** (-features.db_min / 20))
        np.log1p(picture, out=picture)
        picture *= np.float32(1 / soft_span(features.decibels))
    else:
        np.maximum(picture, _TINY, out=picture)
        np.log10(picture, out=picture)
        picture *= np.float32(20 / features.decibels)
        picture -= np.float32(features.db_min / features.decibels)
    return np.clip(picture, 0.0, 1.0, out=picture)


def levels(picture: np.ndarray, features: Features) -> np.ndarray:
    """Return the levels in a spectrogram, in dB above a lowest level that counts as silence.

    Args:
        picture: ``[frames, bins]`` in [0, 1].
        features: its parameters.

    Returns:
        ``[frames, bins]``, at least 0: dB above ``lowest_level(features)``. Both are of the same float type.
    """
    if features.floor == "hard":
        return picture * np.float32(features.decibels)
    magnitude = np.expm1(picture * np.float32(soft_span(features.decibels)))
    least = 10 ** (-SOFT_DEPTH_DB / 20)
    return np.float32(20) * np.log10(np.maximum(magnitude * np.float32(1 / least), np.float32(1)))


def lowest_level(features: Features) -> float:
    """The level in dB (re magnitude 1) that :func:`levels` gives as 0."""
    return features.db_min - (SOFT_DEPTH_DB if features.floor == "soft" else 0.0)


@lru_cache(maxsize=64)
def _transform(features: Features, cents: float) -> ConstantQ:
    return ConstantQ(Parameters.of(features, cents))
