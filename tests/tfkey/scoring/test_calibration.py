from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfkey.scoring.calibration import (
    Calibration,
    calibrated,
    fit_temperature,
    log_probabilities,
    negative_log_likelihood,
    read_calibration,
    reliability,
    softmax,
)

RNG = np.random.default_rng(0)


def overconfident(tracks: int, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Answers drawn from sound probabilities, and the logits of these times ``factor``."""
    logits = RNG.normal(0, 2, (tracks, 24))
    sound = softmax(logits)
    labels = np.array([RNG.choice(24, p=row) for row in sound])
    return softmax(factor * logits), labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_is_what_the_logits_were_multiplied_by(factor: float) -> None:
    probabilities, labels = overconfident(6000, factor)
    temperature = fit_temperature(log_probabilities(probabilities), labels)
    assert temperature == pytest.approx(factor, rel=0.06)
    after = calibrated(probabilities, temperature)
    assert np.allclose(after.sum(axis=1), 1)
    assert (after.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert negative_log_likelihood(after, labels) <= negative_log_likelihood(probabilities, labels) + 1e-9
    if factor != 1:
        errors = [reliability(rows, labels).figures["ece"].value for rows in (probabilities, after)]
        assert errors[1] < 0.3 * errors[0]
        assert errors[1] < 0.03


def test_where_all_are_right_no_certainty_follows() -> None:
    logits = RNG.normal(0, 1, (30, 24))
    labels = np.arange(30) % 24
    logits[np.arange(30), labels] += 20
    after = softmax(logits / fit_temperature(logits, labels))
    assert after.max(axis=1).mean() == pytest.approx(31 / 32)


def test_sound_confidences_err_as_much_as_chance_says() -> None:
    chances = []
    for _ in range(20):
        found = reliability(*overconfident(150, 1.0), resamples=400).figures
        chances.append(found["ece_by_chance"].low <= found["ece"].value <= found["ece_by_chance"].high)
        assert found["ece"].low <= found["ece"].value <= found["ece"].high
    assert sum(chances) >= 16
    found = reliability(*overconfident(150, 4.0), resamples=400).figures
    assert found["ece"].value > found["ece_by_chance"].high


def test_figures_are_their_definitions() -> None:
    probabilities, labels = overconfident(300, 2.0)
    found = reliability(probabilities, labels)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    assert found.figures["confidence"].value == pytest.approx(sure.mean())
    assert found.figures["correct"].value == pytest.approx(right.mean())
    truth = np.eye(24)[labels]
    assert found.figures["brier"].value == pytest.approx(((probabilities - truth) ** 2).sum(axis=1).mean())
    nll = -np.log(probabilities[np.arange(300), labels]).mean()
    assert found.figures["nll"].value == pytest.approx(nll)
    assert negative_log_likelihood(probabilities, labels) == pytest.approx(nll)
    places = np.minimum(np.ceil(sure * 15) - 1, 14).astype(int)
    ece = sum(
        abs((sure[places == place] - right[places == place]).sum()) for place in set(places.tolist())
    ) / 300  # fmt: skip
    assert found.figures["ece"].value == pytest.approx(ece)
    assert sum(item.tracks for item in found.bins) == 300


def test_it_is_written_and_read_and_what_is_damaged_is_none(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    assert read_calibration(path) is None
    calibration = Calibration(1.5, 10, ("a", "b"), "audio", 2.0, 1.0, "abc")
    calibration.write(path)
    assert read_calibration(path) == calibration
    for damaged in ("", "{}", "[]", path.read_text().replace("1.5", "-1")):
        path.write_text(damaged)
        assert read_calibration(path) is None
