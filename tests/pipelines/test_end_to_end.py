"""From the servers that publish the datasets to a trained network; as a module, with kills on the way."""

from __future__ import annotations

import csv
import functools
import io
import logging
import os
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pipelines.originals.acquire
from pipelines.download import DownloadSettings, download
from pipelines.experiments.evaluate import evaluate
from pipelines.experiments.train import train
from pipelines.prepare.prepare import prepare
from pipelines.prepared.manifest import open_prepared, read_manifest
from tests.conftest import contents, times, write_settings
from tests.faulty_server import Fault, FaultyServer
from tests.killing import in_fork
from tests.published import GS_HOST, GS_KEY, GS_MTG, GS_MTG_LEFT_OUT, NCS, png, published_files, tar_xz
from tests.published import write_catalogue as catalogue_of
from tfkey.config import Config, load_config
from tfkey.errors import DataError, UsageError
from tfkey.keys import Key
from tfkey.settings import MODES

DATASETS = ("gs_mtg", "gs_key", "ncs")
NAMED = [word for name in DATASETS for word in ("--dataset", name)]
INTERVALS = {
    # 2.3 or 3.3 s a track, 1.3 or 2.3 s of ncs; two pictures a track in the archives.
    ("gs_mtg", "audio"): 24, ("gs_key", "audio"): 8, ("ncs", "audio"): 33,
    ("gs_mtg", "images"): 20, ("gs_key", "images"): 8, ("ncs", "images"): 44,
}  # fmt: skip
SPLITS_OF = {
    ("gs_mtg", "audio"): {"train", "validation"}, ("gs_key", "audio"): {"test"},
    ("ncs", "audio"): {"train", "validation", "test"}, ("gs_mtg", "images"): {"train", "validation"},
    ("gs_key", "images"): {"test"}, ("ncs", "images"): {"train", "validation"},
}  # fmt: skip


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return published_files()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Faults are over in moments."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings = DownloadSettings(timeout_seconds=0.3, retries=1, backoff_seconds=0.01)
    monkeypatch.setattr(
        pipelines.originals.acquire, "download", functools.partial(download, settings=settings)
    )


@pytest.fixture
def servers(files):
    """Two servers of the same files."""
    with FaultyServer(dict(files)) as first, FaultyServer(dict(files)) as second:
        yield first, second


@pytest.fixture
def catalogue(files, servers, tmp_path):
    """Both servers as mirrors, the first one preferred."""
    return catalogue_of(tmp_path / "catalogue", files, servers)


@pytest.mark.parametrize("mode", MODES)
def test_from_the_servers_to_a_trained_network(mode, make_config, servers, catalogue, tmp_path, tfkey):
    config = make_config(
        mode=mode,
        catalogue=str(catalogue),
        datasets=["gs_mtg", "ncs"],
        train={"epochs": 1, "deterministic": False},
    )
    kind = "images" if mode == "images" else "audio"
    for name in DATASETS:
        summary = prepare(config, name)
        rows = open_prepared(config, mode, name).rows
        assert len(rows) == summary.intervals == INTERVALS[name, kind]
        assert {row.split for row in rows} == SPLITS_OF[name, kind]
        sides = {(row.track, row.split) for row in rows}
        assert len(sides) == len({row.track for row in rows}) == summary.tracks
        assert all(item.by_choice for item in summary.left_out)
        left_out = GS_MTG_LEFT_OUT if (name, kind) == ("gs_mtg", "audio") else ()
        assert [item.source for item in summary.left_out] == list(left_out)
    originals = contents(config.data_dir / "originals")
    assert not servers[1].requests
    asked = [request.path for request in servers[0].requests]
    assert len(set(asked)) == len(asked) == (3 if mode == "images" else len(GS_MTG) + len(GS_KEY) + 1)

    settings = write_settings(tmp_path / "settings.yaml", catalogue=str(catalogue))
    arguments = ["prepare", "--config", settings, "--mode", mode, *NAMED, "--data-dir", tmp_path / "again"]
    for done in ("done", "nothing new to do"):
        code, out, err = tfkey(*arguments)
        assert (code, err) == (0, [])
        assert sum(line.endswith(f"tracks; {done}") for line in out) == 3
    assert sum("3 tracks left out because of their labels" in line for line in out) == (mode != "images")
    assert contents(tmp_path / "again") == contents(config.data_dir)
    assert len(servers[0].requests) == 2 * len(asked)

    run, history = train(config, "tiny")
    assert len(history) == 1
    assert np.isfinite(list(history[0].values())).all()
    if mode == "images":
        ((evaluation, _),) = evaluate(run, config, ["gs_key"], "test")
        judgement = evaluation.judgement
        assert len(judgement.tracks) == len(GS_KEY)
    assert contents(config.data_dir / "originals") == originals


