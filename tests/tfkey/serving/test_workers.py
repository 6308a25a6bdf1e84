"""The pool: order, crashes, hangs, memory, cancellation, and processes that cannot begin."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.tfkey.serving.acts import PATIENCE, Act, Gate, until, with_pool
from tfkey.errors import AudioError, DataError, TfkeyError, TooLongError, UsageError
from tfkey.serving.errors import NoWorkerFree, TaskFailed, WorkerCrashed, WorkerTimedOut
from tfkey.serving.workers import WorkerPool


def refuse() -> None:
    raise UsageError("no such network; name another")


def die() -> None:
    os._exit(7)


def fail() -> None:
    raise KeyError("network")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_task_fails_alone_and_says_why() -> None:
    cases: list[tuple[Act, type[Exception], str]] = [
        (Act("exit", 3), WorkerCrashed, "exit code 3"),
        (Act("kill", signal.SIGKILL), WorkerCrashed, "signal 9"),
        (Act("sleep", 100), WorkerTimedOut, "longer than 1 s"),
        (Act("raise", AudioError("a file is bad")), AudioError, "a file is bad"),
        (Act("raise", TooLongError("too long")), TooLongError, "too long"),
        (Act("raise", DataError("bad data")), DataError, "bad data"),
        (Act("extra"), TfkeyError, "pip install 'an extra'"),
        (Act("raise", KeyError("word")), TaskFailed, "KeyError: 'word'"),
        (Act("raise", MemoryError()), TfkeyError, "more memory"),
        (Act("raise", ValueError("one line\nKeyError: two")), TaskFailed, "ValueError: one line"),
        (Act("lock"), WorkerCrashed, "exit code 1"),
        (Act("send", threading.Lock()), TaskFailed, "pickle"),
    ]

    async def use(pool: WorkerPool) -> None:
        for task, kind, words in cases:
            with pytest.raises(kind, match=words) as caught:
                await pool.run(task, 1 if task.what == "sleep" else PATIENCE, PATIENCE)
            assert type(caught.value) is kind
            if isinstance(caught.value, TaskFailed) and ":" in words:
                assert caught.value.name == words.partition(":")[0]
            assert (await pool.run(Act("say", 5), PATIENCE))[1] == 5

    with_pool(use)


def test_tasks_begin_in_order_and_several_at_once(tmp_path: Path) -> None:
    path = tmp_path / "order"

    async def use(pool: WorkerPool) -> tuple[set[int], str]:
        folder = tmp_path / f"{pool.workers} processes"
        folder.mkdir()
        gate = Gate(folder)
        blocked = [asyncio.create_task(pool.run(gate.act(), PATIENCE)) for _ in range(pool.workers)]
        await gate.reached()
        waiting = [
            asyncio.create_task(pool.run(Act("append", (path, letter)), PATIENCE)) for letter in "abcdefgh"
        ]
        await until(lambda: pool.queued == 8)
        gate.open()
        pids = {(await task)[0] for task in blocked}
        await asyncio.gather(*waiting)
        return pids, path.read_text()

    assert with_pool(use)[1] == "abcdefgh"
    path.unlink()
    pids, letters = with_pool(use, workers=2)
    assert len(pids) == 2
    assert sorted(letters) == list("abcdefgh")


def test_task_that_waits_too_long_is_not_begun(tmp_path: Path) -> None:
    async def use(pool: WorkerPool) -> None:
        gate = Gate(tmp_path)
        blocked = asyncio.create_task(pool.run(gate.act(), PATIENCE))
        await gate.reached()
        with pytest.raises(NoWorkerFree):
            await pool.run(Act("append", (tmp_path / "a", "a")), PATIENCE, 0.2)
        assert pool.queued == 0
        gate.open()
        await blocked

    with_pool(use)
    assert not (tmp_path / "a").exists()


def test_cancelled_tasks_free_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfkey.serving.workers.ABANDONED_SECONDS", PATIENCE)

    async def use(pool: WorkerPool) -> None:
        first, _ = await pool.run(Act("say"), PATIENCE)
        gate = Gate(tmp_path)
        short = asyncio.create_task(pool.run(gate.act(), PATIENCE))
        await gate.reached()
        waiting = asyncio.create_task(pool.run(Act("append", (tmp_path / "a", "a")), PATIENCE))
        await until(lambda: pool.queued == 1)
        for task in (waiting, short):
            task.cancel()
        await until(lambda: pool.queued == 0)
        gate.open()
        # What is about done costs no new process; what is not is ended.
        assert (await pool.run(Act("say"), PATIENCE))[0] == first
        monkeypatch.setattr("tfkey.serving.workers.ABANDONED_SECONDS", 0.2)
        closed = tmp_path / "closed"
        closed.mkdir()
        gate = Gate(closed)
        long = asyncio.create_task(pool.run(gate.act(), PATIENCE))
        await gate.reached()
        long.cancel()
        assert (await pool.run(Act("say"), PATIENCE))[0] != first
        assert pool.counts["abandoned"] == 1

    with_pool(use)
    assert not (tmp_path / "a").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_process_that_dies_while_idle_costs_nothing() -> None:
    async def use(pool: WorkerPool) -> None:
        for _ in range(3):
            pid, _ = await pool.run(Act("say"), PATIENCE)
            os.kill(pid, signal.SIGKILL)
            await until(lambda: not pool.ready)
        assert (await pool.run(Act("say"), PATIENCE))[0] != pid
        assert pool.counts == {"done": 4}

    with_pool(use)


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not bound memory")
def test_memory_is_bounded() -> None:
    async def use(pool: WorkerPool) -> None:
        assert await pool.run(Act("take", 50 * 2**20), PATIENCE) == 50 * 2**20
        with pytest.raises(TfkeyError, match="more memory than the server allows"):
            await pool.run(Act("take", 200 * 2**20), PATIENCE)

    with_pool(use, memory_mb=100)


@pytest.mark.parametrize(
    ("opener", "kind", "words"),
    [
        (refuse, TfkeyError, "no such network"),
        (die, TfkeyError, "code 7 before it began"),
        (fail, RuntimeError, "KeyError: 'network'"),
    ],
)
def test_pool_that_cannot_begin(opener: Callable[[], None], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        asyncio.run(WorkerPool(opener, 2).start())
    if opener is refuse:
        assert caught.value.exit_code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_closing_while_a_process_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(pool: WorkerPool) -> None:
        pid, _ = await pool.run(Act("say"), PATIENCE)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not pool.ready)
        monkeypatch.setattr(pool, "_make", partial(os._exit, 7))
        task = asyncio.create_task(pool.run(Act("say"), PATIENCE))
        await asyncio.sleep(0)
        await until(lambda: pool.queued == 0)
        await pool.close()
        with pytest.raises(NoWorkerFree, match="have been stopped"):
            await asyncio.wait_for(task, PATIENCE / 2)

    with_pool(use)


def test_closing_ends_tasks(caplog: pytest.LogCaptureFixture) -> None:
    async def use(pool: WorkerPool) -> None:
        tasks = [asyncio.create_task(pool.run(Act("sleep", 100), PATIENCE)) for _ in range(3)]
        await asyncio.sleep(0.2)
        await pool.close()
        for task in tasks:
            with pytest.raises(NoWorkerFree):
                await task
        with pytest.raises(NoWorkerFree):
            await pool.run(Act("say"), PATIENCE)

    with_pool(use)
    gc.collect()
    assert not caplog.records


SCRIPT = """
import asyncio, sys
from pathlib import Path
from tests.tfkey.serving.acts import Act, open_
from tfkey.serving.workers import WorkerPool

async def run():
    pool = WorkerPool(open_)
    await pool.start()
    print((await pool.run(Act("say"), 10))[0], flush=True)
    work = asyncio.create_task(pool.run(Act("wait", (Path(sys.argv[1]), Path("never"))), 3))
    while not Path(sys.argv[1]).exists():
        await asyncio.sleep(0.01)
    print("busy", flush=True)
    await work

if __name__ == "__main__":
    asyncio.run(run())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_end_soon_after_a_killed_server(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    # The task's own end comes a second after that of its time.
    script.write_text("import tfkey.serving.doer as doer\ndoer.GRACE_SECONDS = 0\n" + SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, script, tmp_path / "begun"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == b"busy\n"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(round(PATIENCE / 0.1)):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the process outlives its parent")
