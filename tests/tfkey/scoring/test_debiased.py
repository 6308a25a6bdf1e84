"""The estimate of the calibration error, on simulated answers whose true error is known."""

from __future__ import annotations

import numpy as np
import pytest

from tfkey.scoring.calibration import reliability
from tfkey.scoring.debiased import root, squared_calibration_error
from tfkey.scoring.mirex import Figure

# How often an answer of a confidence is right.
TRUTHS = {
    "calibrated": lambda sure: sure,
    "too sure": lambda sure: sure - 0.15,
    "too sure, above all the surest": lambda sure: 0.1 + 0.6 * sure,
    "too modest": lambda sure: sure + 0.5 * sure * (1 - sure),
}


def simulated(truth, recordings: int, pieces: int, seed: int):
    """Answers for recordings; the pieces of a recording are right together."""
    random = np.random.default_rng(seed)
    sure = random.beta(3, 1.5, recordings) * 0.8 + 0.18
    right = random.random(recordings) < truth(sure)
    owners = np.repeat(np.arange(recordings), pieces)
    shaken = np.repeat(sure, pieces) + random.normal(0, 0.002, recordings * pieces)
    return shaken, np.repeat(right, pieces), owners, float(((sure - truth(sure)) ** 2).mean())


@pytest.mark.parametrize("pieces", [1, 4])
@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_on_average_it_is_the_truth(truth, pieces) -> None:
    found, expected = [], []
    for seed in range(200):
        sure, right, owners, square = simulated(truth, 141, pieces, seed)
        found.append(squared_calibration_error(sure, right, owners, resamples=1).value)
        expected.append(square)
    error = np.std(found) / len(found) ** 0.5
    assert np.mean(found) == pytest.approx(np.mean(expected), abs=3.5 * error)
    # The square of what chance adds to the plain error is 0.006.
    assert error < 0.0015


def test_the_plain_error_is_above_it() -> None:
    plain = []
    for seed in range(5):
        sure, right, _, _ = simulated(TRUTHS["calibrated"], 141, 1, seed)
        rows = np.full((141, 24), 0.0)
        rows[:, 0], rows[:, 1:] = sure, ((1 - sure) / 23)[:, np.newaxis]
        labels = np.where(right, 0, 1)
        plain.append(reliability(rows, labels, resamples=1).figures["ece"].value)
    assert np.mean(plain) > 0.05


def test_pieces_of_a_recording_are_no_evidence_of_their_own() -> None:
    naive, honest = [], []
    for seed in range(100):
        sure, right, owners, _ = simulated(TRUTHS["calibrated"], 60, 8, seed)
        naive.append(squared_calibration_error(sure, right, resamples=1).value)
        honest.append(squared_calibration_error(sure, right, owners, resamples=1).value)
    assert np.mean(naive) > 0.02
    assert abs(np.mean(honest)) < 0.4 * np.mean(naive)


@pytest.mark.parametrize("truth", [TRUTHS["too sure"], TRUTHS["calibrated"]], ids=["too sure", "calibrated"])
def test_intervals_hold_the_truth(truth) -> None:
    held = []
    for seed in range(60):
        sure, right, owners, square = simulated(truth, 141, 1, seed)
        found = squared_calibration_error(sure, right, owners, resamples=200)
        held.append(found.low <= square <= found.high)
    assert np.mean(held) > 0.85


def test_it_is_its_definition() -> None:
    sure, right, owners, _ = simulated(TRUTHS["too sure"], 60, 1, 0)
    gaps = (sure - right)[np.argsort(sure)].reshape(6, 10)
    expected = (gaps.mean(axis=1) ** 2 - gaps.var(axis=1, ddof=1) / 10).mean()
    assert squared_calibration_error(sure, right, owners, bins=6).value == pytest.approx(expected)
    assert squared_calibration_error(sure, right, bins=6).value == pytest.approx(expected)


def test_few_answers() -> None:
    assert squared_calibration_error([0.5], [True]) is None
    assert squared_calibration_error([0.5, 0.6, 0.7], [True, False, True], [4, 4, 4]) is None
    assert squared_calibration_error([0.5, 0.6], [True, False]).value == pytest.approx(
        0.05**2 - 0.3025, abs=1e-3
    )


def test_roots_are_errors() -> None:
    assert root(None) is None
    assert root(Figure(0.04, -0.01, 0.09)) == pytest.approx((0.2, 0.0, 0.3))
