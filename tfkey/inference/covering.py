"""How a track is covered by the intervals that a network judges."""

from __future__ import annotations


def covering_starts(samples: int, length: int, step: int | None = None) -> list[int]:
    """The intervals that cover a track, evenly spaced from its start to its end.

    Args:
        samples: of the track, at least 0.
        length: of an interval in samples, at least 1.
        step: the furthest that they start apart, at least 1; None for ``length``, the fewest intervals.

    Returns:
        The first sample of each interval. A track shorter than an interval is one, as it is.
    """
    if samples <= length:
        return [0]
    spare = samples - length
    count = 1 + -(-spare // min(step or length, length))
    return [number * spare // (count - 1) for number in range(count)]
