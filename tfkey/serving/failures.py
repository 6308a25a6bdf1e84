"""Work that fails, or whose client has gone: what the answer is then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import Request

from tfkey.errors import TfkeyError, TooLongError
from tfkey.serving.errors import NoWorkerFree, RequestError, TaskFailed, WorkerCrashed, WorkerTimedOut
from tfkey.serving.refusals import Refusal, busy
from tfkey.serving.settings import ServerSettings
from tfkey.serving.uploads import ClientGone

T = TypeVar("T")


def refusal_of(error: Exception, settings: ServerSettings) -> Refusal:
    """Return the refusal for an error that :meth:`WorkerPool.run` raised about a client's data.

    Raises:
        Exception: ``error`` itself, if it is no such error.
    """
    if isinstance(error, NoWorkerFree):
        return busy("the server did not get to this request in time; try again later")
    if isinstance(error, WorkerTimedOut):
        return Refusal(
            422, f"the work took longer than {settings.timeout_seconds:g} s, which is the limit; send less"
        )
    if isinstance(error, WorkerCrashed):
        return Refusal(422, f"the process crashed over this request ({error}); send other data")
    if isinstance(error, TaskFailed):
        # The client gets the name of the error only; its text may name files of the server.
        logging.getLogger(__name__).error("a request could not be answered:\n%s", error)
        return Refusal(422, f"cannot be analysed ({error.name}); please report this with what you sent")
    if isinstance(error, RequestError):
        return Refusal(error.status, str(error))
    if isinstance(error, TooLongError):
        return Refusal(413, str(error))
    if isinstance(error, TfkeyError):
        return Refusal(422, str(error))
    raise error


def vanished() -> Refusal:
    """Return the refusal of a request whose body was removed from the disk before a process read it."""
    return busy("the upload was removed before it was read; send it again")


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Await work, and cancel it when the client closes the connection. The body must have been read.

    Raises:
        ClientGone: the client closed the connection.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        for future in (working, leaving):
            future.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
