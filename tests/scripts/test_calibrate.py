from __future__ import annotations

import json
import shutil

import pytest

from tests.conftest import ROOT
from tfkey.inference.pretrained import pretrained_folder

REAL = ROOT / "tests" / "data" / "real"


@pytest.fixture
def export(tmp_path):
    return shutil.copytree(pretrained_folder(), tmp_path / "export")


@pytest.fixture
def reference(tmp_path):
    """The keys of four of the five recordings, in two sets."""
    lines = (REAL / "labels.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split(",")[:3] for line in sorted(lines)[:4]]
    path = tmp_path / "labels.csv"
    path.write_text(
        "path,key,set\n"
        + "".join(
            f"{REAL / file},{tonic} {mode},{'ab'[n % 2]}\n" for n, (file, tonic, mode) in enumerate(rows)
        )
    )
    return path


def test_temperatures_go_into_the_export(tfkey, export, reference) -> None:
    before = json.loads((export / "tfkey.json").read_text())
    code, out, err = tfkey("calibrate", export, REAL, "--reference", reference, "--dry-run")
    assert code == 0
    assert err == ["files without a known key left out: 1"]
    assert json.loads((export / "tfkey.json").read_text()) == before
    heads = [line.split()[0] for line in out if line.strip()]
    assert heads[3:7] == ["set", "a", "b", "all"]
    assert heads[-4:] == ["set", "a", "b", "all"]

    code, out, err = tfkey("calibrate", export, REAL, "--reference", reference, "--json")
    found = json.loads("\n".join(out))
    assert (code, err[-1]) == (0, f"written to {export / 'tfkey.json'}")
    assert {name: item["files"] for name, item in found["sets"].items()} == {"a": 2, "b": 2, "all": 4}
    assert set(found["sets"]["all"]["thresholds"]) == {"0.5", "0.6", "0.7", "0.8"}
    after = json.loads((export / "tfkey.json").read_text())
    assert after["temperature"] == pytest.approx(found["temperature"], abs=1e-6)
    assert after["interval_temperature"] == pytest.approx(found["interval_temperature"], abs=1e-6)
    changed = ("temperature", "interval_temperature")
    assert {name: value for name, value in after.items() if name not in changed} == {
        name: value for name, value in before.items() if name not in changed
    }
    assert sorted(path.name for path in export.iterdir()) == sorted(
        path.name for path in pretrained_folder().iterdir()
    )
    # The network itself is judged, not its last calibration.
    _, out, _ = tfkey("calibrate", export, REAL, "--reference", reference, "--json")
    again = json.loads("\n".join(out))
    assert again["temperature"] == found["temperature"]
    assert again["temperature_before"] == after["temperature"]


def test_a_bad_file_does_not_stop_it(tfkey, export, reference, tmp_path) -> None:
    bad = tmp_path / "bad.ogg"
    bad.write_bytes(b"OggS" + bytes(400))
    with reference.open("a") as table:
        table.write(f"{bad},C major,b\n")
    code, out, err = tfkey("calibrate", export, REAL, bad, "--reference", reference, "--json")
    assert code == 1
    assert err[-2] == "not analysed (1):"
    assert err[-1].startswith(f"  {bad}: ")
    found = json.loads("\n".join(out))
    assert [item["file"] for item in found["not_analysed"]] == [str(bad)]
    assert found["sets"]["all"]["files"] == 4
    assert json.loads((export / "tfkey.json").read_text())["temperature"] != 1.0
    # Nothing is left to calibrate by.
    reference.write_text(f"path,key\n{bad},C major\n")
    code, out, err = tfkey("calibrate", export, bad, "--reference", reference)
    assert (code, out) == (1, [])
    assert "nothing was calibrated" in err[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere", REAL, "--reference", "labels"), "nowhere: is neither a run nor an export"),
        ((REAL, REAL, "--reference", "labels"), "is neither a run nor an export"),
        (("export", REAL, "--reference", "none.csv"), "--reference none.csv: cannot be read"),
        (("export", REAL), "--reference"),
        (("export", "--reference", "labels"), "PATHS"),
        (("export", REAL, "--reference", "labels", "--folds", "1"), "--folds"),
    ],
)
def test_what_cannot_be_meant(tfkey, export, reference, arguments, words) -> None:
    places = {"export": export, "labels": reference}
    code, out, err = tfkey("calibrate", *(places.get(item, item) for item in arguments))
    assert (code, out) == (2, [])
    assert words in " ".join(err)
