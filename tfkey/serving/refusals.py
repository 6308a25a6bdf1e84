"""Requests that cannot be answered: a status, and one sentence in JSON."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

RETRY_SECONDS = "2"
"""After how many seconds a client whose request was refused because the server is busy may come back."""


class Refusal(Exception):  # noqa: N818
    """A request that is refused.

    Args:
        status: the HTTP status, 4xx or 503.
        sentence: what is wrong and what helps; it names nothing of the server's file system.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """Return the answer."""
        return JSONResponse({"error": str(self)}, self.status, self.headers)


def busy(sentence: str) -> Refusal:
    """Return the refusal of a request that may succeed in a few seconds."""
    return Refusal(503, sentence, {"Retry-After": RETRY_SECONDS})
