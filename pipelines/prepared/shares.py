"""The part of prepared data that each of several processes reads, when they train one network together."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Share:
    """The part of the data that one of several processes reads.

    Attributes:
        index: which of the processes, from 0.
        count: their number.
    """

    index: int
    count: int

    def of_batches(self, intervals: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
        """Return this process' consecutive part of every ``batch_size`` intervals, which it must divide."""
        own = batch_size // self.count
        return (
            intervals.enumerate()
            .filter(lambda place, _: place % batch_size // own == self.index)
            .map(lambda _, interval: interval)
        )

    def size_of(self, intervals: int) -> int:
        """Return how many of all intervals are this process' in :func:`evaluation_batches`."""
        return len(range(self.index, intervals, self.count))


EVERYTHING = Share(0, 1)
"""The share of a single process."""
