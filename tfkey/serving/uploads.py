"""Uploaded files: streamed into a private temporary folder, and removed as soon as the answer is there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from tfkey.audio.finding import EXTENSIONS
from tfkey.files import lock
from tfkey.serving.refusals import Refusal, busy
from tfkey.serving.settings import ServerSettings

FIELD = "file"
"""The name of the form's only part."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_PREFIX = "tfkey-uploads-"
_UNFINISHED_PREFIX = "tfkey-starting-"
_LOCK = ".lock"
# Boundaries and headers of the one part.
_FORM_BYTES = 16 * 1024
_PART_HEADER_BYTES = 4096
_LONGEST_NAME = 255
_NOT_A_FORM = 'send the file as multipart/form-data, in one part named "file" with a file name'


class ClientGone(Exception):  # noqa: N818
    """The client closed the connection before the end of the request."""


@dataclass(frozen=True)
class Upload:
    """An uploaded file: where it is, and its name as the client gave it."""

    path: Path
    name: str


class UploadFolder:
    """A private folder for uploads. Use it as a context; it is removed at the end.

    After a kill, the next server that starts removes what was left.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = Path(tempfile.gettempdir()) if parent is None else parent
        self._lock: IO[bytes] | None = None
        self.path = Path()

    def __enter__(self) -> UploadFolder:
        """Remove what killed servers left, and make the folder."""
        self._sweep()
        self._make()
        return self

    def _make(self) -> None:
        # It gets its final name once it is locked: another server must not take it for abandoned.
        path = Path(tempfile.mkdtemp(prefix=_UNFINISHED_PREFIX, dir=self._parent))
        if self._lock is not None:
            self._lock.close()
        self._lock = (path / _LOCK).open("wb")
        lock(self._lock)
        self.path = path.with_name(_PREFIX + path.name.removeprefix(_UNFINISHED_PREFIX))
        path.rename(self.path)

    def __exit__(self, *_: object) -> None:
        """Remove the folder with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()

    @contextlib.contextmanager
    def new_file(self, suffix: str) -> Iterator[tuple[Path, IO[bytes]]]:
        """Open a new file with a random name; it is removed at the end of the context."""
        if not self.path.is_dir():
            # A program that tidies temporary folders has removed it.
            self._make()
        path = self.path / f"{secrets.token_hex(16)}{suffix}"
        stream = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")  # noqa: SIM115
        try:
            yield path, stream
        finally:
            # What is left in its buffer does not fit on a full disk; the file is closed all the same.
            with contextlib.suppress(OSError):
                stream.close()
            with contextlib.suppress(OSError):
                path.unlink()

    def _sweep(self) -> None:
        for folder in self._parent.glob(f"{_PREFIX}*"):
            # A lock that can be taken belongs to no living server. Others' folders cannot be opened.
            with contextlib.suppress(OSError):
                status = folder.lstat()
                if not stat.S_ISDIR(status.st_mode) or status.st_uid != getattr(os, "getuid", int)():
                    continue
                with (folder / _LOCK).open("rb+") as stream:
                    if lock(stream):
                        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def received(request: Request, folder: UploadFolder, settings: ServerSettings) -> AsyncIterator[Upload]:
    """Receive the file of a multipart request; it is removed at the end of the context.

    Args:
        request: a request whose body has not been read.
        folder: where the file lies meanwhile.
        settings: the limits.

    Raises:
        Refusal: the body is no form with one file, too large or too slow, or the disk is full.
        ClientGone: the client closed the connection.
    """
    boundary = _boundary(request)
    check_stated_length(request, settings)
    form = _Form(boundary)
    with contextlib.ExitStack() as stack:
        try:
            async for chunk in body(request.receive, settings):
                for part in form.parts(chunk):
                    if form.stream is None:
                        form.path, form.stream = stack.enter_context(folder.new_file(_suffix(form.name)))
                    # Into the page cache, which takes less than handing it to a thread would.
                    form.stream.write(part)
            form.check_complete()
            if form.stream is None:
                form.path, form.stream = stack.enter_context(folder.new_file(_suffix(form.name)))
            form.stream.flush()
        except OSError as error:
            raise no_room(error) from error
        yield Upload(form.path, form.name)


