"""Tasks for a pool that do what a test says, and waiting for them."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfkey.errors import MissingExtraError
from tfkey.serving.workers import WorkerPool

PATIENCE = 60.0


@dataclass(frozen=True)
class Act:
    """A task for tests: what to do, and a word for it."""

    what: str
    value: Any = None

    def do(self, estimator: dict[str, Any]) -> Any:
        if self.what == "sleep":
            time.sleep(self.value)
        elif self.what == "exit":
            os._exit(self.value)
        elif self.what == "kill":
            os.kill(os.getpid(), self.value)
        elif self.what == "raise":
            raise self.value
        elif self.what == "extra":
            raise MissingExtraError("a file", "a package", "an extra")
        elif self.what == "lock":
            return threading.Lock()
        elif self.what == "wait":
            self.value[0].touch()
            while not self.value[1].exists():
                time.sleep(0.01)
        elif self.what == "take":
            return len(bytearray(self.value))
        elif self.what == "append":
            with open(self.value[0], "a") as stream:
                stream.write(self.value[1])
        return estimator["pid"], self.value


class Gate:
    """Holds tasks up until it is opened.

    Args:
        folder: an empty folder for its files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened = folder / "opened"
        self._tasks: list[Path] = []

    def act(self) -> Act:
        """A task that waits at the gate."""
        self._tasks.append(self._folder / str(len(self._tasks)))
        return Act("wait", (self._tasks[-1], self._opened))

    async def reached(self) -> None:
        """Wait until processes have begun all tasks."""
        await until(lambda: all(path.exists() for path in self._tasks))

    def open(self) -> None:
        self._opened.touch()


async def until(condition: Callable[[], Any]) -> None:
    """Wait until something is so."""
    for _ in range(round(PATIENCE / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("in vain")


def open_() -> dict[str, Any]:
    return {"pid": os.getpid()}


def with_pool(
    use: Callable[[WorkerPool], Awaitable[Any]], workers: int = 1, memory_mb: int | None = None
) -> Any:
    async def run() -> Any:
        pool = WorkerPool(open_, workers, memory_mb)
        await pool.start()
        try:
            return await use(pool)
        finally:
            await pool.close()
            assert not pool.ready

    return asyncio.run(run())
