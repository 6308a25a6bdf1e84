"""The intervals of one split of prepared data, with their labels and weights."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.prepared.manifest import PreparedDataset, Row
from pipelines.text import stable_digest
from tfkey.config import Config
from tfkey.errors import DataError
from tfkey.keys import N_CLASSES, Key
from tfkey.votes import parse_vote


@dataclass(frozen=True)
class SplitIntervals:
    """The intervals of one split, of one or more prepared datasets of one mode.

    Attributes:
        mode: the mode of all datasets.
        config: the configuration that they were prepared with.
        parts: each dataset with its rows.
        wide: whether to return spectrograms as stored, with the extra semitones, or only the network's band.
        weighted: whether to return the weight of each interval in the loss, too.
    """

    mode: str
    config: Config
    parts: tuple[tuple[PreparedDataset, tuple[Row, ...]], ...]
    wide: bool = False
    weighted: bool = False

    @property
    def rows(self) -> list[Row]:
        """All intervals in the order of :func:`pipelines.prepared.inputs.evaluation_batches`."""
        return [row for _, rows in self.parts for row in rows]

    @property
    def labels(self) -> list[int]:
        """The class index of each of :attr:`rows`."""
        return [Key.parse(row.key).index for row in self.rows]

    @property
    def has_votes(self) -> bool:
        """Whether any of the intervals has a soft label."""
        return any(row.vote for row in self.rows)

    def targets(self) -> np.ndarray:
        """Return the soft label of each of :attr:`rows`, float32 ``[intervals, 24]``; one-hot for a key."""
        table = np.eye(N_CLASSES, dtype=np.float32)
        return np.stack(
            [
                np.asarray(parse_vote(row.vote), np.float32) if row.vote else table[label]
                for row, label in zip(self.rows, self.labels, strict=True)
            ]
        )

    @property
    def dataset_weights(self) -> list[float]:
        """The weight of an interval of each of :attr:`parts`, before the weight of its key."""
        return [self.config.weights.get(dataset.name, 1.0) for dataset, _ in self.parts]

    def key_weights(self) -> np.ndarray:
        """Return the weight of an interval of each key, float32 ``[24]``; the mean over a training is 1."""
        owners = np.repeat(self.dataset_weights, [len(rows) for _, rows in self.parts])
        often = self._frequencies()
        counts = np.bincount(self.labels, weights=often, minlength=N_CLASSES)
        weights = np.ones(N_CLASSES)
        if self.config.train.class_weights == "balanced":
            # As if all keys that occur were equally frequent.
            occurs = counts > 0
            weights[occurs] = counts.sum() / (occurs.sum() * counts[occurs])
        return (weights / np.average(owners * weights[self.labels], weights=often)).astype(np.float32)

    def streams(self) -> list[tuple[PreparedDataset, tuple[Row, ...], float]]:
        """Return what every batch is drawn from: rows of a dataset, and their share relative to the others.

        A dataset with a share of major keys gives two: its major and its minor keys.
        """
        settings = self.config
        found = []
        for dataset, rows in self.parts:
            share = settings.shares.get(dataset.name, float(len(rows)))
            of_major = settings.major_shares.get(dataset.name)
            if of_major is None or not rows:
                found.append((dataset, rows, share))
                continue
            major = tuple(row for row in rows if Key.parse(row.key).mode == "major")
            minor = tuple(row for row in rows if Key.parse(row.key).mode == "minor")
            if not major or not minor:
                mode = "minor" if major else "major"
                raise DataError(
                    f"{dataset.folder}: no {mode} keys to mix; remove {dataset.name} from major_shares"
                )
            found += [(dataset, major, share * of_major), (dataset, minor, share * (1 - of_major))]
        return [stream for stream in found if stream[1]]

    def _frequencies(self) -> np.ndarray:
        """How often each of :attr:`rows` is trained on, relative to the others, float64 ``[intervals]``."""
        if not self.config.shares and not self.config.major_shares:
            return np.ones(len(self.rows))
        often = {
            (dataset.name, Key.parse(row.key).mode): share / len(rows)
            for dataset, rows, share in self.streams()
            for row in rows
        }
        return np.array(
            [often[dataset.name, Key.parse(row.key).mode] for dataset, rows in self.parts for row in rows]
        )


def open_intervals(
    config: Config,
    datasets: Sequence[PreparedDataset],
    split: str,
    *,
    wide: bool = False,
    weighted: bool = False,
    limit: float = 1.0,
) -> SplitIntervals:
    """Take one split of prepared datasets.

    Args:
        config: the configuration that they were prepared with.
        datasets: opened datasets of one mode.
        split: the name of the split.
        wide: see :class:`SplitIntervals`.
        weighted: see :class:`SplitIntervals`.
        limit: share of the tracks of each dataset to take.

    Raises:
        DataError: the split is empty.
    """
    parts = tuple((dataset, _limited(dataset.split(split), limit)) for dataset in datasets)
    if not any(rows for _, rows in parts):
        where = ", ".join(str(dataset.folder) for dataset in datasets)
        raise DataError(f"{where}: the {split} split is empty; prepare data for it or name another split")
    return SplitIntervals(datasets[0].mode, config, parts, wide, weighted)


def _limited(rows: tuple[Row, ...], limit: float) -> tuple[Row, ...]:
    """Return the rows of a share of the tracks, at least one; keys take turns, so that a few cover many."""
    if limit >= 1 or not rows:
        return rows
    by_key: dict[str, list[str]] = defaultdict(list)
    for track, key in sorted({row.track: row.key for row in rows}.items(), key=lambda t: stable_digest(t[0])):
        by_key[key].append(track)
    turns = itertools.zip_longest(*(by_key[key] for key in sorted(by_key, key=stable_digest)))
    ordered = [track for turn in turns for track in turn if track is not None]
    kept = set(ordered[: max(1, round(limit * len(ordered)))])
    return tuple(row for row in rows if row.track in kept)
