"""Clients that a server has to live with: patient and hasty ones, honest and lying ones, each an upload."""

from __future__ import annotations

import json
import random
import re
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.tfkey.serving.running import BOUNDARY, PATIENCE, answer, form, head

Answer = tuple[int, bytes]
"""Status and body; status 0 where there was no answer, or nobody to read it."""

QUERY = "/estimate?over_time=5"
PIECES, PAUSE = 5, 0.02


@dataclass(frozen=True)
class Song:
    """A file to be uploaded.

    Attributes:
        name: its name.
        content: its bytes.
        expected: what is to be said of it (see :func:`expected_of`); None if it is to be refused.
    """

    name: str
    content: bytes
    expected: dict[str, Any] | None = None

    @property
    def body(self) -> bytes:
        return form(self.content, self.name)


@dataclass(frozen=True)
class Visit:
    """One upload by one client.

    Attributes:
        kind: in words.
        song: what it uploads.
        go: does it on a connection.
        statuses: what may come of it.
    """

    kind: str
    song: Song
    go: Callable[[socket.socket, Song], Answer]
    statuses: frozenset[int]

    def pay(self, port: int) -> Answer:
        """Connect, and do it."""
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            return self.go(connection, self.song)

    def complaint(self, found: Answer) -> str | None:
        """Return what is wrong with an answer; None if it is as it should be."""
        status, body = found
        if status not in self.statuses:
            return f"{self.kind}, {self.song.name}: {status} {body[:200]!r}"
        if status == 0:
            return None
        values = json.loads(body)
        if status != 200:
            fits = list(values) == ["error"] and "Traceback" not in values["error"]
            return None if fits else f"{self.kind}: {body[:200]!r}"
        if _comparable(values) != self.song.expected:
            return f"{self.kind}, {self.song.name}: not what tfkey predict says: {body[:200]!r}"
        return None


def expected_of(predicted: dict[str, Any]) -> dict[str, Any]:
    """Return an object of ``tfkey predict --format json --top 24 --over-time`` without the file's name."""
    return {name: value for name, value in predicted.items() if name != "file"}


def _comparable(values: dict[str, Any]) -> dict[str, Any]:
    """What the server says in the words of ``tfkey predict``."""
    ranked = [{name: entry[name] for name in ("key", "confidence")} for entry in values["ranked"]]
    left = {name: value for name, value in values.items() if name not in ("file", "notations", "mixes_with")}
    return {**left, "ranked": ranked}


def _sent(connection: socket.socket, parts: Iterable[bytes], pause: float = 0.0) -> None:
    """Send what the server takes: it may answer and close before the end."""
    try:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
    except (BrokenPipeError, ConnectionResetError):
        pass


def _answered(connection: socket.socket) -> Answer:
    try:
        status, _, body = answer(connection)
    except ConnectionResetError:
        return 0, b""
    return status, body


def _request(song: Song) -> bytes:
    body = song.body
    return head(len(body), path=QUERY) + body


