from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tfkey.inference import pretrained
from tfkey.inference.pretrained import DEFAULT

REAL = ROOT / "tests" / "data" / "real"


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A second network with scores comes with tfkey."""
    folder = tmp_path / "weights"
    for name in (DEFAULT, "second"):
        shutil.copytree(pretrained.FOLDER / DEFAULT, folder / name)
    path = folder / "second" / "tfkey.json"
    score = {"tracks": 65, "weighted": 0.8612, "low": 0.8, "high": 0.91, "correct": 0.81}
    path.write_text(json.dumps({**json.loads(path.read_text()), "scores": {"mixed": score}}))
    (folder / "second" / "card.md").write_text("# Second\n\nTwo.\n")
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    return folder


def test_table(tfkey, two) -> None:
    code, out, err = tfkey("models")
    assert (code, err, len(out)) == (0, [], 3)
    assert out[0].split("  ")[0] == "name"
    assert out[1].startswith(f"{DEFAULT} (default)  ")
    assert out[2].startswith("second  ")
    assert "mixed 86.1" in out[2]
    assert "Apache-2.0" in out[2]
    starts = {line.index("Apache-2.0") for line in out[1:]}
    assert starts == {out[0].index("licence")}


def test_card_and_json(tfkey, two) -> None:
    assert tfkey("models", "second") == (0, ["# Second", "", "Two."], [])
    code, out, _ = tfkey("models", "second", "--json")
    one = json.loads("\n".join(out))
    assert (code, one["name"], one["card"]) == (0, "second", "# Second\n\nTwo.\n")
    _, out, _ = tfkey("models", "--json")
    every = json.loads("\n".join(out))
    assert [(item["name"], item["is_default"]) for item in every] == [(DEFAULT, True), ("second", False)]
    assert every[1]["scores"]["mixed"]["tracks"] == 65
    (two / "second" / "card.md").unlink()
    assert tfkey("models", "second")[1] == ["second: has no model card"]


def test_unknown_name(tfkey) -> None:
    code, out, err = tfkey("models", "nosuch")
    assert (code, out, len(err)) == (2, [], 1)
    assert f"available: {DEFAULT}" in err[0]


def test_terminal_gets_a_drawn_table(tfkey, two, monkeypatch, capsys) -> None:
    monkeypatch.setattr("scripts.tables.sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = tfkey("models")
    assert code == 0
    assert any("second" in line for line in out)
    assert any("─" in line for line in out)


def test_predict_by_name(tfkey, two, tmp_path, monkeypatch) -> None:
    song = sorted(REAL.glob("*.ogg"))[0]
    answers = [tfkey("predict", song, *options)[:2] for options in ((), ("--model", "second"))]
    assert answers[0] == answers[1]
    assert answers[0][0] == 0
    code, out, err = tfkey("predict", song, "--model", "nosuch")
    assert (code, out, len(err)) == (2, [], 1)
    assert (
        f"--model nosuch: no such folder, and no network of that name comes with tfkey; available: {DEFAULT}"
        in err[0]
    )
    # A folder of the name takes precedence.
    (tmp_path / "here" / "second").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    code, _, err = tfkey("predict", song, "--model", "second")
    assert code == 1
    assert "second: is not an export" in err[-1]


def test_names_work_without_tensorflow() -> None:
    song = sorted(REAL.glob("*.ogg"))[0]
    commands = [
        ["models"],
        ["models", DEFAULT],
        ["models", "--json"],
        ["calibrate", "nowhere", "x", "--reference", "y"],
        ["predict", str(song), "--model", DEFAULT],
    ]
    script = f"""
import sys
from scripts.main import main
for arguments in {commands!r}:
    sys.argv = ["tfkey", *arguments]
    try:
        main()
    except SystemExit as end:
        assert end.code == (2 if "nowhere" in arguments else 0), (arguments, end.code)
    assert not {{"tensorflow", "keras", "scipy"}} & set(sys.modules), arguments
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
