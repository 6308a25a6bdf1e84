from __future__ import annotations

import os
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from tfkey.config import Config, load_config
from tfkey.errors import ConfigError, DataError, TfkeyError, UsageError
from tfkey.models import build_network
from tfkey.runs import Run, config_digest, create_run, latest_run, open_run


def make_config(folder: Path, *overrides: str) -> Config:
    return load_config(None, ["features.n_bins=24", f"runs_dir={folder}", *overrides])


def make_network(bins: int = 24) -> keras.Model:
    picture = keras.Input((None, bins, 1))
    x = keras.layers.Conv2D(24, (1, bins))(picture)
    return keras.Model(picture, keras.layers.GlobalAveragePooling2D()(x))


def test_run_is_created_opened_and_taken_up_again(tmp_path: Path) -> None:
    config = make_config(tmp_path / "runs")
    run = create_run(config, "first")
    assert run.path == tmp_path / "runs" / "first"
    assert open_run(run.path).config == config
    before = (run.path / "config.yaml").stat().st_mtime_ns
    # Where data lies is no part of what a run is, but a run that goes on reads it from the new place.
    moved = create_run(make_config(tmp_path / "runs", "data_dir=/elsewhere"), "first")
    assert moved.config.data_dir == Path("/elsewhere")
    assert (run.path / "config.yaml").stat().st_mtime_ns == before


def test_digest_is_that_of_the_settings(tmp_path: Path) -> None:
    digests = {
        name: config_digest(create_run(make_config(tmp_path / name, *overrides), "run"))
        for name, overrides in (("a", ()), ("b", ("data_dir=/elsewhere",)), ("c", ("seed=7",)))
    }
    assert digests["a"] == digests["b"] != digests["c"]
    assert re.fullmatch(r"[0-9a-f]{64}", digests["c"] or "")
    assert config_digest(Run(tmp_path / "none", make_config(tmp_path))) is None


def test_run_of_another_configuration_is_refused_with_every_difference(tmp_path: Path) -> None:
    create_run(make_config(tmp_path, "model.dropout=0.3"), "first")
    other = make_config(tmp_path, "train.batch_size=16", "seed=5", "model={name: allconv}", "datasets=[ncs]")
    with pytest.raises(UsageError) as caught:
        create_run(other, "first")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'first'}: ")
    for part in (
        "train.batch_size=32 (now 16)",
        "seed=0 (now 5)",
        "datasets=['demo'] (now ['ncs'])",
        "model.dropout=0.3 (now 0.5)",
        "another name",
    ):
        assert part in message
    assert "patience" not in message
    assert open_run(tmp_path / "first").config.seed == 0


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "/abs", "a\\b", "a:b", "what?"])
def test_name_that_is_no_folder_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"^name .*: give a valid folder name"):
        create_run(make_config(tmp_path / "runs"), name)
    assert not (tmp_path / "runs").exists()


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{tmp_path}: not a run folder"):
        open_run(tmp_path)
    with pytest.raises(UsageError, match="none: no such folder"):
        open_run(tmp_path / "none")
    (tmp_path / "config.yaml").write_text("seed: [")
    with pytest.raises(ConfigError, match=r"config\.yaml: is not YAML"):
        open_run(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(TfkeyError, match=r"file/a/config\.yaml: cannot be written"):
        create_run(make_config(tmp_path / "file"), "a")


def test_latest_run_is_that_of_the_newest_network(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=rf"{folder}: contains no trained run; train one first"):
            latest_run(folder)
    runs = {name: create_run(make_config(tmp_path), name) for name in "abcd"}
    for name, age in (("a", 30), ("b", 10), ("c", 20)):
        runs[name].best.touch()
        os.utime(runs[name].best, (1e9 - age, 1e9 - age))
    assert latest_run(tmp_path).path == runs["b"].path


def test_network_is_loaded_or_its_fault_is_named(tmp_path: Path) -> None:
    run = create_run(make_config(tmp_path), "first")
    with pytest.raises(TfkeyError, match=r"best\.keras: does not exist yet; train the run first$"):
        run.load_network()
    make_network(36).save(run.best)
    with pytest.raises(TfkeyError, match=r"best\.keras: is for 36 bins, .*features\.n_bins=24"):
        run.load_network()
    make_network().save(run.best)
    with pytest.raises(TfkeyError, match=r"best\.keras: has another model than .*config\.yaml says"):
        run.load_network()
    build_network(run.config.model, run.config.features).save(run.best)
    assert run.load_network().output_shape == (None, 24)
    weights = run.load_network().get_weights()

    whole = run.best.read_bytes()
    step = len(whole) // 25
    cuts = [whole[:size] for size in range(0, len(whole), step)]
    fault = r"best\.keras: the network cannot be loaded; put it back, or delete .*first and train again"
    for damaged in (*cuts, b"not a network" * 99):
        run.best.write_bytes(damaged)
        with pytest.raises(TfkeyError, match=fault):
            run.load_network()

    # A byte that does not matter, such as a date, leaves the network as it was; any other must be reported.
    reported = 0
    for at in range(30, len(whole), step):
        run.best.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            damaged_weights = run.load_network().get_weights()
        except TfkeyError as error:
            reported += bool(re.search(fault, str(error)))
        else:
            assert all(map(np.array_equal, damaged_weights, weights))
    assert reported > 15
