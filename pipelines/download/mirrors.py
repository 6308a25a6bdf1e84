"""Requesting the missing bytes of a file from its mirrors, one after another, as long as it helps.

This follows RFC 9110: ``Range`` and ``If-Range`` for the rest of a file, ``Retry-After`` for waiting.

``urllib3.Retry`` is not used: it repeats a request unchanged, and only until the headers have arrived. It
does not notice that a body is cut short, does not request the rest, counts attempts whether or not they
brought any bytes, and cannot be stopped while it sleeps.
"""

from __future__ import annotations

import email.utils
import http.client
import os
import re
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
import urllib3
from pydantic import BaseModel, ConfigDict, Field

from pipelines.download.half_files import WEB_PAGE, HalfFile, Origin, UnfitError, is_web_page, read_blocks
from pipelines.download.progress import Tally
from pipelines.download.threads import StoppableThreads
from pipelines.text import printable
from tfkey._version import __version__

_BLOCK = 1 << 16
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18}|\*)")


class DownloadSettings(BaseModel):
    """How patient a download is with its servers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    timeout_seconds: float = Field(30.0, gt=0, description="silence after which a connection is abandoned")
    retries: int = Field(4, ge=0, description="further attempts in a row without progress per mirror")
    backoff_seconds: float = Field(1.0, ge=0, description="wait before the first retry; doubles each time")
    max_backoff_seconds: float = Field(30.0, ge=0, description="the longest wait before a retry")
    max_retry_after_seconds: float = Field(
        120.0,
        ge=0,
        description="if a server asks for a longer wait (Retry-After), the next mirror is tried",
    )
    give_up_after: int = Field(
        3,
        ge=1,
        description="files in a row that fail, after all retries, before a server is not asked any more",
    )
    user_agent: str = Field(f"tfkey/{__version__}", min_length=1, pattern=r"^[\x20-\x7e]+$")


class _MirrorError(Exception):
    """The reason why a mirror did not deliver the file; asking it again is useless."""


class _PassingError(_MirrorError):
    """An error that may be temporary; ``wait`` is the wait requested by the server, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Mirrors:
    """The servers of one download, used by many threads simultaneously."""

    def __init__(self, settings: DownloadSettings, tally: Tally, threads: StoppableThreads) -> None:
        self._settings = settings
        self._tally = tally
        self._threads = threads
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()
        self._failed_in_a_row: dict[str, int] = defaultdict(int)

    def close(self) -> None:
        """Close the connections."""
        for session in self._sessions:
            session.close()

    def fill(self, half: HalfFile) -> list[str]:
        """Try the mirrors of a file, one after another, until the file is complete and verified.

        Returns:
            The error of each mirror, one line each; empty if the file is complete.
        """
        troubles = []
        for url in half.item.urls:
            trouble = self._try(url, half)
            if trouble is None:
                return []
            troubles.append(trouble)
        return troubles

    def _try(self, url: str, half: HalfFile) -> str | None:
        try:
            server = urlsplit(url).netloc.rpartition("@")[2]
            shown = printable(urlsplit(url)._replace(netloc=server).geturl())
        except ValueError:
            return f"{printable(url)}: not a URL"
        # A server on which many files failed would only cost hours of waiting.
        if self._failed_in_a_row.get(server, 0) >= self._settings.give_up_after:
            return f"{shown}: not tried, because its server failed too often before"
        trouble: Exception | None = None
        try:
            self._persist(url, half)
        except (_MirrorError, UnfitError) as error:
            trouble = error
        with self._lock:
            failed = isinstance(trouble, _PassingError)
            self._failed_in_a_row[server] = self._failed_in_a_row[server] + 1 if failed else 0
        return None if trouble is None else f"{shown}: {trouble}"

    def _persist(self, url: str, half: HalfFile) -> None:
        """Ask one mirror until the file is complete and verified; raise the reason if that fails."""
        vain, furthest, begun_anew = 0, half.size, False
        while True:
            self._threads.raise_if_stopped()
            offset = half.offset_for(url)
            try:
                self._ask(url, half, offset)
                half.check()
                return
            except UnfitError:
                # Earlier bytes may be the cause: give the mirror one chance to send the whole file.
                half.discard()
                if not offset or begun_anew:
                    raise
                begun_anew, furthest = True, 0
            except _PassingError as trouble:
                # A Content-Length that promises too much looks like a cut connection.
                if half.matches():
                    return
                # A server that often cuts the connection, but each time later, delivers the file in the end.
                vain = vain + 1 if half.size <= furthest else 1
                furthest = max(furthest, half.size)
                if vain > self._settings.retries or trouble.wait > self._settings.max_retry_after_seconds:
                    raise
                backoff = self._settings.backoff_seconds * 2.0 ** min(vain - 1, 60)
                self._threads.sleep(max(trouble.wait, min(backoff, self._settings.max_backoff_seconds)))

    def _ask(self, url: str, half: HalfFile, offset: int) -> None:
        """Make one request, and add its result to the half file."""
        if urlsplit(url).scheme.lower() == "file":
            self._copy(url, half)
            return
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if offset and (validator := half.validator_for(url)):
            headers["If-Range"] = validator
        timeout = self._settings.timeout_seconds
        try:
            with self._session().get(url, headers=headers, stream=True, timeout=timeout) as response:
                self._receive(url, response, half, offset)
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError,
                ValueError) as error:  # fmt: skip
            raise _network_error(error, timeout, half.size) from error

    def _session(self) -> requests.Session:
        """Return the connections of this thread; a session of requests is not thread-safe."""
        if not hasattr(self._local, "session"):
            session = requests.Session()
            # With compression, the length and the range would not be those of the file.
            session.headers.update({"User-Agent": self._settings.user_agent, "Accept-Encoding": "identity"})
            session.max_redirects = 10
            self._local.session = session
            self._sessions.append(session)
        return self._local.session

    def _receive(self, url: str, response: requests.Response, half: HalfFile, offset: int) -> None:
        begin, total = _extent(response)
        origin = _origin(url, response, total)
        if response.status_code == 206 and offset:
            if begin != offset or (half.origin and half.origin.differs(origin)):
                raise UnfitError("sent a part that was not requested, or the file has changed on the server")
        elif response.status_code == 416 and offset:
            raise UnfitError("its file is shorter")
        elif response.status_code == 200:
            offset = 0
        else:
            raise _status_error(response)
        blocks = response.raw.stream(_BLOCK, decode_content=False)
        if half.item.size is not None and total not in (None, half.item.size):
            page = is_web_page(next(blocks, b""))
            raise _MirrorError(WEB_PAGE if page else f"has {total} bytes instead of {half.item.size}")
        self._add(origin, blocks, half, offset)
        if total is not None and half.size < total:
            raise _PassingError(f"connection closed after {half.size} bytes")

    def _copy(self, url: str, half: HalfFile) -> None:
        parts = urlsplit(url)
        path = Path(url2pathname(parts.path))
        if parts.netloc not in ("", "localhost") or not path.is_file():
            raise _MirrorError("no such file")
        try:
            stream = path.open("rb")
        except OSError as error:
            raise _unreadable(error) from error
        with stream:
            origin = Origin(url=url, total=os.fstat(stream.fileno()).st_size)
            self._add(origin, _readable_blocks(stream), half, 0)

    def _add(self, origin: Origin, blocks: Iterable[bytes], half: HalfFile, offset: int) -> None:
        half.expect(origin, offset)
        self._tally.expect(half.item.name, origin.total)
        for block in blocks:
            self._tally.receive(len(block))
            half.append(block)


