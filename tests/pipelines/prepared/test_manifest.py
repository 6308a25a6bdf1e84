from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.data_folders import DataFolders
from pipelines.prepared.manifest import (
    as_prepared,
    check_parameters,
    open_prepared,
    preparation_parameters,
    selection_parameters,
    write_prepared,
)
from tfkey.errors import DataError


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
