"""``tfkey predict`` with the network that comes with tfkey."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import mutagen
import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT
from tests.library import write_library
from tests.media import chord, packets
from tfkey.errors import UsageError
from tfkey.inference.estimator import Estimate, Segment
from tfkey.inference.many_files import Judging, Tagging, confident, judge_files
from tfkey.keys import KEYS, Key, Notation

REAL = ROOT / "tests" / "data" / "real"
COMMAND = [sys.executable, "-c", "from scripts.main import main; main()", "predict"]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Three short recordings, and noise."""
    folder = tmp_path / "music"
    folder.mkdir()
    for name in ("a.mp3", "b.flac", "c.wav"):
        soundfile.write(folder / name, chord(2), 44100)
    noise = np.random.default_rng(0).standard_normal(44100 * 3) / 10
    soundfile.write(folder / "noise.mp3", noise, 44100)
    return folder


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is done in this process, which has everything loaded."""
    monkeypatch.setattr("tfkey.processes.in_processes", in_this_process)


def in_this_process(make, tasks, workers, on_ready):
    function = make()
    on_ready and on_ready(function.description)
    return map(function, tasks)


def rows(lines: list[str]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("\n".join(lines))))


def test_a_music_folder_with_files_broken_in_ten_ways(tfkey, tmp_path):
    said = write_library(tmp_path / "music", 50, 10)
    output = tmp_path / "keys.jsonl"
    code, out, err = tfkey("predict", tmp_path / "music", "--output", output, "--workers", "2")
    assert (code, out) == (1, [])
    records = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert len(records) == 50
    names = [record["file"] for record in records]
    assert names == sorted(names)
    assert all(Path(name).exists() for name in names)
    assert not set(names) & set(said)
    assert sum(record["key"] == "C major" for record in records) > 45
    listed = err[err.index("not analysed (10):") + 1 :]
    assert len(listed) == 10
    for path, words in said.items():
        (line,) = [line for line in listed if line.startswith(f"  {path}: ")]
        assert words in line
        assert "; " in line


def test_cut_file_is_analysed_with_a_warning(tfkey, at_once, music):
    cut = music / "c.wav"
    cut.write_bytes(cut.read_bytes()[:-44100])
    warning = "truncated (1.5 of 2.0 s)"
    code, out, err = tfkey("predict", music, "--format", "json")
    assert code == 0
    assert [record["warning"] for record in json.loads("\n".join(out))] == [None, None, warning, None]
    assert err[-2:] == ["analysed with a warning (1):", f"  {cut}: {warning}"]
    code, out, err = tfkey("predict", cut, "--format", "csv")
    (line,) = rows(out)
    assert (code, line["key"], line["seconds"], line["warning"]) == (0, "C major", "1.5", warning)
    code, out, err = tfkey("predict", cut)
    assert (code, out[1].endswith(f"{cut}  ({warning})")) == (0, True)


def test_formats_say_the_same(tfkey, at_once, music):
    def answers(*options):
        code, out, err = tfkey("predict", music, *options)
        assert code == 0
        assert len(err) == 1
        assert "free recordings" in err[0]
        return out

    options = ("--top", "3", "--notation", "camelot")
    document = json.loads("\n".join(answers("--format", "json", *options)))
    assert [json.loads(line) for line in answers("--format", "jsonl", *options)] == document
    assert list(document[0]) == [
        "file", "key", "confidence", "reason", "tuning_cents", "seconds", "warning", "ranked",
    ]  # fmt: skip
    table = answers(*options)
    lines = rows(answers("--format", "csv", *options))
    assert [line["file"] for line in lines] == sorted(str(path) for path in music.iterdir())
    for record, line, row in zip(document, lines, table[1:], strict=True):
        assert (line["key"], line["reason"]) == (record["key"] or "", record["reason"] or "")
        assert [line["key_2"], line["key_3"]] == [ranked["key"] for ranked in record["ranked"][1:]]
        assert record["file"] in row
        assert row.split()[0] == (record["key"] or "-")
        if record["key"]:
            assert float(line["confidence"]) == record["confidence"] == record["ranked"][0]["confidence"]
            assert f"{record['confidence']:.3f}" in row
        else:
            assert "noise" in record["file"]
            assert record["confidence"] is None
            assert f"({record['reason']})" in row
    assert len(rows(answers("--format", "csv", "--min-confidence", "1"))) == 4


def test_key_over_time(tfkey, tmp_path):
    low, high = (
        sum(
            0.1
            / number
            * np.sin(2 * np.pi * number * np.outer(np.arange(44100 * 40) / 44100, pitches)).sum(axis=1)
            for number in range(1, 7)
        )
        for pitches in ((130.81, 164.81, 196.0), (185.0, 233.08, 277.18))
    )
    soundfile.write(tmp_path / "a.flac", np.concatenate([low, high]), 44100)
    code, out, _ = tfkey("predict", tmp_path, "--over-time", "--format", "json")
    (record,) = json.loads("\n".join(out))
    parts = record["segments"]
    assert code == 0
    assert (parts[0]["key"], parts[0]["start"]) == ("C major", 0)
    assert (parts[-1]["key"], parts[-1]["end"]) == ("Gb major", record["seconds"])
    assert all(left["end"] == right["start"] for left, right in itertools.pairwise(parts))
    _, out, _ = tfkey("predict", tmp_path, "--over-time", "--format", "csv")
    assert [line["key"] for line in rows(out)] == [part["key"] or "" for part in parts]
    _, out, _ = tfkey("predict", tmp_path, "--over-time")
    assert len(out) == 1 + len(parts)
    assert out[-1].split()[1] == "0:01:20"


def estimate(confidence: float, key: int | None = 0) -> Estimate:
    probabilities = np.full(24, (1 - confidence) / 23)
    probabilities[0] = confidence
    segments = (Segment(0.0, 5.0, KEYS[3], 0.9), Segment(5.0, 9.0, KEYS[4], 0.2))
    found = None if key is None else KEYS[key]
    return Estimate(found, probabilities, confidence, None if found else "silent", 1.0, 9.0, segments)


def test_answers_below_the_least_confidence_are_none():
    found = confident(estimate(0.4), 0.5)
    assert (found.key, found.reason, found.confidence) == (None, "confidence 0.40 is below 0.5", 0.4)
    assert [part.key for part in found.segments] == [KEYS[3], None]
    assert confident(estimate(0.5), 0.5).key == KEYS[0]
    assert confident(estimate(0.1, None), 0.5).reason == "silent"


@pytest.mark.parametrize(
    ("confidence", "key", "state", "text"),
    [
        (0.9, 0, "written", "8B"),
        (0.3, 0, None, None),
        (0.9, None, "written", "o"),
        (0.3, None, "written", "o"),
    ],
)
def test_tags_of_doubtful_answers(music, confidence, key, state, text):
    """What is no music is said to have no key; what is not sure is not said."""
    estimator = SimpleNamespace(description="", estimate=lambda path, **_: estimate(confidence, key))
    judging = Judging(lambda: estimator, min_confidence=0.5, tagging=Tagging(Notation.CAMELOT))
    (outcome,) = judge_files([music / "a.mp3"], judging)
    assert (outcome.change and outcome.change.state) == state
    assert outcome.error is None
    tags = mutagen.File(music / "a.mp3").tags
    assert ([] if tags is None else tags["TKEY"].text) == ([text] if text else [])


@pytest.mark.parametrize("error", [ValueError("no\nsense"), MemoryError(), RuntimeError()])
def test_errors_that_nobody_thought_of_fail_the_file_alone(music, error):
    def fail(path, **_):
        raise error

    judging = Judging(lambda: SimpleNamespace(description="", estimate=fail))
    (outcome,) = judge_files([music / "a.mp3"], judging)
    assert outcome.error
    assert "\n" not in outcome.error


def test_lists_on_stdin_playlists_and_names_given_twice(tmp_path, music):
    odd = music / os.fsdecode("x\ny \udcff.wav".encode("utf-8", "surrogateescape"))
    shutil.copy(music / "c.wav", odd)
    (tmp_path / "list.m3u8").write_text("# a list\nmusic/b.flac\nmusic/gone.ogg\n")
    listed = b"\0".join([os.fsencode(odd), b"music/a.mp3", b"list.m3u8", b"music/../music/b.flac", b""])
    arguments = [*COMMAND, "-", "music/a.mp3", "--null", "--format", "jsonl"]
    done = subprocess.run(
        arguments, input=listed, capture_output=True, cwd=tmp_path, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C"},
    )  # fmt: skip
    files = [json.loads(line)["file"] for line in done.stdout.splitlines()]
    assert files == [str(odd), "music/a.mp3", "music/b.flac"]
    errors = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert errors[1:] == ["not analysed (1):", "  music/gone.ogg: no such file; check the path"]
    lines = b"music/c.wav\r\nmusic/a.mp3\n"
    done = subprocess.run(
        [*COMMAND, "-"], input=lines, capture_output=True, cwd=tmp_path, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)


def test_tags_are_written_kept_and_replaced(tfkey, at_once, music):
    before = {path.name: packets(path) for path in music.iterdir()}

    def tag(*options):
        code, out, err = tfkey("predict", music, "--write-tags", "--format", "jsonl", *options)
        assert code == 0
        keys = {path.name: mutagen.File(path).tags for path in music.iterdir()}
        texts = {
            name: str((tags.get("TKEY") or tags.get("initialkey") or [None])[0]) if tags else None
            for name, tags in keys.items()
        }
        records = {Path(record["file"]).name: record for record in map(json.loads, out)}
        return {name: record["tag"] for name, record in records.items()}, texts, err[-1]

    assert tag("--dry-run")[:2] == (dict.fromkeys(before, "would write"), dict.fromkeys(before))
    states, texts, summary = tag()
    assert states == dict.fromkeys(before, "written")
    # Short, as ID3 asks for, unless another notation is asked for.
    assert texts == {"a.mp3": "C", "b.flac": "C", "c.wav": "C", "noise.mp3": "o"}
    assert summary == "4 analysed, 1 without a key, 4 written"
    assert tag("--notation", "camelot")[:2] == (dict.fromkeys(before, "kept"), texts)
    states, texts, _ = tag("--notation", "camelot", "--overwrite")
    assert texts == {"a.mp3": "8B", "b.flac": "8B", "c.wav": "8B", "noise.mp3": "o"}
    assert states["noise.mp3"] == "kept"
    mutagen.File(music / "b.flac").delete()
    states, texts, summary = tag("--skip-existing")
    assert (states, texts["b.flac"]) == ({"b.flac": "written"}, "C")
    assert summary == "1 analysed, 3 skipped, 1 written"
    assert {path.name: packets(path) for path in music.iterdir()} == before


def test_file_that_cannot_be_tagged_is_answered_and_listed(tfkey, at_once, music):
    (music / "a.mp3").chmod(0o444)
    code, out, err = tfkey("predict", music / "a.mp3", music / "b.flac", "--write-tags")
    assert (code, len(out)) == (1, 3)
    assert err[-2:] == [
        "not done (1):",
        f"  {music / 'a.mp3'}: read-only; allow writing to it, or leave its tags as they are",
    ]


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl"])
def test_skipping_what_the_output_has(tfkey, at_once, music, tmp_path, suffix):
    output = tmp_path / f"keys.{suffix}"

    def judge(*paths):
        code, out, err = tfkey("predict", *paths, "--output", output, "--skip-existing")
        assert (code, out) == (0, [])
        text = output.read_text("utf-8")
        records = {
            "csv": lambda: rows(text.splitlines()),
            "json": lambda: json.loads(text),
            "jsonl": lambda: [json.loads(line) for line in text.splitlines()],
        }[suffix]()
        return [Path(record["file"]).name for record in records], err[-1]

    assert judge(music / "c.wav") == (["c.wav"], "1 analysed")
    first = output.read_text("utf-8").strip("[]\n")
    found = judge(music / "a.mp3", music)
    assert found == (["c.wav", "a.mp3", "b.flac", "noise.mp3"], "3 analysed, 1 without a key, 1 skipped")
    assert output.read_text("utf-8").strip("[]\n").startswith(first)
    whole = output.read_bytes()
    assert judge(music)[1] == "0 analysed, 4 skipped"
    assert output.read_bytes() == whole
    # With tags asked for, too, a file has to have both.
    code, _, err = tfkey("predict", music, "--output", output, "--skip-existing", "--write-tags")
    if suffix == "csv":
        assert (code, len(err)) == (2, 1)
        assert "the columns are not" in err[0]
    else:
        assert err[-1] == "4 analysed, 1 without a key, 4 written"
        assert judge(music)[1] == "0 analysed, 4 skipped"
    output.write_text('[{"file": 1')
    code, _, err = tfkey("predict", music, "--output", output, "--skip-existing")
    assert (code, len(err)) == (1 if suffix != "csv" else 2, 1)
    assert str(output) in err[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([output.name, "music"])


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl"])
def test_interrupted_run_goes_on(tfkey, at_once, music, tmp_path, monkeypatch, suffix):
    """What was found until Ctrl-C is kept, in a file that is whole."""

    def interrupted(files, *_):
        for number, outcome in enumerate(judge_files(files, Judging())):
            if number == 2:
                raise KeyboardInterrupt
            yield outcome

    output = tmp_path / f"keys.{suffix}"
    with monkeypatch.context() as patch:
        patch.setattr("tfkey.inference.many_files.judge_files", interrupted)
        code, _, err = tfkey("predict", music, "--output", output)
    assert code == 130
    assert "stopped" in err[-1]
    code, _, err = tfkey("predict", music, "--output", output, "--skip-existing")
    assert (code, err[-1]) == (0, "2 analysed, 1 without a key, 2 skipped")
    in_one_go = tmp_path / f"again.{suffix}"
    tfkey("predict", music, "--output", in_one_go)
    assert output.read_text("utf-8") == in_one_go.read_text("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_kill_leaves_the_old_output_and_nothing_else(music, tmp_path):
    output = tmp_path / "keys.json"
    output.write_text("[]\n")
    process = subprocess.Popen(
        [*COMMAND, *[music / "c.wav", music / "noise.mp3"], "--output", output, "--workers", "1"],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    # It is at work now.
    assert "free recordings" in process.stderr.readline()
    process.kill()
    process.communicate(timeout=60)
    assert json.loads(output.read_text("utf-8")) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keys.json", "music"]


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe that closes")
def test_reader_that_has_enough(music):
    script = f"{sys.executable} -c 'from scripts.main import main; main()' predict {music} | head -n 1"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.startswith("key")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--overwrite",), "--write-tags"),
        (("--dry-run",), "--write-tags"),
        (("--null",), "give - as a path"),
        (("--skip-existing",), "needs --output, --write-tags or --picture"),
        (("--skip-existing", "--output", "keys.txt"), "a table cannot be read back"),
        (("--run", "x", "--model", "y"), "give only one of them"),
        (("--notation", "folder"), "folder"),
        (("--top", "0"), "--top"),
        (("--min-confidence", "2"), "--min-confidence"),
        (("--workers", "0"), "--workers"),
        (("--format", "xml"), "--format"),
    ],
)
def test_options_that_cannot_be_meant(tfkey, options, words):
    code, out, err = tfkey("predict", "a.wav", *options)
    assert (code, out) == (2, [])
    assert words in err[-1]


def test_nothing_to_judge_and_nowhere_to_write(tfkey, tmp_path, music):
    (tmp_path / "empty").mkdir()
    code, out, err = tfkey("predict", tmp_path / "empty")
    assert code == 1
    assert "contains no audio files" in err[-1]
    blocked = tmp_path / "file"
    blocked.write_text("")
    code, out, err = tfkey("predict", music, "--output", blocked / "keys.csv")
    assert (code, out, len(err)) == (1, [], 1)
    assert f"{blocked / 'keys.csv'}: cannot be written" in err[0]
    # A network that does not load is no reason to replace an output.
    (tmp_path / "keys.csv").write_text("precious")
    for options in ((), ("--output", tmp_path / "keys.csv")):
        code, out, err = tfkey("predict", music, "--model", tmp_path / "empty", *options)
        assert (code, out) == (1, [])
        assert "not an export" in err[-1]
    assert (tmp_path / "keys.csv").read_text() == "precious"


def test_reference_beside_every_answer(tfkey, at_once):
    code, out, err = tfkey("predict", REAL, "--reference", REAL / "labels.csv", "--format", "csv")
    assert code == 0
    lines = rows(out)
    right = sum(line["relation"] == "same" for line in lines)
    assert err[-1] == f"{right} of 5 keys agree with {REAL / 'labels.csv'}"
    for line in lines:
        assert (Key.parse(line["reference"]) == Key.parse(line["key"])) == (line["relation"] == "same")
    _, table, _ = tfkey("predict", REAL, "--reference", REAL / "labels.csv")
    assert sum("(same)" in line for line in table) == right


def test_usage_of_a_model_that_is_none():
    with pytest.raises(UsageError):
        list(judge_files([Path("a.wav")], Judging(lambda: (_ for _ in ()).throw(UsageError("x; y")))))
