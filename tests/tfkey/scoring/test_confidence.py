from __future__ import annotations

import json

import numpy as np
import pytest

from tfkey.errors import DataError
from tfkey.scoring.calibration import calibrated, fit_temperature, log_probabilities, softmax
from tfkey.scoring.confidence import Answers, assess, cross_fitted, parts


def answers(count: int, sharpness: float = 3.0, *, sets=("a", "b"), seed: int = 0) -> Answers:
    """Recordings of two intervals whose probabilities are honest at temperature ``sharpness``."""
    random = np.random.default_rng(seed)
    honest = softmax(random.normal(0, 2.5, (count, 24)))
    labels = np.array([random.choice(24, p=row) for row in honest])
    sharp = calibrated(honest, 1 / sharpness)
    return Answers(
        labels=labels,
        probabilities=sharp,
        has_key=np.ones(count, bool),
        sets=[sets[number % len(sets)] for number in range(count)],
        owners=np.repeat(np.arange(count), 2),
        intervals=np.repeat(calibrated(sharp, 0.5), 2, axis=0),
    )


@pytest.mark.parametrize(("count", "folds"), [(10, 10), (10, 3), (3, 10), (1, 10)])
def test_parts_are_even(count, folds) -> None:
    sizes = np.bincount(parts(count, folds), minlength=folds)
    assert sizes.sum() == count
    assert sizes.max() - sizes.min() <= 1
    assert (parts(count, folds) == parts(count, folds)).all()


def test_each_part_has_the_temperature_of_the_others() -> None:
    found = answers(30)
    place = parts(30, 3)
    fitted = cross_fitted(found.probabilities, found.labels, place)
    for number in range(3):
        others = place != number
        temperature = fit_temperature(log_probabilities(found.probabilities[others]), found.labels[others])
        np.testing.assert_allclose(
            fitted[~others], calibrated(found.probabilities[~others], temperature), rtol=1e-12
        )
    assert cross_fitted(found.probabilities, found.labels, np.zeros(30)) is None


def test_overconfidence_is_found_and_cured() -> None:
    found = assess(answers(400), 1.0, 1.0, folds=4)
    assert found.temperature == pytest.approx(3.0, rel=0.2)
    # The intervals are twice as sharp.
    assert found.interval_temperature == pytest.approx(2 * found.temperature, rel=1e-4)
    assert found.nll_after < found.nll_before
    assert found.interval_error_after < 0.06 < 0.2 < found.interval_error_before
    assert list(found.sets) == ["a", "b", "all"]
    for figures in found.sets.values():
        assert figures.error_after < 0.1 < 0.15 < figures.error_before
        # The answers are right as often as their confidences say: what is left is chance.
        assert 0.3 < figures.error_by_chance / figures.error_after < 3
        assert figures.error_debiased.low <= figures.error_debiased.value < 0.1
    assert found.interval_error_debiased.value < 0.06
    pooled = found.sets["all"]
    assert (pooled.files, pooled.without_key) == (400, 0)
    assert pooled.weighted.low < pooled.weighted.value < pooled.weighted.high
    assert pooled.correct.value < pooled.top_3 < 1
    shares = [item.answered for item in pooled.thresholds.values()]
    assert shares == sorted(shares, reverse=True)
    assert pooled.thresholds[0.8].right > pooled.thresholds[0.5].right > 0.5
    # "Before" is before this calibration, not before any.
    assert assess(answers(400), 3.0, 6.0, folds=2).sets["all"].error_before < 0.08
    assert (
        json.loads(json.dumps(found.as_dict()))["sets"]["all"]["thresholds"]["0.5"]["answered"] == shares[0]
    )


def test_no_key_counts_as_wrong_and_has_no_confidence() -> None:
    whole = answers(40, sets=("",))
    right = whole.probabilities.argmax(axis=1) == whole.labels
    has_key = ~(right & (np.cumsum(right) <= 5))
    keep = has_key[whole.owners]
    found = assess(
        Answers(
            whole.labels, whole.probabilities, has_key, whole.sets, whole.owners[keep], whole.intervals[keep]
        ),
        1.0,
        1.0,
    )
    (figures,) = found.sets.values()
    assert (figures.files, figures.without_key, found.n_tracks) == (40, 5, 35)
    assert figures.correct.value == pytest.approx((right.sum() - 5) / 40)
    assert figures.thresholds[0.5].answered <= 35 / 40
    alone = fit_temperature(log_probabilities(whole.probabilities[has_key]), whole.labels[has_key])
    assert found.temperature == alone


def test_few_recordings() -> None:
    found = assess(answers(1, sets=("",)), 1.0, 1.0)
    (figures,) = found.sets.values()
    assert figures.error_before is not None
    assert (figures.error_after, figures.error_by_chance, found.interval_error_after) == (None, None, None)
    assert (figures.error_debiased, found.interval_error_debiased) == (None, None)
    assert not figures.thresholds
    silent = answers(3)
    nothing = Answers(
        silent.labels,
        silent.probabilities,
        np.zeros(3, bool),
        silent.sets,
        np.zeros(0, int),
        np.empty((0, 24)),
    )
    with pytest.raises(DataError, match="names no key"):
        assess(nothing, 1.0, 1.0)