def test_pictures_and_labels_are_those_that_were_published(make_config, catalogue):
    config = make_config(mode="images", catalogue=str(catalogue))
    for row in read_manifest(prepare(config, "gs_key").folder / "manifest.csv"):
        number = row.track.removesuffix(".LOFI")
        with Image.open(config.data_dir / "images" / "gs_key" / row.path) as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(np.asarray(image), png(int(number) + row.part)[1])
    config = make_config(catalogue=str(catalogue))
    found = {row.track: row.key for row in read_manifest(prepare(config, "gs_mtg").folder / "manifest.csv")}
    assert set(found) == set(GS_MTG)
    assert (found["5061"], found["49721"]) == ("Eb minor", "C major")
    rows = read_manifest(prepare(config, "ncs").folder / "manifest.csv")
    assert {(Key.parse(row.key).folder, row.source) for row in rows} == {
        (key, f"{key}/{song}.mp3".replace("\n", "\\n")) for key, songs in NCS.items() for song in songs
    }


@pytest.mark.parametrize("mode", ["audio", "images"])
def test_a_recording_under_two_numbers_stands_on_one_side(mode, make_config, catalogue):
    # They are the only ones in A minor: as two recordings, each split would get one.
    config = make_config(mode=mode, catalogue=str(catalogue), split={"validation": 0.5})
    rows = read_manifest(prepare(config, "gs_mtg").folder / "manifest.csv")
    pair = [row for row in rows if row.key == "A minor"]
    assert {row.track.partition(".")[0] for row in pair} == {"297696", "299976"}
    assert len({row.split for row in pair}) == 1


FAULTS = {
    "cut": Fault(cut_after=3000),
    "reset": Fault(cut_after=3000, reset=True),
    "404": Fault(status=404),
    "500": Fault(status=500),
    "503": Fault(status=503, retry_after="0"),
    "503 for an hour": Fault(status=503, retry_after="3600"),
    "cut, ranges ignored": Fault(cut_after=3000, ignore_range=True),
    "cut, wrong range": Fault(cut_after=3000, shift_range=100),
    "wrong bytes": Fault(wrong_bytes=True),
    "web page": Fault(html=True),
    "stall": Fault(stall_after=3000),
    "too short": Fault(cut_after=3000, until_close=True),
}


@pytest.fixture(scope="module")
def undisturbed(files, tmp_path_factory):
    """What a server without faults gives, and the settings for it."""
    root = tmp_path_factory.mktemp("undisturbed")
    with FaultyServer(dict(files)) as server:
        catalogue = catalogue_of(root / "catalogue", files, [server])
        settings = write_settings(
            root / "settings.yaml", catalogue=str(catalogue), data_dir=str(root / "data")
        )
        config = load_config(settings)
        for name in DATASETS:
            prepare(config, name)
        prepare(config.model_copy(update={"mode": "images"}), "ncs")
    return contents(root / "data")


@pytest.mark.parametrize("fault", FAULTS)
def test_with_a_fault_on_one_mirror_the_result_is_that_of_the_good_one(
    fault, make_config, servers, catalogue, undisturbed
):
    servers[0].fail(FAULTS[fault])
    config = make_config(catalogue=str(catalogue))
    for name in DATASETS:
        assert all(item.by_choice for item in prepare(config, name).left_out)
    prepare(make_config(catalogue=str(catalogue), mode="images"), "ncs")
    assert contents(config.data_dir) == undisturbed
    assert any(request.sent or request.status >= 400 for request in servers[0].requests)
    # A server that always cuts gets there all the same, each time a bit further.
    assert servers[1].requests or fault in ("cut", "reset")


