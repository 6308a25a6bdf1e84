"""``tfkey predict --picture``."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("matplotlib")

from PIL import Image

from tests.conftest import ROOT
from tests.media import chord
from tests.scripts.test_predict import COMMAND, in_this_process

SONG = ROOT / "tests" / "data" / "real" / "hex-a-hop_music-game-1.ogg"
LINES = "two\nlines $x$.wav"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is done in this process, which has everything loaded."""
    monkeypatch.setattr("tfkey.processes.in_processes", in_this_process)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Songs with equal and odd names, silence, noise, and a tenth of a second."""
    folder = tmp_path / "music"
    (folder / "more").mkdir(parents=True)
    for name in ("a.flac", "a.wav", "more/a.wav", LINES):
        soundfile.write(folder / name, chord(2), 44100)
    noise = np.random.default_rng(0).standard_normal(44100) / 10
    for name, sound in {"noise": noise, "short": chord(2)[:4410], "silent": np.zeros(44100)}.items():
        soundfile.write(folder / f"{name}.wav", sound, 44100)
    return folder


NAMES = [
    "a.flac.png",
    "a.wav.png",
    "a.wav 2.png",
    "noise.png",
    "short.png",
    "silent.png",
    "two\nlines $x$.png",
]


def opened(path: Path) -> str:
    """Load a picture whole; return its title."""
    with Image.open(path) as image:
        image.load()
        assert (image.format, image.size[0]) == ("PNG", 1400)
        return image.text["Title"]


def test_folder_of_pictures(tfkey, music, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    code, out, err = tfkey("predict", music, "--picture", f"{pictures}{os.sep}", "--format", "jsonl")
    assert (code, len(err)) == (0, 1)
    assert sorted(path.name for path in pictures.iterdir()) == sorted(NAMES)
    keys = {Path(record["file"]).stem: record["key"] for record in map(json.loads, out)}
    for name in NAMES:
        song = name.removesuffix(".png").removesuffix(" 2").removesuffix(".wav").removesuffix(".flac")
        assert opened(pictures / name) == (keys[song] or "no key")
    # What is asked for beside the pictures is the same as without them.
    assert tfkey("predict", music, "--format", "jsonl")[1] == out


def test_only_missing_pictures_are_drawn(tfkey, music, tmp_path, monkeypatch):
    monkeypatch.setattr("tfkey.inference.picture.write_picture", lambda path, *_: path.write_text(""))
    pictures, output = tmp_path / "pictures", tmp_path / "keys.csv"
    pictures.mkdir()

    def draw(*options):
        code, _, err = tfkey("predict", music, "--picture", pictures, "--skip-existing", *options)
        assert code == 0
        return err[-1]

    assert draw() == "7 analysed, 3 without a key"
    before = {path: path.stat().st_mtime_ns for path in pictures.iterdir()}
    (pictures / "a.wav 2.png").unlink()
    assert draw() == "1 analysed, 6 skipped"
    after = {path: path.stat().st_mtime_ns for path in pictures.iterdir()}
    assert {path.name for path in before if before[path] != after[path]} == {"a.wav 2.png"}
    # A file is skipped if it has all that is wanted.
    assert draw("--output", output) == "7 analysed, 3 without a key"
    (pictures / "short.png").unlink()
    assert draw("--output", output) == "1 analysed, 1 without a key, 6 skipped"
    assert draw("--output", output) == "0 analysed, 7 skipped"
    assert draw("--write-tags") == "7 analysed, 3 without a key, 7 written"
    (pictures / "short.png").unlink()
    assert draw("--write-tags").startswith("1 analysed, 1 without a key, 6 skipped")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_one_picture(tfkey, tmp_path, suffix):
    path = tmp_path / f"out.{suffix}"
    path.write_text("old")
    code, out, _ = tfkey("predict", SONG, "--picture", path, "--notation", "camelot")
    assert (code, len(out)) == (0, 2)
    assert out[1].startswith("8B")
    assert b"8B" in path.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_picture_shows_key_over_time_whether_or_not_it_is_listed(tfkey, tmp_path, monkeypatch):
    drawn = []

    def note(path, estimate, *_):
        drawn.append(estimate.segments)

    monkeypatch.setattr("tfkey.inference.picture.write_picture", note)
    sound = np.concatenate([chord(25), chord(25) * 0, chord(25)])
    soundfile.write(tmp_path / "a.flac", sound, 44100)
    for options in ((), ("--over-time",)):
        code, _, _ = tfkey("predict", tmp_path / "a.flac", "--picture", tmp_path / "a.png", *options)
        assert code == 0
    assert drawn[0] == drawn[1]
    assert [part.key is None for part in drawn[0]] == [False, True, False]


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("out.jpg", ".jpg is not a format of pictures; give .png, .svg, .pdf, or name a folder"),
        ("out", "no such folder; create it, or name a file in .png, .svg or .pdf"),
        ("file", "no suffix is not a format"),
        ("missing/out.png", "no such folder"),
        (f"missing{os.sep}", "no such folder"),
        ("file/out.png", "no such folder"),
        ("out.png", "is a single picture, but there are 7 files; name a folder that exists"),
    ],
)
def test_refused_before_any_analysis(tfkey, music, tmp_path, monkeypatch, picture, words):
    monkeypatch.setattr("tfkey.inference.many_files.judge_files", None)
    (tmp_path / "file").touch()
    code, out, err = tfkey("predict", music, "--picture", f"{tmp_path}{os.sep}{picture}")
    assert (code, out) == (2, [])
    assert f"--picture {tmp_path}{os.sep}{picture}: " in err[-1]
    assert words in err[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "music"]


def test_pictures_that_would_replace_something(tfkey, music, tmp_path):
    song = tmp_path / "song.png"
    shutil.copy(music / "a.wav", song)
    content = song.read_bytes()
    for options, words in (
        ((song, "--picture", song), "is one of the files to analyse"),
        ((song, "--picture", tmp_path), "is one of the files to analyse"),
        (
            (
                music / "a.wav",
                "--picture",
                tmp_path / "x.png",
                "--output",
                tmp_path / "music" / ".." / "x.png",
            ),
            "is the file of --output, too",
        ),
    ):
        code, out, err = tfkey("predict", *options)
        assert (code, out) == (2, [])
        assert words in err[-1]
    assert song.read_bytes() == content


def test_without_matplotlib(tfkey, monkeypatch, tmp_path):
    monkeypatch.setattr("tfkey.inference.picture.importlib.util.find_spec", lambda name: None)
    code, out, err = tfkey("predict", SONG, "--picture", tmp_path / "a.png")
    assert (code, out, len(err)) == (1, [], 1)
    assert err[0].endswith("needs matplotlib, which is not installed; run pip install 'tfkey[picture]'")


def test_picture_that_cannot_be_written_fails_its_file(tfkey, music, tmp_path):
    blocked = tmp_path / "pictures"
    (blocked / "noise.png").mkdir(parents=True)
    code, out, err = tfkey("predict", music / "noise.wav", music / "short.wav", "--picture", blocked)
    assert (code, len(out)) == (1, 3)
    assert err[-2] == "not done (1):"
    assert f"{blocked / 'noise.png'}: cannot be written" in err[-1]
    assert opened(blocked / "short.png") == "no key"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of any bytes")
def test_names_of_any_bytes_in_any_locale(music, tmp_path):
    song = os.path.join(os.fsencode(music), b"\xff\xfe \xc3\xa9.wav")
    shutil.copy(music / "short.wav", song)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    arguments = [*COMMAND, song, str(music / "short.wav"), "--picture", str(pictures), "--workers", "1"]
    done = subprocess.run(
        arguments, capture_output=True, check=False, cwd=ROOT,
        env={**os.environ, "LC_ALL": "C", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(os.fsencode(pictures))) == [b"short.png", b"\xff\xfe \xc3\xa9.png"]
    assert Image.open(io.BytesIO((pictures / "short.png").read_bytes())).size[0] == 1400
