"""A task on its way through the pool of processes, and its answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from tfkey.serving.doer import Task
from tfkey.serving.errors import NoWorkerFree


@dataclass(eq=False)
class Job:
    """A task that a caller waits for.

    Attributes:
        task: the work.
        timeout: how many seconds the work may take once it has begun.
        result: what the caller gets.
        begun: set when a process has the task.
    """

    task: Task
    timeout: float
    result: asyncio.Future[Any]
    begun: asyncio.Event


@dataclass(frozen=True)
class Exchanged:
    """What a process said of its task, the task that comes next, and whether the process has that already."""

    kind: str
    value: Any
    following: Job | None
    is_given: bool


def fail(job: Job, error: Exception) -> None:
    """End a task with an error, unless it has ended."""
    if not job.result.done():
        job.result.set_exception(error)


def give_up(job: Job) -> None:
    """Let the caller know that no process will take its task."""
    fail(job, NoWorkerFree("the processes have been stopped"))
    job.begun.set()


def look(future: asyncio.Future[Any]) -> None:
    """Take note of an error, which nobody else may: asyncio would complain."""
    if not future.cancelled():
        future.exception()
