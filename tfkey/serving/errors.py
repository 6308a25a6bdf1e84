"""Requests that cannot be answered."""

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
