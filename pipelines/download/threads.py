"""Doing jobs in several threads, all of which stop after an error in one of them or after Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class _Stopped(Exception):  # noqa: N818 - not an error: another thread has ended the work
    pass


class StoppableThreads:
    """Threads that stop together; long work must call ``raise_if_stopped`` from time to time.

    Args:
        most: maximum number of jobs in parallel.
        tick: called in the caller's thread, some twenty times per second, while the jobs are running.
    """

    def __init__(self, most: int, tick: Callable[[], None]) -> None:
        self._most = max(most, 1)
        self._tick = tick
        self._stop = threading.Event()

    def raise_if_stopped(self) -> None:
        """Raise an exception for :meth:`each`, which ends the calling job, if the work was stopped."""
        if self._stop.is_set():
            raise _Stopped

    def sleep(self, seconds: float) -> None:
        """Wait within a job; a stop ends the wait and the job."""
        # Short sleeps against the monotonic clock: Event.wait follows the wall clock on Python 3.10.
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.raise_if_stopped()
            time.sleep(min(left, 0.1))

    def each(self, jobs: Sequence[T], work: Callable[[T], None]) -> None:
        """Do all jobs; the first error stops the others, for good, and is raised here."""
        waiting = iter(jobs)
        running = min(self._most, len(jobs))
        lock = threading.Lock()
        idle = threading.Event()
        errors: list[BaseException] = []

        def run() -> None:
            nonlocal running
            try:
                while not self._stop.is_set():
                    with lock:
                        job = next(waiting, None)
                    if job is None:
                        break
                    work(job)
            except _Stopped:
                pass
            except BaseException as error:
                errors.append(error)
                self._stop.set()
            with lock:
                running -= 1
                if running == 0:
                    idle.set()

        self._tick()
        try:
            for _ in range(running):
                # Daemons: a thread that waits for a server cannot be woken, and must not delay a Ctrl-C.
                threading.Thread(target=run, daemon=True).start()
            # Not Thread.join: after an interrupt in it, Python 3.10 to 3.12 consider the thread ended.
            while jobs and not errors and not idle.wait(0.05):
                self._tick()
        except BaseException:
            self._stop.set()
            raise
        finally:
            if self._stop.is_set():
                idle.wait(1)
        if errors:
            raise errors[0]
