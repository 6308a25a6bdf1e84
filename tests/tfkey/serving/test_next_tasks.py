"""The pool under load: a process is given its next task at once, whatever becomes of the one before."""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tfkey.serving.acts import PATIENCE, Act, Gate, with_pool
from tfkey.errors import AudioError
from tfkey.serving.errors import TaskFailed, WorkerCrashed, WorkerTimedOut
from tfkey.serving.workers import WorkerPool

FAULTS: list[tuple[Act, type[Exception]]] = [
    (Act("exit", 3), WorkerCrashed),
    (Act("kill", 9), WorkerCrashed),
    (Act("sleep", 100), WorkerTimedOut),
    (Act("raise", AudioError("a file is bad")), AudioError),
    (Act("raise", KeyError("word")), TaskFailed),
    (Act("lock"), WorkerCrashed),
    (Act("send", threading.Lock()), TaskFailed),
]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_tasks_before_and_after_one_that_fails_are_done(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    async def use(pool: WorkerPool) -> None:
        first = asyncio.create_task(pool.run(gate.act(), PATIENCE))
        await gate.reached()
        waiting = []
        for number, (task, _) in enumerate(FAULTS):
            for one in (task, Act("say", number)):
                timeout = 1 if one.value == 100 else PATIENCE
                waiting.append(asyncio.create_task(pool.run(one, timeout, PATIENCE)))
        await asyncio.sleep(0)
        gate.open()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in found[::2]] == [kind for _, kind in FAULTS]
        assert [value for _, value in found[1::2]] == list(range(len(FAULTS)))
        await first

    with_pool(use)


def test_task_whose_caller_has_gone_is_not_begun(tmp_path: Path) -> None:
    gate, path = Gate(tmp_path), tmp_path / "written"

    async def use(pool: WorkerPool) -> None:
        first = asyncio.create_task(pool.run(gate.act(), PATIENCE))
        await gate.reached()
        gone = asyncio.create_task(pool.run(Act("append", (path, "a")), PATIENCE))
        kept = asyncio.create_task(pool.run(Act("append", (path, "b")), PATIENCE))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(first, kept)

    with_pool(use)
    assert path.read_text() == "b"


class Late:
    """A process that answers a task of that name when its time is over and it is about to be killed."""

    made = 0

    def __init__(self, make: Callable[[], Any]) -> None:
        Late.made += 1
        self.number = Late.made
        # That of the pool has the process as an attribute.
        self.process = self
        self._is_alive = True
        self._said: queue.Queue[Any] = queue.Queue()
        self._said.put(("ready", None))

    def send(self, envelope: tuple[Act, float]) -> None:
        task, _ = envelope
        if task.what != "late" and self._is_alive:
            self._said.put(("done", ("done", (self.number, task.value))))

    def receive(self) -> tuple[str, Any]:
        found = self._said.get(timeout=PATIENCE)
        if isinstance(found, Exception):
            raise found
        return found

    def is_alive(self) -> bool:
        return self._is_alive

    def kill(self) -> None:
        self._is_alive = False
        self._said.put(("done", ("done", "late")))
        self._said.put(EOFError())

    def stop(self, *, kill: bool) -> None:
        self._is_alive = False


def test_task_given_to_a_process_that_is_being_ended_is_done_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tfkey.serving.workers.Worker", Late)

    async def use(pool: WorkerPool) -> None:
        late = asyncio.create_task(pool.run(Act("late"), 0.2))
        await asyncio.sleep(0.05)
        following = [asyncio.create_task(pool.run(Act("say", number), PATIENCE)) for number in range(3)]
        with pytest.raises(WorkerTimedOut):
            await late
        following.append(asyncio.create_task(pool.run(Act("say", 3), PATIENCE)))
        assert await asyncio.gather(*following) == [(Late.made, number) for number in range(4)]

    with_pool(use)
