"""``prepare`` on a cluster: the same bytes as here, whatever happens to the scheduler and the workers."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalogue.specs import check_request
from pipelines.prepare.job import PrepareJob
from pipelines.prepare.on_cluster import do_on_cluster
from pipelines.prepare.prepare import prepare
from pipelines.tracks import Track
from tests.conftest import contents, write_settings
from tests.dask_cluster import DaskCluster, dask_cluster, free_port
from tests.object_store import ObjectStore
from tests.pipelines.prepare.crashing import Crashing
from tfkey.cluster.connection import Cluster, check_cluster
from tfkey.config import Config
from tfkey.errors import TfkeyError
from tfkey.keys import Key
from tfkey.storage import located

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask"), 3) as running:
        check_cluster(running.address)
        yield running


def files(folder: Path) -> dict[str, bytes]:
    """All files, hidden ones too, except the lock and the journal, whose lines have paths of originals."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".lock", ".journal.jsonl")
    }


@pytest.fixture
def broken(tracks: Path) -> Path:
    """Tracks, of which two cannot be read."""
    (tracks / "train" / "A-min" / "broken.wav").write_bytes(b"RIFF\0\0\0\0WAVEjunk")
    (tracks / "train" / "C-maj" / "empty.flac").touch()
    return tracks


def test_audio_while_workers_and_the_scheduler_die(
    cluster: DaskCluster, make_config: Callable[..., Config], broken: Path, tmp_path: Path
) -> None:
    local = prepare(make_config(data_dir=str(tmp_path / "local")), "small", source=broken)
    seen: list[int] = []

    def fault(done: int, total: int) -> None:
        seen.append(done)
        if done == 4:
            cluster.kill_worker(0)
        if done == 9:
            cluster.workers[1].send_signal(signal.SIGSTOP)
            threading.Timer(0.5, cluster.workers[1].send_signal, (signal.SIGCONT,)).start()
        if done == 14:
            cluster.restart_scheduler()

    remote = prepare(
        make_config(data_dir=str(tmp_path / "remote")), "small", source=broken, progress=fault,
        cluster=Cluster(cluster.address),
    )  # fmt: skip
    assert files(remote.folder) == files(local.folder)
    assert contents(remote.folder) == contents(local.folder)
    assert (remote.fresh, len(remote.left_out)) == (22, 2)
    assert remote.left_out == local.left_out
    # One result after the other; the first call is for fetching.
    assert seen[-22:] == list(range(1, 23))
    again = prepare(
        make_config(data_dir=str(tmp_path / "remote")), "small", source=broken, cluster=Cluster("nowhere:1")
    )
    assert again.fresh == 0


def test_spectrograms(
    cluster: DaskCluster, make_config: Callable[..., Config], broken: Path, tmp_path: Path
) -> None:
    summaries = [
        prepare(
            make_config(data_dir=str(tmp_path / name), mode="spectrograms"), "small", source=broken, png=True,
            cluster=where,
        )
        for name, where in (("local", None), ("remote", Cluster(cluster.address)))
    ]  # fmt: skip
    local, remote = summaries
    assert files(remote.folder) == files(local.folder)
    assert len(list(remote.folder.glob("png/*/*/*.png"))) == 50
    assert (remote.fresh, remote.left_out) == (3, local.left_out)


def test_data_in_a_bucket(
    make_config: Callable[..., Config], broken: Path, tmp_path: Path, object_store: ObjectStore
) -> None:
    expected = prepare(make_config(data_dir=str(tmp_path / "local")), "small", source=broken)
    for name, content in contents(broken).items():
        object_store.write(f"tracks/{name}", content)
    there = make_config(data_dir=object_store.url("data"))
    # The workers find the store as this process does.
    with dask_cluster(tmp_path / "dask", 1) as running:
        summary = prepare(
            there, "small", source=located(object_store.url("tracks")), cluster=Cluster(running.address)
        )
    found = object_store.contents("data/audio/small/")
    assert {name: content for name, content in found.items() if "/." not in f"/{name}"} == contents(
        expected.folder
    )
    assert summary.left_out == expected.left_out