def _half(song: Song) -> bytes:
    body = song.body
    return head(len(body), path=QUERY) + body[: len(body) // 2]


def _chunks(content: bytes, size: int) -> list[bytes]:
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    return [b"%x\r\n%s\r\n" % (len(part), part) for part in parts]


def _reset(connection: socket.socket) -> None:
    """Close without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def at_once(connection: socket.socket, song: Song) -> Answer:
    """Send the whole, and wait."""
    _sent(connection, [_request(song)])
    return _answered(connection)


def twice(connection: socket.socket, song: Song) -> Answer:
    """Send two requests on one connection."""
    first = at_once(connection, song)
    return at_once(connection, song) if first[0] == 200 else first


def in_pieces(connection: socket.socket, song: Song) -> Answer:
    """Send slowly."""
    request = _request(song)
    size = -(-len(request) // PIECES)
    _sent(connection, [request[start : start + size] for start in range(0, len(request), size)], PAUSE)
    return _answered(connection)


def in_chunks(connection: socket.socket, song: Song) -> Answer:
    """Send without a length."""
    start = head(None, "Transfer-Encoding: chunked", path=QUERY)
    _sent(connection, [start, *_chunks(song.body, 10_000), b"0\r\n\r\n"])
    return _answered(connection)


def read_late(connection: socket.socket, song: Song) -> Answer:
    """Send, and look elsewhere for a while."""
    _sent(connection, [_request(song)])
    time.sleep(10 * PAUSE)
    return _answered(connection)


def half_and_end(connection: socket.socket, song: Song) -> Answer:
    """Stop half-way, end the sending side, and wait."""
    _sent(connection, [_half(song)])
    connection.shutdown(socket.SHUT_WR)
    return _answered(connection)


def half_and_wait(connection: socket.socket, song: Song) -> Answer:
    """Stop half-way, and wait."""
    _sent(connection, [_half(song)])
    return _answered(connection)


def half_and_close(connection: socket.socket, song: Song) -> Answer:
    """Stop half-way, and go."""
    _sent(connection, [_half(song)])
    return 0, b""


def half_and_reset(connection: socket.socket, song: Song) -> Answer:
    """Stop half-way, and cut the connection."""
    _sent(connection, [_half(song)])
    _reset(connection)
    return 0, b""


def whole_and_close(connection: socket.socket, song: Song) -> Answer:
    """Send the whole, and go before the answer."""
    _sent(connection, [_request(song)], PAUSE)
    return 0, b""


def whole_and_reset(connection: socket.socket, song: Song) -> Answer:
    """Send the whole, and cut the connection before the answer."""
    _sent(connection, [_request(song)], PAUSE)
    _reset(connection)
    return 0, b""


def wrong_field(connection: socket.socket, song: Song) -> Answer:
    """Call the part something else."""
    body = form(song.content, song.name, field="song")
    _sent(connection, [head(len(body)), body])
    return _answered(connection)


def two_files(connection: socket.socket, song: Song) -> Answer:
    """Send two parts."""
    body = song.body.removesuffix(f"--{BOUNDARY}--\r\n".encode()) + song.body
    _sent(connection, [head(len(body)), body])
    return _answered(connection)


def wrong_type(connection: socket.socket, song: Song) -> Answer:
    """Send the file alone."""
    start = re.sub(rb"multipart/form-data[^\r]*", b"audio/mpeg", head(len(song.content)))
    _sent(connection, [start, song.content])
    return _answered(connection)


def too_short_a_length(connection: socket.socket, song: Song) -> Answer:
    """State a length that is less than what comes."""
    body = song.body
    _sent(connection, [head(len(body) - 100), body])
    return _answered(connection)


def no_http(connection: socket.socket, song: Song) -> Answer:
    """Send the file and nothing else."""
    _sent(connection, [song.content[:1000] + b"\r\n\r\n"])
    return _answered(connection)


def stated_over(limit: int) -> Callable[[socket.socket, Song], Answer]:
    """State a length over the limit."""

    def go(connection: socket.socket, song: Song) -> Answer:
        _sent(connection, [head(2 * limit), song.body])
        return _answered(connection)

    return go


def flooding(limit: int) -> Callable[[socket.socket, Song], Answer]:
    """Send more than the limit without stating a length."""

    def go(connection: socket.socket, song: Song) -> Answer:
        opening = form(song.content, song.name).removesuffix(f"\r\n--{BOUNDARY}--\r\n".encode())
        start = head(None, "Transfer-Encoding: chunked")
        _sent(connection, [start, *_chunks(opening + bytes(2 * limit), 100_000), b"0\r\n\r\n"])
        return _answered(connection)

    return go


BROKEN: dict[str, bytes] = {
    "empty.mp3": b"",
    "page.flac": b"<html><body>404 not found</body></html>\n" * 500,
    "noise.ogg": random.Random(0).randbytes(60_000),
    "picture.m4a": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1" + random.Random(1).randbytes(20_000),
    "document.aiff": b"%PDF-1.7\n" + b"1 0 obj << /Length 9 >> stream\n" * 300,
    "head.wav": b"RIFF\xff\xff\xff\xffWAVEfmt ",
}
"""Files that are to be refused: names and contents."""


def visits(songs: Sequence[Song], broken: Sequence[Song], count: int, limit: int, seed: int) -> list[Visit]:
    """Return visits of all kinds in random order, three of five by clients that are to get an answer.

    Args:
        songs: files of which there is something to be said.
        broken: files that are to be refused.
        count: the number of visits.
        limit: the greatest size of a request in bytes.
        seed: of the order.
    """
    good = (at_once, twice, in_pieces, in_chunks, read_late)
    bad = [
        *((go, 0) for go in (half_and_close, half_and_reset, whole_and_close, whole_and_reset)),
        *((go, 400) for go in (half_and_end, wrong_field, two_files, too_short_a_length, no_http)),
        *((go, 413) for go in (stated_over(limit), flooding(limit))),
        (wrong_type, 415),
        (half_and_wait, 408),
    ]
    chosen = []
    for number in range(count):
        turn, place = divmod(number, 5)
        if place < 3:
            go = good[(3 * turn + place) % len(good)]
            # Every file by every kind of client, one after another.
            song = songs[(3 * turn + place) // len(good) % len(songs)]
            chosen.append(Visit(go.__name__, song, go, frozenset({200})))
        elif place == 3:
            chosen.append(Visit("broken", broken[turn % len(broken)], at_once, frozenset({422})))
        else:
            go, status = bad[turn % len(bad)]
            chosen.append(Visit(go.__name__, songs[turn % len(songs)], go, frozenset({status})))
    random.Random(seed).shuffle(chosen)
    return chosen
