"""The engine on a real scheduler with three real workers, which are killed, stopped and restarted."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dask_cluster import DaskCluster, dask_cluster, free_port
from tests.tfkey.cluster.work import noting
from tfkey._version import __version__
from tfkey.cluster.connection import (
    Cluster,
    check_address,
    check_cluster,
    check_versions,
    close_client,
    open_client,
    wait_for_workers,
)
from tfkey.cluster.engine import on_cluster
from tfkey.errors import TfkeyError, UsageError
from tfkey.processes import Crash

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

SECONDS = 0.02
COUNT = 150
PYTHON = f"Python {'.'.join(platform.python_version_tuple()[:2])}"
WITHOUT_TFKEY = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "tfkey":
            raise ModuleNotFoundError("No module named 'tfkey'", name="tfkey")

for name in [name for name in sys.modules if name.partition(".")[0] == "tfkey"]:
    del sys.modules[name]
sys.meta_path.insert(0, Refuse())
"""
OWN = f"tfkey {__version__} on {PYTHON}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask"), 3) as running:
        check_cluster(running.address)
        yield running


def calls(folder: Path) -> int:
    return len((folder / "calls").read_text().split())


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("node1:8786", "tcp://node1:8786"),
        ("tcp://10.0.0.1:8786/", "tcp://10.0.0.1:8786"),
        ("TLS://[::1]:8786", "tls://[::1]:8786"),
    ],
)
def test_addresses(address: str, expected: str) -> None:
    assert check_address(address) == expected


