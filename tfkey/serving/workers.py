"""Processes that work for the server: a crash, a hang or a lack of memory costs one task, not the server."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tfkey import errors
from tfkey.errors import TfkeyError
from tfkey.processes import Worker, died_early, how_it_ended
from tfkey.serving.doer import Task, make_doer
from tfkey.serving.errors import NoWorkerFree, TaskFailed, WorkerCrashed, WorkerTimedOut
from tfkey.serving.jobs import Exchanged, Job, fail, give_up, look

ABANDONED_SECONDS = 2.0
"""How long a task may go on whose client has gone; a new process costs about as much."""

# Between attempts to replace a process that could not begin.
_RETRY_SECONDS = 2.0

# A process that has closed its connection is about to end.
_ENDING_SECONDS = 2.0


class WorkerPool:
    """A number of processes that take tasks in the order in which they come.

    Args:
        open_: called in each process; returns what tasks work with. It must pickle.
        workers: the number of processes.
        memory_mb: the memory in MB (2**20) that a process may take on top of what it has when it begins
            (where the system has such a limit); None for any amount.

    Attributes:
        counts: how many tasks ended with ``done``, ``refused``, ``failed``, ``crashed``, ``timed out`` or
            ``abandoned``.
        description: what ``open_`` opened, in words; "" before :meth:`start`.
    """

    def __init__(self, open_: Callable[[], Any], workers: int = 1, memory_mb: int | None = None) -> None:
        self.workers = workers
        self.counts: Counter[str] = Counter()
        self.description = ""
        self._make = partial(make_doer, open_, memory_mb)
        self._waiting: deque[Job] = deque()
        self._unanswered: set[Job] = set()
        self._arrived = asyncio.Condition()
        self._threads = ThreadPoolExecutor(workers, "tfkey-worker")
        self._processes: set[Worker[Any]] = set()
        self._beginning: set[Worker[Any]] = set()
        self._attendants: list[asyncio.Task[None]] = []
        self._is_closed = False

    @property
    def ready(self) -> int:
        """The number of processes that have begun and live."""
        return sum(process.process.is_alive() for process in self._processes - self._beginning)

    @property
    def queued(self) -> int:
        """The number of tasks that wait for a process."""
        return len(self._waiting)

    async def start(self) -> None:
        """Start the processes, and wait until they are ready.

        Raises:
            TfkeyError: ``open_`` raised it, or a process died before it was ready.
        """
        begun = await asyncio.gather(*(self._begin() for _ in range(self.workers)), return_exceptions=True)
        faults = [item for item in begun if isinstance(item, BaseException)]
        if faults:
            await self.close()
            raise faults[0]
        for process in begun:
            assert isinstance(process, Worker)
            self._attendants.append(asyncio.create_task(self._attend(process)))

    async def run(self, task: Task, timeout: float, wait: float | None = None) -> Any:
        """Have a process do a task. If the caller is cancelled, the task loses its place.

        Args:
            task: the work.
            timeout: how many seconds the work may take once it has begun.
            wait: how many seconds the task may wait for a process; None for as many as it may take.

        Raises:
            TfkeyError: the task raised it.
            PoolError: the task could not be finished; the subclasses say why.
        """
        if self._is_closed:
            raise NoWorkerFree("the processes have been stopped")
        job = Job(task, timeout, asyncio.get_running_loop().create_future(), asyncio.Event())
        job.result.add_done_callback(look)
        self._waiting.append(job)
        self._unanswered.add(job)
        try:
            async with self._arrived:
                self._arrived.notify()
            try:
                await asyncio.wait_for(job.begun.wait(), timeout if wait is None else wait)
            except asyncio.TimeoutError:
                raise NoWorkerFree("no process was free in time") from None
            return await job.result
        finally:
            job.result.cancel()
            self._unanswered.discard(job)
            with contextlib.suppress(ValueError):
                self._waiting.remove(job)

    async def close(self) -> None:
        """End the processes, whatever they are doing. Tasks that wait end with :class:`NoWorkerFree`."""
        self._is_closed = True
        for attendant in self._attendants:
            attendant.cancel()
        for process in list(self._processes):
            process.process.kill()
        await asyncio.gather(*self._attendants, return_exceptions=True)
        for process in list(self._processes):
            self._end(process)
        for job in self._unanswered:
            give_up(job)
        self._threads.shutdown(wait=False)

    async def _attend(self, process: Worker[Any]) -> None:
        """Give a process, and those that replace it, one task after another."""
        while True:
            job: Job | None = await self._next()
            if not process.process.is_alive():
                # It died while it was idle: the task is not to blame.
                process = await self._replaced(process)
            is_given = False
            while job is not None and (is_given or not job.result.done()):
                is_alive, job, is_given = await self._serve(process, job, is_given)
                if not is_alive:
                    process = await self._replaced(process)

    async def _next(self) -> Job:
        async with self._arrived:
            while (job := self._taken()) is None:
                await self._arrived.wait()
            return job

    def _taken(self) -> Job | None:
        """Take the first task that somebody waits for, if there is one. Any thread may call this."""
        while not self._is_closed:
            try:
                job = self._waiting.popleft()
            except IndexError:
                break
            if not job.result.done():
                return job
        return None

    async def _put_back(self, job: Job) -> None:
        """Let a task be the next one again."""
        self._waiting.appendleft(job)
        async with self._arrived:
            self._arrived.notify()

    async def _replaced(self, process: Worker[Any]) -> Worker[Any]:
        self._end(process)
        while True:
            try:
                return await self._begin()
            except (TfkeyError, RuntimeError, OSError):
                # Memory or disk may be short for a while; tasks that wait are given up in their own time.
                await asyncio.sleep(_RETRY_SECONDS)

    async def _begin(self) -> Worker[Any]:
        """Start a process and wait until it is ready."""
        process: Worker[Any] = Worker(self._make)
        self._processes.add(process)
        self._beginning.add(process)
        try:
            kind, value = await self._in_thread(process.receive)
        except (EOFError, OSError):
            self._end(process)
            raise died_early(process.process.exitcode) from None
        except BaseException:
            self._end(process)
            raise
        finally:
            self._beginning.discard(process)
        if kind == "ready":
            self.description = self.description or value or ""
            return process
        self._end(process)
        if isinstance(value, TfkeyError):
            raise value
        raise RuntimeError(f"in a worker process:\n{value}")

    async def _serve(self, process: Worker[Any], job: Job, is_given: bool) -> tuple[bool, Job | None, bool]:
        """Have a process do a task.

        Returns:
            Whether the process can take another task, the task that comes next if there is one, and whether
            the process has been given that already.
        """
        job.begun.set()
        exchange = asyncio.ensure_future(self._in_thread(self._exchange, process, job, is_given))
        exchange.add_done_callback(look)
        await asyncio.wait({exchange, job.result}, timeout=job.timeout, return_when="FIRST_COMPLETED")
        if job.result.done() and not exchange.done():
            await asyncio.wait({exchange}, timeout=min(job.timeout, ABANDONED_SECONDS))
        if not exchange.done():
            self.counts["abandoned" if job.result.done() else "timed out"] += 1
            process.process.kill()
            await asyncio.wait({exchange})
            fail(job, WorkerTimedOut(f"took longer than {job.timeout:g} s"))
            if exchange.exception() is None and (following := exchange.result().following) is not None:
                # It answered after all, and was given another task in vain.
                await self._put_back(following)
            return False, None, False
        return self._settle(process, job, exchange)

    def _settle(
        self, process: Worker[Any], job: Job, exchange: asyncio.Future[Exchanged]
    ) -> tuple[bool, Job | None, bool]:
        """Pass the outcome of a task on; return what :meth:`_serve` returns."""
        try:
            found = exchange.result()
        except (EOFError, OSError):
            process.process.join(_ENDING_SECONDS)
            self.counts["crashed"] += 1
            fail(job, WorkerCrashed(how_it_ended(process.process.exitcode)))
            return False, None, False
        except Exception as error:
            # The task or its result does not pickle.
            self.counts["failed"] += 1
            fail(job, TaskFailed(traceback.format_exc(), type(error).__name__))
            return False, None, False
        kind, value = found.kind, found.value
        if kind == "done":
            kind, value = value
        if kind == "done":
            if not job.result.done():
                job.result.set_result(value)
        elif kind == "refused":
            name, text = value
            fail(job, getattr(errors, name, TfkeyError)(text))
        elif kind == "failed":
            name, text = value
            fail(job, TaskFailed(text, name))
        else:
            kind = "failed"
            fail(job, TaskFailed(value))
        self.counts[kind] += 1
        return True, found.following, found.is_given

    def _exchange(self, process: Worker[Any], job: Job, is_given: bool) -> Exchanged:
        """Give a process a task, unless it has it already, wait for the answer, and give it the next task.

        This runs in a thread. By way of the event loop, the process would have nothing to do for some
        milliseconds between two tasks while the processors are busy.
        """
        if not is_given:
            process.send((job.task, job.timeout))
        kind, value = process.receive()
        following, is_given = self._taken(), False
        if following is not None:
            # A task that does not pickle fails when its turn comes.
            with contextlib.suppress(Exception):
                process.send((following.task, following.timeout))
                is_given = True
        return Exchanged(kind, value, following, is_given)

    def _end(self, process: Worker[Any]) -> None:
        if process in self._processes:
            self._processes.discard(process)
            process.stop(kill=True)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