async def body(receive: Receive, settings: ServerSettings) -> AsyncIterator[bytes]:
    """Yield the chunks of a request's body as they come.

    Raises:
        Refusal: the body is too large, or too slow.
        ClientGone: the client closed the connection.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + settings.upload_timeout_seconds
    size, is_more = 0, True
    while is_more:
        patience = min(settings.body_timeout_seconds, end - loop.time())
        try:
            message = await asyncio.wait_for(receive(), max(0.0, patience))
        except asyncio.TimeoutError:
            raise Refusal(
                408, "the body did not arrive in time; send it faster", {"Connection": "close"}
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > settings.max_upload_bytes + _FORM_BYTES:
            raise too_large(settings)
        is_more = message.get("more_body", False)
        if chunk:
            yield chunk


def too_large(settings: ServerSettings) -> Refusal:
    """Return the refusal of a body over the limit."""
    return Refusal(413, f"the body is larger than {settings.max_upload_mb:g} MB; send a smaller one")


def no_room(error: OSError) -> Refusal:
    """Return the refusal of a body that cannot be stored, and log why."""
    logging.getLogger(__name__).error("uploads cannot be stored: %s", error)
    return busy("the server has no room for uploads; try again later")


def check_stated_length(request: Request, settings: ServerSettings) -> None:
    """Refuse a body that is too large by its own account."""
    stated = request.headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and int(stated) > settings.max_upload_bytes + _FORM_BYTES:
        raise too_large(settings)


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise Refusal(415, _NOT_A_FORM)
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise Refusal(
            400, "the content type has no valid boundary; send multipart/form-data as RFC 7578 says"
        )
    return boundary


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in EXTENSIONS else ""


class _Form:
    """The state of a form of one part while its bytes come.

    Attributes:
        name: the file's name as the client gave it.
        path: where the file is.
        stream: the file; None before its first byte.
    """

    def __init__(self, boundary: bytes) -> None:
        self.name = ""
        self.path = Path()
        self.stream: IO[bytes] | None = None
        self._found: list[bytes] = []
        self._parts = 0
        self._header_bytes = 0
        self._field, self._value = b"", b""
        self._disposition = b""
        self._is_complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_end": self._on_end,
            },
        )

    def parts(self, chunk: bytes) -> list[bytes]:
        """Take bytes of the form; return the bytes of the file in them."""
        from python_multipart.exceptions import ParseError

        try:
            self._parser.write(chunk)
        except ParseError as error:
            raise Refusal(400, f"the body is not valid multipart/form-data; {_NOT_A_FORM}") from error
        found, self._found = self._found, []
        return found

    def check_complete(self) -> None:
        """Refuse a form without a file, or without its end."""
        if not self._parts:
            raise Refusal(400, f"the form has no file; {_NOT_A_FORM}")
        if not self._is_complete:
            raise Refusal(400, "the form ends before its last boundary; send it whole")

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > 1:
            raise Refusal(400, 'the form has more than one part; send one file, in a part named "file"')
        self._disposition = b""

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > _PART_HEADER_BYTES:
            raise Refusal(400, "the headers of the form's part are too long; shorten the file's name")

    def _on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field, self._value = b"", b""

    def _on_headers(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or options.get(b"name") != FIELD.encode():
            raise Refusal(400, f'the part is not named "file"; {_NOT_A_FORM}')
        if not options.get(b"filename"):
            raise Refusal(400, f"the part has no file name; {_NOT_A_FORM}")
        self.name = options[b"filename"].decode("utf-8", "replace")[:_LONGEST_NAME]

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._found.append(data[start:end])

    def _on_end(self) -> None:
        self._is_complete = True
