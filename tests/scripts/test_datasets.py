from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.datasets_on_disk import find_on_disk
from pipelines.prepared.manifest import Row, write_prepared
from scripts.datasets import command
from tfkey.errors import UsageError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Originals of gs_mtg, two begun; prepared in one mode, stopped in another; data of the user's own."""
    originals = tmp_path / "originals" / "gs_mtg" / "audio"
    originals.mkdir(parents=True)
    for track in (5061, 5881):
        (originals / f"{track}.LOFI.mp3").write_bytes(bytes(1000))
    (originals / ".7217.LOFI.mp3.part").write_bytes(bytes(300))
    (originals / ".7217.LOFI.mp3.part.json").write_text("{}")
    (originals / ".10359.LOFI.partial.mp3").write_bytes(bytes(100))
    rows = [
        Row("5061", part, f"train/Eb-min/5061-{part:03d}.wav", "Eb minor", "train", 30.0, "5061.LOFI.mp3", "")
        for part in range(4)
    ]
    rows.append(Row("5881", 0, "validation/A-maj/5881-000.wav", "A major", "validation", 30.0, "", ""))
    for name in ("gs_mtg", "my-set"):
        write_prepared(tmp_path / "audio" / name, rows, [], description={}, parameters={})
    (tmp_path / "spectrograms" / "gs_mtg").mkdir(parents=True)
    (tmp_path / "images" / "gs_mtg").mkdir(parents=True)
    (tmp_path / "images" / "gs_mtg" / "dataset.json").write_text("{")
    (tmp_path / "images" / "no name; really").mkdir()
    return tmp_path


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_all(data: Path) -> None:
    output = _run("--data-dir", str(data))
    lines = output.replace("\n          ", " ").splitlines()
    blocks = {line.split()[0]: " ".join(line.split()) for line in lines}
    names = ["beatport", "demo", "free_games", "free_music", "gs_key", "gs_mtg", "gs_plus", "ncs", "my-set"]
    kinds = ("accompaniments", "electronic", "songs", "tunes")
    assert set(blocks) == {*names, *(f"synthetic_{kind}" for kind in kinds)}
    assert "test, 604 tracks, about 850.0 MB" in blocks["gs_key"]
    assert "on disk: nothing" in blocks["gs_key"]
    assert "CC BY-SA 4.0" in blocks["beatport"]
    mine = blocks["gs_mtg"]
    assert "originals: 2 files, 2.0 kB" in mine
    assert "partial downloads: 2, 400 bytes" in mine
    assert "audio: 5 intervals (train 4, validation 1)" in mine
    assert "spectrograms: unfinished" in mine
    assert "images: damaged" in mine
    assert "your own" in blocks["my-set"]


def test_one_in_full(data: Path) -> None:
    output = _run("gs_mtg", "--data-dir", str(data))
    first = output.index("http://www.cp.jku.at/datasets/giantsteps/mtg_key_backup/{id}.LOFI.mp3")
    assert first < output.index("http://geo-samples.beatport.com/lofi/{id}.LOFI.mp3")
    for text in ("1,159 tracks", "1,077 tracks", "1,349 tracks", "Faraldo", "gs_mtg.tar.xz"):
        assert text in output
    counted = [line.split() for line in output.splitlines() if line.endswith("#")]
    assert len(counted) == 24
    assert sum(int(fields[2]) for fields in counted) == 1159
    most = max(counted, key=lambda fields: int(fields[2]))
    assert most[:3] == ["C", "minor", "112"]
    assert max(len(fields[3]) for fields in counted) == len(most[3]) == 40
    assert "md5:939abc05f36121badfac4087241ac172" in _run("beatport", "--data-dir", str(data))


def test_votes_in_full(data: Path) -> None:
    output = _run("free_music", "--data-dir", str(data))
    for text in ("openkeyscan (weight 0.6), k10 (weight 0.4)", "nexuiz-music", "github.com/{repository}.git"):
        assert text in output
    assert "keys of the most votes: 1,494 tracks" in output
    assert "validation: unknown-horizons" in output


def test_json(data: Path) -> None:
    everything = json.loads(_run("--json", "--data-dir", str(data)))
    one = json.loads(_run("gs_mtg", "--json", "--data-dir", str(data)))
    assert one in everything
    assert one["on_disk"]["partial_size"] == 400
    assert one["on_disk"]["prepared"]["audio"]["intervals"] == {"train": 4, "validation": 1, "test": 0}
    assert one["keys"]["C minor"] == 112
    own = next(item for item in everything if item["name"] == "my-set")
    assert {key: count for key, count in own["keys"].items() if count} == {"Eb minor": 1, "A major": 1}


def test_keys_of_labels_that_were_fetched(tmp_path: Path) -> None:
    archive = tmp_path / "originals" / "gs_plus" / "keys.zip"
    assert json.loads(_run("gs_plus", "--json", "--data-dir", str(tmp_path)))["keys"] == {}
    archive.parent.mkdir(parents=True)
    archive.write_text("damaged")
    assert "not known until" in _run("gs_plus", "--data-dir", str(tmp_path))
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("keys_gs+/10089 Jason Sparks - Close My Eyes.txt", "D major")
        stream.writestr("keys_gs+/7 A - B.txt", "X")
    output = _run("gs_plus", "--data-dir", str(tmp_path))
    assert "keys of keys.zip: 1 tracks" in output
    assert f"  D major      1 {'#' * 40}\n" in output


def test_unknown_names() -> None:
    result = CliRunner().invoke(command, ["gs-mgt"])
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2
    assert "did you mean gs_mtg" in str(result.exception)


def test_a_dataset_json_with_a_key_that_is_none_is_damaged(data: Path) -> None:
    path = data / "audio" / "my-set" / "dataset.json"
    path.write_text(path.read_text(encoding="utf-8").replace("Eb minor", "H minor"), encoding="utf-8")
    assert find_on_disk("my-set", data).prepared["audio"].state == "damaged"
