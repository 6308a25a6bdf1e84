"""Putting requests together: those that arrive within a few milliseconds go to one process, as one task.

While all processes are busy, requests gather until one is free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfkey.errors import TfkeyError
from tfkey.serving.errors import RequestError, TaskFailed, WorkerCrashed, WorkerTimedOut

Body = bytes | Path
"""The JSON of a request, or the file that holds it."""

Answers = Sequence[bytes | RequestError]


@dataclass(eq=False)
class _Waiting:
    body: Body
    answer: asyncio.Future[bytes]


class Batcher:
    """Collects the bodies of requests and has them answered together.

    A body that is a file, which only long ones are, goes alone: others would wait for it. If a process fails
    over several bodies (it dies, or its memory does not suffice), each of them is tried once more, alone, so
    that a request only suffers from its own faults.

    Args:
        run: answers the bodies of a batch, in their order.
        most: the most requests that go together; 1 for none.
        wait_seconds: how long a request waits for company although a process is free.
        processes: how many batches are worked on at a time.
        on_batch: called with the number of requests of each batch.
    """

    def __init__(
        self,
        run: Callable[[tuple[Body, ...]], Awaitable[Answers]],
        most: int,
        wait_seconds: float,
        processes: int = 1,
        on_batch: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._run = run
        self._most = most
        self._wait_seconds = wait_seconds
        self._processes = processes
        self._on_batch = on_batch
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False
        self._batches: set[asyncio.Task[None]] = set()

    async def answer(self, body: Body) -> bytes:
        """Return the JSON that answers a request. A caller that is cancelled leaves its batch.

        Raises:
            RequestError: the request has a fault.
            Exception: what ``run`` raised.
        """
        loop = asyncio.get_running_loop()
        item = _Waiting(body, loop.create_future())
        if isinstance(body, Path) or self._most == 1:
            self._begin([item])
        else:
            self._waiting.append(item)
            if len(self._waiting) >= self._most:
                self._flush()
            elif self._timer is None:
                self._timer = loop.call_later(self._wait_seconds, self._on_time)
        try:
            return await item.answer
        finally:
            item.answer.cancel()

    def _on_time(self) -> None:
        self._is_due = True
        self._flush_if_free()

    def _on_end(self, batch: asyncio.Task[None]) -> None:
        self._batches.discard(batch)
        self._flush_if_free()

    def _flush_if_free(self) -> None:
        if self._is_due and len(self._batches) < self._processes:
            self._flush()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._is_due = None, False
        items = [item for item in self._waiting if not item.answer.done()]
        self._waiting = []
        if items:
            self._begin(items)

    def _begin(self, items: list[_Waiting]) -> None:
        batch = asyncio.create_task(self._answer_all(items))
        self._batches.add(batch)
        batch.add_done_callback(self._on_end)
        pending = len(items)

        def leave(_: asyncio.Future[bytes]) -> None:
            # Nobody is left who waits for an answer.
            nonlocal pending
            pending -= 1
            if not pending:
                batch.cancel()

        for item in items:
            item.answer.add_done_callback(leave)

    async def _answer_all(self, items: list[_Waiting]) -> None:
        self._on_batch(len(items))
        try:
            answers = await self._run(tuple(item.body for item in items))
        except (TfkeyError, WorkerCrashed, WorkerTimedOut, TaskFailed) as error:
            if len(items) == 1:
                _fail(items[0], error)
                return
            for item in items:
                if not item.answer.done():
                    self._begin([item])
            return
        except asyncio.CancelledError:
            raise
        except Exception as error:
            for item in items:
                _fail(item, error)
            return
        for item, answer in zip(items, answers, strict=True):
            if isinstance(answer, RequestError):
                _fail(item, answer)
            elif not item.answer.done():
                item.answer.set_result(answer)


def _fail(item: _Waiting, error: Exception) -> None:
    if not item.answer.done():
        item.answer.set_exception(error)
