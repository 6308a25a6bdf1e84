from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

from pipelines.experiments.evaluate import calibrate, evaluate
from pipelines.prepared.inputs import evaluation_batches
from pipelines.prepared.manifest import open_prepared
from pipelines.prepared.split_intervals import open_intervals
from tests.conftest import BINS
from tfkey.errors import DataError, TfkeyError, UsageError
from tfkey.models import build_model
from tfkey.runs import open_run
from tfkey.scoring.calibration import softmax


@pytest.fixture
def run(lab, tmp_path):
    """A run of the small dataset, with dropout in its network, free to be written to."""
    shutil.copytree(lab / "runs" / "tiny", tmp_path / "tiny")
    found = open_run(tmp_path / "tiny")
    build_model("allconv", (None, BINS, 1), maps=1, dropout=0.5).save(found.best)
    return found


def test_nothing_is_left_to_chance_and_dropout_is_off(run):
    config = run.config
    first, second = (evaluate(run, config, ["small"], "test")[0][0].judgement for _ in range(2))
    assert np.array_equal(first.interval_probabilities, second.interval_probabilities)
    intervals = open_intervals(config, [open_prepared(config, "spectrograms", "small")], "test")
    pictures = np.concatenate([batch for batch, _ in evaluation_batches(intervals, 8).as_numpy_iterator()])
    network = run.load_network()
    assert any(getattr(layer, "rate", 0) > 0 for layer in network._flatten_layers())
    on_spectrograms = config.model_copy(update={"mode": "spectrograms"})
    ((still, _),) = evaluate(run, on_spectrograms, ["small"], "test")
    expected = softmax(np.asarray(network(pictures, training=False)))
    np.testing.assert_allclose(still.judgement.interval_probabilities, expected, atol=1e-5)
    moved = softmax(np.asarray(network(pictures, training=True)))
    assert not np.allclose(moved, expected, atol=1e-3)


def test_files_of_a_judgement_agree(run):
    ((evaluation, folder),) = evaluate(run, run.config, ["small"], "test")
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion.png", "intervals.csv", "metrics.json", "predictions.csv", "reliability.png", "report.html"
    ]  # fmt: skip
    with (folder / "predictions.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    metrics = json.loads((folder / "metrics.json").read_text())
    right = np.mean([line["reference"] == line["estimate"] for line in lines])
    assert metrics["correct"]["value"] == pytest.approx(right)
    assert metrics["n_tracks"] == len(lines) == evaluation.summary.n_tracks
    assert sum(int(line["intervals"]) for line in lines) == metrics["by_interval"]["n_intervals"]


def test_the_temperature_is_fitted_once_for_a_network(run):
    first = calibrate(run, run.config)
    path = run.path / "calibration.json"
    before = path.stat().st_mtime_ns
    assert calibrate(run, run.config) == first
    assert path.stat().st_mtime_ns == before
    assert first.nll_after <= first.nll_before + 1e-9
    # Another network has another temperature; without validation data it has no temperature.
    path.write_text(path.read_text().replace(first.network, "0" * 64))
    assert calibrate(run, run.config.model_copy(update={"data_dir": run.path / "none"})) is None
    assert calibrate(run, run.config).network == first.network


def test_several_datasets_each_and_together(run, tmp_path):
    shutil.copytree(run.config.data_dir / "spectrograms", tmp_path / "data" / "spectrograms")
    prepared = tmp_path / "data" / "spectrograms"
    shutil.copytree(prepared / "small", prepared / "other")
    same = (prepared / "other" / "manifest.csv").read_text()
    others = [line[:-8] + "00000000" if number else line for number, line in enumerate(same.splitlines())]
    (prepared / "other" / "manifest.csv").write_text("\n".join(others) + "\n")
    shutil.copytree(prepared / "small", prepared / "untested")
    manifest = prepared / "untested" / "manifest.csv"
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if ",test," not in line))
    document = json.loads((prepared / "untested" / "dataset.json").read_text())
    document["intervals"]["test"] = 0
    (prepared / "untested" / "dataset.json").write_text(json.dumps(document))
    config = run.config.model_copy(update={"mode": "spectrograms", "data_dir": tmp_path / "data"})
    said = []
    found = evaluate(run, config, ["small", "untested", "other"], "test", said.append)
    assert [folder.name for _, folder in found] == [
        "small-spectrograms-test", "other-spectrograms-test", "small+other-spectrograms-test"
    ]  # fmt: skip
    assert said == ["untested: left out because its test split is empty"]
    assert [evaluation.summary.n_tracks for evaluation, _ in found] == [4, 4, 8]
    assert found[2][0].judgement.tracks[3:5] == [
        found[0][0].judgement.tracks[-1],
        found[1][0].judgement.tracks[0],
    ]
    with pytest.raises(DataError, match="test split is empty"):
        evaluate(run, config, ["untested"], "test")
    # The same recordings, or said to be: they would count twice.
    (prepared / "other" / "manifest.csv").write_text(same)
    assert len(evaluate(run, config, ["small", "other"], "test", said.append)) == 2
    assert said.pop() == "no combined figures: small and other contain the same recordings"
    (prepared / "other" / "manifest.csv").write_text("\n".join(others) + "\n")
    catalogue = tmp_path / "catalogue"
    catalogue.mkdir()
    for name in ("small", "other"):
        (catalogue / f"{name}.yaml").write_text(
            f"{{name: {name}, title: t, licence: l, citation: c, split: {{test: 1}}, "
            f"same_tracks_as: [{'other' if name == 'small' else 'small'}]}}"
        )
    object.__setattr__(run, "config", run.config.model_copy(update={"catalogue": catalogue}))
    assert len(evaluate(run, config, ["small", "other"], "test", said.append)) == 2
    assert said[-1] == "no combined figures: small and other contain the same recordings"


