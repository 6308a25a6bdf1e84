from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import times
from tfkey import KeyEstimator
from tfkey.errors import DataError, UsageError
from tfkey.files import sha256
from tfkey.inference.calibrating import find_network, judge_labelled, store
from tfkey.inference.from_run import export_metadata
from tfkey.keys import Key
from tfkey.known_keys import KnownKey
from tfkey.runs import Run, create_run, open_run
from tfkey.scoring.calibration import calibrated
from tfkey.scoring.confidence import Confidence

FOUND = Confidence(1.25, 2.5, 9, 2.0, 1.0, None, None, None, {})


@pytest.fixture
def run(small_config, decided_network, tmp_path: Path) -> Run:
    config = small_config(f"runs_dir={tmp_path / 'runs'}")
    run = create_run(config, "mine")
    decided_network(config, 1).save(run.best)
    return run


def test_a_run_keeps_its_temperatures_for_its_network(run: Run) -> None:
    network = find_network(run.path)
    assert (network.kind, network.temperature, network.interval_temperature) == ("run", 1.0, 1.0)
    store(network, FOUND, "labels.csv")
    written = json.loads((run.path / "calibration.json").read_text())
    assert (written["network"], written["recordings"]) == (sha256(run.best), "labels.csv")
    again = find_network(run.path)
    assert (again.temperature, again.interval_temperature) == (1.25, 2.5)
    metadata = KeyEstimator.from_run(run).metadata
    assert (metadata.temperature, metadata.interval_temperature) == (1.25, 2.5)
    exported = export_metadata(open_run(run.path))
    assert (exported["temperature"], exported["interval_temperature"]) == (1.25, 2.5)
    # Another network in the run has no temperature.
    run.best.write_bytes(run.best.read_bytes() + b"\n")
    assert find_network(run.path).temperature == 1.0
    assert "interval_temperature" not in export_metadata(run)


def test_answers_are_those_of_the_network_without_calibration(run: Run, music, tmp_path: Path) -> None:
    store(find_network(run.path), FOUND, "labels.csv")
    files = {tmp_path / f"{number}.wav": Key.from_index(number) for number in range(2)}
    for number, path in enumerate(files):
        soundfile.write(path, music(40000, number), 8000, subtype="FLOAT")
    files[tmp_path / "missing.wav"] = Key.from_index(2)
    known = {
        path: KnownKey(number, (path.name,), key, {"set": " b " if number else ""})
        for number, (path, key) in enumerate(files.items())
    }
    before, seen = times(run.path), []
    answers, failures = judge_labelled(find_network(run.path), known, on_file=seen.append)
    assert times(run.path) == before
    assert seen == [1, 2, 3]
    assert [name for name, _ in failures] == [str(tmp_path / "missing.wav")]
    assert (answers.labels.tolist(), answers.sets) == ([0, 1], ["", "b"])
    estimator = KeyEstimator.from_run(run)
    for number, path in enumerate(list(files)[:2]):
        expected = estimator.estimate(path, step_seconds=10.0)
        assert (expected.key is not None) == answers.has_key[number]
        np.testing.assert_allclose(calibrated(answers.probabilities[number], 1.25), expected.probabilities)
        mine = answers.owners == number
        np.testing.assert_allclose(answers.intervals[mine], expected.interval_probabilities)
        for part in expected.segments if mine.sum() == 1 else ():
            if part.key is not None:
                row = calibrated(answers.intervals[mine][0], 2.5)
                assert part.confidence == pytest.approx(row[part.key.index])


def test_single_intervals_have_their_own_temperature(run: Run, music) -> None:
    store(find_network(run.path), FOUND, "labels.csv")
    estimator = KeyEstimator.from_run(run, least_tonality=0.0, correct_tuning=False)
    # One interval: the track's probabilities, at either temperature.
    found = estimator.estimate(music(15600, 1))
    (row,) = found.interval_probabilities
    np.testing.assert_allclose(found.probabilities, calibrated(row, 1.25))
    (segment,) = found.segments
    assert segment.confidence == pytest.approx(calibrated(row, 2.5).max())
    assert segment.confidence < found.confidence


def test_folders_without_a_network(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a run nor an export"):
        find_network(tmp_path)
    (tmp_path / "tfkey.json").write_text("{}")
    with pytest.raises(DataError, match="is damaged"):
        find_network(tmp_path)
