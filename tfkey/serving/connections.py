"""HTTP/1.1 connections within limits: clients that are slow or send nonsense get JSON, or are cut off."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from tfkey.serving.guards import headers_too_large
from tfkey.serving.refusals import RETRY_SECONDS

HEADER_SECONDS = 15.0
"""How long they may take to arrive."""

MOST_CONNECTIONS = 512
"""Connections at once."""

LINGER_SECONDS = 10.0
"""How long the rest of a body is read and dropped after an early answer. (To close at once would make the
system discard the answer.)"""

WRITE_SECONDS = 30.0
"""How long an answer may wait for a client that does not read it."""


class BoundedProtocol(H11Protocol):
    """A connection of uvicorn with limits."""

    _timer: asyncio.TimerHandle | None = None
    _cut_off: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin; refuse the connection if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._answer(503, "too many connections; try again later")
        else:
            self._close_after(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._keep()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.conn.their_state is not h11.IDLE:
            # The application minds the time of the body.
            if self.conn.our_state is not h11.DONE:
                self._keep()
        elif self._timer is None:
            # The first bytes of a further request.
            self._close_after(HEADER_SECONDS)

    def eof_received(self) -> None:
        """Answer a client that ended its side before the end of the body."""
        cycle = self.cycle
        if cycle is not None and cycle.more_body and not cycle.response_started:
            self._answer(400, "the body is shorter than its stated length; send it whole")
            cycle.disconnected = True
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Drop the rest of the body, for a while."""
        super().on_response_complete()
        if self.transport.is_closing():
            # What a client does not read is not kept for ever.
            self.loop.call_later(WRITE_SECONDS, self.transport.abort)
        elif self.conn.their_state is h11.SEND_BODY:
            self._close_after(LINGER_SECONDS)

    def pause_writing(self) -> None:
        """Wait for a client that does not read, but not for ever."""
        super().pause_writing()
        self._cut_off = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._cut_off is not None:
            self._cut_off.cancel()
            self._cut_off = None

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP."""
        # It is called while the error is handled.
        status = getattr(sys.exc_info()[1], "error_status_hint", 400)
        if status == 431:
            self._answer(431, str(headers_too_large()))
        else:
            self._answer(400, "the request is not valid HTTP/1.1")

    def _answer(self, status: int, sentence: str) -> None:
        """Answer and close the connection."""
        content = json.dumps({"error": sentence}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
        ]
        if status == 503:
            headers.append((b"retry-after", RETRY_SECONDS.encode()))
        try:
            for event in (
                h11.Response(status_code=status, headers=headers), h11.Data(data=content), h11.EndOfMessage(),
            ):  # fmt: skip
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            # An answer has begun.
            pass
        self.transport.close()

    def _close_after(self, seconds: float) -> None:
        self._keep()
        self._timer = self.loop.call_later(seconds, self.transport.close)

    def _keep(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
