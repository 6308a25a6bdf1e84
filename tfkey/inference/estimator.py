"""From a recording to its key: a trained network applied to whole tracks of any length.

Each step can also be used alone: a file (:func:`tfkey.audio.reading.read`), a waveform
(:meth:`KeyEstimator.estimate_waveform`), a spectrogram (:meth:`KeyEstimator.spectrogram`), its probabilities
(:meth:`KeyEstimator.probabilities`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkey.audio.memory import Memory
from tfkey.audio.reading import is_silent
from tfkey.audio.recordings import Recording, Waveform, open_recording
from tfkey.errors import AudioError, UsageError
from tfkey.inference.bundle import Metadata, open_bundle
from tfkey.inference.covering import covering_starts
from tfkey.inference.estimate import NO_TONES, SILENT, Estimate
from tfkey.inference.judged import Judged, without_offset
from tfkey.inference.key_over_time import Segment, segments
from tfkey.inference.level import Conditioning, conditioning, levelled
from tfkey.inference.networks import Network, load_network
from tfkey.inference.pretrained import pretrained_folder
from tfkey.inference.saved_model import SavedModelNetwork, find_saved_model
from tfkey.inference.tones import LEAST_TONALITY, Tones, find_tones
from tfkey.keys import KEYS
from tfkey.scoring.calibration import calibrated
from tfkey.spectrogram.light import spectrogram

if TYPE_CHECKING:
    from tfkey.runs import Run

__all__ = ["NO_TONES", "SILENT", "Estimate", "KeyEstimator", "Segment"]

LEAST_CORRECTION = 15.0
"""Cents from A4 = 440 Hz; the filters are moved to the tuning of recordings that deviate by this or more."""

# Filters are designed for whole multiples of this many cents; designing them takes a tenth of a second.
_CORRECTION_STEP = 5.0


class KeyEstimator:
    """Names the key of recordings with a trained network. Use each object from one thread at a time.

    Args:
        metadata: the metadata of the network.
        network: maps spectrograms (or waveforms) to probabilities.
        least_tonality: the least tonality, 0 to 1, of a recording that has a key, see
            :data:`tfkey.inference.tones.LEAST_TONALITY`; with 0, everything except silence has a key.
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
        self._recording_memory, self._window_memory = Memory(), Memory()

    @classmethod
    def from_pretrained(cls, name: str | None = None, **settings: Any) -> KeyEstimator:
        """Load a network that comes with tfkey; :attr:`description` says what it is.

        Args:
            name: its name (:func:`tfkey.inference.pretrained.pretrained_names` lists them); None for the
                default one.
            **settings: further arguments of the class.

        Raises:
            UsageError: no network of that name comes with tfkey; names those that do.
        """
        return cls.from_export(pretrained_folder(name), **settings)

    @classmethod
    def from_export(cls, path: Path | str, *, threads: int = 1, **settings: Any) -> KeyEstimator:
        """Load a folder that ``tfkey export`` wrote, in any format.

        Args:
            path: the folder; for a SavedModel, also that of one of its versions (else the highest counts).
            threads: the number of threads that the network may use (not with keras or a SavedModel).
            **settings: further arguments of the class.

        Raises:
            DataError: the folder is not an export, or it is damaged.
            MissingExtraError: the format needs a package that is not installed (litert does not).
        """
        saved = find_saved_model(Path(path))
        if saved is not None:
            network = SavedModelNetwork(saved)
            return cls(network.metadata, network, **settings)
        bundle = open_bundle(Path(path))
        return cls(bundle.metadata, load_network(bundle, threads), **settings)

    @classmethod
    def from_run(cls, run: Run | Path | str, **settings: Any) -> KeyEstimator:
        """Load the best network of a run with Keras (see :mod:`tfkey.runs` for what can be wrong with it).

        Args:
            run: the run, or its folder.
            **settings: further arguments of the class.

        Raises:
            MissingExtraError: TensorFlow is not installed; an export of the run does not need it.
        """
        from tfkey.inference.from_run import load_run_network

        return cls(*load_run_network(run), **settings)

    @property
    def description(self) -> str:
        """What the weights are, in words."""
        return self.metadata.description

    @property
    def network(self) -> Network:
        """The network: maps a batch of intervals to probabilities without calibration."""
        return self._network

    def estimate(
        self,
        recording: Path | str | np.ndarray | Recording,
        sample_rate: int | None = None,
        *,
        step_seconds: float | None = None,
    ) -> Estimate:
        """Name the key of a recording.

        Args:
            recording: an audio file, or a mono waveform, float ``[samples]`` with full scale at 1.0, or a
                recording at the sample rate of the features
                (:func:`tfkey.audio.recordings.open_recording`), if something else reads it, too.
            sample_rate: the rate of the waveform in Hz; None for that of the features.
            step_seconds: the distance between the starts of the intervals for key over time; each of them is
                analysed separately. None for the intervals from which the key of the track is found.

        Raises:
            AudioError: the file cannot be read, or the array is not a waveform. If a file is cut, the
                readable part is analysed, with a warning.
        """
        rate = self.metadata.features.sample_rate
        if isinstance(recording, (Path, str)):
            recording = open_recording(recording, rate, memory=self._recording_memory)
        if not isinstance(recording, np.ndarray):
            return self._estimate(recording, step_seconds)
        waveform = _checked(recording)
        if sample_rate not in (None, rate):
            import soxr

            waveform = soxr.resample(waveform, sample_rate, rate)
        return self._estimate(Waveform(waveform), step_seconds)

    def estimate_waveform(self, waveform: np.ndarray, *, step_seconds: float | None = None) -> Estimate:
        """Name the key of a mono waveform, float ``[samples]`` at the sample rate of the features."""
        return self.estimate(waveform, step_seconds=step_seconds)

    def spectrogram(self, waveform: np.ndarray, cents: float = 0.0) -> np.ndarray:
        """Make the spectrogram that the network gets.

        Args:
            waveform: float ``[samples]`` at the sample rate of the features.
            cents: the deviation from A4 = 440 Hz by which the bins are moved.

        Returns:
            float32 ``[frames, bins]`` in [0, 1].
        """
        return spectrogram(waveform, self.metadata.features, cents)

    def probabilities(self, spectrogram: np.ndarray) -> np.ndarray:
        """Apply the network to one spectrogram as it is, as one interval, without calibration.

        Args:
            spectrogram: ``[frames, bins]`` in [0, 1]; at least ``metadata.minimum_frames`` frames.

        Returns:
            float64 ``[24]``, sum 1.

        Raises:
            UsageError: the network computes its own spectrogram.
        """
        if self.metadata.takes_waveforms:
            raise UsageError("this network takes waveforms; call estimate_waveform instead")
        return self._network(spectrogram[np.newaxis, :, :, np.newaxis])[0].astype(np.float64)

    def _estimate(self, recording: Recording, step_seconds: float | None) -> Estimate:
        length, rate = self.metadata.interval, self.metadata.features.sample_rate
        starts = covering_starts(recording.samples, length)
        condition = (
            conditioning(recording, rate)
            if self.metadata.level_db is None
            else levelled(recording, rate, self.metadata.level_db)
        )
        judged = self._judge(recording, starts, length, condition, 0.0)
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
            judged = self._judge(recording, starts, length, condition, correction)
        mean = calibrated(judged.probabilities.mean(axis=0), self.metadata.temperature)
        if step_seconds is not None and recording.samples > self.metadata.window:
            length = self.metadata.window
            step = max(1, round(step_seconds * rate))
            starts = covering_starts(recording.samples, length, step)
            judged = self._judge(recording, starts, length, condition, correction)
        best = int(mean.argmax())
        tonal = judged.tonal(reason is None, self.least_tonality)
        return Estimate(
            key=KEYS[best] if reason is None else None,
            probabilities=mean,
            confidence=float(mean[best]),
            reason=reason,
            tuning_cents=cents,
            seconds=recording.samples / rate,
            segments=self._segments(judged, starts, length, recording.samples, tonal),
            warning=recording.warning,
            interval_probabilities=judged.probabilities[tonal],
        )

    def _correction(self, cents: float | None) -> float:
        """The cents by which to move the filters; the filters inside a network cannot be moved."""
        if cents is None or abs(cents) < LEAST_CORRECTION or not self.correct_tuning:
            return 0.0
        return 0.0 if self.metadata.takes_waveforms else _CORRECTION_STEP * round(cents / _CORRECTION_STEP)

    def _judge(
        self,
        recording: Recording,
        starts: Sequence[int],
        length: int,
        condition: Conditioning,
        cents: float,
    ) -> Judged:
        least = self.metadata.least
        rows, tonality, silent = [], [], []
        tones = Tones()
        for window in recording.windows(starts, length):
            silent.append(is_silent(without_offset(window, condition.offset)))
            waveform = condition(window, self._window_memory)
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
        return Judged(np.stack(rows), tones, tonality, silent)

    def _segments(
        self, judged: Judged, starts: Sequence[int], length: int, samples: int, tonal: np.ndarray
    ) -> tuple[Segment, ...]:
        rate = self.metadata.features.sample_rate
        return segments(
            calibrated(judged.probabilities, self.metadata.interval_temperature),
            [start / rate for start in starts],
            min(length, samples) / rate,
            samples / rate,
            tonal.tolist(),
        )


def _checked(recording: np.ndarray) -> np.ndarray:
    """A waveform as float32.

    Raises:
        AudioError: the array is not a waveform, or it is empty.
    """
    # Integers have another full scale.
    if recording.dtype.kind != "f" or recording.ndim != 1 or not np.isfinite(recording).all():
        raise AudioError(f"waveform of {recording.dtype} {recording.shape}: give finite floats as [samples]")
    if not recording.size:
        raise AudioError("waveform: holds no samples; give at least one")
    return np.asarray(recording, np.float32)
