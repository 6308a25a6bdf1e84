from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import mir_eval
import numpy as np
import pytest

from tfkey.config import load_config
from tfkey.errors import DataError
from tfkey.keys import KEYS, Key
from tfkey.scoring.calibration import Calibration, calibrated, softmax
from tfkey.scoring.evaluation import Evaluation, join, judge
from tfkey.scoring.report import write_report
from tfkey.scoring.tables import write_tables


def random_case(tracks: int = 40) -> tuple[list[str], list[int], np.ndarray]:
    """Intervals of many tracks in a mixed order; names that sort otherwise than they come."""
    rng = np.random.default_rng(5)
    owners = np.repeat(np.arange(tracks), rng.integers(1, 6, tracks))
    rng.shuffle(owners)
    keys = rng.integers(0, 24, tracks)
    # Half of the way to the truth, so that all relations occur.
    logits = rng.standard_normal((owners.size, 24))
    logits[np.arange(owners.size), keys[owners]] += 1.5
    return [f"demo/track {99 - n}, é" for n in owners], keys[owners].tolist(), softmax(logits)


def score(reference: str, estimate: str, both_fifths: bool) -> float:
    """The score by mir_eval; a descending fifth is an ascending one with the roles exchanged."""
    ascending = mir_eval.key.weighted_score(reference, estimate)
    return 0.5 if both_fifths and mir_eval.key.weighted_score(estimate, reference) == 0.5 else ascending


def test_judge_is_the_mean_by_track() -> None:
    tracks, labels, probabilities = random_case()
    judgement = judge(tracks, labels, probabilities)
    sums: dict[str, list[np.ndarray]] = {}
    keys: dict[str, int] = {}
    for track, label, row in zip(tracks, labels, probabilities, strict=True):
        sums.setdefault(track, []).append(row)
        keys[track] = label
    assert judgement.tracks == list(sums)
    assert judgement.tracks != sorted(sums)
    assert judgement.intervals == [len(rows) for rows in sums.values()]
    assert judgement.reference == [Key.from_index(keys[track]) for track in sums]
    means = [sum(rows) / len(rows) for rows in sums.values()]
    np.testing.assert_allclose(judgement.probabilities, means, rtol=1e-12)
    assert judgement.estimate == [Key.from_index(int(np.argmax(row))) for row in means]


def test_probabilities_are_averaged_not_logits_nor_votes() -> None:
    """One sure interval outweighs two that waver; the mean of logits and a vote would say otherwise."""
    rows = np.full((3, 24), 1e-9)
    rows[0, [3, 7]] = 1.0, 1e-6
    rows[1:, [3, 7]] = 0.35, 0.4
    judgement = judge([(1, "a")] * 3, [3] * 3, rows.astype(np.float32))
    assert judgement.estimate == [Key.from_index(3)]
    assert judgement.tracks == ["(1, 'a')"]


def test_written_judgement_gives_the_scores_of_mir_eval(tmp_path: Path) -> None:
    judgement = judge(*random_case())
    write_tables(Evaluation("run", ("demo",), "audio", "test", judgement), tmp_path / "new" / "test")
    with (tmp_path / "new" / "test" / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["track"] for line in lines] == judgement.tracks
    assert [int(line["intervals"]) for line in lines] == judgement.intervals
    confidences = [float(line["confidence"]) for line in lines]
    np.testing.assert_allclose(confidences, judgement.probabilities.max(axis=1), atol=1e-6)

    metrics = json.loads((tmp_path / "new" / "test" / "metrics.json").read_text(encoding="utf-8"))
    for name, both in (("weighted", True), ("weighted_ascending", False)):
        scores = [score(line["reference"], line["estimate"], both) for line in lines]
        figure = metrics[name]
        assert figure["value"] == pytest.approx(np.mean(scores), abs=1e-12)
        assert figure["low"] < figure["value"] < figure["high"]
        assert 0 < figure["value"] < 1
    assert metrics["n_tracks"] == 40


def test_one_track(tmp_path: Path) -> None:
    judgement = judge(["a"], [0], np.eye(24)[:1])
    evaluation = Evaluation("run", ("demo",), "audio", "test", judgement)
    write_tables(evaluation, tmp_path)
    assert evaluation.summary.figures["weighted"].value == 1.0


def test_intervals_count_one_by_one_and_parts_of_the_whole_are_their_own() -> None:
    tracks, labels, probabilities = random_case()
    judgement = judge(tracks, labels, probabilities)
    summary = judgement.interval_summary()
    right = probabilities.argmax(axis=1) == np.array(labels)
    assert summary.figures["correct"].value == pytest.approx(right.mean(), abs=1e-12)
    assert (summary.n_tracks, summary.n_intervals) == (40, len(labels))
    assert judgement.confusion().sum() == 40
    assert np.trace(judgement.confusion()) == sum(
        a == b for a, b in zip(judgement.reference, judgement.estimate, strict=True)
    )
    # A row is what was asked, a column what was answered.
    pairs = Counter(zip(judgement.reference, judgement.estimate, strict=True))
    assert {(a, b): judgement.confusion()[a.index, b.index] for a, b in pairs} == pairs
    counts = [found.n_tracks for key in KEYS if (found := judgement.of_key(key))]
    assert sum(counts) == 40
    both = join([judgement, judge(["other"], [3], np.eye(24)[3:4])])
    assert (both.tracks[-1], both.owners[-1], len(both.tracks)) == ("other", 40, 41)
    np.testing.assert_array_equal(both.interval_probabilities[:-1], judgement.interval_probabilities)


def test_a_track_of_two_keys_is_refused() -> None:
    with pytest.raises(DataError, match="track a: its intervals are labelled C major and D major"):
        judge(["a", "a"], [0, 2], np.eye(24)[:2])


def test_report_holds_everything_and_needs_nothing_else(tmp_path: Path) -> None:
    tracks, labels, probabilities = random_case()
    tracks = [f"<script>alert('{track}')</script>" for track in tracks]
    calibration = Calibration(1.7, 30, ("demo",), "audio", 2.0, 1.5, "0" * 64)
    evaluation = Evaluation(
        "run", ("demo",), "audio", "test", judge(tracks, labels, probabilities), calibration
    )
    np.testing.assert_allclose(
        evaluation.calibrated_probabilities, calibrated(evaluation.judgement.probabilities, 1.7)
    )
    write_report(evaluation, tmp_path, config=load_config().to_yaml(), about={"demo": "Demo; CC0"})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("https://", "http").partition("<details><summary>config")[0]
    assert page.count("data:image/png;base64,") == 4
    weighted = evaluation.summary.figures["weighted"]
    assert f"{100 * weighted.value:.1f} [{100 * weighted.low:.1f}, {100 * weighted.high:.1f}]" in page
    for words in ("Temperature 1.700", "Demo; CC0", "learning_rate", "fifth, either way", "by interval"):
        assert words in page
    assert page.count("<tr") == 4 + 9 + 2 + len(evaluation.by_key) + 4 + 40
    for name in ("confusion.png", "reliability.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_softmax_is_stable() -> None:
    logits = np.array([[1e4, 1e4, -1e4], [-1e38, 0.0, 3e38], [0.0, np.log(2), np.log(5)]], np.float32)
    probabilities = softmax(logits)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities, [[0.5, 0.5, 0], [0, 0, 1], [0.125, 0.25, 0.625]], atol=1e-7)
    np.testing.assert_allclose(softmax(logits[2:] - 500), softmax(logits[2:]), atol=1e-4)
