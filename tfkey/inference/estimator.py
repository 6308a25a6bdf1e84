"""From a recording to its key: a trained network applied to whole tracks of any length.

The steps can be taken one by one: a file (:func:`tfkey.audio.reading.read`), a waveform
(:meth:`KeyEstimator.estimate_waveform`), a spectrogram (:meth:`KeyEstimator.spectrogram`), its probabilities
(:meth:`KeyEstimator.probabilities`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkey.audio.reading import is_silent
from tfkey.audio.recordings import Recording, Waveform, open_recording
from tfkey.errors import AudioError, UsageError
from tfkey.inference.bundle import Metadata, open_bundle
from tfkey.inference.covering import covering_starts
from tfkey.inference.key_over_time import Segment, segments
from tfkey.inference.level import Conditioning, conditioning
from tfkey.inference.networks import Network, load_network
from tfkey.inference.tones import LEAST_TONALITY, Tones, find_tones
from tfkey.keys import KEYS, Key
from tfkey.scoring.calibration import calibrated
from tfkey.spectrogram.light import spectrogram

if TYPE_CHECKING:
    from tfkey.runs import Run

__all__ = ["Estimate", "KeyEstimator", "Segment"]

SILENT = "silent"
NO_TONES = "no tones (noise, speech or percussion)"

LEAST_CORRECTION = 15.0
"""Cents of deviation from A4 = 440 Hz from which on the filters are moved to the recording's tuning."""

# In a recording that has tones, an interval has them if it is no clear case of none.
_DOUBTFUL = 0.7

# Filters are designed for whole multiples of it, half a second each.
_CORRECTION_STEP = 5.0