def test_a_dataset_that_cannot_be_had_leaves_the_others(files, servers, tmp_path, tfkey):
    catalogue = catalogue_of(tmp_path / "catalogue", files, servers[:1])
    settings = write_settings(
        tmp_path / "settings.yaml", catalogue=str(catalogue), data_dir=str(tmp_path / "data")
    )
    config = load_config(settings)
    for mode, pattern in (("audio", f"{GS_HOST}/mtg_key_backup/*"), ("images", "gs_mtg.tar.xz")):
        servers[0].fail(Fault(status=404), pattern)
        code, out, err = tfkey("prepare", "--config", settings, "--mode", mode, *NAMED)
        assert code == 1
        assert [line.partition(":")[0].rpartition("/")[2] for line in out] == ["gs_key", "ncs"]
        assert len(err) == 2
        assert err[0] == "not prepared (1):"
        assert err[1].startswith("  gs_mtg: ")
        assert "404 Not Found" in err[1]
        for name in ("gs_key", "ncs"):
            open_prepared(config, mode, name)
        with pytest.raises(DataError, match="not prepared"):
            open_prepared(config, mode, "gs_mtg")
    # Nobody listens there.
    for path in catalogue.glob("*.yaml"):
        path.write_text(path.read_text().replace(servers[0].url(), "http://127.0.0.1:9/"))
    code, out, err = tfkey("prepare", "--config", settings, "--mode", "audio", *NAMED)
    assert (code, len(out), len(err)) == (1, 2, 2)
    assert "refused" in err[1]
    code, _, err = tfkey("prepare", "--config", settings, "--dataset", "gs_key", "--dataset", "gs_mgt")
    assert (code, len(err)) == (2, 1)
    assert "did you mean gs_mtg" in err[0]
    code, _, err = tfkey("prepare", "-o", f"catalogue={tmp_path / 'none'}", "--dataset", "gs_key")
    assert (code, len(err)) == (2, 1)
    assert "none' is not a folder" in err[0]


def test_files_that_are_wrong_everywhere_are_listed_and_fetched_by_the_next_call(
    files, servers, tmp_path, tfkey, undisturbed
):
    server = servers[0]
    catalogue = catalogue_of(tmp_path / "catalogue", files, [server])
    settings = write_settings(
        tmp_path / "settings.yaml", catalogue=str(catalogue), data_dir=str(tmp_path / "data")
    )
    server.fail(Fault(html=True), "*/backup/10089.LOFI.mp3", times=1)
    server.fail(Fault(status=404), "*/backup/61415.LOFI.mp3", times=1)
    arguments = ("prepare", "--config", settings, "--mode", "audio", "--dataset", "gs_key")
    code, out, err = tfkey(*arguments)
    assert code == 1
    assert out[0].endswith("4 intervals of 2 tracks; done")
    assert err[0] == "gs_key: left out (2):"
    assert "web page (HTML) instead of the file" in err[1]
    assert "404 Not Found" in err[2]
    assert [line.partition(": ")[0] for line in err[1:]] == ["  10089.LOFI.mp3", "  61415.LOFI.mp3"]
    before = times(tmp_path / "data" / "originals" / "gs_key" / "audio")
    del server.requests[:]
    assert tfkey(*arguments)[0] == 0
    assert {Path(request.path).name for request in server.requests} == {"10089.LOFI.mp3", "61415.LOFI.mp3"}
    after = times(tmp_path / "data" / "originals" / "gs_key" / "audio")
    assert {path: after[path] for path in before if path.endswith(".mp3")}.items() <= before.items()
    found = contents(tmp_path / "data")
    assert found == {path: content for path, content in undisturbed.items() if "/gs_key/" in path}


@pytest.mark.parametrize("mode", ["audio", "images"])
def test_the_catalogue_is_asked_for_a_subset(mode, make_config, catalogue):
    config = make_config(mode=mode, catalogue=str(catalogue), subsets={"gs_mtg": "literature"})
    rows = read_manifest(prepare(config, "gs_mtg").folder / "manifest.csv")
    assert {row.track.removesuffix(".LOFI") for row in rows} == set(GS_MTG)
    path = catalogue / "gs_mtg.csv"
    lines = list(csv.DictReader(io.StringIO(path.read_text())))
    path.write_text(path.read_text().replace("7217,f minor,2,0", "7217,f minor,2,1"))
    assert len(lines) == len(GS_MTG) + len(GS_MTG_LEFT_OUT)
    summary = prepare(config, "gs_mtg")
    rows = read_manifest(summary.folder / "manifest.csv")
    assert {row.track.removesuffix(".LOFI") for row in rows} == set(GS_MTG) - {"7217"}
    assert all(item.by_choice for item in summary.left_out)
    assert not list(summary.folder.rglob("*7217*"))


