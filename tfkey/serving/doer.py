"""What runs in a process of the pool: tasks one after another, within bounds of time and memory."""

from __future__ import annotations

import contextlib
import math
import signal
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from tfkey import errors
from tfkey.errors import TfkeyError

GRACE_SECONDS = 5
"""How much longer than a task may take a process waits before it ends itself."""


class Task(Protocol):
    """Work for a process; it and its result must pickle."""

    def do(self, estimator: Any) -> Any:
        """Do the work, with what the pool's ``open_`` returned."""


def make_doer(open_: Callable[[], Any], memory_mb: int | None) -> Doer:
    """Return what does tasks in this process.

    Args:
        open_: returns what tasks work with.
        memory_mb: the memory in MB (2**20) that the process may take on top of what it has then; None for any
            amount.
    """
    # A service manager sends this to all processes of the service; the server decides when they end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    doer = Doer(open_())
    if memory_mb is not None:
        _bound_memory(memory_mb)
    return doer


class Doer:
    """Does tasks; errors become values, because not every error pickles.

    Args:
        estimator: what tasks work with.

    Attributes:
        description: that of the estimator, if it has one.
    """

    def __init__(self, estimator: Any) -> None:
        self.description = getattr(estimator, "description", None)
        self._estimator = estimator

    def __call__(self, envelope: tuple[Task, float]) -> tuple[str, Any]:
        """Do a task within a time in seconds.

        Returns:
            ``("done", result)``; ``("refused", (class, message))`` of a TfkeyError; or
            ``("failed", (class, traceback))`` of any other error.
        """
        task, timeout = envelope
        try:
            with _self_destruction(timeout):
                return "done", task.do(self._estimator)
        except TfkeyError as error:
            # The class of an error of these names takes nothing but a message.
            known = next(cls for cls in type(error).__mro__ if cls in _PLAIN_ERRORS)
            return "refused", (known.__name__, str(error))
        except MemoryError:
            return "refused", ("TfkeyError", "needs more memory than the server allows")
        except Exception as error:
            return "failed", (type(error).__name__, traceback.format_exc())


_PLAIN_ERRORS = (
    errors.TooLongError, errors.AudioError, errors.UsageError, errors.DataError, TfkeyError,
)  # fmt: skip


@contextlib.contextmanager
def _self_destruction(timeout: float) -> Iterator[None]:
    """End this process if it hangs and its parent, which would have ended it, is gone."""
    if not hasattr(signal, "alarm"):
        yield
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(math.ceil(timeout) + GRACE_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def _bound_memory(memory_mb: int) -> None:
    """Let this process take so much more memory than it has, where the system can bound it."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as stream:
            pages = int(stream.read().split()[0])
        most = pages * resource.getpagesize() + memory_mb * 2**20
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard == resource.RLIM_INFINITY or most <= hard:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    except (ImportError, OSError, ValueError):
        pass
