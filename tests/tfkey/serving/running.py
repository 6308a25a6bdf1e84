"""A server in a thread of the test's process, and raw connections to it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.media import chord
from tfkey.inference.estimator import KeyEstimator
from tfkey.serving.server import serve
from tfkey.serving.settings import ServerSettings

PATIENCE = 120.0
BOUNDARY = "the-boundary"


@dataclass(frozen=True)
class Running:
    """A server that takes requests."""

    address: str
    stop: Callable[[], None]
    thread: threading.Thread
    folder: Path
    settings: ServerSettings

    @property
    def port(self) -> int:
        return int(self.address.rstrip("/").rpartition(":")[2])

    def client(self, **options: Any) -> httpx.Client:
        # Proxies of the environment are not asked for addresses of this machine.
        return httpx.Client(base_url=self.address, timeout=PATIENCE, trust_env=False, **options)

    def limited(self, patch: pytest.MonkeyPatch, **limits: float) -> None:
        """Change limits that the server reads anew for each request."""
        for name, value in limits.items():
            assert name in type(self.settings).model_fields
            patch.setitem(vars(self.settings), name, value)

    def post(self, content: bytes, name: str = "song.wav", **query: Any) -> httpx.Response:
        with self.client() as client:
            return client.post("/estimate", files={"file": (name, content)}, params=query)

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def say(self, *parts: bytes, pause: float = 0.0, end: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Send bytes as they are; return the status, headers and body of the answer. Status 0: no answer."""
        with self.connection() as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause)
            if end:
                connection.shutdown(socket.SHUT_WR)
            return answer(connection)

    def uploads(self) -> list[str]:
        """The names of the uploads that lie on the disk."""
        return [name for _, _, names in os.walk(self.folder) for name in names if name != ".lock"]


def waited(condition: Callable[[], Any]) -> None:
    """Wait until something is so."""
    for _ in range(round(PATIENCE / 0.1)):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("in vain")


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The next answer on a connection. Status 0: there is no more."""
    text = body = b""
    with contextlib.suppress(ConnectionResetError):
        # No more than this answer.
        while not text.endswith(b"\r\n\r\n"):
            more = connection.recv(1)
            if not more:
                return 0, {}, b""
            text += more
        first, *lines = text.decode("latin-1").strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        length = int(headers.get("content-length", 0))
        while len(body) < length:
            more = connection.recv(length - len(body))
            if not more:
                break
            body += more
        return int(first.split()[1]), headers, body
    return 0, {}, b""


def head(length: int | None, *more: str, path: str = "/estimate", host: str = "127.0.0.1") -> bytes:
    """The head of an upload whose body states a length."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"Content-Type: multipart/form-data; boundary={BOUNDARY}"]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([*lines, *more, "", ""]).encode()


def form(content: bytes, name: str = "song.wav", field: str = "file") -> bytes:
    """The body of an upload."""
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="{name}"'
    return f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def error_of(body: bytes | httpx.Response) -> str:
    """The sentence of an error, which is all that its body consists of."""
    content = body if isinstance(body, bytes) else body.content
    values = json.loads(content)
    assert list(values) == ["error"]
    assert "\n" not in values["error"]
    assert "Traceback" not in values["error"]
    assert tempfile.gettempdir() not in values["error"]
    return values["error"]


@contextlib.contextmanager
def running(folder: Path, open_: Callable[[], Any], **settings: Any) -> Iterator[Running]:
    """A server on a free port that keeps uploads in a folder."""
    ready, faults = threading.Event(), []
    given = ServerSettings(**{"port": 0, **settings})
    found: dict[str, Any] = {}

    def on_ready(address: str, description: str) -> None:
        found["address"] = address
        ready.set()

    def more_routes(stop: Callable[[], None]) -> tuple[()]:
        found["stop"] = stop
        return ()

    def run() -> None:
        try:
            serve(given, open_, on_ready, more_routes, folder)
        except BaseException as error:
            faults.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(60)
    if faults:
        raise faults[0]
    try:
        yield Running(found["address"], found["stop"], thread, folder, given)
    finally:
        found["stop"]()
        thread.join(60)
        assert not thread.is_alive()
    assert not faults
    assert not list(folder.iterdir()), "uploads are left"


class Moody(KeyEstimator):
    """The network that comes with tfkey, which does not take recordings of some lengths in seconds."""

    CRASH, HANG, GREEDY, FAULTY, SLOW = 1.0, 2.0, 3.0, 4.0, 5.0

    def estimate(self, recording: Any, sample_rate: int | None = None, **options: Any) -> Any:
        seconds = round(recording.samples / self.metadata.features.sample_rate, 3)
        if seconds == self.CRASH:
            os._exit(3)
        if seconds == self.HANG:
            time.sleep(1000)
        if seconds == self.GREEDY:
            bytearray(2**33)
        if seconds == self.FAULTY:
            raise KeyError(tempfile.gettempdir())
        if seconds == self.SLOW:
            time.sleep(1.0)
        return super().estimate(recording, sample_rate, **options)


def open_moody() -> KeyEstimator:
    return Moody.from_pretrained()


def wav(seconds: float, silent: bool = False) -> bytes:
    """A chord as a WAV file."""
    from tfkey.audio.reading import encode

    return encode(chord(seconds)[:, 0] * (not silent), 44100, "WAV")
