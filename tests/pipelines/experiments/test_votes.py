"""Training on votes and judging by them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.experiments.evaluate import evaluate
from pipelines.prepare.prepare import prepare
from tests.conftest import SETTINGS, write_settings
from tests.voted import write_votes
from tfkey.config import load_config
from tfkey.runs import Run, open_run
from tfkey.votes import key_of


@pytest.fixture(scope="module")
def settings(tracks_master: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of the dataset ``voted`` as spectrograms with an extra semitone."""
    root = tmp_path_factory.mktemp("votes")
    path = write_settings(
        root / "settings.yaml", data_dir=str(root / "data"), runs_dir=str(root / "runs"),
        mode="spectrograms", datasets=["voted"], features={**SETTINGS["features"], "extra_semitones": 1},
    )  # fmt: skip
    write_votes(root / "votes.csv", tracks_master)
    prepare(load_config(path), "voted", source=root / "votes.csv")
    return path


def test_a_batch_of_votes_is_overfitted(settings: Path, tfkey: Callable[..., Any]) -> None:
    """The check learns the most probable keys: no loss is below the entropy of a vote."""
    options = ("train.deterministic=false", "train.learning_rate=0.02", "train.average=0.5",
               "train.class_weights=balanced", "augment.pitch_shift=1")  # fmt: skip
    changes = [argument for option in options for argument in ("-o", option)]
    code, (line,), err = tfkey("train", "--config", settings, "--check", "overfit", *changes)
    assert (code, err) == (0, [])
    assert float(line.split()[2]) <= 0.02
    # One step and one validation step with soft labels, a pitch shift and the average, and what they leave.
    code, (line,), err = tfkey("train", "--config", settings, "--check", "fdr", *changes)
    assert (code, err) == (0, [])


@pytest.fixture
def run(lab: Path, tmp_path: Path) -> Run:
    """A run of the small dataset, free to be written to."""
    return open_run(Path(shutil.copytree(lab / "runs" / "tiny", tmp_path / "tiny")))


def test_an_evaluation_says_that_its_references_are_votes(
    run: Run, tracks_master: Path, tmp_path: Path, tfkey: Callable[..., Any]
) -> None:
    votes = write_votes(tmp_path / "votes.csv", tracks_master)
    prepare(run.config, "voted", source=tmp_path / "votes.csv")
    found = evaluate(run, run.config, ["voted", "small"], "test")
    assert [(evaluation.datasets, evaluation.voted) for evaluation, _ in found] == [
        (("voted",), 8), (("small",), 0), (("voted", "small"), 8)
    ]  # fmt: skip
    judgement = found[0][0].judgement
    for track, reference in zip(judgement.tracks, judgement.reference, strict=True):
        assert reference == key_of(votes[track.rpartition("/")[2]])
    words = [
        "The references of all 8 tracks are votes of other networks: these figures are agreement, "
        "not accuracy.",
        None,
        "The references of 8 of the 12 tracks are votes",
    ]
    for (evaluation, folder), note in zip(found, words, strict=True):
        page = (folder / "report.html").read_text()
        assert (note in page) if note else ("votes of other networks" not in page)
        metrics = json.loads((folder / "metrics.json").read_text())
        assert metrics["references_that_are_votes"] == evaluation.voted
    code, out, err = tfkey("evaluate", run.path, "--dataset", "voted", "--data-dir", run.config.data_dir)
    assert (code, err) == (0, [])
    assert out[1] == f"  {words[0]}"
    code, out, _ = tfkey("evaluate", run.path, "--dataset", "small", "--data-dir", run.config.data_dir)
    assert not any("votes" in line for line in out)
