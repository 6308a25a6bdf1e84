from __future__ import annotations

import json
import shutil

import pytest

from tfkey import KeyEstimator
from tfkey.errors import DataError, UsageError
from tfkey.inference import pretrained
from tfkey.inference.pretrained import DEFAULT, Score, find_pretrained, pretrained_names

SCORES = {"mixed": {"tracks": 65, "weighted": 0.86, "low": 0.8, "high": 0.91, "correct": 0.81}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two networks: the default one, and "another" before it in the alphabet."""
    shutil.copytree(pretrained.FOLDER / DEFAULT, tmp_path / DEFAULT)
    shutil.copytree(pretrained.FOLDER / DEFAULT, tmp_path / "another")
    (tmp_path / "not-a-network").mkdir()
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    return tmp_path


def change(path, **changes) -> None:
    values = {**json.loads((path / "tfkey.json").read_text()), **changes}
    kept = {name: value for name, value in values.items() if value is not None}
    (path / "tfkey.json").write_text(json.dumps(kept))


def test_what_comes_with_tfkey_is_complete() -> None:
    names = pretrained_names()
    assert names[0] == DEFAULT
    for name in names:
        found = find_pretrained(name)
        assert found.is_default == (name == DEFAULT)
        assert 0 < found.size <= 2_000_000
        assert found.parameters
        assert found.card.startswith("# ")
        assert found.licence == "Apache-2.0"
        assert found.data_licences


def test_a_folder_is_all_that_a_network_needs(folder) -> None:
    change(folder / "another", scores=SCORES, description="Another one.", parameters=7)
    assert pretrained_names() == [DEFAULT, "another"]
    found = find_pretrained("another")
    assert (found.is_default, found.parameters) == (False, 7)
    assert found.scores == {"mixed": Score(65, 0.86, 0.8, 0.91, 0.81)}
    assert KeyEstimator.from_pretrained("another").description == "Another one."
    assert find_pretrained().name == DEFAULT
    assert json.loads(json.dumps(found.as_dict()))["scores"] == SCORES


def test_metadata_of_older_exports_is_enough(folder) -> None:
    change(folder / "another", parameters=None, scores=None, licence=None, interval_temperature=None)
    (folder / "another" / "card.md").unlink(missing_ok=True)
    found = find_pretrained("another")
    assert (found.parameters, found.scores, found.licence, found.card) == (None, {}, "unknown", "")
    assert KeyEstimator.from_pretrained("another").metadata.interval_temperature == pytest.approx(
        KeyEstimator.from_pretrained("another").metadata.temperature
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"scores": {"mixed": {"tracks": 3}}},
        {"scores": [1]},
        {"parameters": "many"},
        {"temperature": 0},
        {"interval_temperature": float("nan")},
    ],
)
def test_damaged_metadata_is_named(folder, changes) -> None:
    change(folder / "another", **changes)
    with pytest.raises(DataError, match=r"another.tfkey\.json: is damaged"):
        find_pretrained("another")


@pytest.mark.parametrize("name", ["hits", "../weights/demo", "not-a-network", "."])
def test_unknown_names(folder, name) -> None:
    with pytest.raises(UsageError, match=f"does not come with tfkey; available: {DEFAULT}, another"):
        KeyEstimator.from_pretrained(name)
