"""Every command that reads keys from CSV reads the same tables."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import soundfile

from pipelines.originals.own_data import read_source
from tests.media import chord
from tests.tfkey.test_key_tables import DIALECTS
from tfkey.keys import Key
from tfkey.known_keys import find_known, read_known_keys
from tfkey.scoring.comparison import read_predictions, read_references

TABLES = {
    **DIALECTS,
    "predictions.csv of evaluate": b"track,reference,estimate,relation\nsong.wav,A minor,A minor,same\n",
    "predict --output": b"file,key,confidence,reason,tuning_cents,seconds\n"
    b"{folder}/song.wav,A minor,0.9,,1.0,3.0\n",
    "a row without a key": b"file,key\nsong.wav,A minor\nsilence.wav,\n",
}


def predict(table: Path, song: Path) -> Key:
    return find_known(read_known_keys(table, ("file", "path", "track")), [song]).keys[song]


def compared(table: Path, song: Path) -> Key | None:
    (key,) = (key for key in read_predictions(table).keys.values() if key)
    return key


def reference(table: Path, song: Path) -> Key:
    (key,) = read_references(table).keys.values()
    return key


def prepared(table: Path, song: Path) -> Key:
    ((track,), _) = read_source(table)
    assert track.path.samefile(song)
    return track.key


@pytest.mark.parametrize("reader", [predict, compared, reference, prepared])
@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_all_readers_read_all_tables(table: bytes, reader, tmp_path: Path) -> None:
    (tmp_path / "song.wav").touch()
    path = tmp_path / "keys.csv"
    path.write_bytes(table.replace(b"{folder}", str(tmp_path).encode()))
    assert reader(path, tmp_path / "song.wav") == Key.parse("A minor")


@pytest.fixture
def music(tmp_path: Path, monkeypatch) -> Path:
    """The same two seconds in two folders, and the current folder above them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tfkey.processes.in_processes", in_this_process)
    for name in ("one/song.wav", "two/song.wav"):
        (tmp_path / name).parent.mkdir()
        soundfile.write(tmp_path / name, chord(2), 44100)
    return tmp_path


def in_this_process(make, tasks, workers, on_ready):
    return map(make(), tasks)


def test_predict_tells_files_of_one_name_apart(tfkey, music):
    (music / "keys.csv").write_text("file;key\none/song.wav;C\ngone.wav;D\nsilence.wav;\n")
    code, out, err = tfkey("predict", "one", "two", "--reference", "keys.csv", "--format", "csv")
    assert code == 0
    found = {row["file"]: row["reference"] for row in csv.DictReader(io.StringIO("\n".join(out)))}
    assert found == {"one/song.wav": "C major", "two/song.wav": ""}
    assert "keys.csv: rows without a file or a key left out: 1" in err
    assert "keys.csv: rows that match none of these files: 1" in err
    assert err[-1] == "1 of 1 keys agree with keys.csv"


def test_predict_takes_what_it_wrote(tfkey, music):
    assert tfkey("predict", "one", "two", "--output", "out/keys.csv")[0] == 0
    for form in ((), ("--top", "2")):
        code, _, err = tfkey("predict", music / "two", "one", "--reference", "out/keys.csv", *form)
        assert (code, err[-1]) == (0, "2 of 2 keys agree with out/keys.csv")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("file,key\nother.wav,C\n", "looked for other.wav among one/song.wav, two/song.wav"),
        ("file,key\nsong.wav,C\n", "line 2: 'song.wav' may be one/song.wav or two/song.wav"),
        ("file,key\none/song.wav,H-flat\n", "line 2: 'H-flat' is not a key"),
        ("file,key\none/song.wav,\n", "none of its 1 rows has both a file and a key"),
    ],
)
def test_predict_refuses_a_reference_before_work(table, words, tfkey, music, monkeypatch):
    def fail(*arguments):
        raise AssertionError("work has begun")

    monkeypatch.setattr("tfkey.inference.many_files.judge_files", fail)
    (music / "keys.csv").write_text(table)
    code, out, err = tfkey("predict", "one", "two", "--reference", "keys.csv")
    assert (code, out, len(err)) == (2, [], 1)
    assert err[0].startswith("tfkey: --reference keys.csv")
    assert words in err[0]


def test_predict_says_so_when_no_known_file_was_judged(tfkey, music):
    (music / "keys.csv").write_text("file,key\none/song.wav,C\n")
    arguments = ("predict", "one", "--output", "out.csv", "--reference", "keys.csv", "--skip-existing")
    assert tfkey(*arguments)[2][-2:] == ["1 of 1 keys agree with keys.csv", "1 analysed"]
    code, _, err = tfkey(*arguments)
    assert (code, err) == (0, ["none of the 1 files in keys.csv was analysed", "0 analysed, 1 skipped"])


def test_compare_reads_what_excel_writes(tfkey, tmp_path):
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    a.write_bytes(b"\xef\xbb\xbfTrack;Key\r\nt1;A minor\r\n")
    b.write_text("track,key\nt1,A minor\nt2,\n")
    code, out, err = tfkey("compare", a, b, "--reference", b)
    assert code == 0
    assert out[2].startswith("1 tracks, ")
    assert f"{b}: rows without a track or a key left out: 1" in err
