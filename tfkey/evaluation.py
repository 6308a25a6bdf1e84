"""Judging: from the probabilities of intervals to the keys of whole tracks, and their scores."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfkey.files import write_text
from tfkey.keys import Key
from tfkey.mirex import Summary, summarise


@dataclass(frozen=True)
class Judgement:
    """What a network says of the tracks of a dataset.

    Attributes:
        tracks: their names.
        reference: their keys.
        probabilities: float64 ``[tracks, 24]``, the mean over each track's intervals.
        intervals: the number of intervals of each.
    """

    tracks: list[str]
    reference: list[Key]
    probabilities: np.ndarray
    intervals: list[int]

    @property
    def estimate(self) -> list[Key]:
        """The most probable key of each track."""
        return [Key.from_index(int(index)) for index in self.probabilities.argmax(axis=1)]

    def summary(self) -> Summary:
        """The MIREX table with 95 % bootstrap intervals over tracks."""
        return summarise(self.reference, self.estimate)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits ``[n, classes]`` to probabilities, float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def judge(tracks: Sequence[Hashable], labels: Sequence[int], probabilities: np.ndarray) -> Judgement:
    """Judge whole tracks by the mean of the probabilities of their intervals.

    Args:
        tracks: the track of each interval.
        labels: the class index of each interval.
        probabilities: float ``[intervals, 24]``.

    Returns:
        The judgement, tracks in the order of their first interval.
    """
    names = list(dict.fromkeys(tracks))
    position = {name: number for number, name in enumerate(names)}
    owner = np.array([position[track] for track in tracks])
    counts = np.bincount(owner, minlength=len(names))
    sums = np.zeros((len(names), probabilities.shape[1]))
    np.add.at(sums, owner, probabilities)
    first = [int(np.argmax(owner == number)) for number in range(len(names))]
    return Judgement(
        [str(name) for name in names],
        [Key.from_index(int(labels[index])) for index in first],
        sums / counts[:, np.newaxis],
        counts.tolist(),
    )


def write_judgement(judgement: Judgement, folder: Path) -> None:
    """Write ``predictions.csv`` (a line a track) and ``metrics.json`` into a folder."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["track", "reference", "estimate", "confidence", "intervals"])
    columns = (judgement.tracks, judgement.reference, judgement.estimate, judgement.probabilities)
    for (track, reference, estimate, probabilities), intervals in zip(
        zip(*columns, strict=True), judgement.intervals, strict=True
    ):
        writer.writerow([track, reference.long, estimate.long, f"{probabilities.max():.6f}", intervals])
    write_text(folder / "predictions.csv", stream.getvalue())
    write_text(folder / "metrics.json", json.dumps(judgement.summary().as_dict(), indent=1) + "\n")
