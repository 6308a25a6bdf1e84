"""From the probabilities of intervals to the keys of whole tracks, and their scores."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfkey._version import __version__
from tfkey.errors import DataError
from tfkey.keys import KEYS, N_CLASSES, Key
from tfkey.scoring.calibration import Calibration, Reliability, calibrated, reliability
from tfkey.scoring.mirex import Summary, summarise


@dataclass(frozen=True)
class Judgement:
    """The answers of a network for the tracks of a dataset.

    Attributes:
        tracks: their names.
        reference: their keys.
        probabilities: float64 ``[tracks, 24]``, the mean over each track's intervals.
        owners: the index in ``tracks`` of each interval's track, ``[intervals]``.
        parts: the number of each interval within its track.
        interval_probabilities: float64 ``[intervals, 24]``.
    """

    tracks: list[str]
    reference: list[Key]
    probabilities: NDArray[np.float64]
    owners: NDArray[np.intp]
    parts: list[int]
    interval_probabilities: NDArray[np.float64]

    @property
    def estimate(self) -> list[Key]:
        """The most probable key of each track."""
        return [KEYS[index] for index in self.probabilities.argmax(axis=1)]

    @property
    def intervals(self) -> list[int]:
        """The number of intervals of each track."""
        return [int(count) for count in np.bincount(self.owners, minlength=len(self.tracks))]

    @property
    def labels(self) -> NDArray[np.intp]:
        """The class index of each track's key."""
        return np.array([key.index for key in self.reference], np.intp)

    def summary(self) -> Summary:
        """The MIREX table with 95 % bootstrap intervals over tracks."""
        return summarise(self.reference, self.estimate)

    def interval_summary(self) -> Summary:
        """The table of single intervals; the bootstrap still draws whole tracks."""
        estimates = self.interval_probabilities.argmax(axis=1)
        return summarise(self.labels[self.owners], estimates, groups=self.owners)

    def of_key_mode(self, mode: str) -> Summary | None:
        """The table of the tracks whose reference is major, or is minor; None without any."""
        return self._of([number for number, key in enumerate(self.reference) if key.mode == mode])

    def of_key(self, key: Key) -> Summary | None:
        """The table of the tracks whose reference is that key; None without any."""
        return self._of([number for number, found in enumerate(self.reference) if found == key])

    def confusion(self) -> NDArray[np.intp]:
        """Tracks by reference and estimate, int ``[24 references, 24 estimates]`` by class index."""
        matrix = np.zeros((N_CLASSES, N_CLASSES), np.intp)
        np.add.at(matrix, (self.labels, self.probabilities.argmax(axis=1)), 1)
        return matrix

    def _of(self, numbers: Sequence[int]) -> Summary | None:
        if not numbers:
            return None
        estimate = self.estimate
        return summarise([self.reference[n] for n in numbers], [estimate[n] for n in numbers])


def judge(
    tracks: Sequence[Hashable],
    labels: Sequence[int],
    probabilities: np.ndarray,
    parts: Sequence[int] | None = None,
) -> Judgement:
    """Judge whole tracks by the mean of the probabilities of their intervals.

    Args:
        tracks: the track of each interval.
        labels: the class index of each interval.
        probabilities: float ``[intervals, 24]``.
        parts: the number of each interval within its track; None to number them in order.

    Returns:
        The judgement, tracks in the order of their first interval.

    Raises:
        DataError: there are no intervals, or those of one track have different keys.
    """
    if not len(tracks):
        raise DataError("there are no tracks to judge: give at least one interval")
    names = list(dict.fromkeys(tracks))
    position = {name: number for number, name in enumerate(names)}
    owners = np.array([position[track] for track in tracks], np.intp)
    counts = np.bincount(owners, minlength=len(names))
    rows = np.asarray(probabilities, np.float64)
    sums = np.zeros((len(names), rows.shape[1]))
    np.add.at(sums, owners, rows)
    first = {owner: int(label) for owner, label in zip(owners[::-1], labels[::-1], strict=True)}
    for owner, label in zip(owners, labels, strict=True):
        if label != first[owner]:
            both = f"{KEYS[first[owner]]} and {KEYS[label]}"
            raise DataError(f"track {names[owner]}: its intervals are labelled {both}; prepare it again")
    if parts is None:
        seen = [0] * len(names)
        parts = []
        for owner in owners:
            parts.append(seen[owner])
            seen[owner] += 1
    return Judgement(
        [str(name) for name in names],
        [KEYS[first[owner]] for owner in range(len(names))],
        sums / counts[:, np.newaxis],
        owners,
        list(parts),
        rows,
    )


