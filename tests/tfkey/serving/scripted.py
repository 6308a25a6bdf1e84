"""A server for the page that answers as a test tells it to: busy, refusing, slow, gone."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from tfkey.keys import KEYS, Key
from tfkey.serving.guards import SECURITY_HEADERS
from tfkey.serving.tasks import mixes_with, notations

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Reply:
    """A status and a body for JSON (bytes as they are); None for a connection that just ends."""

    status: int | None = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """A request: method, path, the name of its file, headers."""

    method: str
    path: str
    name: str
    headers: dict[str, str]


Answering = Callable[[Asked], Reply]


def well(request: Asked) -> Reply:
    """A key for any file."""
    return Reply(body=answer(request.name, picture="picture=1" in request.path))


def answer(
    name: str, key: str | None = "Ab minor", *, reason: str | None = None, picture: bool = False
) -> dict[str, Any]:
    """What ``POST /estimate`` says of a recording of a minute, which modulates."""
    best = Key.parse(key or "C major")
    order = sorted(KEYS, key=lambda other: (other != best, abs(other.index - best.index)))
    shares = np.array([0.6 * 0.4**rank for rank in range(24)])
    ranked = [
        {"key": other.long, "confidence": round(float(share), 4), "notations": notations(other)}
        for other, share in zip(order, shares, strict=True)
    ]
    parts = [(0, 24, best.long), (24, 36, best.fifth_up.long), (36, 44, best.parallel.long), (44, 60, None)]
    segments = [
        {
            "start": start,
            "end": end,
            "key": part if key else None,
            "confidence": 0.7 if part and key else None,
        }
        for start, end, part in parts
    ]
    fields = {
        "file": name, "key": key, "confidence": 0.6 if key else None, "reason": reason, "warning": None,
        "tuning_cents": 14.6 if key else None, "seconds": 60.0, "notations": notations(best) if key else None,
        "ranked": ranked, "mixes_with": mixes_with(best) if key else [], "segments": segments,
    }  # fmt: skip
    return fields | ({"picture": _picture()} if picture else {})


def _picture() -> dict[str, Any]:
    wave = (100 * np.abs(np.sin(np.arange(300) / 9))).astype(np.int8)
    levels = np.random.default_rng(0).integers(0, 255, (300, 192)).astype(np.uint8)
    return {
        "seconds": 60.0, "columns": 300, "waveform": {"low": _text(-wave), "high": _text(wave)},
        "spectrogram": {
            "columns": 300, "bins": 192, "lowest_hz": 32.7, "bins_per_octave": 24, "values": _text(levels),
        },
    }  # fmt: skip


def _text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()


@contextlib.contextmanager
def scripted(answering: Answering) -> Iterator[tuple[str, list[Asked]]]:
    """Serve the page: its address, and a list to which each other request is added."""
    asked: list[Asked] = []
    handler = type("Handler", (_Handler,), {"answering": staticmethod(answering), "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answering: Answering
    asked: list[Asked]

    def do_GET(self) -> None:
        """Give a file of the page, or what the test says."""
        path = self.path.partition("?")[0]
        name = "index.html" if path == "/" else path.removeprefix("/page/")
        part = resources.files("tfkey.serving") / "page" / name
        if (path == "/" or path.startswith("/page/")) and "/" not in name and part.is_file():
            self._send(Reply(body=part.read_bytes(), headers={"Content-Type": _TYPES[Path(name).suffix]}))
        else:
            self._answer("")

    def do_POST(self) -> None:
        """Read the body; answer as the test says."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        head = body[:1000].decode("utf-8", "replace")
        self._answer(head.partition('filename="')[2].partition('"')[0])

    def _answer(self, name: str) -> None:
        request = Asked(self.command, self.path, name, dict(self.headers))
        self.asked.append(request)
        self._send(type(self).answering(request))

    def _send(self, reply: Reply) -> None:
        if reply.status is None:
            self.close_connection = True
            return
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        headers = {"Content-Type": "application/json", **SECURITY_HEADERS, **reply.headers}
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
