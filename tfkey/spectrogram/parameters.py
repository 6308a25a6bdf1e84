"""The settings of a spectrogram and the parameters of a transform, light to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from tfkey.settings import FeatureConfig

FLOORS = ("hard", "soft")
"""How magnitudes below ``db_min`` are mapped; :mod:`tfkey.spectrogram.frontend` defines both."""


def soft_span(decibels: float) -> float:
    """Return ``log(1 + m_max / m_min)``, the logarithm that a soft floor maps to 1.

    Args:
        decibels: the distance from m_min to m_max, in dB.
    """
    return float(np.log1p(10 ** (decibels / 20)))


@dataclass(frozen=True)
class Features:
    """The settings of a spectrogram for naming keys: without pydantic, which is slow to import.

    :class:`tfkey.settings.FeatureConfig` explains and checks them. They have no defaults: a network's
    answers are worthless on spectrograms unlike those of its training. Only ``floor`` has one: files from
    before this setting do not contain it, and all of them had a hard floor.
    """

    sample_rate: int
    hop_length: int
    fmin: float
    n_bins: int
    bins_per_octave: int
    filter_scale: float
    db_min: float
    db_max: float
    floor: str = "hard"

    # Only training data needs room for pitch shifts.
    extra_semitones: ClassVar[int] = 0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Features:
        """Take the needed ones from the values of all settings.

        Raises:
            KeyError: a setting is missing.
            ValueError: the floor is unknown.
        """
        values = {"floor": "hard", **values}
        if values["floor"] not in FLOORS:
            raise ValueError(f"floor {values['floor']!r} is not one of {', '.join(FLOORS)}")
        return cls(**{field.name: values[field.name] for field in fields(cls)})

    @property
    def stored_bins(self) -> int:
        """The number of bins of a spectrogram: those of the network's band."""
        return self.n_bins

    @property
    def decibels(self) -> float:
        """The distance from ``db_min`` to ``db_max``, in dB."""
        return self.db_max - self.db_min


@dataclass(frozen=True)
class Parameters:
    """The parameters of a transform, with librosa's names and meanings."""

    sample_rate: float
    hop_length: int
    fmin: float
    n_bins: int
    bins_per_octave: int
    tuning: float
    filter_scale: float
    norm: float | None
    window: str
    scale: bool

    @classmethod
    def of(cls, features: FeatureConfig | Features, cents: float = 0.0, wide: bool = False) -> Parameters:
        """Return the transform that the settings of a spectrogram describe.

        Args:
            features: the settings.
            cents: shift of all bins upwards, in hundredths of a semitone.
            wide: include the extra semitones below and above the network's band.
        """
        below = features.extra_semitones if wide else 0
        return cls(
            sample_rate=float(features.sample_rate),
            hop_length=features.hop_length,
            fmin=features.fmin * 2 ** (cents / 1200 - below / 12),
            n_bins=features.stored_bins if wide else features.n_bins,
            bins_per_octave=features.bins_per_octave,
            tuning=0.0,
            filter_scale=features.filter_scale,
            norm=1,
            window="hann",
            scale=True,
        )

    @property
    def frequencies(self) -> np.ndarray:
        """Centre frequency of every bin in Hz, float64 ``[n_bins]``."""
        return self.fmin * 2.0 ** ((np.arange(self.n_bins) + self.tuning) / self.bins_per_octave)

    @property
    def q(self) -> float:
        """Ratio of a bin's centre frequency to its bandwidth ``sample_rate / length``."""
        step = 2.0 ** (2.0 / self.bins_per_octave)
        return self.filter_scale * (step + 1) / (step - 1)

    @property
    def lengths(self) -> np.ndarray:
        """Length of every filter in samples (not whole numbers), float64 ``[n_bins]``."""
        return self.q * self.sample_rate / self.frequencies