def test_validation_data_that_is_damaged_stops_no_judgement(run, tmp_path):
    shutil.copytree(run.config.data_dir / "images", tmp_path / "data" / "images")
    for picture in (tmp_path / "data" / "images" / "small" / "validation").rglob("*.png"):
        picture.write_bytes(b"no picture" * 50)
    config = run.config.model_copy(update={"mode": "images", "data_dir": tmp_path / "data"})
    said = []
    ((evaluation, _),) = evaluate(run, config, ["small"], "test", said.append)
    assert evaluation.calibration is None
    assert len(said) == 1
    assert said[0].startswith("not calibrated: ")
    assert "damaged" in said[0]


def test_a_network_of_no_numbers_is_named(run):
    network = run.load_network()
    network.set_weights([np.full_like(weight, np.nan) for weight in network.get_weights()])
    network.save(run.best)
    with pytest.raises(TfkeyError, match="returns NaN or infinity"):
        evaluate(run, run.config, ["small"], "test")


def test_recordings_that_were_learned_are_not_judged(run):
    learned = run.config.model_copy(update={"datasets": ["gs_mtg"]})
    object.__setattr__(run, "config", learned)
    with pytest.raises(
        UsageError, match="was trained on gs_mtg, which contains the same recordings as beatport"
    ):
        evaluate(run, learned, ["beatport"], "test")
    # The other direction of the same; and what is for tests alone teaches nothing.
    object.__setattr__(run, "config", learned.model_copy(update={"datasets": ["beatport"]}))
    with pytest.raises(
        UsageError, match="was trained on beatport, which contains the same recordings as gs_mtg"
    ):
        evaluate(run, learned, ["gs_mtg"], "test")
    object.__setattr__(run, "config", learned.model_copy(update={"datasets": ["gs_mtg", "gs_key"]}))
    with pytest.raises(DataError, match="'gs_plus' is not prepared"):
        evaluate(run, learned, ["gs_plus"], "test")
    with pytest.raises(UsageError, match="is named more than once"):
        evaluate(run, learned, ["gs_key", "gs_key"], "test")
