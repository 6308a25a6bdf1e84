from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.data_folders import DataFolders
from pipelines.prepared.manifest import Row, as_prepared, open_prepared, read_manifest, write_prepared
from pipelines.prepared.parameters import check_parameters, preparation_parameters, selection_parameters
from tfkey.errors import DataError
from tfkey.votes import write_vote


@pytest.mark.parametrize("mode", ["audio", "spectrograms", "images"])
def test_data_from_before_the_floor_has_a_hard_one(make_config, mode: str) -> None:
    config = make_config(mode=mode)
    soft = make_config(mode=mode, features={"floor": "soft"})
    folder = DataFolders(config.data_dir, "demo").prepared(mode)
    folder.mkdir(parents=True)
    parameters = preparation_parameters(config, mode)
    assert parameters.pop("features.floor", None) == (None if mode == "audio" else "hard")
    description = {"selection": selection_parameters(config, "demo")}
    write_prepared(folder, [], [], description=description, parameters=parameters)
    assert open_prepared(config, mode, "demo").parameters == parameters
    # Audio depends on no floor: it is a choice at training time.
    if mode == "audio":
        open_prepared(soft, mode, "demo")
        assert as_prepared(soft, mode, "demo").features.floor == "soft"
        return
    with pytest.raises(DataError, match=r"was prepared with features\.floor=hard \(requested: soft\)"):
        open_prepared(soft, mode, "demo")
    assert as_prepared(soft, mode, "demo").features.floor == "hard"
    document = json.loads((folder / "dataset.json").read_text())
    document["parameters"]["features.floor"] = "soft"
    (folder / "dataset.json").write_text(json.dumps(document))
    assert as_prepared(config, mode, "demo").features.floor == "soft"
    with pytest.raises(DataError, match=r"features\.floor=soft \(requested: hard\)"):
        open_prepared(config, mode, "demo")


def test_parameters_without_features_are_of_no_floor() -> None:
    check_parameters(Path("data"), {"split.seed": 0}, {"split.seed": 0, "features.floor": "soft"})


VOTE = write_vote((0.5, 0.25, 0.25, *(0.0,) * 21))
KNOWN = Row("a", 0, "train/a-000.wav", "D minor", "train", 1.0, "a.wav", "0" * 64)
VOTED = Row("b, c", 3, "test/b-003.wav", "C major", "test", 1.0, "b, c.wav", "1" * 64, VOTE)


@pytest.mark.parametrize("rows", [[KNOWN], [VOTED], [KNOWN, VOTED], []], ids=len)
def test_rows_are_read_as_they_were_written(tmp_path: Path, rows: list[Row]) -> None:
    write_prepared(tmp_path, rows, [], description={}, parameters={})
    assert read_manifest(tmp_path / "manifest.csv") == rows
    header = (tmp_path / "manifest.csv").read_text().splitlines()[0]
    # Without votes, the file is the one that it was before there were any.
    assert header.endswith("digest,vote" if VOTED in rows else "digest")


@pytest.mark.parametrize(
    ("vote", "words"),
    [
        (VOTE.replace("0.5000", "0.9000"), r"sum to 1\.400, not 1"),
        (VOTE[:-7], "24 probabilities, not 23"),
        (VOTE.replace("0.5000", "nan"), "C major is nan; probabilities are 0 or more"),
        ("C major", "'C' is not a number"),
    ],
)
def test_a_damaged_vote_names_its_line(tmp_path: Path, vote: str, words: str) -> None:
    write_prepared(tmp_path, [KNOWN, VOTED], [], description={}, parameters={})
    path = tmp_path / "manifest.csv"
    path.write_text(path.read_text().replace(VOTE, vote))
    with pytest.raises(DataError, match=rf"manifest\.csv, line 3: .*{words}; fix the line or prepare"):
        read_manifest(path)


def test_data_of_other_weights_of_voters_is_not_taken(make_config) -> None:
    config = make_config(voters={"mine": {"k10": 1.0}})
    folder = DataFolders(config.data_dir, "mine").prepared(config.mode)
    folder.mkdir(parents=True)
    parameters = preparation_parameters(config, config.mode)
    description = {"selection": selection_parameters(config, "mine")}
    write_prepared(folder, [], [], description=description, parameters=parameters)
    assert open_prepared(config, config.mode, "mine").rows == ()
    with pytest.raises(DataError, match=r'voters\.mine=\{"k10": 1\.0\} \(requested: \{\}\)'):
        open_prepared(make_config(), config.mode, "mine")
    assert as_prepared(make_config(), config.mode, "mine").voters == {"mine": {"k10": 1.0}}
    # Data from before says nothing of voters: it has none.
    document = json.loads((folder / "dataset.json").read_text())
    del document["selection"]["voters.mine"]
    (folder / "dataset.json").write_text(json.dumps(document))
    assert open_prepared(make_config(), config.mode, "mine").rows == ()
