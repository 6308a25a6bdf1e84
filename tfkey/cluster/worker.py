"""What runs in a Dask worker: batches of tasks, done in processes of their own.

A decoder that crashes then fails its file and not the worker, as on one machine; Dask's own thread, which
must answer the scheduler, never waits for a decoder; and Dask does not load the network or TensorFlow. Tasks
and results are bytes to the scheduler and to the worker.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from tfkey.cluster.connection import Versions, versions
from tfkey.errors import TfkeyError
from tfkey.processes import Worker, died_early, how_it_ended

IDLE_SECONDS = 60.0
"""How long a process waits for more work of its job before it ends."""

# A process is one of as many as the worker has threads.
_ONE_THREAD = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """What all batches of a call have in common.

    Attributes:
        token: a name that no other job has.
        make: the pickled function that makes the function to apply.
        versions: those of the caller.
    """

    token: str
    make: bytes = field(repr=False)
    versions: Versions


@dataclass(frozen=True)
class Crashed:
    """The end of a process that a task killed; ``reason`` says how."""

    reason: str


@dataclass(frozen=True)
class Answer:
    """The answer to a batch.

    Attributes:
        kind: ``done``; ``refused`` for an error that a user can fix; ``error`` for any other; ``other`` if
            the worker has other versions.
        worker: the address of the worker.
        results: a pickled result or the end of its process for each task (``done``).
        seconds: how long the batch took, without the start of a process.
        description: the attribute of that name of the function.
        message: the error, or its traceback.
        exit_code: that of the error.
        versions: those of the worker.
    """

    kind: Literal["done", "refused", "error", "other"]
    worker: str
    results: tuple[bytes | Crashed, ...] = field(default=(), repr=False)
    seconds: float = 0.0
    description: str | None = None
    message: str = ""
    exit_code: int = 1
    versions: Versions = ("", "")


def run_batch(job: Job, tasks: tuple[bytes, ...]) -> Answer:
    """Do tasks one after the other. It never raises: to the caller, an exception means a lost connection."""
    where = _address()
    own = versions()
    if own != job.versions:
        return Answer("other", where, versions=own)
    try:
        return _run(job, tasks, where)
    except TfkeyError as error:
        return Answer("refused", where, message=str(error), exit_code=error.exit_code)
    except Exception:
        return Answer("error", where, message=traceback.format_exc())


def _run(job: Job, tasks: tuple[bytes, ...], where: str) -> Answer:
    results: list[bytes | Crashed] = []
    seconds, description = 0.0, None
    waiting = list(reversed(tasks))
    while waiting:
        with _processes.one(job) as process:
            description = process.description
            start = time.monotonic()
            while waiting:
                result = process.do(waiting.pop())
                results.append(result)
                if isinstance(result, Crashed):
                    break
            seconds += time.monotonic() - start
    return Answer("done", where, tuple(results), seconds, description)


def _address() -> str:
    from distributed import get_worker

    try:
        return get_worker().address
    except ValueError:
        return "?"


class _Process:
    """A process that does the tasks of a job."""

    def __init__(self, job: Job) -> None:
        for name in _ONE_THREAD:
            os.environ.setdefault(name, "1")
        with _children_allowed():
            self._worker: Worker[bytes] = Worker(partial(_make, job.make))
        self.is_alive = True
        self.idle_since = 0.0
        try:
            kind, value = self._worker.receive()
        except (EOFError, OSError) as error:
            self._bury()
            raise died_early(self._worker.process.exitcode) from error
        if kind != "ready":
            self.end()
            raise value if kind == "refused" else RuntimeError(value)
        self.description: str | None = value

    def do(self, task: bytes) -> bytes | Crashed:
        """Do a task.

        Raises:
            TfkeyError: the function raised it.
            RuntimeError: the function raised anything else.
        """
        self._worker.send(task)
        try:
            kind, value = self._worker.receive()
        except (EOFError, OSError):
            self._bury()
            return Crashed(how_it_ended(self._worker.process.exitcode))
        if kind != "done":
            raise RuntimeError(value)
        result, refusal = value
        if refusal is not None:
            error = TfkeyError(refusal[0])
            error.exit_code = refusal[1]
            raise error
        return result

    def end(self) -> None:
        """End the process."""
        self.is_alive = False
        self._worker.stop(kill=True)

    def _bury(self) -> None:
        self.is_alive = False
        self._worker.process.join()
        self._worker.connection.close()


class _Processes:
    """The processes of this worker that wait for more work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[_Process]] = {}
        self._reaper: threading.Thread | None = None

    @contextlib.contextmanager
    def one(self, job: Job) -> Iterator[_Process]:
        """Lend a process of a job; it is kept for the next batch unless the block raises or it dies."""
        with self._lock:
            idle = self._idle.get(job.token)
            process = idle.pop() if idle else None
        process = process or _Process(job)
        try:
            yield process
        except BaseException:
            process.end()
            raise
        if process.is_alive:
            process.idle_since = time.monotonic()
            with self._lock:
                self._idle.setdefault(job.token, []).append(process)
                if self._reaper is None:
                    self._reaper = threading.Thread(target=self._reap, daemon=True)
                    self._reaper.start()

    def _reap(self) -> None:
        while True:
            time.sleep(IDLE_SECONDS / 10)
            before = time.monotonic() - IDLE_SECONDS
            with self._lock:
                old = [one for idle in self._idle.values() for one in idle if one.idle_since < before]
                kept = {token: [one for one in idle if one not in old] for token, idle in self._idle.items()}
                self._idle = {token: idle for token, idle in kept.items() if idle}
            for process in old:
                process.end()


_processes = _Processes()
_starting = threading.Lock()


@contextlib.contextmanager
def _children_allowed() -> Iterator[None]:
    """Let multiprocessing start a process in a worker that a nanny has started.

    Such a worker is daemonic, and multiprocessing refuses children to it lest they outlive it. Those of this
    module end when their pipe does.
    """
    settings: dict[str, Any] = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    with _starting:
        before = settings.get("daemon")
        settings["daemon"] = False
        try:
            yield
        finally:
            settings["daemon"] = before


def _make(make: bytes) -> _OnBytes:
    return _OnBytes(pickle.loads(make)())


class _OnBytes:
    """A function, from a pickled task to its pickled result or its refusal."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self.description = getattr(function, "description", None)

    def __call__(self, task: bytes) -> tuple[bytes, tuple[str, int] | None]:
        try:
            return pickle.dumps(self._function(pickle.loads(task))), None
        except TfkeyError as error:
            return b"", (str(error), error.exit_code)