@pytest.fixture
def make_job(make_config: Callable[..., Config], tmp_path: Path) -> Callable[..., PrepareJob]:
    def make(**changes: Any) -> PrepareJob:
        config = make_config(**changes)
        return PrepareJob(config, check_request(config, "mine", tmp_path), tmp_path)

    return make


def track(folder: Path, name: str) -> Track:
    path = folder / f"{name}.wav"
    path.touch()
    return Track(name, path, Key.parse("C"), "train", path.name, name)


def test_tracks_that_crash_are_left_out_alone(
    cluster: DaskCluster, make_job: Callable[..., PrepareJob], tmp_path: Path
) -> None:
    units = [["a", "crash 1", "odd", "b", "crash 2"], ["c", "d"], ["crash 3"]]
    payloads = [
        (f"{place}.txt", [track(tmp_path, name) for name in names]) for place, names in enumerate(units)
    ]
    job = make_job()
    first, second, third = do_on_cluster(job, Cluster(cluster.address), Crashing, payloads)
    crashed = f"the decoder crashed (signal {int(signal.SIGSEGV)}); encode the file again"
    assert [row.track for row in first.rows] == ["a", "b"]
    assert [(item.source, item.reason) for item in first.left_out] == [
        ("crash 1.wav", crashed), ("odd.wav", "odd"), ("crash 2.wav", crashed),
    ]  # fmt: skip
    assert ([row.track for row in second.rows], second.left_out) == (["c", "d"], [])
    assert (third.rows, [item.reason for item in third.left_out]) == ([], [crashed])
    assert {path: text.decode() for path, text in files(job.folder).items()} == {
        "0.txt": "a odd b",
        "1.txt": "c d",
    }


@pytest.mark.parametrize("what", ["audio", "data_dir"])
def test_worker_without_the_storage(
    cluster: DaskCluster,
    make_job: Callable[..., PrepareJob],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    # The same name is another folder in every process.
    own = Path("/proc/self/cwd")
    job = make_job(**({"data_dir": str(own / "data")} if what == "data_dir" else {}))
    one = track(own if what == "audio" else tmp_path, "a")
    with pytest.raises(
        TfkeyError, match=r"^worker tcp://[\d.:]+: .*mount the same storage on every machine$"
    ) as caught:
        list(do_on_cluster(job, Cluster(cluster.address), Crashing, [("0.txt", [one])]))
    assert ("data_dir: /proc/self/cwd/data/" if what == "data_dir" else "/proc/self/cwd/a.wav: ") in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--cluster", "node"], 2, "--cluster 'node' is not the address of a Dask scheduler"),
        (["--cluster", "{}", "--workers", "2"], 2, "--workers: cannot be combined with --cluster"),
        (["--cluster", "{}", "--cluster-timeout", "0.3"], 1, "no Dask scheduler can be reached"),
    ],
)
def test_command_that_cannot_begin(
    tfkey: Any, tracks: Path, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    settings = write_settings(tmp_path / "s.yaml", data_dir=str(tmp_path / "data"))
    options = [option.format(f"127.0.0.1:{free_port()}") for option in options]
    found, _, err = tfkey("prepare", "--config", settings, "--dataset", "small", "--source", tracks, *options)
    assert found == code
    assert any(message in line for line in err), err
    assert not (tmp_path / "data").exists()


def test_command(tfkey: Any, cluster: DaskCluster, tracks: Path, tmp_path: Path) -> None:
    settings = write_settings(tmp_path / "s.yaml", data_dir=str(tmp_path / "data"))
    arguments = ("--config", settings, "--dataset", "small", "--source", tracks, "--cluster", cluster.address)
    code, out, err = tfkey("prepare", *arguments)
    assert (code, err) == (0, [])
    assert out == [f"{tmp_path / 'data' / 'audio' / 'small'}: 50 intervals of 20 tracks; done"]
