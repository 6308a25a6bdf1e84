from __future__ import annotations

import subprocess
import sys

import yaml

from tests.conftest import ROOT


def test_help_and_errors_answer_without_tensorflow(tmp_path):
    space = tmp_path / "space.yaml"
    space.write_text(yaml.safe_dump({"space": {"train.batch_size": {"int": [0, 8]}}}))
    cases = [
        (["--help"], 0),
        (["--algorithm", "genetic"], 2),
        (["--trials", "0"], 2),
        (["--space", "nowhere"], 2),
        (["--space", str(space)], 2),
        (["-o", "train.batchsize=3"], 2),
    ]
    script = f"""
import sys
from scripts.main import main
for arguments, code in {cases!r}:
    sys.argv = ["tfkey", "tune", *arguments]
    try:
        main()
    except SystemExit as end:
        assert end.code == code, (arguments, end.code)
    heavy = {{"tensorflow", "keras", "keras_tuner"}} & set(sys.modules)
    assert not heavy, (arguments, heavy)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("tfkey: ")]
    assert len(lines) == 3
    assert "space.train.batch_size: 0 cannot be tried" in lines[1]


def test_data_that_is_not_prepared_and_names_that_cannot_be(tfkey, lab, tmp_path):
    common = ("tune", "--config", lab / "settings.yaml", "--runs-dir", tmp_path / "runs")
    code, out, err = tfkey(*common, "--data-dir", tmp_path)
    assert (code, out, len(err)) == (1, [], 1)
    assert "not prepared" in err[0]
    code, out, err = tfkey(*common, "--name", "../x")
    assert (code, out, len(err)) == (2, [], 1)
    assert "--name" in err[0]
    assert not (tmp_path / "runs").exists()
