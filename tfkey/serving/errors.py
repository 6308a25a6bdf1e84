"""Requests that cannot be answered, and work that a process could not finish."""

from __future__ import annotations

from tfkey.errors import TfkeyError


class RequestError(TfkeyError):
    """A request with a fault of its own; the message is one sentence for the client.

    Args:
        message: what is wrong with the request, and what to send instead.
        status: the HTTP status, 4xx.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[type[RequestError], tuple[str, int]]:
        return type(self), (str(self), self.status)


class PoolError(Exception):
    """Work that a process could not finish."""


class WorkerCrashed(PoolError):  # noqa: N818
    """The process died of the task. The text says how: ``signal 11``."""


class WorkerTimedOut(PoolError):  # noqa: N818
    """The task took longer than it may; its process was ended."""


class NoWorkerFree(PoolError):  # noqa: N818
    """The task waited longer than it may, and was not begun."""


class TaskFailed(PoolError):  # noqa: N818
    """The task raised an error that is a fault of the program.

    Args:
        text: its traceback.
        name: the name of its class.
    """

    def __init__(self, text: str, name: str = "Exception") -> None:
        super().__init__(text)
        self.name = name
