from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tfkey.inference.covering import covering_starts
from tfkey.inference.key_over_time import KEY_SECONDS, segments, smooth
from tfkey.keys import Key

C, G, A_MINOR = Key.parse("C major").index, Key.parse("G major").index, Key.parse("A minor").index


def rows(*keys: int, certainty: float = 0.6) -> np.ndarray:
    found = np.full((len(keys), 24), (1 - certainty) / 23)
    found[np.arange(len(keys)), keys] = certainty
    return found


@pytest.mark.parametrize("seed", range(4))
def test_smoothing_finds_the_best_of_all_sequences(seed: int) -> None:
    probabilities = np.random.default_rng(seed).dirichlet(np.full(3, 0.5), size=6)
    stay = math.exp(-10 / KEY_SECONDS)

    def score(path: tuple[int, ...]) -> float:
        moves = [stay if a == b else (1 - stay) / 2 for a, b in itertools.pairwise(path)]
        return float(np.log(probabilities[np.arange(6), path]).sum() + np.log(moves).sum())

    best = max(itertools.product(range(3), repeat=6), key=score)
    assert tuple(smooth(probabilities, 10)) == best
    certain = np.eye(3)[[0, 2, 1]]
    assert tuple(smooth(certain, 10)) == (0, 2, 1)


def test_modulation_is_found_and_a_slip_is_not() -> None:
    keys = [C] * 5 + [G] + [C] * 4 + [A_MINOR] * 6
    starts = [30.0 * number for number in range(16)]
    found = segments(rows(*keys), starts, 30.0, 475.0, [True] * 16)
    assert [(part.start, part.end) for part in found] == [(0.0, 300.0), (300.0, 475.0)]
    assert [part.key for part in found] == [Key.from_index(C), Key.from_index(A_MINOR)]
    assert found[0].confidence == pytest.approx((9 * 0.6 + 0.4 / 23) / 10)
    assert found[1].confidence == pytest.approx(0.6)


def test_overlap_is_no_more_evidence() -> None:
    """A slip in one interval stays one, however finely the same audio is cut."""
    for step in (30.0, 5.0):
        count = int(30 / step)
        keys = [C] * 4 * count + [G] * count + [C] * 4 * count
        starts = [step * number for number in range(len(keys))]
        found = segments(rows(*keys, certainty=0.3), starts, 30.0, starts[-1] + 30, [True] * len(keys))
        assert [part.key for part in found] == [Key.from_index(C)]


def test_stretches_without_tones_have_no_key() -> None:
    keys = [C, C, G, G, C]
    found = segments(rows(*keys), [0, 30, 60, 90, 120], 30.0, 150.0, [True, True, False, False, True])
    assert [part.key for part in found] == [Key.from_index(C), None, Key.from_index(C)]
    assert [part.end for part in found] == [60.0, 120.0, 150.0]
    (alone,) = segments(rows(G), [0.0], 4.0, 4.0, [False])
    assert (alone.start, alone.end, alone.key, alone.confidence) == (0.0, 4.0, None, pytest.approx(0.6))


@pytest.mark.parametrize("samples", [1, 999, 1000, 1001, 2000, 2001, 12345, 10**6])
@pytest.mark.parametrize("step", [None, 1000, 333, 5000])
def test_intervals_cover_a_track_evenly(samples: int, step: int | None) -> None:
    starts = covering_starts(samples, 1000, step)
    if samples <= 1000:
        assert starts == [0]
        return
    gaps, widest = np.diff(starts), min(step or 1000, 1000)
    assert (starts[0], starts[-1] + 1000) == (0, samples)
    assert gaps.max() <= widest
    assert np.ptp(gaps) <= 1
    # One fewer would leave gaps.
    assert (len(starts) - 2) * widest < samples - 1000
