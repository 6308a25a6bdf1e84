"""A local HTTP server that fails on demand, in the ways that servers of old datasets do.

It serves a dict of path to bytes, or a folder, on a free port of 127.0.0.1, with ranges (RFC 9110), ETags and
dates of change. Mirrors are several of them. Every request is written down in ``requests``.
"""

from __future__ import annotations

import email.utils
import fnmatch
import hashlib
import re
import socket
import struct
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, unquote, urlsplit

HTML = b"<!DOCTYPE html>\n<html><head><title>Moved</title></head><body>We have a new website!</body></html>\n"
_LAST_MODIFIED = "Mon, 01 Jun 2015 12:00:00 GMT"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with an answer. Counts of bytes are of the body of that answer.

    Attributes:
        status: answer with this status and no content.
        retry_after: the Retry-After header that goes with it.
        date: the Date header (the server's clock).
        cut_after: close the connection after so many bytes.
        reset: cut by a reset (RST) instead of an orderly end.
        stall_after: send nothing after so many bytes until :meth:`FaultyServer.release`.
        stall_seconds: the longest that it stalls without that.
        ignore_range: send the whole file whatever is asked for.
        ignore_if_range: send the range asked for although the file has changed.
        shift_range: send a part that begins so many bytes later than asked for.
        wrong_bytes: send other bytes, as many as the right ones.
        html: send a web page with status 200.
        extra_length: promise so many bytes more (or fewer) in Content-Length than there are.
        chunked: promise no length, send chunks.
        until_close: promise no length, end by closing the connection.
        weak_etag: send a weak ETag, and no date.
        no_validators: send neither ETag nor date.
        then: what the file's content is from the next request on.
    """

    status: int | None = None
    retry_after: str | None = None
    date: str | None = None
    cut_after: int | None = None
    reset: bool = False
    stall_after: int | None = None
    stall_seconds: float = 60.0
    ignore_range: bool = False
    ignore_if_range: bool = False
    shift_range: int = 0
    wrong_bytes: bool = False
    html: bool = False
    extra_length: int = 0
    chunked: bool = False
    until_close: bool = False
    weak_etag: bool = False
    no_validators: bool = False
    then: bytes | None = None


@dataclass
class Request:
    """A request as it came in, and what was answered."""

    path: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0

    @property
    def begin(self) -> int:
        """The first byte asked for."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(found[1]) if found else 0


@dataclass
class _Rule:
    pattern: str
    fault: Fault
    left: int | None


@dataclass
class FaultyServer:
    """A server that runs while its ``with`` block does.

    Attributes:
        files: path below the root -> content, or a folder.
        requests: all requests so far, in the order of their arrival.
        stalled: set while an answer stalls.
    """

    files: Mapping[str, bytes] | Path
    requests: list[Request] = field(default_factory=list)
    stalled: threading.Event = field(default_factory=threading.Event)
    _rules: list[_Rule] = field(default_factory=list)
    _changed: dict[str, bytes] = field(default_factory=dict)
    _released: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> FaultyServer:
        server = self

        class Handler(_Handler):
            faulty = server

        self._http = QuietServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def url(self, path: str = "") -> str:
        """The address of a path; of the root without one."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/{quote(path)}"

    def fail(self, fault: Fault, pattern: str = "*", times: int | None = None) -> FaultyServer:
        """Fail when a path that fits the pattern is asked for: always, or so many times.

        The first rule that fits and is not used up holds.
        """
        self._rules.append(_Rule(pattern, fault, times))
        return self

    def release(self) -> None:
        """Let every answer that stalls go on, and no other stall."""
        self._released.set()

    def read(self, path: str) -> bytes | None:
        """The content of a path now; None if the path has no content."""
        if path in self._changed:
            return self._changed[path]
        if isinstance(self.files, Path):
            file = self.files / path
            return file.read_bytes() if file.is_file() else None
        return self.files.get(path)

    def _begin(self, request: Request) -> tuple[bytes | None, Fault]:
        with self._lock:
            self.requests.append(request)
            fault = Fault()
            for rule in self._rules:
                if rule.left != 0 and fnmatch.fnmatchcase(request.path, rule.pattern):
                    rule.left = None if rule.left is None else rule.left - 1
                    fault = rule.fault
                    break
            content = self.read(request.path)
            if fault.then is not None:
                self._changed[request.path] = fault.then
            return content, fault


class QuietServer(ThreadingHTTPServer):
    """A server for tests, which does not report that a client has gone."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        # Clients that were killed, or hung up because of a fault, are what this server is for.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes; the second would wait for the client's acknowledgement.
    disable_nagle_algorithm = True
    faulty: FaultyServer
    _date: str | None = None

    def log_message(self, format: str, *args: object) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self._date or super().date_time_string(timestamp)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        request = Request(path, {name.lower(): value for name, value in self.headers.items()})
        content, fault = self.faulty._begin(request)
        self._date = fault.date
        if content is None or fault.status is not None:
            self._answer_without_content(request, fault)
            return
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        begin = self._first_byte(request, fault, etag)
        if begin and begin >= len(content):
            self._start(request, 416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            return
        headers = {"ETag": etag, "Last-Modified": _LAST_MODIFIED}
        if fault.weak_etag:
            headers = {"ETag": f"W/{etag}"}
        if fault.no_validators:
            headers = {}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        body = content[begin:]
        if fault.wrong_bytes:
            body = bytes(byte ^ 0x55 for byte in body)
        if fault.html:
            body, headers["Content-Type"] = HTML, "text/html"
        if fault.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif fault.until_close:
            headers["Connection"] = "close"
        else:
            headers["Content-Length"] = str(len(body) + fault.extra_length)
        self._start(request, 206 if begin else 200, headers)
        try:
            self._send(request, fault, body)
        except OSError:
            self.close_connection = True

    def _answer_without_content(self, request: Request, fault: Fault) -> None:
        headers = {"Content-Length": "0"}
        if fault.retry_after is not None:
            headers["Retry-After"] = fault.retry_after
        self._start(request, fault.status or 404, headers)

    def _first_byte(self, request: Request, fault: Fault, etag: str) -> int:
        if fault.ignore_range or fault.html or not request.begin:
            return 0
        condition = request.headers.get("if-range")
        if condition not in (None, etag, _LAST_MODIFIED) and not fault.ignore_if_range:
            return 0
        return request.begin + fault.shift_range

    def _start(self, request: Request, status: int, headers: dict[str, str]) -> None:
        request.status = status
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
        except OSError:
            self.close_connection = True

    def _send(self, request: Request, fault: Fault, body: bytes) -> None:
        # A promise of too few bytes must not spoil the next answer on this connection.
        self.close_connection = bool(fault.until_close or fault.extra_length)
        limits = [len(body)] + [at for at in (fault.cut_after, fault.stall_after) if at is not None]
        self._write(request, fault, body[: min(limits)])
        if fault.cut_after is not None:
            self._cut(fault)
            return
        if fault.stall_after is not None:
            self.faulty.stalled.set()
            self.faulty._released.wait(fault.stall_seconds)
            self.faulty.stalled.clear()
        self._write(request, fault, body[min(limits) :])
        if fault.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _write(self, request: Request, fault: Fault, block: bytes) -> None:
        if block:
            # Counted first: a client that has it all may look at once.
            request.sent += len(block)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if fault.chunked else block)

    def _cut(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.reset:
            # Lingering for no time makes the system answer with a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self.connection.shutdown(socket.SHUT_RDWR)


def http_date(seconds: float) -> str:
    """A time, in seconds since 1970, as HTTP writes it."""
    return email.utils.formatdate(seconds, usegmt=True)
