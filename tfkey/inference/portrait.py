"""What is drawn of a recording: its waveform and its constant-Q spectrogram, in columns."""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tfkey.audio.reading import SILENCE_DB
from tfkey.audio.recordings import Recording, open_recording
from tfkey.spectrogram.filters import design
from tfkey.spectrogram.light_cqt import ConstantQ
from tfkey.spectrogram.parameters import Features, Parameters

RANGE_DB = 60.0
"""The levels that a portrait distinguishes: from the loudest to this far below, in dB."""

COLUMNS = 1200
"""The usual number of columns."""

# A few values may be louder than "the loudest": a single click must not darken all the rest.
_LOUDEST_SHARE = 0.999
# Seconds that are transformed at a time, and between two frames of a short recording at least.
_BLOCK_SECONDS = 20.0
_LEAST_HOP_SECONDS = 0.02


@dataclass(frozen=True)
class Portrait:
    """A recording in columns of equal length; the first begins at its start, the last ends at its end.

    Attributes:
        low: the lowest sample in each column, float32 ``[columns]``, full scale at 1.
        high: the highest sample in each column, float32 ``[columns]``.
        spectrogram: the level of each pitch, uint8 ``[columns, bins]``, with columns of its own: 255 is the
            loudest, 0 is :data:`RANGE_DB` or more below. A silent recording is 0 throughout.
        seconds: the length of the recording.
        lowest_hz: the frequency of the first bin in Hz.
        bins_per_octave: how many bins there are in an octave.
    """

    low: np.ndarray
    high: np.ndarray
    spectrogram: np.ndarray
    seconds: float
    lowest_hz: float
    bins_per_octave: int

    def as_json(self) -> dict[str, Any]:
        """Return the portrait for JSON, its arrays as base64.

        ``waveform`` has ``low`` and ``high``, int8 ``[columns]``, where 127 is full scale;
        ``spectrogram.values`` is uint8, column by column, the lowest bin first.
        """
        columns, bins = self.spectrogram.shape
        return {
            "seconds": self.seconds,
            "columns": self.low.size,
            "waveform": {"low": _base64(_int8(self.low)), "high": _base64(_int8(self.high))},
            "spectrogram": {
                "columns": columns,
                "bins": bins,
                "lowest_hz": self.lowest_hz,
                "bins_per_octave": self.bins_per_octave,
                "values": _base64(self.spectrogram),
            },
        }


def portrait(
    recording: Recording | Path | str,
    features: Features,
    columns: int = COLUMNS,
    bins_per_octave: int = 24,
) -> Portrait:
    """Make the portrait of a recording, which is read once, in bounded memory.

    Args:
        recording: a recording at the sample rate of the features, or a file.
        features: those of the network: their sample rate, their band, and how far apart frames are at most
            (in short recordings they are closer).
        columns: the number of columns, at least 1. A recording with fewer samples has a column for each; a
            spectrogram with fewer frames has a column for each.
        bins_per_octave: the bins of the spectrogram in an octave, at least 1.

    Raises:
        AudioError: the file cannot be read (:func:`tfkey.audio.recordings.open_recording`).
        ValueError: the recording is empty, or there are no columns.
    """
    if isinstance(recording, (Path, str)):
        recording = open_recording(recording, features.sample_rate)
    if recording.samples < 1 or columns < 1:
        raise ValueError(f"{recording.samples} samples in {columns} columns: give at least one of each")
    parameters = _parameters(features, recording.samples, columns, bins_per_octave)
    waveform = _Extremes(recording.samples, columns)
    powers = _Powers(recording.samples, columns, parameters)
    for part, frames in _blocks(recording, parameters):
        waveform.add(part)
        powers.add(frames)
    level = powers.spectrogram() if waveform.peak >= 10 ** (SILENCE_DB / 20) else powers.silence()
    return Portrait(
        waveform.low,
        waveform.high,
        level,
        recording.samples / features.sample_rate,
        parameters.fmin,
        bins_per_octave,
    )


