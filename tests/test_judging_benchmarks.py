"""The arithmetic of the benchmarks that judge the bundled network; they themselves take minutes."""

from __future__ import annotations

import json
import shutil
import stat

import pytest

from tests.benchmarks import transposed
from tests.benchmarks.pretrained import compared, lines, read_table, scores, write_scores
from tests.benchmarks.transposed import SHIFTS, follows, main, moved
from tfkey.errors import DataError
from tfkey.inference.pretrained import Score, pretrained_folder
from tfkey.keys import Key

C, G, A_MINOR = (Key.parse(name) for name in ("C major", "G major", "A minor"))


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


def test_sox_gets_cents(tmp_path, monkeypatch) -> None:
    program = tmp_path / "bin" / "sox"
    program.parent.mkdir()
    # It writes its cents in place of audio, and refuses one file.
    program.write_text(
        '#!/bin/sh\ncase "$3" in *bad*) echo "no such format" >&2; exit 2;; esac\necho "$6" > "$4"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    class Exact:
        def estimate(self, path):
            semitones = int(path.read_text()) // 100 if path.suffix == ".wav" else 0
            return type("Estimate", (), {"key": moved(C, semitones if semitones != 6 else 5)})

    found = follows(Exact(), tmp_path / "song.ogg", tmp_path)
    assert found == {shift: shift != 6 for shift in SHIFTS}
    with pytest.raises(DataError, match=r"bad.ogg: sox cannot transpose it \(no such format\)"):
        follows(Exact(), tmp_path / "bad.ogg", tmp_path)


def test_missing_sox_is_named(monkeypatch, capsys) -> None:
    monkeypatch.setattr(transposed.shutil, "which", lambda name: None)
    monkeypatch.setattr("sys.argv", ["transposed"])
    assert main() == 1
    assert "sox is not installed" in capsys.readouterr().err