def join(judgements: Sequence[Judgement]) -> Judgement:
    """Several judgements of different tracks as one."""
    offsets = np.cumsum([0, *(len(item.tracks) for item in judgements)])
    return Judgement(
        [name for item in judgements for name in item.tracks],
        [key for item in judgements for key in item.reference],
        np.concatenate([item.probabilities for item in judgements]),
        np.concatenate([item.owners + start for item, start in zip(judgements, offsets, strict=False)]),
        [part for item in judgements for part in item.parts],
        np.concatenate([item.interval_probabilities for item in judgements]),
    )


@dataclass(frozen=True)
class Evaluation:
    """A judgement with its run and its data.

    Attributes:
        run: the name of the run.
        datasets: the datasets of the tracks.
        data_mode: the form of the data that they were read in: audio, spectrograms or images.
        split: the split of the tracks.
        judgement: the judgement of the run's network.
        calibration: the calibration of the run; None without validation data to fit it on.
        voted: the number of tracks whose reference is the most probable key of a vote, not a known key.
    """

    run: str
    datasets: tuple[str, ...]
    data_mode: str
    split: str
    judgement: Judgement
    calibration: Calibration | None = None
    voted: int = 0

    @property
    def note(self) -> str | None:
        """What a reader must know about the references; None if all are known keys."""
        if not self.voted:
            return None
        tracks = len(self.judgement.tracks)
        share = f"all {tracks}" if self.voted == tracks else f"{self.voted} of the {tracks}"
        return (
            f"The references of {share} tracks are votes of other networks: these figures are agreement, "
            "not accuracy."
        )

    @property
    def title(self) -> str:
        """The datasets' names, for display."""
        return ", ".join(self.datasets)

    @property
    def folder_name(self) -> str:
        """The name of the folder for this evaluation."""
        return f"{'+'.join(self.datasets)}-{self.data_mode}-{self.split}"

    @property
    def is_calibration_data(self) -> bool:
        """Whether the temperature was fitted on some of these tracks."""
        fitted = set(self.calibration.datasets) if self.calibration else set()
        return self.split == "validation" and bool(fitted & set(self.datasets))

    @cached_property
    def summary(self) -> Summary:
        """See :meth:`Judgement.summary`."""
        return self.judgement.summary()

    @cached_property
    def interval_summary(self) -> Summary:
        """See :meth:`Judgement.interval_summary`."""
        return self.judgement.interval_summary()

    @cached_property
    def by_key_mode(self) -> dict[str, Summary]:
        """The tables of major and of minor keys, if any occur."""
        found = {mode: self.judgement.of_key_mode(mode) for mode in ("major", "minor")}
        return {mode: summary for mode, summary in found.items() if summary}

    @cached_property
    def by_key(self) -> dict[Key, Summary]:
        """The tables of the keys that occur, in the order of class indices."""
        found = {key: self.judgement.of_key(key) for key in KEYS}
        return {key: summary for key, summary in found.items() if summary}

    @cached_property
    def calibrated_probabilities(self) -> NDArray[np.float64] | None:
        """The probabilities of the tracks at the run's temperature, ``[tracks, 24]``."""
        if self.calibration is None:
            return None
        return calibrated(self.judgement.probabilities, self.calibration.temperature)

    @cached_property
    def before(self) -> Reliability:
        """The reliability of the network's own confidences."""
        return reliability(self.judgement.probabilities, self.judgement.labels)

    @cached_property
    def after(self) -> Reliability | None:
        """The reliability of the calibrated confidences."""
        rows = self.calibrated_probabilities
        return None if rows is None else reliability(rows, self.judgement.labels)

    def metrics(self) -> dict[str, Any]:
        """All figures as plain numbers: the content of ``metrics.json``."""
        return {
            "tfkey_version": __version__,
            "run": self.run,
            "datasets": list(self.datasets),
            "mode": self.data_mode,
            "split": self.split,
            "references_that_are_votes": self.voted,
            **self.summary.as_dict(),
            "by_interval": self.interval_summary.as_dict(),
            "modes": {mode: summary.as_dict() for mode, summary in self.by_key_mode.items()},
            "keys": {key.long: summary.as_dict() for key, summary in self.by_key.items()},
            "calibration": {
                "temperature": self.calibration.temperature if self.calibration else None,
                "fitted_on_these_tracks": self.is_calibration_data,
                "before": self.before.as_dict(),
                "after": self.after.as_dict() if self.after else None,
            },
            "confusion": {
                "classes": [key.long for key in KEYS],
                "reference_by_estimate": self.judgement.confusion().tolist(),
            },
        }
