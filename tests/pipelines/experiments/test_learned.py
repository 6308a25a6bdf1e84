from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import pipelines.prepared.examples
from pipelines.data_folders import DataFolders
from pipelines.experiments.evaluate import evaluate
from pipelines.experiments.learned import data_digests, read_learned, remember
from pipelines.experiments.train import Experiment
from pipelines.prepared.inputs import broken_members
from pipelines.prepared.manifest import open_prepared, read_manifest
from pipelines.prepared.split_intervals import open_intervals
from tfkey.config import load_config
from tfkey.errors import DataError, UsageError
from tfkey.files import sha256, write_csv
from tfkey.runs import create_run, open_run


@pytest.fixture
def run(lab, tmp_path):
    """A trained run, and the data of its mode, free to be changed."""
    shutil.copytree(lab / "runs" / "tiny", tmp_path / "tiny")
    found = open_run(tmp_path / "tiny")
    shutil.copytree(found.config.data_dir / found.config.mode, tmp_path / "data" / found.config.mode)
    return replace(found, config=found.config.model_copy(update={"data_dir": tmp_path / "data"}))


def swap(config, name, one, other):
    """Give the tracks of one split of prepared data to another, and back."""
    folder = config.data_dir / config.mode / name
    places = {one: other, other: one}
    lines = (folder / "manifest.csv").read_text().splitlines()
    column = lines[0].split(",").index("split")
    changed = [line.split(",") for line in lines]
    for values in changed[1:]:
        values[column] = places.get(values[column], values[column])
    (folder / "manifest.csv").write_text("\n".join(",".join(values) for values in changed) + "\n")
    document = json.loads((folder / "dataset.json").read_text())
    counts = document["intervals"]
    counts[one], counts[other] = counts[other], counts[one]
    (folder / "dataset.json").write_text(json.dumps(document))


def copied(config, name):
    folder = config.data_dir / config.mode
    shutil.copytree(folder / "small", folder / name)


def test_no_piece_of_a_track_is_on_two_sides(run):
    experiment = Experiment.open(run.config)
    sides = [{(row.key, row.track) for row in source.rows}
             for source in (experiment.training, experiment.validation)]  # fmt: skip
    assert all(sides)
    assert sides[0].isdisjoint(sides[1])
    learned = read_learned(run)
    for split, tracks in zip(("train", "validation"), sides, strict=True):
        assert {(item.key, item.track) for item in learned if item.split == split} == tracks


def test_tracks_that_changed_sides_are_not_judged(run):
    assert evaluate(run, run.config, ["small"], "test")
    for split, known in (("test", "train"), ("test", "validation"), ("validation", "train")):
        swap(run.config, "small", split, known)
        with pytest.raises(UsageError, match=rf"of the \d+ tracks in the {split} split of small, such as "):
            evaluate(run, run.config, ["small"], split)
        # What is learned may be looked at, as long as it is asked for by its name.
        assert evaluate(run, run.config, ["small"], "train")
        swap(run.config, "small", split, known)


def test_recordings_under_another_name_are_not_judged(run):
    copied(run.config, "mine")
    assert evaluate(run, run.config, ["mine"], "test")
    swap(run.config, "mine", "train", "test")
    with pytest.raises(UsageError, match=r"trained or validated on (\d+) of the \1 tracks .* split of mine"):
        evaluate(run, run.config, ["mine"], "test")


def test_recordings_under_two_names_are_not_trained_and_validated_on(run):
    copied(run.config, "mine")
    both = run.config.model_copy(update={"datasets": ["small", "mine"]})
    Experiment.open(both)
    swap(run.config, "mine", "train", "validation")
    with pytest.raises(UsageError, match="small and mine contain the same recordings"):
        Experiment.open(both)


def test_a_run_does_not_go_on_with_other_data(run):
    def sources():
        experiment = Experiment.open(run.config)
        return experiment.training, experiment.validation

    remember(run, sources())
    swap(run.config, "small", "validation", "test")
    with pytest.raises(
        UsageError, match=r"tiny: the data has changed since the run began \(\d+ new intervals, "
    ):
        remember(run, sources())
    swap(run.config, "small", "validation", "test")
    (run.path / "learned.csv").write_text("dataset,key\nsmall,C major\n")
    with pytest.raises(DataError, match=r"learned\.csv: is damaged"):
        remember(run, sources())


def test_files_with_what_is_no_number_are_named(run, monkeypatch):
    source = open_intervals(run.config, [open_prepared(run.config, run.config.mode, "small")], "validation")
    assert broken_members(source) == []
    rows = read_manifest(source.parts[0][0].folder / "manifest.csv")
    bad = str(source.parts[0][0].folder / next(row.path for row in rows if row.split == "validation"))
    decode = pipelines.prepared.examples.decode_clip

    def decoded(path, *arguments, **named):
        clip = decode(path, *arguments, **named)
        return tf.where(path == bad, tf.fill(tf.shape(clip), np.nan), clip)

    monkeypatch.setattr(pipelines.prepared.examples, "decode_clip", decoded)
    assert broken_members(source) == [bad]


@pytest.fixture
def recorded(tmp_path):
    """A run that only recorded its intervals, and the manifest that they come from."""
    config = load_config(None, [f"runs_dir={tmp_path / 'runs'}", f"data_dir={tmp_path / 'data'}"])
    run = create_run(config, "mine")
    manifest = DataFolders(config.data_dir, "one").prepared(config.mode) / "manifest.csv"
    manifest.parent.mkdir(parents=True)
    columns = ("track", "part", "path", "key", "split", "seconds", "source", "digest")
    rows = [
        ("a", 0, "a-0.wav", "C major", "train", 30.0, "a.wav", "11"),
        ("a", 1, "a-1.wav", "C major", "train", 30.0, "a.wav", "12"),
        ("b", 0, "b-0.wav", "A minor", "validation", 30.0, "b.wav", "13"),
        ("c", 0, "c-0.wav", "A minor", "test", 30.0, "c.wav", "14"),
    ]
    write_csv(manifest, columns, rows)
    learned = [("one", row[3], row[0], row[1], row[4], row[7]) for row in rows[:3]]
    learned.append(("gone", "C major", "x", 0, "train", "15"))
    write_csv(run.path / "learned.csv", ("dataset", "key", "track", "part", "split", "digest"), learned)
    return run, manifest


def test_digests_of_the_data(recorded):
    run, manifest = recorded
    found = data_digests(run)
    assert list(found) == ["one", "gone"]
    assert (found["one"]["tracks"], found["one"]["intervals"]) == (2, 3)
    assert found["one"]["manifest"] == sha256(manifest)
    # What is not there any more has the digest of its record alone.
    assert "manifest" not in found["gone"]
    assert len({item["learned"] for item in found.values()}) == 2
    # A manifest that was made anew, with other recordings, is not what the run learned from.
    manifest.write_text(manifest.read_text().replace(",12", ",99"))
    again = data_digests(run)
    assert "manifest" not in again["one"]
    assert again["one"]["learned"] == found["one"]["learned"]
    (run.path / "learned.csv").unlink()
    assert data_digests(run) == {}