def _readable_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    # The disk is the mirror here: unlike errors of the half file's disk, its errors do not end the call.
    try:
        yield from read_blocks(stream)
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> _MirrorError:
    return _MirrorError(f"cannot be read ({error.strerror})")


def _extent(response: requests.Response) -> tuple[int | None, int | None]:
    """Return where in the file an answer begins, and the size of the whole file; None for unknown values."""
    if response.status_code == 206:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None:
            return None, None
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = "" if "Transfer-Encoding" in response.headers else response.headers.get("Content-Length", "")
    return 0, int(length) if re.fullmatch("[0-9]{1,18}", length) else None


def _origin(url: str, response: requests.Response, total: int | None) -> Origin:
    etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
    # A weak ETag cannot show whether two parts fit together.
    if etag is not None and not etag.startswith('"'):
        etag = None
    changed, now = _date(modified), _date(response.headers.get("Date"))
    # RFC 9110, 8.8.2.2: a date distinguishes versions only if it is at least a second old.
    if changed is None or now is None or now - changed < 1:
        modified = None
    return Origin(url=url, etag=etag, modified=modified, total=total)


def _date(text: str | None) -> float | None:
    """Return an HTTP date as seconds since 1970; None if it is invalid."""
    try:
        return email.utils.parsedate_to_datetime(text or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _status_error(response: requests.Response) -> _MirrorError:
    status = response.status_code
    reason = f"{status} {http.client.responses.get(status, '')}".strip()
    if status not in (408, 425, 429) and (status < 500 or status in (501, 505)):
        return _MirrorError(reason)
    asked = response.headers.get("Retry-After", "")
    wait = 0.0
    if re.fullmatch("[0-9]{1,9}", asked):
        wait = float(asked)
    elif (until := _date(asked)) is not None:
        # Relative to the server's clock if it is known: this machine's may be wrong, or jump.
        now = _date(response.headers.get("Date"))
        wait = max(0.0, until - (time.time() if now is None else now))
    return _PassingError(f"{reason}, asks to wait {wait:.0f} s" if wait else reason, wait)


def _network_error(error: BaseException, timeout_seconds: float, size: int) -> _MirrorError:
    """Return a one-line error for one that requests, urllib3 or the system raised after ``size`` bytes."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)

    def comes_from(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    # The innermost error is the system's own message, without the libraries' wrapping.
    words = (link.strerror for link in reversed(chain) if isinstance(link, OSError) and link.strerror)
    said = next(words, None)
    text = printable(said or str(error))
    if comes_from(ssl.SSLCertVerificationError):
        return _MirrorError(f"its certificate cannot be trusted ({text})")
    # Both libraries' errors about addresses are ValueErrors.
    if isinstance(error, (ValueError, requests.TooManyRedirects)):
        return _MirrorError(text)
    if said is not None:
        return _PassingError(text)
    if comes_from(requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
        return _PassingError(f"no answer within {timeout_seconds:g} s")
    if comes_from(urllib3.exceptions.ProtocolError):
        return _PassingError(f"connection closed after {size} bytes")
    return _PassingError(text)