@pytest.mark.parametrize(
    "address",
    ["", "node1", "node1:", ":8786", "http://node1:80", "node1:0", "node1:70000", "a b:1", "a:b@c:1"],
)
def test_malformed_addresses(address: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a Dask scheduler"):
        check_address(address)


def test_results_in_order_and_each_task_once(cluster: DaskCluster, tmp_path: Path) -> None:
    told: list[str] = []
    found = list(on_cluster(Cluster(cluster.address), noting(tmp_path), iter(range(COUNT)), told.append))
    assert found == [2 * task for task in range(COUNT)]
    assert calls(tmp_path) == COUNT
    assert told == ["doubles"]
    assert list(on_cluster(Cluster(cluster.address), noting(tmp_path), [])) == []


def test_no_future_is_left_to_its_finalizer(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python ignores Ctrl-C there."""
    import distributed

    finalized: list[bool] = []
    finalizer = distributed.Future.__del__

    def note(future: distributed.Future) -> None:
        finalized.append(future._cleared)
        finalizer(future)

    monkeypatch.setattr(distributed.Future, "__del__", note)
    assert len(list(on_cluster(Cluster(cluster.address), noting(tmp_path), range(20)))) == 20
    assert finalized
    assert all(finalized)


def test_tasks_are_not_taken_far_ahead(cluster: DaskCluster, tmp_path: Path) -> None:
    taken = 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        for task in range(100_000):
            taken += 1
            yield task

    results = on_cluster(Cluster(cluster.address), noting(tmp_path, 0.5), tasks())
    assert next(results) == 0
    # Two batches for each of three threads, and one; and those that follow the first ones that are done.
    assert 7 <= taken <= 64
    results.close()
    time.sleep(1)
    # Those that had not begun were cancelled.
    assert calls(tmp_path) < taken


def test_task_that_kills_its_process_fails_alone(cluster: DaskCluster, tmp_path: Path) -> None:
    workers = [worker.pid for worker in cluster.workers]
    found = list(on_cluster(Cluster(cluster.address), noting(tmp_path), [1, "crash", 2, 3]))
    assert [one.reason if isinstance(one, Crash) else one for one in found] == [
        2, f"signal {int(signal.SIGSEGV)}", 4, 6,
    ]  # fmt: skip
    assert [worker.pid for worker in cluster.workers] == workers


def test_task_that_kills_its_workers_fails_alone(cluster: DaskCluster, tmp_path: Path) -> None:
    tasks = [1, 2, "kill", *range(3, 20)]
    found = list(on_cluster(Cluster(cluster.address), noting(tmp_path, SECONDS), tasks))
    crash = found.pop(2)
    assert isinstance(crash, Crash)
    assert (crash.task, crash.reason) == ("kill", "4 workers were killed over it")
    assert found == [2 * task for task in range(1, 20)]


def test_worker_that_is_killed(cluster: DaskCluster, tmp_path: Path) -> None:
    results = on_cluster(Cluster(cluster.address), noting(tmp_path, SECONDS), range(COUNT))
    found = [next(results)]
    cluster.kill_worker(1)
    assert found + list(results) == [2 * task for task in range(COUNT)]


def test_worker_that_is_stopped_and_continued(cluster: DaskCluster, tmp_path: Path) -> None:
    results = on_cluster(Cluster(cluster.address), noting(tmp_path, SECONDS), range(COUNT))
    found = [next(results)]
    worker = cluster.workers[0]
    worker.send_signal(signal.SIGSTOP)
    threading.Timer(1.0, worker.send_signal, (signal.SIGCONT,)).start()
    assert found + list(results) == [2 * task for task in range(COUNT)]
    assert worker.poll() is None
    assert calls(tmp_path) == COUNT


def test_scheduler_that_is_restarted(cluster: DaskCluster, tmp_path: Path) -> None:
    results = on_cluster(Cluster(cluster.address), noting(tmp_path, SECONDS), range(COUNT), most_at_once=4)
    found = [next(results) for _ in range(40)]
    cluster.restart_scheduler()
    assert found + list(results) == [2 * task for task in range(COUNT)]
    # At most what was in flight: two batches for each of three threads, and one.
    assert calls(tmp_path) <= COUNT + 7 * 4


@pytest.mark.parametrize(
    ("task", "error", "message"),
    [
        ("refuse", TfkeyError, r"worker tcp://127\.0\.0\.1:\d+: no such thing; ask for another$"),
        ("raise", RuntimeError, "KeyError: 'raised'"),
    ],
)
def test_errors_of_tasks(
    cluster: DaskCluster, tmp_path: Path, task: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        list(on_cluster(Cluster(cluster.address), noting(tmp_path), [1, task]))
    assert getattr(caught.value, "exit_code", 2) == 2


def test_nothing_listens_or_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TfkeyError, match=r"no Dask scheduler can be reached .*none answered within 0\.3 s"):
        open_client(f"tcp://127.0.0.1:{free_port()}", 0.3)
    unreachable = pytest.raises(TfkeyError, match="no Dask scheduler can be reached")
    with socket.create_server(("127.0.0.1", 0)) as silent, unreachable:
        open_client(f"tcp://127.0.0.1:{silent.getsockname()[1]}", 0.3)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        TfkeyError, match=r"needs Dask, which is not installed; run pip install 'tfkey\[cluster\]'"
    ):
        check_cluster("node1:8786")


@pytest.fixture(scope="module")
def empty_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("empty"), 0) as running:
        yield running


def test_no_workers(empty_cluster: DaskCluster) -> None:
    client = open_client(empty_cluster.address)
    expected = r"has had no workers for 0\.3 s; start some with: dask worker tcp:"
    try:
        with pytest.raises(TfkeyError, match=expected):
            wait_for_workers(client, empty_cluster.address, 0.3)
    finally:
        close_client(client)


def test_worker_without_tfkey(empty_cluster: DaskCluster, tmp_path: Path) -> None:
    preload = tmp_path / "missing.py"
    preload.write_text(WITHOUT_TFKEY)
    worker = empty_cluster.start_worker("--preload", str(preload))
    try:
        with pytest.raises(
            TfkeyError, match=rf"^worker tcp://[\d.:]+ has no tfkey; install {OWN} everywhere"
        ):
            list(on_cluster(Cluster(empty_cluster.address), noting(tmp_path), range(3)))
    finally:
        worker.kill()
        worker.wait()


def test_worker_of_another_version(empty_cluster: DaskCluster, tmp_path: Path) -> None:
    preload = tmp_path / "pretend.py"
    preload.write_text("from tfkey.cluster import connection\nconnection.__version__ = '0.0.7'\n")
    worker = empty_cluster.start_worker("--preload", str(preload))
    try:
        expected = rf"^worker tcp://[\d.:]+ has tfkey 0.0.7 on {PYTHON}, but this is {OWN};"
        with pytest.raises(TfkeyError, match=expected):
            list(on_cluster(Cluster(empty_cluster.address), noting(tmp_path), range(3)))
        assert not (tmp_path / "calls").exists()
    finally:
        worker.kill()
        worker.wait()


def said(python: str, tfkey: str | None) -> dict[str, Any]:
    return {"host": {"python": f"{python}.1.final.0"}, "packages": {"tfkey": tfkey}}


@pytest.mark.parametrize(
    ("scheduler", "worker", "message"),
    [
        (said(PYTHON[7:], __version__), said(PYTHON[7:], __version__), None),
        (said(PYTHON[7:], None), said(PYTHON[7:], None), None),
        ("no answer", None, None),
        (said(PYTHON[7:], None), said("3.5", None), "worker tcp://w:1 has tfkey .* on Python 3.5, b"),
        (said(PYTHON[7:], None), said(PYTHON[7:], "9.9"), f"worker tcp://w:1 has tfkey 9.9 on {PYTHON}, but"),
        (said("2.7", "0.1"), None, f"the scheduler has tfkey 0.1 on Python 2.7, but this is {OWN}"),
    ],
)  # fmt: skip
def test_versions_that_dask_knows(scheduler: Any, worker: Any, message: str | None) -> None:
    class Client:
        def get_versions(self, packages: list[str]) -> dict[str, Any]:
            return {"scheduler": scheduler, "workers": {"tcp://w:1": worker}}

    with contextlib.nullcontext() if message is None else pytest.raises(TfkeyError, match=message):
        check_versions(Client())  # type: ignore[arg-type]


def test_worker_with_a_nanny_and_the_end_of_its_processes(tmp_path: Path) -> None:
    with dask_cluster(tmp_path / "dask", 1, nanny=True) as running:
        found = list(on_cluster(Cluster(running.address), noting(tmp_path), [1, "crash", 2]))
        assert [isinstance(one, Crash) for one in found] == [False, True, False]
        processes = _marked(running.folder)
        assert processes
    end = time.monotonic() + 10
    while _marked(running.folder) and time.monotonic() < end:
        time.sleep(0.1)
    assert not _marked(running.folder)


def _marked(folder: Path) -> list[str]:
    """The processes that work in a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if os.path.samefile(place, folder):
                found.append(place.parent.name)
        except OSError:
            continue
    return found
