"""Applying a function to tasks in the workers of a Dask cluster, as ``in_processes`` does on one machine."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from tfkey.cluster.batches import Batch, BatchSize
from tfkey.cluster.connection import (
    CONNECT_SECONDS,
    Cluster,
    check_address,
    check_versions,
    close_client,
    no_workers,
    open_client,
    threads_of,
    versions,
    wait_for_workers,
)
from tfkey.cluster.worker import Answer, Job, run_batch
from tfkey.errors import TfkeyError
from tfkey.processes import Crash

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")

MOST_AT_ONCE = 64
"""The most tasks in a batch."""

# One batch is done and one waits in each thread of a worker, which then never waits for the scheduler.
_PER_THREAD = 2
# Batches that are done wait for those before them, which a worker that was stopped may hold up.
_AHEAD_PER_THREAD = 4
_LEAST_AHEAD = 64
_LOOK_SECONDS = 1.0
_GATHER_SECONDS = 10.0
_MOST_TRIES = 100


def on_cluster(
    cluster: Cluster,
    make: Callable[[], Callable[[T], R]],
    tasks: Iterable[T],
    on_ready: Callable[[str], None] | None = None,
    *,
    most_at_once: int = MOST_AT_ONCE,
) -> Iterator[R | Crash[T]]:
    """Apply a function to tasks in the workers of a cluster; results come in the order of the tasks.

    Tasks go out in batches of about two seconds, a few for each thread, and are taken no further ahead than
    that. Every thread has a process of its own, in which the function is made once. If a task kills its
    process, it gives a :class:`tfkey.processes.Crash`. What a worker was doing when it was killed is done by
    another; a task whose worker is killed several times even when it is alone gives a ``Crash``, too. If the
    scheduler is lost, the connection is renewed, and batches in flight are submitted again. When the
    iteration ends, batches that have not begun are cancelled.

    Args:
        cluster: where.
        make: called in each process; returns the function. It, the tasks and the results must pickle, and
            workers must be able to import what they name.
        tasks: the arguments of the function, one per call.
        on_ready: called with the attribute ``description`` of the first function made, if it has one.
        most_at_once: the most tasks in a batch.

    Raises:
        UsageError: the address is malformed.
        MissingExtraError: Dask is not installed.
        TfkeyError: ``make`` or the function raised it; the scheduler does not answer, or has no workers;
            they have other versions.
        RuntimeError: ``make`` or the function raised anything else.
    """
    run: _Run[T, R] = _Run(cluster, make, on_ready, most_at_once)
    try:
        yield from run.results(iter(tasks))
    finally:
        run.close()


class _Run(Generic[T, R]):
    """One call of :func:`on_cluster`."""

    def __init__(
        self,
        cluster: Cluster,
        make: Callable[[], Callable[[T], R]],
        on_ready: Callable[[str], None] | None,
        most_at_once: int,
    ) -> None:
        self._address = check_address(cluster.address)
        self._patience = cluster.patience
        self._job = Job(uuid.uuid4().hex, pickle.dumps(make), versions())
        self._on_ready = on_ready
        self._size = BatchSize(most_at_once)
        self._client: Client | None = None
        self._threads = 0
        self._batches: deque[Batch[T]] = deque()
        self._running: set[Batch[T]] = set()
        self._ended: queue.SimpleQueue[tuple[Batch[T], Future]] = queue.SimpleQueue()
        self._keys = itertools.count()
        self._next_look = self._last_worker = time.monotonic()

    def results(self, tasks: Iterator[T]) -> Iterator[R | Crash[T]]:
        """Yield the results in the order of the tasks."""
        self._client = open_client(self._address, min(CONNECT_SECONDS, self._patience))
        self._begin()
        while True:
            self._fill(tasks)
            if not self._batches:
                return
            head = self._batches[0]
            if head.results is not None:
                self._batches.popleft()
                yield from head.results
            elif head.is_suspect and not self._running:
                self._submit_alone(head)
            else:
                self._wait()

    def close(self) -> None:
        """Cancel what is in flight, and disconnect."""
        client, self._client = self._client, None
        if client is None:
            return
        futures = [batch.future for batch in self._running if batch.future is not None]
        if futures and client.status == "running":
            with contextlib.suppress(Exception):
                client.cancel(futures, force=True)
        close_client(client)

    def _begin(self) -> None:
        assert self._client is not None
        self._threads = wait_for_workers(self._client, self._address, self._patience)
        self._last_worker = time.monotonic()
        check_versions(self._client)

    def _fill(self, tasks: Iterator[T]) -> None:
        """Submit as many batches as may be in flight."""
        ahead = max(_LEAST_AHEAD, _AHEAD_PER_THREAD * self._threads)
        while len(self._running) < _PER_THREAD * self._threads + 1 and len(self._batches) < ahead:
            # They share a worker with nothing else, so that they are the ones to blame.
            if any(batch.is_suspect for batch in self._batches):
                return
            batch = Batch(list(itertools.islice(tasks, self._size.tasks)))
            if not batch.tasks:
                return
            self._batches.append(batch)
            self._submit(batch)

    def _submit(self, batch: Batch[T]) -> None:
        assert self._client is not None
        batch.tries += 1
        if batch.tries > _MOST_TRIES:
            raise TfkeyError(
                f"{self._address}: the same work was lost {_MOST_TRIES} times; see the logs of the scheduler"
            )
        self._running.add(batch)
        if batch.future is not None:
            _release(batch.future)
            batch.future = None
        # All keys of a job in one group, of which Dask keeps statistics.
        key = (f"tfkey-{self._job.token}", next(self._keys))
        # If this fails, the connection is lost, and the next look renews it.
        with contextlib.suppress(Exception):
            future = self._client.submit(run_batch, self._job, batch.pickled(), key=key, pure=False)
            batch.future = future
            future.add_done_callback(lambda future: self._ended.put((batch, future)))

    def _submit_alone(self, batch: Batch[T]) -> None:
        """Submit the suspect at the head of the queue, task by task."""
        if len(batch.tasks) == 1:
            self._submit(batch)
            return
        self._batches.popleft()
        for task in reversed(batch.tasks):
            single = Batch([task])
            single.is_suspect = True
            self._batches.appendleft(single)

    def _wait(self) -> None:
        """Wait until a batch has ended, or it is time to look after the connection."""
        left = self._next_look - time.monotonic()
        if left <= 0:
            self._look()
            return
        with contextlib.suppress(queue.Empty):
            batch, future = self._ended.get(timeout=left)
            if future is batch.future:
                self._take(batch, future)
            if future is not batch.future:
                _release(future)

    def _look(self) -> None:
        """Renew a lost connection; find out how many workers there are."""
        assert self._client is not None
        self._next_look = time.monotonic() + _LOOK_SECONDS
        lost = self._client.status != "running" or any(batch.future is None for batch in self._running)
        if not lost:
            try:
                self._threads = threads_of(self._client)
            except Exception:
                lost = True
        if lost:
            self._renew()
        elif self._threads:
            self._last_worker = time.monotonic()
        elif time.monotonic() - self._last_worker > self._patience:
            raise no_workers(self._address, self._patience)

    def _renew(self) -> None:
        """Connect again, and submit again what was in flight."""
        assert self._client is not None
        end = time.monotonic() + self._patience
        while True:
            close_client(self._client)
            try:
                self._client = open_client(self._address, min(CONNECT_SECONDS, self._patience))
            except TfkeyError as error:
                if time.monotonic() > end:
                    raise TfkeyError(
                        f"{self._address}: the scheduler was lost and did not come back within "
                        f"{self._patience:g} s; start it again, and then the same work"
                    ) from error
                time.sleep(0.5)
                continue
            try:
                self._begin()
                break
            except TfkeyError:
                raise
            except Exception:
                # Lost again; Dask raises errors of many libraries here.
                time.sleep(0.5)
        for batch in list(self._running):
            self._submit(batch)

    def _take(self, batch: Batch[T], future: Future) -> None:
        """Take the answer to a batch, or find out why it is missing."""
        from distributed import CancelledError, KilledWorker
        from distributed import TimeoutError as TakesLong
        from distributed.comm import CommClosedError

        assert self._client is not None
        try:
            answer = future.result(timeout=_GATHER_SECONDS)
        except KilledWorker as error:
            self._running.discard(batch)
            batch.future = None
            if batch.is_suspect and len(batch.tasks) == 1:
                batch.is_suspect = False
                killed = f"{error.allowed_failures + 1} workers were killed over it"
                batch.results = [Crash(batch.tasks[0], killed)]
            else:
                batch.is_suspect = True
            return
        except (TakesLong, TimeoutError):
            # The worker that holds the answer is stopped, say.
            self._ended.put((batch, future))
            return
        except (CancelledError, CommClosedError, OSError):
            # None makes the next look renew the connection.
            batch.future = None
            if self._client.status == "running":
                self._submit(batch)
            return
        except Exception as error:
            # A worker of other versions may be unable to read the batch.
            check_versions(self._client)
            raise RuntimeError(f"in a worker of {self._address}: {type(error).__name__}: {error}") from error
        self._running.discard(batch)
        batch.future = None
        batch.is_suspect = False
        self._accept(batch, answer)

    def _accept(self, batch: Batch[T], answer: Answer) -> None:
        batch.accept(answer)
        if self._on_ready is not None and answer.description is not None:
            self._on_ready(answer.description)
            self._on_ready = None
        self._size.learn(answer.seconds / len(batch.tasks))


def _release(future: Future) -> None:
    """Let go of a future, before its finalizer does: there, Python ignores Ctrl-C."""
    with contextlib.suppress(Exception):
        future.release()
