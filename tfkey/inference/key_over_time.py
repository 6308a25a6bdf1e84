"""Key over time: the keys of a track's intervals, smoothed and joined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tfkey.keys import Key

KEY_SECONDS = 90.0
"""The smoothing's assumption of how long a key lasts on average before the music modulates."""

STEP_SECONDS = 10.0
"""The usual distance between the starts of the intervals for key over time."""

WINDOW_SECONDS = 15.0
"""The greatest length of the intervals for key over time; longer ones blur where the music modulates."""

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Segment:
    """A part of a recording in one key.

    Attributes:
        start: in seconds.
        end: in seconds.
        key: the key; None for a part without one (silence, noise, percussion).
        confidence: the mean probability of ``key`` over the part; without a key, that of the best class.
    """

    start: float
    end: float
    key: Key | None
    confidence: float


def smooth(probabilities: np.ndarray, hop_seconds: float, key_seconds: float = KEY_SECONDS) -> np.ndarray:
    """Return the most probable sequence of keys, by the Viterbi algorithm (Rabiner 1989) on a sticky chain.

    States are the classes. From one observation to the next, a key stays with probability
    ``exp(-hop_seconds / key_seconds)`` and changes to each other key with an equal share of the rest. The
    probabilities of the network serve as likelihoods, because all keys are equally likely a priori.

    Args:
        probabilities: ``[observations, classes]``.
        hop_seconds: the time from one observation to the next; above 0.
        key_seconds: the average duration of a key; above 0.

    Returns:
        Class indices ``[observations]``.
    """
    steps, classes = probabilities.shape
    likelihood = np.log(np.maximum(probabilities, _TINY))
    stay = math.exp(-hop_seconds / key_seconds)
    leave = math.log(max((1 - stay) / (classes - 1), _TINY))
    change = np.where(np.eye(classes, dtype=bool), max(math.log(stay), leave), leave)
    score = likelihood[0]
    best = np.zeros((steps, classes), np.intp)
    for step in range(1, steps):
        candidates = score[:, np.newaxis] + change
        best[step] = candidates.argmax(axis=0)
        score = candidates.max(axis=0) + likelihood[step]
    path = np.empty(steps, np.intp)
    path[-1] = score.argmax()
    for step in range(steps - 1, 0, -1):
        path[step - 1] = best[step, path[step]]
    return path


def segments(
    probabilities: np.ndarray, starts: Sequence[float], window: float, seconds: float, tonal: Sequence[bool]
) -> tuple[Segment, ...]:
    """Join adjacent intervals of a track that are in the same key.

    The boundary of two intervals is half-way between their centres. Overlapping intervals share evidence,
    which counts once: the likelihood of each is raised to the power of the share of it that is new.

    Args:
        probabilities: the probabilities of the intervals, ``[intervals, 24]``.
        starts: the starts of the intervals in seconds, ascending.
        window: the length of an interval in seconds.
        seconds: the length of the track.
        tonal: whether each interval contains tones; an interval without tones has no key.
    """
    evidence = np.asarray(probabilities, np.float64)
    hop = (starts[-1] - starts[0]) / (len(starts) - 1) if len(starts) > 1 else window
    share = min(1.0, hop / window)
    held = np.asarray(tonal, bool)
    # Without tones, the network's answer is not evidence.
    likelihood = np.where(held[:, np.newaxis], evidence**share, 1.0)
    path = smooth(likelihood, max(hop, 1e-9))
    labels = [int(index) if is_tonal else -1 for index, is_tonal in zip(path, held, strict=True)]
    edges = [0.0, *((a + b + window) / 2 for a, b in pairwise(starts)), seconds]
    found: list[Segment] = []
    first = 0
    for last in range(len(labels)):
        if last + 1 < len(labels) and labels[last + 1] == labels[first]:
            continue
        mean = evidence[first : last + 1].mean(axis=0)
        key = None if labels[first] < 0 else Key.from_index(labels[first])
        confidence = float(mean.max() if key is None else mean[labels[first]])
        found.append(Segment(edges[first], edges[last + 1], key, confidence))
        first = last + 1
    return tuple(found)
