"""Requests that arrive together go together, and do not suffer from each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tfkey.errors import TfkeyError
from tfkey.serving.batching import Batcher
from tfkey.serving.errors import NoWorkerFree, RequestError, WorkerCrashed, WorkerTimedOut

LONG_WAIT = 60.0


class Pool:
    """Answers with the bodies in capitals; bodies say what goes wrong."""

    def __init__(self) -> None:
        self.batches: list[tuple[Any, ...]] = []
        self.cancelled = 0

    async def run(self, bodies: tuple[Any, ...]) -> list[bytes | RequestError]:
        self.batches.append(bodies)
        try:
            await asyncio.sleep(LONG_WAIT if b"forever" in bodies else 0)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        for text, error in (
            (b"crash", WorkerCrashed("signal 11")),
            (b"hang", WorkerTimedOut("too long")),
            (b"greed", TfkeyError("needs more memory")),
            (b"full", NoWorkerFree("no process")),
        ):
            if text in bodies:
                raise error
        return [RequestError("wrong", 413) if body == b"bad" else str(body).encode() for body in bodies]


def drive(scenario: Callable[[Pool], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        await asyncio.wait_for(scenario(Pool()), 10)

    asyncio.run(whole())


def test_requests_go_together_when_the_batch_is_full() -> None:
    async def scenario(pool: Pool) -> None:
        sizes: list[int] = []
        batcher = Batcher(pool.run, 3, LONG_WAIT, on_batch=sizes.append)
        bodies = [b"%d" % number for number in range(6)]
        answers = await asyncio.gather(*map(batcher.answer, bodies))
        assert answers == [str(body).encode() for body in bodies]
        assert pool.batches == [tuple(bodies[:3]), tuple(bodies[3:])]
        assert sizes == [3, 3]

    drive(scenario)


def test_a_request_does_not_wait_long_for_company() -> None:
    async def scenario(pool: Pool) -> None:
        batcher = Batcher(pool.run, 8, 0.001)
        assert await asyncio.gather(batcher.answer(b"a"), batcher.answer(b"b")) == [b"b'a'", b"b'b'"]
        await batcher.answer(b"c")
        assert pool.batches == [(b"a", b"b"), (b"c",)]

    drive(scenario)


def test_requests_gather_while_all_processes_are_busy() -> None:
    async def scenario(pool: Pool) -> None:
        batcher = Batcher(pool.run, 3, 0.001, processes=2)
        slow = [asyncio.ensure_future(batcher.answer(b"forever")) for _ in range(1)]
        await asyncio.sleep(0.02)
        # One process is free.
        assert await batcher.answer(b"a") == b"b'a'"
        slow.append(asyncio.ensure_future(batcher.answer(b"forever")))
        await asyncio.sleep(0.02)
        waiting = [asyncio.ensure_future(batcher.answer(body)) for body in (b"b", b"c")]
        await asyncio.sleep(0.02)
        assert pool.batches == [(b"forever",), (b"a",), (b"forever",)]
        slow[0].cancel()
        assert await asyncio.gather(*waiting) == [b"b'b'", b"b'c'"]
        # A full batch waits for a process in the queue of the pool.
        full = [asyncio.ensure_future(batcher.answer(body)) for body in (b"d", b"e", b"f")]
        await asyncio.gather(*full)
        assert pool.batches[3:] == [(b"b", b"c"), (b"d", b"e", b"f")]
        slow[1].cancel()

    drive(scenario)


def test_files_and_batches_of_one_go_at_once_and_alone() -> None:
    async def scenario(pool: Pool) -> None:
        await Batcher(pool.run, 8, LONG_WAIT).answer(Path("x"))
        await Batcher(pool.run, 1, LONG_WAIT).answer(b"a")
        assert pool.batches == [(Path("x"),), (b"a",)]

    drive(scenario)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(b"bad", RequestError), (b"crash", WorkerCrashed), (b"hang", WorkerTimedOut), (b"greed", TfkeyError)],
)
def test_a_fault_stays_with_its_request(fault, expected) -> None:
    async def scenario(pool: Pool) -> None:
        batcher = Batcher(pool.run, 3, LONG_WAIT)
        answers = await asyncio.gather(*map(batcher.answer, (b"a", fault, b"b")), return_exceptions=True)
        assert answers[::2] == [b"b'a'", b"b'b'"]
        assert type(answers[1]) is expected

    drive(scenario)


def test_a_full_server_refuses_the_whole_batch_once() -> None:
    async def scenario(pool: Pool) -> None:
        batcher = Batcher(pool.run, 2, LONG_WAIT)
        answers = await asyncio.gather(*map(batcher.answer, (b"a", b"full")), return_exceptions=True)
        assert [type(answer) for answer in answers] == [NoWorkerFree] * 2
        assert len(pool.batches) == 1

    drive(scenario)


def test_clients_that_leave_take_their_work_with_them() -> None:
    async def scenario(pool: Pool) -> None:
        batcher = Batcher(pool.run, 3, 0.01)
        # One leaves before its batch begins, and is not in it.
        leaver, stayer = (asyncio.ensure_future(batcher.answer(body)) for body in (b"leaver", b"a"))
        await asyncio.sleep(0)
        leaver.cancel()
        await stayer
        assert pool.batches == [(b"a",)]
        # Of two in a batch, the work goes on until both have left.
        waiters = [asyncio.ensure_future(batcher.answer(body)) for body in (b"forever", b"b")]
        await asyncio.sleep(0.05)
        waiters[0].cancel()
        await asyncio.sleep(0.01)
        assert pool.cancelled == 0
        waiters[1].cancel()
        await asyncio.sleep(0.01)
        assert pool.cancelled == 1

    drive(scenario)
