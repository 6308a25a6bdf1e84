"""What is said of a recording, as plain values for JSON: the same for the command line and for the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfkey.inference.estimate import Estimate
    from tfkey.keys import Key, Notation

Fields = dict[str, Any]


def answer(estimate: Estimate, notation: Notation | str = "long") -> Fields:
    """Return what is said of a whole recording.

    Returns:
        ``key`` and ``confidence`` (None without a key), ``reason``, ``tuning_cents``, ``seconds`` and
        ``warning``, see :class:`tfkey.inference.estimator.Estimate`.
    """
    return {
        **_sure(estimate.key, estimate.confidence, notation),
        "reason": estimate.reason,
        "tuning_cents": None if estimate.tuning_cents is None else round(estimate.tuning_cents, 1),
        "seconds": round(estimate.seconds, 2),
        "warning": estimate.warning,
    }


def ranking(estimate: Estimate, count: int, notation: Notation | str = "long") -> list[Fields]:
    """Return the ``key`` and ``confidence`` of the most probable keys, best first, at most ``count``."""
    return [_sure(key, confidence, notation) for key, confidence in estimate.ranked(count)]


def over_time(estimate: Estimate, notation: Notation | str = "long") -> list[Fields]:
    """Return ``start`` and ``end`` in seconds, ``key`` and ``confidence`` of each segment, in order."""
    return [
        {
            "start": round(part.start, 2),
            "end": round(part.end, 2),
            **_sure(part.key, part.confidence, notation),
        }
        for part in estimate.segments
    ]


def _sure(key: Key | None, confidence: float, notation: Notation | str) -> Fields:
    if key is None:
        return {"key": None, "confidence": None}
    return {"key": key.write(notation), "confidence": round(confidence, 4)}
