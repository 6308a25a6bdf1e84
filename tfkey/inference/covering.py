"""How intervals for a network cover a track."""

from __future__ import annotations


def covering_starts(samples: int, length: int, step: int | None = None) -> list[int]:
    """Return the intervals that cover a track, evenly spaced from its start to its end.

    Args:
        samples: the length of the track in samples, at least 0.
        length: the length of an interval in samples, at least 1.
        step: the maximum distance between two starts, at least 1; None means ``length``, which gives the
            fewest intervals.

    Returns:
        The first sample of each interval. A track shorter than an interval gives one start, 0.
    """
    if samples <= length:
        return [0]
    spare = samples - length
    count = 1 + -(-spare // min(step or length, length))
    return [number * spare // (count - 1) for number in range(count)]