def test_pictures_of_one_track_on_two_sides_are_put_on_one(make_config, files, servers, catalogue, caplog):
    """Archives that were split by interval hold one recording in training and in validation."""
    names = {
        f"ncs/{'train' if (song + part) % 4 else 'validation'}/{key}/akc-split-{key} {song}-{part:03d}.png"
        for key in ("A-min", "C-maj")
        for song in range(12)
        for part in range(4)
    }
    # Two songs that happen to share a name: their numbers do, too.
    names |= {
        f"ncs/{split}/C-maj/akc-split-Intro-{part:03d}.png"
        for split in ("train", "validation")
        for part in (0, 1)
    }
    servers[0].files["ncs.tar.xz"] = tar_xz({name: png(seed)[0] for seed, name in enumerate(sorted(names))})
    with caplog.at_level(logging.WARNING):
        summary = prepare(make_config(mode="images", catalogue=str(catalogue)), "ncs")
    assert "24 tracks had pictures in more than one split" in caplog.text
    rows = read_manifest(summary.folder / "manifest.csv")
    assert {f"ncs/{row.source}" for row in rows} == names
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row.source.rpartition("/")[2].rpartition("-")[0], set()).add(row.split)
    assert sides.pop("akc-split-Intro") == {"train", "validation"}
    assert all(len(found) == 1 for found in sides.values())
    assert set.union(*sides.values()) == {"train", "validation", "test"}


def test_datasets_of_the_same_recordings_are_not_trained_on_together(make_config, tmp_path):
    for names in (["gs_mtg", "beatport"], ["beatport", "ncs", "gs_mtg"], ["gs_key", "gs_plus"]):
        with pytest.raises(UsageError, match="contain the same recordings") as caught:
            train(make_config(datasets=names), "leak")
        assert "\n" not in str(caught.value)
    for names in (["gs_mtg", "gs_key", "ncs"], ["mine", "gs_plus"]):
        with pytest.raises(DataError, match="not prepared"):
            train(make_config(datasets=names), "none")
    assert not (tmp_path / "runs").exists()


KILLED = (("audio", "gs_mtg"), ("audio", "ncs"), ("images", "ncs"), ("spectrograms", "gs_mtg"))
KILLS = 10


def _main(settings: Path, scratch: Path) -> None:
    def config_in(folder: Path, mode: str) -> Config:
        return load_config(settings).model_copy(update={"data_dir": folder, "mode": mode})

    def prepare_in(config: Config, name: str, moment: int | None) -> int | None:
        return in_fork(partial(prepare, config, name, workers=2), config.data_dir, moment, scratch)

    chosen = random.Random(0)
    for mode, name in KILLED:
        whole = config_in(scratch / f"whole-{mode}-{name}", mode)
        touches = prepare_in(whole, name, None)
        assert touches is not None
        expected = contents(whole.data_dir)
        killed = 0
        for moment in sorted(chosen.sample(range(1, touches), KILLS)):
            config = config_in(scratch / f"{mode}-{name}-{moment}", mode)
            killed += prepare_in(config, name, moment) is None
            seen = {path: content for path, content in contents(config.data_dir).items() if "/." not in path}
            wrong = [path for path, content in seen.items() if expected.get(path) != content]
            assert not wrong, f"half-written after a kill at {moment} of {touches}: {wrong}"
            before = {path: time for path, time in times(config.data_dir).items() if "/." not in path}
            assert prepare_in(config, name, None) is not None
            after = times(config.data_dir)
            assert contents(config.data_dir) == expected, f"other bytes after a kill at {moment} of {touches}"
            originals = str(config.data_dir / "originals")
            done = {path: time for path, time in before.items() if path.startswith(originals)}
            assert done.items() <= after.items(), f"fetched or unpacked twice: {moment} of {touches}"
            assert not [
                path for path in after if ".partial" in path or path.endswith((".part", ".part.json"))
            ]
        # Several threads fetch, so that the last touches may come in another number.
        assert killed >= KILLS - 1
        print(mode, name, "ok")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_while_fetching_it_goes_on_where_it_was(servers, catalogue, tmp_path):
    settings = write_settings(tmp_path / "settings.yaml", catalogue=str(catalogue))
    # A process that TensorFlow has not run in yet can be forked; this one cannot.
    command = [sys.executable, "-m", "tests.pipelines.test_end_to_end", str(settings), str(tmp_path / "work")]
    (tmp_path / "work").mkdir()
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "".join(f"{mode} {name} ok\n" for mode, name in KILLED)
    assert not servers[1].requests


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
