"""An S3-compatible server on loopback, and a proxy before it that fails on demand.

:func:`running_store` starts moto's server in this process. The proxy passes requests on to it, except those
that a rule tells it to refuse (503 with ``SlowDown``, 403) or to cut. The fixture ``object_store`` also sets
the environment, in which s3fs and the processes that the test starts find the proxy.
"""

from __future__ import annotations

import contextlib
import fnmatch
import http.client
import logging
import os
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

import pytest

from tests.faulty_server import QuietServer

BUCKET = "music"
_CODES = {403: "AccessDenied", 503: "SlowDown", 500: "InternalError"}
_HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection", "te"})


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request.

    Attributes:
        status: answer with this status, without passing the request on.
        cut: close the connection by a reset: "before" the request is passed on, or "after" it was done.
        cut_after: close it after so many bytes of the answer's body.
        hold: pass the request on when this event is set.
    """

    status: int | None = None
    cut: str | None = None
    cut_after: int | None = None
    hold: threading.Event | None = None


@dataclass(frozen=True)
class Request:
    """A request: its method, ``bucket/key``, its query, and the status answered (0 for a cut)."""

    method: str
    path: str
    query: str
    status: int = 0


@dataclass
class _Rule:
    fault: Fault
    pattern: str
    method: str
    left: int | None
    skip: int


@dataclass
class ObjectStore:
    """A running store with one bucket, :data:`BUCKET`.

    Attributes:
        endpoint: the address of the proxy.
        requests: what was asked of it so far, in the order of the answers.
    """

    endpoint: str
    requests: list[Request] = field(default_factory=list)
    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> dict[str, str]:
        """Where programs look for the store and its credentials."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test-user",
            "AWS_SECRET_ACCESS_KEY": "test-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
        }

    def url(self, key: str = "") -> str:
        """The URL of an object in the bucket; of the bucket itself without a key."""
        return f"s3://{BUCKET}/{key}"

    def fail(
        self, fault: Fault, pattern: str = "*", method: str = "*", times: int | None = 1, skip: int = 0
    ) -> None:
        """Fail on requests that fit by ``bucket/key`` and method: ``times`` (None: always) after ``skip``."""
        with self._lock:
            self._rules.append(_Rule(fault, pattern, method, times, skip))

    def heal(self) -> None:
        """Fail no more."""
        with self._lock:
            self._rules.clear()

    def clear(self) -> None:
        """Forget all objects, faults and requests."""
        self.heal()
        self.requests.clear()
        _backend().reset()
        _backend().create_bucket(BUCKET, "us-east-1")

    @property
    def unused(self) -> int:
        """The number of rules that have not failed as often as they were to."""
        return sum(bool(rule.left) for rule in self._rules)

    def read(self, key: str) -> bytes | None:
        """The content of an object, past the faults; None if it does not exist."""
        backend = _backend()
        found = backend.buckets[BUCKET].keys.get(key)
        return None if found is None else bytes(found.value)

    def write(self, key: str, content: bytes) -> None:
        """Create or replace an object, past the faults."""
        _backend().put_object(BUCKET, key, content)

    def remove(self, key: str) -> None:
        """Remove an object, past the faults."""
        _backend().delete_object(BUCKET, key)

    def contents(self, prefix: str = "") -> dict[str, bytes]:
        """All objects whose key begins with a prefix, by what follows it."""
        keys = _backend().buckets[BUCKET].keys
        return {
            key.removeprefix(prefix): bytes(keys[key].value) for key in sorted(keys) if key.startswith(prefix)
        }

    def _fault(self, method: str, path: str) -> Fault:
        with self._lock:
            for rule in self._rules:
                fits = fnmatch.fnmatchcase(path, rule.pattern) and fnmatch.fnmatchcase(method, rule.method)
                if rule.left == 0 or not fits:
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                rule.left = None if rule.left is None else rule.left - 1
                return rule.fault
        return Fault()


@contextlib.contextmanager
def running_store() -> Iterator[ObjectStore]:
    """Start the server and the proxy; they end with the block, and the objects with them."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    proxy = None
    try:

        class Handler(_Handler):
            target = ("127.0.0.1", server.get_host_and_port()[1])

        proxy = QuietServer(("127.0.0.1", 0), Handler)
        store = Handler.store = ObjectStore(f"http://127.0.0.1:{proxy.server_address[1]}")
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        store.clear()
        yield store
    finally:
        if proxy is not None:
            proxy.shutdown()
            proxy.server_close()
        server.stop()


@contextlib.contextmanager
def as_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and have fsspec forget the file systems that it made with others."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        _forget()
        try:
            yield
        finally:
            _forget()


@pytest.fixture(scope="session")
def _running_store() -> Iterator[ObjectStore]:
    with running_store() as store:
        yield store


@pytest.fixture
def object_store(_running_store: ObjectStore) -> Iterator[ObjectStore]:
    """An empty store without faults, in the environment of the test and of the processes that it starts."""
    _running_store.clear()
    with as_environment(_running_store.environment):
        yield _running_store


@pytest.fixture
def impatient(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The store, with libraries that do not try again; tfkey itself does, but does not wait."""
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    monkeypatch.setattr("tfkey.storage.failures._WAITS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return object_store


def _forget() -> None:
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def _backend():  # type: ignore[no-untyped-def]
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    store: ObjectStore
    target: tuple[str, int]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _pass_on(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).lstrip("/")
        fault = self.store._fault(self.command, path)
        body = self._body()
        if fault.hold is not None:
            fault.hold.wait(60)
        if fault.cut == "before":
            self._cut(path, parts.query)
        elif fault.status is not None:
            self._refuse(path, parts.query, fault.status)
        else:
            self._forward(path, parts.query, body, fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        blocks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            blocks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(blocks)

    def _forward(self, path: str, query: str, body: bytes, fault: Fault) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOPS}
        headers["Content-Length"] = str(len(body))
        connection = http.client.HTTPConnection(*self.target, timeout=60)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if fault.cut == "after":
            self._cut(path, query)
            return
        self._note(path, query, answer.status)
        self.send_response_only(answer.status)
        length = answer.headers.get("Content-Length") if self.command == "HEAD" else str(len(content))
        for name, value in answer.headers.items():
            if name.lower() not in _HOPS | {"content-length"}:
                self.send_header(name, value)
        if length is not None and answer.status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        if fault.cut_after is not None:
            self.wfile.write(content[: fault.cut_after])
            self._reset()
        else:
            self.wfile.write(content)

    def _refuse(self, path: str, query: str, status: int) -> None:
        self._note(path, query, status)
        code = _CODES.get(status, "InternalError")
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code} on purpose.</Message></Error>"
        body = b"" if self.command == "HEAD" else text.encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _note(self, path: str, query: str, status: int) -> None:
        with self.store._lock:
            self.store.requests.append(Request(self.command, path, query, status))

    def _cut(self, path: str, query: str) -> None:
        self._note(path, query, 0)
        self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        # Lingering for no time makes the system answer with a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
