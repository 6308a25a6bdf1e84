"""The routes for a page on one file: the file, its name, the token, and whether the page is still open."""

from __future__ import annotations

import asyncio
import hmac
import mimetypes
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tfkey.serving.refusals import Refusal

ALIVE_SECONDS = 150.0
"""The page is closed when it has not called for so long. Browsers let hidden pages call once a minute."""

CLOSING_SECONDS = 5.0
"""A page that says that it is closed may only be loading again; it then calls within this time."""


class Viewing:
    """A page on one file, which stops the server when it is closed.

    Args:
        song: the file.
        stop: stops the server.
        token: what the page must send.
        ticket: exchanged for the token, once. A browser gets it on its command line, which every user of the
            machine can read for as long as the browser runs.
    """

    def __init__(self, song: Path, stop: Callable[[], None], token: str, ticket: str) -> None:
        self._song = song
        self._stop = stop
        self._token = token
        self._ticket: str | None = ticket
        self._timer: asyncio.TimerHandle | None = None

    def routes(self) -> Sequence[BaseRoute]:
        """Return ``/view/token`` and ``/view/name``, ``song``, ``alive`` and ``closed``."""
        return [
            Route("/view/token", self._redeem, methods=["POST"]),
            Route("/view/name", self._name),
            Route("/view/song", self._give),
            Route("/view/alive", self._alive, methods=["GET", "POST"]),
            Route("/view/closed", self._closed, methods=["POST"]),
        ]

    async def _redeem(self, request: Request) -> Response:
        given = request.query_params.get("ticket", "").encode()
        if self._ticket is None or not hmac.compare_digest(given, self._ticket.encode()):
            raise Refusal(403, "the ticket is wrong or has been used; open the address that tfkey printed")
        self._ticket = None
        return JSONResponse({"token": self._token})

    async def _name(self, request: Request) -> Response:
        return JSONResponse({"name": os.fsencode(self._song.name).decode("utf-8", "replace")})

    async def _give(self, request: Request) -> Response:
        if not (self._song.is_file() and os.access(self._song, os.R_OK)):
            raise Refusal(404, "the file is no longer there, or it cannot be read any more")
        kind = mimetypes.guess_type(self._song.name)[0] or ""
        is_media = kind.startswith(("audio/", "video/"))
        return FileResponse(self._song, media_type=kind if is_media else "application/octet-stream")

    async def _alive(self, request: Request) -> Response:
        self._stop_after(ALIVE_SECONDS)
        return Response(status_code=204)

    async def _closed(self, request: Request) -> Response:
        self._stop_after(CLOSING_SECONDS)
        return Response(status_code=204)

    def _stop_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._stop)
