"""Work in separate processes: a task that crashes its process fails alone."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from tfkey.errors import TfkeyError

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 256


class Crash(Generic[T]):
    """A task whose process died.

    Attributes:
        task: the task.
        reason: how the process ended, for a message.
    """

    def __init__(self, task: T, reason: str) -> None:
        self.task = task
        self.reason = reason


def how_it_ended(code: int | None) -> str:
    """Say how a process ended, from its exit code (negative for a signal)."""
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def in_processes(
    make: Callable[[], Callable[[T], R]],
    tasks: Iterable[T],
    workers: int,
    on_ready: Callable[[str], None] | None = None,
) -> Iterator[R | Crash[T]]:
    """Apply a function to tasks in other processes; results come in the order of the tasks.

    At most a few hundred tasks are taken ahead of the next result. If a process dies, its task gives a
    :class:`Crash` and a new process takes its place. All processes end with the iteration, or with the
    calling process.

    Args:
        make: called in each process; returns the function. It, the tasks and the results must pickle.
        tasks: the arguments of the function, one per call.
        workers: the number of processes.
        on_ready: called with the attribute ``description`` of the first function made, if it has one.

    Raises:
        TfkeyError: ``make`` raised it, or its process died.
        RuntimeError: ``make`` or the function raised anything else.
    """
    pool = _Pool(make, on_ready)
    try:
        pool.start(workers)
        yield from pool.results(tasks)
    finally:
        pool.stop()


class _Pool(Generic[T, R]):
    """The processes of one iteration, and the results that wait for their turn."""

    def __init__(self, make: Callable[[], Callable[[T], R]], on_ready: Callable[[str], None] | None) -> None:
        self._make = make
        self._on_ready = on_ready
        self._workers: list[_Worker[T, R]] = []
        self._early: dict[int, R | Crash[T]] = {}

    def start(self, workers: int) -> None:
        for _ in range(workers):
            self._workers.append(_Worker(self._make))

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    def results(self, tasks: Iterable[T]) -> Iterator[R | Crash[T]]:
        """Yield the results in the order of the tasks."""
        numbered = enumerate(tasks)
        yielded = handed_out = 0
        while True:
            room = yielded + _AHEAD - handed_out
            handed_out += self._hand_out(itertools.islice(numbered, room))
            if yielded in self._early:
                yield self._early.pop(yielded)
                yielded += 1
            elif yielded == handed_out and self._idle():
                # There was room and a process, but no task.
                return
            else:
                self._collect()

    def _hand_out(self, tasks: Iterator[tuple[int, T]]) -> int:
        """Give each idle process a task; return how many were given."""
        given = 0
        # The processes come first: zip would take a task, and lose it, before it finds no process.
        for worker, task in zip(self._idle(), tasks, strict=False):
            worker.give(task)
            given += 1
        return given

    def _collect(self) -> None:
        """Wait until a process sends something or dies, and take all that has come."""
        ready = multiprocessing.connection.wait([worker.connection for worker in self._workers])
        for place, worker in enumerate(self._workers):
            if worker.connection in ready:
                self._read(place, worker)

    def _read(self, place: int, worker: _Worker[T, R]) -> None:
        try:
            kind, value = worker.receive()
        except (EOFError, OSError):
            self._early.update(worker.bury())
            self._workers[place] = _Worker(self._make)
            return
        if kind != "ready":
            self._early.update(worker.take(kind, value))
            return
        worker.is_idle = True
        if self._on_ready is not None and value is not None:
            self._on_ready(value)
            self._on_ready = None

    def _idle(self) -> list[_Worker[T, R]]:
        return [worker for worker in self._workers if worker.is_idle]


class Worker(Generic[T]):
    """The caller's end of a process that applies a function to one task after another.

    The process ends when the caller does, after the task that it is working on.

    Args:
        make: called in the process; returns the function. It, the tasks and the results must pickle.

    Attributes:
        connection: becomes readable when the process has sent something, or has died.
        process: the process.
    """

    def __init__(self, make: Callable[[], Callable[[T], Any]]) -> None:
        # A fork would copy the locks of other threads, TensorFlow's included, while they are held.
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, make), daemon=True)
        try:
            with deaf_to_terminals():
                self.process.start()
        except BaseException:
            self.connection.close()
            raise
        finally:
            other.close()

    def send(self, task: T) -> None:
        """Give the process a task; if it has died meanwhile, :meth:`receive` reports that."""
        with contextlib.suppress(OSError):
            self.connection.send(task)

    def receive(self) -> tuple[str, Any]:
        """Wait for what the process says next.

        Returns:
            ``("ready", description)`` once, with the attribute ``description`` of the function or None;
            ``("done", result)`` of a task; ``("error", traceback)``; or ``("refused", error)``, a
            :class:`TfkeyError` that ``make`` raised.

        Raises:
            EOFError, OSError: the process has died.
        """
        kind, value = self.connection.recv()
        if kind == "refused":
            error = TfkeyError(value[0])
            error.exit_code = value[1]
            return kind, error
        return kind, value

    def stop(self, *, kill: bool = False) -> None:
        """End the process, whatever it is doing, and wait for its end."""
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.join()
        self.connection.close()


class _Worker(Worker[T], Generic[T, R]):
    """A process of a :class:`_Pool`, and the task that it works on."""

    def __init__(self, make: Callable[[], Callable[[T], R]]) -> None:
        super().__init__(make)
        self.is_idle = False
        self._task: tuple[int, T] | None = None

    def give(self, task: tuple[int, T]) -> None:
        self.is_idle = False
        self._task = task
        self.send(task[1])

    def take(self, kind: str, value: Any) -> dict[int, R | Crash[T]]:
        if kind == "refused":
            raise value
        if kind == "error" or self._task is None:
            raise RuntimeError(f"in a worker process:\n{value}")
        self.is_idle = True
        return {self._task[0]: value}

    def bury(self) -> dict[int, R | Crash[T]]:
        """Return the result of the task that killed the process."""
        self.process.join()
        self.connection.close()
        if self._task is None:
            raise died_early(self.process.exitcode)
        number, task = self._task
        return {number: Crash(task, how_it_ended(self.process.exitcode))}


def died_early(code: int | None) -> TfkeyError:
    """Return the error for a process that ended before it could take a task."""
    return TfkeyError(
        f"a worker process ended with code {code} before it began; memory may be short: ask for fewer workers"
    )


@contextlib.contextmanager
def deaf_to_terminals() -> Iterator[None]:
    """Start processes inside that ignore Ctrl-C and the end of the terminal; the parent handles these.

    A terminal sends these signals to all its processes, including one that is just starting. Signals sent to
    this process in the meantime are delivered afterwards, because a half-started process would complain.
    """
    if os.name != "posix" or threading.current_thread() is not threading.main_thread():
        yield
        return
    # Starting the resource tracker inside the block would make multiprocessing lift the block.
    multiprocessing.resource_tracker.ensure_running()
    numbers = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
    caught: list[int] = []
    handlers = {number: signal.getsignal(number) for number in numbers}
    for number, handler in handlers.items():
        if callable(handler):
            signal.signal(number, lambda number, _: caught.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            if callable(handler):
                signal.signal(number, handler)
        if caught:
            signal.raise_signal(caught[0])


def _serve(connection: Any, make: Callable[[], Callable[[Any], Any]]) -> None:
    """Run in the worker process until the parent is gone."""
    # Ctrl-C reaches all of a terminal's processes; the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        try:
            function = make()
        except TfkeyError as error:
            connection.send(("refused", (str(error), error.exit_code)))
            return
        except Exception:
            connection.send(("error", traceback.format_exc()))
            return
        # C libraries print their complaints about files in the middle of the parent's lines.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        connection.send(("ready", getattr(function, "description", None)))
        while True:
            task = connection.recv()
            try:
                answer = ("done", function(task))
            except Exception:
                answer = ("error", traceback.format_exc())
            connection.send(answer)
