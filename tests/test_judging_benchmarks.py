"""The arithmetic of the benchmarks that judge the bundled network; they themselves take minutes."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.benchmarks import transposed
from tests.benchmarks.pretrained import compared, lines, read_table, scores, write_scores
from tests.benchmarks.transposed import SHIFTS, Followed, follow, main, moved, results, transpose
from tfkey.audio.reading import encode, read
from tfkey.errors import DataError
from tfkey.inference.pretrained import Score, pretrained_folder
from tfkey.keys import Key

C, G, A_MINOR = (Key.parse(name) for name in ("C major", "G major", "A minor"))
RATE = 22050


@pytest.fixture
def table(tmp_path):
    """Two sets; one system could not read a file and named no key for another."""
    path = tmp_path / "labels.csv"
    path.write_text(
        "path,key,set,theirs,nothing\n1.ogg,C,x,C,\n2.ogg,C,x,G,\n3.ogg,Am,y,,\n4.ogg,Am,y,-,\n",
        encoding="utf-8",
    )
    return read_table(path)


def test_systems_are_compared_on_files_that_both_could_read(table) -> None:
    assert table.sets == {
        "x": ["1.ogg", "2.ogg"],
        "y": ["3.ogg", "4.ogg"],
        "all": ["1.ogg", "2.ogg", "3.ogg", "4.ogg"],
    }
    assert table.others["theirs"] == {"1.ogg": C, "2.ogg": G, "4.ogg": None}
    ours = {"1.ogg": C, "2.ogg": C, "3.ogg": A_MINOR, "4.ogg": None}
    own = scores(table, ours)
    assert [own[name].figures["weighted"].b.value for name in table.sets] == [1, 0.5, 0.75]
    found = compared(table, table.sets["all"], table.others["theirs"], ours)
    assert found.n_tracks == 3
    weighted = found.figures["weighted"]
    assert (weighted.a.value, weighted.b.value) == (pytest.approx(0.5), pytest.approx(2 / 3))
    assert weighted.difference.value == pytest.approx(1 / 6)
    report = list(lines(table, ours))
    assert (
        "| x | theirs | 2 | 75.0 [50.0, 100.0] | 100.0 [100.0, 100.0] | +25.0 [+0.0, +50.0] |"
        in "\n".join(report)
    )
    assert "| y | nothing | 0 |" in "\n".join(report)


def test_scores_go_into_the_metadata(table, tmp_path) -> None:
    folder = shutil.copytree(pretrained_folder(), tmp_path / "export")
    write_scores(folder, table, {"1.ogg": C, "2.ogg": G, "3.ogg": A_MINOR, "4.ogg": A_MINOR})
    stated = json.loads((folder / "tfkey.json").read_text())["scores"]
    assert list(stated) == ["x", "y", "all"]
    assert Score.of(stated["x"]) == Score(2, 0.75, 0.5, 1.0, 0.5)


def test_rows_without_a_key_are_named(tmp_path) -> None:
    (tmp_path / "labels.csv").write_text("path,key\n1.ogg,C\n2.ogg,\n")
    with pytest.raises(DataError, match="line 3: has no path or no key"):
        read_table(tmp_path / "labels.csv")


@pytest.mark.parametrize(
    ("key", "semitones", "expected"),
    [
        ("C major", -5, "G major"),
        ("A minor", 6, "Eb minor"),
        ("B major", 1, "C major"),
        ("C minor", -1, "B minor"),
    ],
)
def test_keys_move(key, semitones, expected) -> None:
    assert moved(Key.parse(key), semitones) == Key.parse(expected)


class Exact:
    """Hears exactly by how much a file was moved, which it contains as text, but for one interval."""

    metadata = SimpleNamespace(features=SimpleNamespace(sample_rate=RATE))

    def __init__(self, per_semitone: int) -> None:
        self.per_semitone = per_semitone

    def estimate(self, recording):
        whole = not isinstance(recording, Path)
        semitones = 0 if whole else int(recording.read_text()) // self.per_semitone
        return SimpleNamespace(key=moved(C, semitones if semitones != 6 else 5), confidence=0.7)


@pytest.mark.parametrize(
    ("tool", "per_semitone", "amount", "source", "target"),
    [("sox", 100, "$6", "$3", "$4"), ("rubberband", 1, "$4", "$5", "$6")],
)
def test_programs_get_the_interval(tmp_path, monkeypatch, tool, per_semitone, amount, source, target) -> None:
    program = tmp_path / "bin" / tool
    program.parent.mkdir()
    # It writes the interval in place of audio, and refuses any but a WAV file.
    program.write_text(
        f'#!/bin/sh\n[ "$(head -c 4 "{source}")" = RIFF ] || exit 1\n'
        f'[ -e refuse ] && {{ echo "no such format" >&2; exit 2; }}\necho "{amount}" > "{target}"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.chdir(tmp_path)
    song, kept = tmp_path / "song.wav", tmp_path / "kept"
    song.write_bytes(encode(np.full(RATE, 0.5, np.float32), RATE, "WAV"))
    kept.mkdir()
    found = follow(Exact(per_semitone), song, "a/song.wav", G, tool, kept)
    assert found == Followed("a/song.wav", 0.7, False, {shift: shift != 6 for shift in SHIFTS}, 0)
    assert len(list(kept.iterdir())) == len(SHIFTS)
    Path("refuse").touch()
    # What is there is not made again.
    assert follow(Exact(per_semitone), song, "a/song.wav", C, tool, kept).right
    with pytest.raises(DataError, match=rf"other.wav-5: {tool} cannot transpose it \(no such format\)"):
        follow(Exact(per_semitone), song, "other.wav", None, tool, kept)


@pytest.mark.parametrize("semitones", [-5, 0, 6])
def test_speed_is_exact(tmp_path, semitones) -> None:
    times = np.arange(RATE) / RATE
    transpose(np.sin(2 * np.pi * 440 * times), RATE, semitones, "speed", tmp_path / "a.wav")
    found = read(tmp_path / "a.wav", RATE)
    ratio = 2 ** (semitones / 12)
    assert found.size == pytest.approx(RATE / ratio, abs=2)
    spectrum = np.abs(np.fft.rfft(found * np.hanning(found.size), 1 << 18))
    assert spectrum.argmax() * RATE / (1 << 18) == pytest.approx(440 * ratio, rel=1e-3)


def test_shares_are_those_of_the_recordings() -> None:
    ups = {shift: shift > 0 for shift in SHIFTS}
    found = [
        Followed("1", 0.9, True, dict.fromkeys(SHIFTS, True), 0),
        Followed("2", 0.5, False, ups, 2),
    ]
    report = results(found, {"x": ["1"], "y": ["2"], "z": []})
    values = {name: item["value"] for name, item in report["figures"].items()}
    assert values["all"] == pytest.approx(100 * (11 + 6) / 22, rel=1e-5)
    assert (values["set-x"], values["sure"], values["right"], values["right-and-sure"]) == (
        100,
        100,
        100,
        100,
    )
    assert values["set-y"] == values["unsure"] == values["wrong"] == pytest.approx(100 * 6 / 11, rel=1e-5)
    assert (values["up-1"], values["down-5"]) == (100, 50)
    assert (values["recordings"], values["unanswered"]) == (2, 2)
    assert "set-z" not in values
    assert report["tables"]["shares"]["rows"][0] == ["answers that move along", "2", "77.3 [54.5, 100.0]"]


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("sox", "sox is not installed; install it (Debian: apt-get install sox)"),
        ("rubberband", "rubberband is not installed; install it (Debian: apt-get install rubberband-cli)"),
    ],
)
def test_missing_programs_are_named(monkeypatch, capsys, tool, words) -> None:
    monkeypatch.setattr(transposed.shutil, "which", lambda name: None)
    monkeypatch.setattr("sys.argv", ["transposed", "--tool", tool])
    assert main() == 1
    assert capsys.readouterr().err == f"{words}\n"


def test_an_old_rubberband_is_named(tmp_path, monkeypatch, capsys) -> None:
    program = tmp_path / "rubberband"
    program.write_text("#!/bin/sh\necho '--crisp' >&2\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("sys.argv", ["transposed", "--tool", "rubberband"])
    assert main() == 1
    assert "rubberband is older than version 3" in capsys.readouterr().err