@dataclass(frozen=True)
class Estimate:
    """The key of a recording.

    Attributes:
        key: the most probable one; None if there is none, then ``reason`` says why.
        probabilities: float64 ``[24]`` by class index, sum 1: calibrated, the mean over the recording.
        confidence: the probability of ``key``; of the best class if there is no key.
        reason: why there is no key; None if there is one.
        tuning_cents: deviation from A4 = 440 Hz, in [-50, 50); None if it cannot be told.
        seconds: the length of the recording.
        segments: key over time, in order, neighbours of one key joined.
        warning: what is wrong with the file though it was judged, such as that it is cut; None if nothing.
    """

    key: Key | None
    probabilities: np.ndarray
    confidence: float
    reason: str | None
    tuning_cents: float | None
    seconds: float
    segments: tuple[Segment, ...]
    warning: str | None = None

    def ranked(self, count: int = 3) -> list[tuple[Key, float]]:
        """The most probable keys and their probabilities, best first, at most ``count``."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(KEYS[index], float(self.probabilities[index])) for index in order]


@dataclass(frozen=True)
class _Judged:
    """What was found in a recording's intervals: float64 ``[intervals, 24]``, the tones of all together, how
    tonal each is, and which are silent."""

    probabilities: np.ndarray
    tones: Tones
    tonality: list[float]
    silent: list[bool]


class KeyEstimator:
    """Names the key of recordings by a trained network. One object serves one thread at a time.

    Args:
        metadata: what belongs to the network.
        network: from spectrograms (or waveforms) to probabilities.
        least_tonality: how sure it must be that a recording holds tones for it to have a key, 0 to 1, see
            :data:`tfkey.inference.tones.LEAST_TONALITY`; 0 gives everything but silence a key.
        correct_tuning: whether the filters are moved to the tuning of a recording that deviates by
            :data:`LEAST_CORRECTION` or more.
    """

    def __init__(
        self,
        metadata: Metadata,
        network: Network,
        *,
        least_tonality: float = LEAST_TONALITY,
        correct_tuning: bool = True,
    ) -> None:
        self.metadata = metadata
        self.least_tonality = least_tonality
        self.correct_tuning = correct_tuning
        self._network = network

    @classmethod
    def from_pretrained(cls, name: str = "demo", **settings: Any) -> KeyEstimator:
        """Load a network that comes with tfkey; :attr:`description` says what it is.

        Args:
            name: of the weights.
            **settings: of the class.

        Raises:
            UsageError: there is none of that name.
        """
        folder = Path(__file__).parents[1] / "weights"
        if not (folder / name / "tfkey.json").is_file():
            names = ", ".join(sorted(path.parent.name for path in folder.glob("*/tfkey.json"))) or "none"
            raise UsageError(f"weights {name!r} do not come with tfkey; there are: {names}")
        return cls.from_export(folder / name, **settings)

    @classmethod
    def from_export(cls, path: Path | str, *, threads: int = 1, **settings: Any) -> KeyEstimator:
        """Load a folder that ``tfkey export`` made, in the formats litert, onnx and keras.

        Args:
            path: the folder.
            threads: that the network may use.
            **settings: of the class.

        Raises:
            DataError: the folder is none, or damaged.
            MissingExtraError: the format needs a package that is not installed (litert does not).
        """
        bundle = open_bundle(Path(path))
        return cls(bundle.metadata, load_network(bundle, threads), **settings)

    @classmethod
    def from_run(cls, run: Run | Path | str, **settings: Any) -> KeyEstimator:
        """Load the best network of a run, by Keras (see :mod:`tfkey.runs` for what can be wrong with it).

        Args:
            run: the run, or its folder.
            **settings: of the class.

        Raises:
            MissingExtraError: TensorFlow is not installed; an export of the run needs none.
        """
        from tfkey.inference.from_run import load_run_network

        return cls(*load_run_network(run), **settings)

    @property
    def description(self) -> str:
        """What the weights are, in words."""
        return self.metadata.description

    def estimate(
        self,
        recording: Path | str | np.ndarray,
        sample_rate: int | None = None,
        *,
        step_seconds: float | None = None,
    ) -> Estimate:
        """Name the key of a recording.

        Args:
            recording: an audio file, or a mono waveform, float ``[samples]`` with full scale at 1.0.
            sample_rate: of the waveform, in Hz; None for that of the features.
            step_seconds: key over time is read from intervals that start this far apart, which costs an
                interval each; None for those that the whole track is judged by.

        Raises:
            AudioError: a file that cannot be read; a waveform that is none. A file that is cut is judged by
                what is there, with a warning.
        """
        rate = self.metadata.features.sample_rate
        if not isinstance(recording, np.ndarray):
            return self._estimate(open_recording(recording, rate), step_seconds)
        waveform = _checked(recording)
        if sample_rate not in (None, rate):
            import soxr

            waveform = soxr.resample(waveform, sample_rate, rate)
        return self._estimate(Waveform(waveform), step_seconds)

    def estimate_waveform(self, waveform: np.ndarray, *, step_seconds: float | None = None) -> Estimate:
        """Name the key of a mono waveform, float ``[samples]`` at the sample rate of the features."""
        return self.estimate(waveform, step_seconds=step_seconds)

    def spectrogram(self, waveform: np.ndarray, cents: float = 0.0) -> np.ndarray:
        """Make what the network sees.

        Args:
            waveform: float ``[samples]`` at the sample rate of the features.
            cents: the tuning of A4 against 440 Hz, to which the bins are moved.

        Returns:
            float32 ``[frames, bins]`` in [0, 1].
        """
        return spectrogram(waveform, self.metadata.features, cents)

    def probabilities(self, spectrogram: np.ndarray) -> np.ndarray:
        """Judge one spectrogram as it is, as one interval, without calibration.

        Args:
            spectrogram: ``[frames, bins]`` in [0, 1]; at least ``metadata.minimum_frames`` frames.

        Returns:
            float64 ``[24]``, sum 1.

        Raises:
            UsageError: the network makes its spectrogram itself.
        """
        if self.metadata.takes_waveforms:
            raise UsageError("this network takes waveforms; give it one by estimate_waveform")
        return self._network(spectrogram[np.newaxis, :, :, np.newaxis])[0].astype(np.float64)

    def _estimate(self, recording: Recording, step_seconds: float | None) -> Estimate:
        length, rate = self.metadata.interval, self.metadata.features.sample_rate
        starts = covering_starts(recording.samples, length)
        condition = conditioning(recording, rate)
        judged = self._judge(recording, starts, condition, 0.0)
        tones = judged.tones
        reason, cents = None, None
        if all(judged.silent):
            reason = SILENT
        elif tones.tonality < self.least_tonality:
            reason = NO_TONES
        else:
            cents = tones.cents
        correction = self._correction(cents)
        if correction:
            judged = self._judge(recording, starts, condition, correction)
        mean = calibrated(judged.probabilities.mean(axis=0), self.metadata.temperature)
        if step_seconds is not None and recording.samples > length:
            step = max(1, round(step_seconds * rate))
            starts = covering_starts(recording.samples, length, step)
            judged = self._judge(recording, starts, condition, correction)
        best = int(mean.argmax())
        return Estimate(
            key=KEYS[best] if reason is None else None,
            probabilities=mean,
            confidence=float(mean[best]),
            reason=reason,
            tuning_cents=cents,
            seconds=recording.samples / rate,
            segments=self._segments(judged, starts, recording.samples, reason is None),
            warning=recording.warning,
        )

    def _correction(self, cents: float | None) -> float:
        """The cents by which the filters are to be moved; a network's own cannot be."""
        if cents is None or abs(cents) < LEAST_CORRECTION or not self.correct_tuning:
            return 0.0
        return 0.0 if self.metadata.takes_waveforms else _CORRECTION_STEP * round(cents / _CORRECTION_STEP)

    def _judge(
        self, recording: Recording, starts: Sequence[int], condition: Conditioning, cents: float
    ) -> _Judged:
        least = self.metadata.least
        rows, tonality, silent = [], [], []
        tones = Tones()
        for window in recording.windows(starts, self.metadata.interval):
            silent.append(is_silent(window - np.float32(condition.offset) if condition.offset else window))
            waveform = condition(window)
            if waveform.size < least:
                waveform = np.pad(waveform, (0, least - waveform.size))
            picture = self.spectrogram(waveform, cents)
            found = find_tones(picture, self.metadata.features)
            tones += found
            tonality.append(found.tonality)
            if self.metadata.takes_waveforms:
                rows.append(self._network(waveform[np.newaxis])[0].astype(np.float64))
            else:
                rows.append(self.probabilities(picture))
        return _Judged(np.stack(rows), tones, tonality, silent)

    def _segments(
        self, judged: _Judged, starts: Sequence[int], samples: int, has_key: bool
    ) -> tuple[Segment, ...]:
        rate = self.metadata.features.sample_rate
        tonal = [
            has_key and not is_quiet and tonality >= _DOUBTFUL * self.least_tonality
            for tonality, is_quiet in zip(judged.tonality, judged.silent, strict=True)
        ]
        return segments(
            calibrated(judged.probabilities, self.metadata.temperature),
            [start / rate for start in starts],
            min(self.metadata.interval, samples) / rate,
            samples / rate,
            tonal,
        )


def _checked(recording: np.ndarray) -> np.ndarray:
    """A waveform as float32.

    Raises:
        AudioError: it is none, or empty.
    """
    # Whole numbers have another full scale.
    if recording.dtype.kind != "f" or recording.ndim != 1 or not np.isfinite(recording).all():
        raise AudioError(f"waveform of {recording.dtype} {recording.shape}: give finite floats as [samples]")
    if not recording.size:
        raise AudioError("waveform: holds no samples; give at least one")
    return np.asarray(recording, np.float32)