def _parameters(features: Features, samples: int, columns: int, bins_per_octave: int) -> Parameters:
    """The transform for a recording of so many samples: the band of the features, and their hop unless less
    than half of the columns would be filled."""
    own = Parameters.of(features)
    hop = own.hop_length
    if 2 * (samples // hop) < columns:
        # One hop for all short recordings: designing the filters for another takes half a second.
        while hop % 2 == 0 and hop / 2 >= _LEAST_HOP_SECONDS * own.sample_rate:
            hop //= 2
    # No bin is above the highest of the features, which is below half the sample rate.
    bins = 1 + (own.n_bins - 1) * bins_per_octave // own.bins_per_octave
    return dataclasses.replace(own, hop_length=hop, n_bins=bins, bins_per_octave=bins_per_octave)


def _blocks(recording: Recording, parameters: Parameters) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give a recording part by part, float32 ``[samples]``, each with the magnitudes of the frames whose
    centres are in it, float32 ``[frames, bins]``: the same as those of the whole, but for rounding."""
    hop, transform = parameters.hop_length, _transform(parameters)
    plan = design(parameters)
    # The decimators count from the first sample, so a window must begin at a multiple of the hop.
    margin = -(-max(plan.left, plan.right) // hop) * hop
    frames = 1 + recording.samples // hop
    at_a_time = math.ceil(_BLOCK_SECONDS * parameters.sample_rate / hop)
    firsts = range(0, frames, at_a_time)
    starts = [max(0, first * hop - margin) for first in firsts]
    windows = recording.windows(starts, at_a_time * hop + 2 * margin)
    for first, start, window in zip(firsts, starts, windows, strict=False):
        before = first * hop - start
        found = transform(window)[before // hop :][:at_a_time]
        yield window[before:][: at_a_time * hop], found


class _Extremes:
    """The lowest and highest sample of each column, from consecutive parts of a waveform."""

    def __init__(self, samples: int, columns: int) -> None:
        columns = min(columns, samples)
        self._edges = np.arange(columns + 1) * samples // columns
        self._end = 0
        self.low = np.zeros(columns, np.float32)
        self.high = np.zeros(columns, np.float32)

    def add(self, part: np.ndarray) -> None:
        """Add the next samples."""
        begin, self._end = self._end, min(self._end + part.size, int(self._edges[-1]))
        if begin == self._end:
            return
        part = part[: self._end - begin]
        first = int(np.searchsorted(self._edges, begin, "right")) - 1
        last = int(np.searchsorted(self._edges, self._end, "left"))
        cuts = np.maximum(self._edges[first:last] - begin, 0)
        low, high = np.minimum.reduceat(part, cuts), np.maximum.reduceat(part, cuts)
        if begin > self._edges[first]:
            low[0], high[0] = min(low[0], self.low[first]), max(high[0], self.high[first])
        self.low[first:last], self.high[first:last] = low, high

    @property
    def peak(self) -> float:
        """The greatest distance from 0."""
        return float(max(self.high.max(), -self.low.min()))


class _Powers:
    """The mean power of each bin in each column, from consecutive frames."""

    def __init__(self, samples: int, columns: int, parameters: Parameters) -> None:
        self._samples, self._hop = samples, parameters.hop_length
        # A column is not shorter than a hop, so that the centre of a frame is in each.
        self._columns = max(1, min(columns, samples // parameters.hop_length))
        self._sums = np.zeros((self._columns, parameters.n_bins))
        self._counts = np.zeros(self._columns, np.int64)
        # A magnitude is the amplitude times the root of the filter's length: low notes would look louder.
        self._scale = 1 / parameters.lengths
        self._frames = 0

    def add(self, magnitudes: np.ndarray) -> None:
        """Add the next frames, float32 ``[frames, bins]``."""
        centres = (self._frames + np.arange(len(magnitudes))) * self._hop
        columns = np.minimum(centres * self._columns // self._samples, self._columns - 1)
        self._frames += len(magnitudes)
        firsts = np.flatnonzero(np.diff(columns, prepend=-1))
        self._sums[columns[firsts]] += np.add.reduceat(np.square(magnitudes, dtype=np.float64), firsts)
        self._counts += np.bincount(columns, minlength=self._columns)

    def spectrogram(self) -> np.ndarray:
        """The levels, uint8 ``[columns, bins]``, as :attr:`Portrait.spectrogram` has them."""
        powers = self._sums * self._scale / np.maximum(self._counts, 1)[:, np.newaxis]
        loudest = float(np.quantile(powers, _LOUDEST_SHARE)) or float(powers.max())
        if loudest <= 0.0:
            return self.silence()
        least = loudest * 10 ** (-RANGE_DB / 10)
        shares = np.log10(np.clip(powers, least, loudest) / least) / (RANGE_DB / 10)
        return np.rint(255 * shares).astype(np.uint8)

    def silence(self) -> np.ndarray:
        """The levels of a silent recording."""
        return np.zeros(self._sums.shape, np.uint8)


@lru_cache(maxsize=8)
def _transform(parameters: Parameters) -> ConstantQ:
    return ConstantQ(parameters)


def _int8(samples: np.ndarray) -> np.ndarray:
    return np.rint(127 * np.clip(samples, -1.0, 1.0)).astype(np.int8)


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
