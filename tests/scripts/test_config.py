from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tfkey.config import load_config
from tfkey.runs import create_run


def test_every_setting_is_shown(tfkey) -> None:
    code, out, err = tfkey("config")
    assert (code, err) == (0, [])
    assert "  train.batch_size = 32   (integer >= 1)" in out
    assert (
        out[out.index("  train.batch_size = 32   (integer >= 1)") + 1] == "      intervals per training step"
    )
    assert "settings specific to the network allconv_rnn:" in out
    assert "  model.bidirectional = true   (true or false)" in out
    assert not [line for line in out if line.startswith("*")]
    assert max(map(len, out)) <= 110


def test_values_of_a_file_and_of_overrides_are_marked(tfkey) -> None:
    code, out, _ = tfkey("config", "--config", "demo", "-o", "train.epochs=7", "train")
    assert code == 0
    assert out[0] == "train: how the network is trained"
    assert "* train.epochs = 7   (integer >= 1; default 100)" in out
    assert "  train.patience = 25   (integer >= 1)" in out
    assert not [line for line in out if "features" in line]
    _, out, _ = tfkey("config", "--config", "demo", "--changed")
    assert {line.split()[1] for line in out if line.startswith("*")} >= {"model.name", "features.hop_length"}
    assert not [line for line in out if line.startswith("  ") and "=" in line.split()[:2]]


def test_settings_of_a_run(tfkey, tmp_path: Path) -> None:
    run = create_run(load_config("demo", [f"runs_dir={tmp_path}", "train.limit=0.5"]), "mine")
    code, out, err = tfkey("config", run.path)
    assert (code, err) == (0, [])
    assert "* train.limit = 0.5   (number > 0, <= 1; default 1.0)" in out
    assert "settings specific to the network octave:" in out
    assert not [line for line in out if "allconv:" in line]
    code, out, _ = tfkey("config", run.path, "train.limit", "seed")
    assert [line.split()[0] for line in out if line.startswith("  ") and "=" in line] == ["seed"]
    code, out, _ = tfkey("config", run.path, "--yaml")
    (tmp_path / "again.yaml").write_text("\n".join(out))
    assert load_config(tmp_path / "again.yaml") == run.config


def test_yaml_of_one_network(tfkey) -> None:
    code, out, _ = tfkey("config", "timepool", "--yaml")
    assert yaml.safe_load("\n".join(out)) == {
        "model": {"name": "timepool", "maps": 32, "dropout": 0.2, "n_classes": 24}
    }
    code, out, _ = tfkey("config", "--changed", "--yaml")
    assert (code, out) == (0, ["{}"])


def test_schema_is_json(tfkey) -> None:
    code, out, _ = tfkey("config", "--schema")
    assert code == 0
    assert json.loads("\n".join(out))["properties"]["seed"]["minimum"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train.epoch"], "did you mean train.epochs?"),
        (["allconv", "octave", "--yaml"], "one network, not allconv and octave"),
        (["--schema", "train"], "do not combine it"),
        (["nowhere/x"], "nowhere/x: no such folder"),
        (["-o", "train.epochs=0"], "train.epochs: 0 is not allowed"),
        (["--config", "nowhere"], "configuration nowhere: no such file"),
        ([ROOT / "tests", "--config", "demo"], "a run has its own settings"),
        ([ROOT / "tests", ROOT / "configs"], "give only one run"),
        ([ROOT / "tests"], "not a run folder"),
    ],
)
def test_usage_errors(tfkey, arguments: list, said: str) -> None:
    code, out, err = tfkey("config", *arguments)
    assert (code, out) == (2, [])
    assert said in " ".join(err)


def test_it_starts_without_a_framework(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'numpy', 'scipy'):\n"
        "    sys.modules[name] = None\n"
        "from scripts.main import main\n"
        "main()"
    )
    run = create_run(load_config("demo", [f"runs_dir={tmp_path}"]), "mine")
    for arguments in ([], ["--schema"], [str(run.path), "--yaml"]):
        done = subprocess.run(
            [sys.executable, "-c", script, "config", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
