"""Labels by one network for the training of another, in two commands."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.prepared.manifest import read_manifest
from tests.conftest import chord, write_settings
from tests.scripts.test_predict import at_once  # noqa: F401
from tfkey.keys import KEYS


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Three short recordings and silence."""
    folder = tmp_path / "music"
    folder.mkdir()
    for number, key in enumerate(("C-maj", "A-min", "Gb-maj")):
        soundfile.write(folder / f"{number}.flac", chord(key, 2.5, seed=number), 22050)
    soundfile.write(folder / "silence.wav", np.zeros(44100), 22050)
    return folder


@pytest.mark.usefixtures("at_once")
def test_predict_and_prepare(tfkey, music, tmp_path):
    table = tmp_path / "votes.csv"
    code, out, err = tfkey("predict", music, "--probabilities", "--top", "2", "--output", table)
    assert (code, out, len(err)) == (0, [], 1)
    with table.open(newline="") as stream:
        rows = {Path(line["file"]).stem: line for line in csv.DictReader(stream)}
    names = [key.long for key in KEYS]
    assert list(rows["0"])[-24:] == names
    assert {rows["silence"][name] for name in names} == {""}
    for stem in "012":
        values = {name: float(rows[stem][name]) for name in names}
        assert sum(values.values()) == pytest.approx(1, abs=2e-5)
        assert max(values, key=values.get) == rows[stem]["key"]
        assert values[rows[stem]["key"]] == pytest.approx(float(rows[stem]["confidence"]), abs=1e-4)
        assert values[rows[stem]["key_2"]] == pytest.approx(float(rows[stem]["confidence_2"]), abs=1e-4)

    settings = write_settings(tmp_path / "settings.yaml", data_dir=str(tmp_path / "data"))
    code, out, err = tfkey("prepare", "--config", settings, "--dataset", "mine", "--source", table)
    assert code == 1
    assert out[0].endswith("6 intervals of 3 tracks; done")
    assert [line for line in err if "silence.wav" in line] == [f"  {music / 'silence.wav'}: line 5: no votes"]
    for row in read_manifest(tmp_path / "data" / "audio" / "mine" / "manifest.csv"):
        assert row.key == rows[row.track]["key"]
        expected = [float(rows[row.track][name]) for name in names]
        np.testing.assert_allclose([float(word) for word in row.vote.split()], expected, atol=1e-4)
    # Without the silent file, all is well.
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if "silence" not in line))
    code, out, err = tfkey("prepare", "--config", settings, "--dataset", "mine", "--source", table)
    assert (code, err) == (0, [])
    code, _, err = tfkey(
        "prepare", "--config", settings, "--dataset", "mine", "--source", table, "-o", "voters.mine.k10=1"
    )
    assert code == 1
    assert "votes.csv: has no votes of k10; voters in it: only one, without a name" in "\n".join(err) or (
        "was prepared with voters.mine" in "\n".join(err)
    )


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv"])
def test_probabilities_in_every_format(tfkey, music, tmp_path, suffix):
    output = tmp_path / f"keys.{suffix}"

    def records():
        text = output.read_text()
        if suffix == "csv":
            lines = csv.DictReader(io.StringIO(text))
            return [
                {
                    **line,
                    "probabilities": {key.long: float(line[key.long]) for key in KEYS}
                    if line["key"]
                    else None,
                }
                for line in lines
            ]
        return json.loads(text) if suffix == "json" else [json.loads(line) for line in text.splitlines()]

    options = ("--probabilities", "--output", output, "--skip-existing")
    assert tfkey("predict", music / "0.flac", *options)[0] == 0
    (first,) = records()
    assert list(first["probabilities"]) == [key.long for key in KEYS]
    assert sum(first["probabilities"].values()) == pytest.approx(1, abs=2e-5)
    # Named as soft labels are, whatever the notation of the key.
    code, _, err = tfkey("predict", music, *options, "--notation", "camelot")
    assert (code, err[-1]) == (0, "3 analysed, 1 without a key, 1 skipped")
    found = records()
    assert found[0] == first
    assert [record["probabilities"] is None for record in found] == [False, False, False, True]
    whole = output.read_bytes()
    assert tfkey("predict", music, *options)[2][-1] == "0 analysed, 4 skipped"
    assert output.read_bytes() == whole

    # Results without probabilities cannot be continued with them: columns differ, objects are made again.
    output.unlink()
    assert tfkey("predict", music / "0.flac", "--output", output)[0] == 0
    code, _, err = tfkey("predict", music / "0.flac", *options)
    if suffix == "csv":
        assert code == 2
        assert "the columns are not file,key,confidence" in err[0]
    else:
        assert (code, err[-1]) == (0, "1 analysed")
        assert records() == [first]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--probabilities: needs --format csv, json or jsonl"),
        (("--format", "table"), "--probabilities: needs --format csv, json or jsonl"),
        (("--output", "keys.txt"), "--probabilities: needs --format csv, json or jsonl"),
        (("--format", "csv", "--over-time"), "--probabilities: cannot be combined with --over-time"),
    ],
)
def test_probabilities_that_cannot_be_written(tfkey, options, words):
    code, out, err = tfkey("predict", "a.wav", "--probabilities", *options)
    assert (code, out) == (2, [])
    assert words in err[-1]
