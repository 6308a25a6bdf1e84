"""``tfkey predict`` on a cluster, for lists of any length and in parts: the same as without."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile

from scripts.predict_target import Results
from tests.conftest import ROOT
from tests.dask_cluster import DaskCluster, dask_cluster, free_port
from tests.library import write_library
from tests.media import chord
from tests.object_store import ObjectStore
from tests.scripts.test_predict import COMMAND, in_this_process
from tfkey.cluster.connection import check_cluster

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask"), 2) as running:
        check_cluster(running.address)
        yield running


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files, of which ten are broken in as many ways."""
    folder = tmp_path_factory.mktemp("library") / "music"
    write_library(folder, 8, 10)
    return folder


@pytest.fixture
def music(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(7):
        soundfile.write(folder / f"{number}.wav", chord(1), 22050)
    return sorted(folder.iterdir())


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfkey.processes.in_processes", in_this_process)


def give_list(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_results_and_failures_are_those_of_a_local_run(
    tfkey: Any, cluster: DaskCluster, library: Path, tmp_path: Path, suffix: str
) -> None:
    local, remote = tmp_path / f"local.{suffix}", tmp_path / f"remote.{suffix}"
    options = ("--top", "2", *(["--over-time"] if suffix == "json" else ["--probabilities"]))
    expected = tfkey("predict", library, library / "gone.mp3", "--output", local, "--workers", "2", *options)
    found = tfkey(
        "predict", library, library / "gone.mp3", "--output", remote, "--cluster", cluster.address, *options
    )
    assert remote.read_bytes() == local.read_bytes()
    assert local.stat().st_size > 500
    assert found == expected
    assert found[0] == 1
    assert "not analysed (11):" in found[2]


def test_relative_paths_and_a_list_in_parts_that_is_continued(
    tfkey: Any, cluster: DaskCluster, music: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [f"music/{path.name}" for path in music]
    options = ("--cluster", cluster.address.removeprefix("tcp://"), "--format", "csv", "--shard-size", "3")
    # A file that is named twice is analysed once.
    give_list(monkeypatch, "\n".join([*names[:5], names[0]]).encode())
    assert tfkey("predict", "-", "--output", "first", *options)[0] == 0
    assert sorted(os.listdir("first")) == [".lock", "part-00000.csv", "part-00001.csv"]
    code, _, err = tfkey("predict", *names, "--output", "first", *options)
    assert (code, err) == (
        2, ["tfkey: --output first: has parts of an earlier run; continue it with --skip-existing, or name "
            "another folder"],
    )  # fmt: skip
    before = Path("first/part-00000.csv").stat()
    code, _, err = tfkey("predict", *names, "gone.wav", "--output", "first", "--skip-existing", *options)
    assert code == 1
    assert err[-3:-1] == ["2 analysed, 5 skipped", "not analysed (1):"]
    assert Path("first/failures.csv").read_text().startswith("file,reason\ngone.wav,")
    # What was finished was not written again.
    assert Path("first/part-00000.csv").stat().st_mtime_ns == before.st_mtime_ns
    assert tfkey("predict", *names, "--output", "second", *options)[0] == 0
    for part in ("part-00000.csv", "part-00001.csv", "part-00002.csv"):
        assert Path("first", part).read_bytes() == Path("second", part).read_bytes()
    assert [len(Path("second", f"part-0000{n}.csv").read_text().splitlines()) for n in range(3)] == [4, 4, 2]


def test_worker_that_does_not_see_the_audio(
    tfkey: Any, cluster: DaskCluster, music: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same name is another folder in every process.
    monkeypatch.chdir(music[0].parent)
    code, _, err = tfkey("predict", "/proc/self/cwd/0.wav", "--cluster", cluster.address)
    assert code == 1
    (line,) = [line for line in err if line.startswith("tfkey:")]
    assert line.startswith("tfkey: worker tcp://127.0.0.1:")
    assert line.endswith(
        "/proc/self/cwd/0.wav: is not there for this worker; mount the same storage on every machine"
    )


def test_network_that_workers_cannot_load(
    tfkey: Any, cluster: DaskCluster, music: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = tfkey("predict", music[0], "--model", tmp_path / "empty", "--cluster", cluster.address)
    assert (code, len(err)) == (1, 1)
    assert str(tmp_path / "empty") in err[0]


def test_audio_and_results_in_a_bucket(
    tfkey: Any, music: list[Path], tmp_path: Path, object_store: ObjectStore
) -> None:
    for path in music[:3]:
        object_store.write(f"music/{path.name}", path.read_bytes())
    source = object_store.url("music/")
    local = tfkey("predict", source, "--output", object_store.url("local.csv"), "--workers", "1")
    # The workers find the store as this process does.
    with dask_cluster(tmp_path / "dask", 1) as running:
        remote = tfkey(
            "predict", source, "--output", object_store.url("remote.csv"), "--cluster", running.address
        )
    assert remote == local
    found = object_store.contents("")
    assert found["remote.csv"] == found["local.csv"]
    assert found["local.csv"].count(b"\n") == 4


def test_worker_without_credentials(
    tfkey: Any, music: list[Path], tmp_path: Path, object_store: ObjectStore
) -> None:
    for path in music[:3]:
        object_store.write(f"music/{path.name}", path.read_bytes())
    without = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    with dask_cluster(tmp_path / "dask", 1, without) as running:
        code, _, err = tfkey("predict", object_store.url("music/"), "--cluster", running.address)
    assert code == 1
    assert err[-1].startswith("tfkey: worker tcp://127.0.0.1:")
    assert f"{object_store.url('music/0.wav')}: no credentials were found" in err[-1]
    assert not any("not analysed" in line for line in err)


def test_ctrl_c_keeps_what_is_done(cluster: DaskCluster, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    soundfile.write(folder / "00.wav", chord(20), 22050)
    for number in range(1, 60):
        shutil.copy(folder / "00.wav", folder / f"{number:02d}.wav")
    output = tmp_path / "keys.csv"
    command = [*COMMAND, folder, "--output", output, "--cluster", cluster.address]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "free recordings" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 130, err
    done = len(output.read_text().splitlines()) - 1 if output.exists() else 0
    assert done < 60
    assert "tfkey: stopped; " in err
    assert "Traceback" not in err


def test_nothing_listens(tfkey: Any, music: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "keys.csv"
    output.write_text("old\n")
    address, timeout = f"127.0.0.1:{free_port()}", ("--cluster-timeout", "0.5")
    code, _, err = tfkey("predict", *music, "--output", output, "--cluster", address, *timeout)
    assert (code, len(err)) == (1, 1)
    assert err[0].startswith(f"tfkey: tcp://{address}: no Dask scheduler can be reached")
    assert output.read_text() == "old\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cluster", "node1"], "--cluster 'node1' is not the address of a Dask scheduler; give HOST:PORT"),
        (["--cluster-timeout", "3"], "--cluster-timeout: needs --cluster"),
        (["--cluster", "n:1", "--workers", "2"], "--workers: cannot be combined with --cluster"),
        (["--cluster", "n:1", "--picture", "."], "--picture: cannot be combined with --cluster"),
        (["--cluster", "n:1", "--reference", "r.csv"], "--reference: cannot be combined with --cluster"),
        (["--shard-size", "3"], "--shard-size: needs --output, the folder of the parts"),
        (["--shard-size", "3", "--output", "out"], "--shard-size: needs --format csv, json or jsonl"),
        (
            ["--shard-size", "3", "--output", "o", "--format", "csv", "--skip-existing", "--write-tags"],
            "--skip-existing: with --shard-size and --output, cannot be combined with --write-tags",
        ),
    ],
)
def test_options_that_make_no_sense(tfkey: Any, music: list[Path], options: list[str], message: str) -> None:
    code, _, err = tfkey("predict", music[0], *options)
    assert code == 2
    assert any(message in line for line in err), err


def test_parts_without_a_cluster(tfkey: Any, at_once: None, music: list[Path], tmp_path: Path) -> None:
    one, parts = tmp_path / "one.jsonl", tmp_path / "parts"
    assert tfkey("predict", *music, "--output", one)[0] == 0
    options = ("--output", parts, "--format", "jsonl", "--shard-size", "2")
    assert tfkey("predict", *music, *options)[0] == 0
    assert b"".join(path.read_bytes() for path in sorted(parts.glob("part-*"))) == one.read_bytes()
    assert len(list(parts.glob("part-*.jsonl"))) == 4


def test_output_that_is_a_file_or_taken_or_an_input(
    tfkey: Any, at_once: None, music: list[Path], tmp_path: Path
) -> None:
    options = ("--format", "csv", "--shard-size", "2")
    code, _, err = tfkey("predict", *music, "--output", music[0], *options)
    assert (code, err) == (2, [f"tfkey: --output {music[0]}: is a file; with --shard-size, name a folder"])
    from scripts.predict_shards import alone_in_shards

    with alone_in_shards(tmp_path / "taken"):
        code, _, err = tfkey("predict", *music, "--output", tmp_path / "taken", *options)
    assert (code, err) == (
        1, [f"tfkey: {tmp_path / 'taken'}: another run writes there; wait for it, or name another folder"],
    )  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--shard-size", "9")])
def test_earlier_results_stay_if_they_are_damaged(
    tfkey: Any, at_once: None, music: list[Path], tmp_path: Path, options: tuple[str, ...]
) -> None:
    parts = tmp_path / "parts"
    assert tfkey("predict", *music, "--output", parts, "--format", "jsonl", "--shard-size", "9")[0] == 0
    part = parts / "part-00000.jsonl"
    lines = part.read_text().splitlines(keepends=True)
    damaged = "".join([*lines[:2], "{\n", *lines[3:]])
    part.write_text(damaged)
    output = parts if options else part
    form = ("--format", "jsonl", "--cluster", "127.0.0.1:1") if not options else ("--format", "jsonl")
    code, _, err = tfkey("predict", *music, "--output", output, "--skip-existing", *form, *options)
    assert code == 1
    assert "not an output in jsonl format" in err[-1]
    # Also the lines before and after the damaged one.
    assert part.read_text() == damaged


@pytest.mark.parametrize("with_parts", [False, True])
def test_stop_while_earlier_results_are_read(
    tfkey: Any,
    at_once: None,
    music: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    with_parts: bool,
) -> None:
    output = tmp_path / ("parts" if with_parts else "keys.csv")
    options = ("--output", output, "--format", "csv", *(["--shard-size", "9"] if with_parts else []))
    assert tfkey("predict", *music, *options)[0] == 0
    file = output / "part-00000.csv" if with_parts else output
    before = file.read_bytes()
    add = Results.add

    def stop(results: Results, text: str) -> None:
        add(results, text)
        if results.count == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Results, "add", stop)
    assert tfkey("predict", *music, *options, "--skip-existing")[0] == 130
    assert file.read_bytes() == before
