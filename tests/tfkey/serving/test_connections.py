"""Bodies and heads that are not what they say, and clients that take their time: raw connections."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.tfkey.serving.running import (
    BOUNDARY,
    Running,
    answer,
    error_of,
    form,
    head,
    open_moody,
    running,
    wav,
)

SONG = wav(0.6)
BODY = form(SONG)
EMPTY = f"--{BOUNDARY}--\r\n".encode()
PART = f"--{BOUNDARY}\r\n".encode()


def disposition(text: str, content: bytes = SONG) -> bytes:
    return PART + f"Content-Disposition: {text}\r\n\r\n".encode() + content + b"\r\n" + EMPTY


BODIES = {
    "no file": (EMPTY, 400, "has no file"),
    "nothing": (b"", 400, "has no file"),
    "no form": (b"hello", 400, "not valid multipart"),
    "two files": (BODY.removesuffix(EMPTY) + BODY, 400, "more than one part"),
    "another field": (form(SONG, field="song"), 400, 'not named "file"'),
    "no file name": (disposition('form-data; name="file"'), 400, "no file name"),
    "an empty name": (disposition('form-data; name="file"; filename=""'), 400, "no file name"),
    "an attachment": (disposition('attachment; name="file"; filename="a"'), 400, 'not named "file"'),
    "no disposition": (PART + b"\r\n" + SONG + b"\r\n" + EMPTY, 400, 'not named "file"'),
    "no end": (BODY[:-8], 400, "before its last boundary"),
    "long headers": (PART + b"X-A: " + b"a" * 10000 + b"\r\n\r\n" + EMPTY, 400, ""),
    "many headers": (PART + b"A: b\r\n" * 5000 + b"\r\n" + EMPTY, 400, ""),
    "bytes after the end": (BODY + b"junk", 200, ""),
    "a name in no encoding": (BODY.replace(b"song.wav", b"\xff"), 200, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_forms(server: Running, case: str) -> None:
    body, status, words = BODIES[case]
    found = server.say(head(len(body)) + body)
    assert found[0] == status, found
    if status != 200:
        assert words in error_of(found[2])


HEADS = {
    "no type": (b"POST /estimate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 415, "multipart"),
    "another type": (head(2).replace(b"multipart/form-data", b"application/json") + b"{}", 415, "multipart"),
    "no boundary": (head(2).replace(b"; boundary=", b"; x=") + b"{}", 400, "boundary"),
    "a long boundary": (head(2).replace(BOUNDARY.encode(), b"x" * 500) + b"{}", 400, "boundary"),
    "a body over the limit": (head(2**40), 413, "larger than 4 MB"),
    "a length of a thousand digits": (
        head(0).replace(b"Length: 0", b"Length: " + b"9" * 1000), 400, "not valid HTTP",
    ),
    "a negative length": (head(-1), 400, "not valid HTTP"),
    "two lengths": (head(2, "Content-Length: 3"), 400, "not valid HTTP"),
    "a length and chunks": (head(None, "Transfer-Encoding: zip"), 400, "not valid HTTP"),
    "chunks without a length": (head(None, "Transfer-Encoding: chunked") + b"xyz\r\n", 400, "not valid HTTP"),
    "one long header": (head(0, "X-A: " + "a" * 100_000), 431, "headers are larger"),
    "a flood of headers": (head(0, *["X-A: b"] * 20_000), 431, "headers are larger"),
    "a long path": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431, "headers are larger"),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "not valid HTTP"),
    "bytes in the path": (b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "not valid HTTP"),
    "no host": (b"GET / HTTP/1.0\r\n\r\n", 400, "Host"),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n", 400, ""),
    "the whole server": (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "no such path"),
    "a proxy": (b"GET http://a/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "no such path"),
    "a tunnel": (b"CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "no such path"),
    "an unknown method": (b"BREW /estimate HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "method"),
    "an upgrade": (
        b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        404, "no such path",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADS)
def test_heads(server: Running, case: str) -> None:
    text, status, words = HEADS[case]
    found = server.say(text)
    assert found[0] == status, found
    assert words in error_of(found[2])


def test_body_in_chunks_and_over_the_limit(server: Running) -> None:
    start = head(None, "Transfer-Encoding: chunked")
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:100], BODY[100:]))
    assert server.say(start + chunks + b"0\r\n\r\n")[0] == 200
    big = b"%x\r\n%s\r\n" % (2**20, bytes(2**20))
    opening = b"%x\r\n%s\r\n" % (len(BODY[:200]), BODY[:200])
    found = server.say(start + opening, *[big] * 6, b"0\r\n\r\n")
    assert (found[0], "larger than 4 MB" in error_of(found[2])) == (413, True)


@pytest.mark.parametrize("size", [0, 10, 1000, len(BODY) - 1])
def test_body_that_is_shorter_than_it_says(server: Running, size: int) -> None:
    found = server.say(head(len(BODY)) + BODY[:size], end=True)
    assert (found[0], "shorter than its stated length" in error_of(found[2])) == (400, True)


def test_body_that_is_longer_than_it_says(server: Running) -> None:
    with server.connection() as connection:
        connection.sendall(head(len(BODY)) + BODY + b"more of it\r\n\r\n")
        assert [answer(connection)[0], answer(connection)[0]] == [200, 400]
        assert connection.recv(1) == b""


def test_several_requests_on_one_connection(server: Running) -> None:
    with server.connection() as connection:
        for status, text in (
            (200, head(len(BODY)) + BODY),
            (415, head(5).replace(b"form-data", b"x") + b"12345"),
        ):
            for _ in range(2):
                connection.sendall(text)
                assert answer(connection)[0] == status


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory):
    """A server without patience."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HEADER_SECONDS", "LINGER_SECONDS", "WRITE_SECONDS"):
            patch.setattr(f"tfkey.serving.connections.{name}", 1.0)
        patch.setattr("tfkey.serving.connections.MOST_CONNECTIONS", 10)
        folder: Path = tmp_path_factory.mktemp("uploads")
        with running(folder, open_moody, body_timeout_seconds=1.5, upload_timeout_seconds=3) as found:
            yield found


def is_cut_off(connection: socket.socket, content: bytes) -> bool:
    """Send for as long as the server listens."""
    try:
        while True:
            connection.sendall(content)
    except (BrokenPipeError, ConnectionResetError):
        return True


def test_slow_clients(hasty: Running) -> None:
    # Neither a head nor a body comes to its end, whether the client pauses or sends a byte now and then.
    start = head(len(BODY))
    cases = (
        (0, [b"GET / HT"], 0.0),
        (0, [b"G"] * 8, 0.2),
        (408, [start], 0.0),
        (408, [start, BODY[:100]], 0.0),
        (408, [start, *[bytes([byte]) for byte in BODY[:12]]], 0.3),
    )
    with ThreadPoolExecutor(len(cases)) as threads:
        answers = list(threads.map(lambda case: hasty.say(*case[1], pause=case[2]), cases))
    for (status, parts, _), found in zip(cases, answers, strict=True):
        assert found[0] == status, (parts, found)
        assert status != 408 or "in time" in error_of(found[2])


def test_slow_client_that_is_fast_enough(server: Running) -> None:
    third = len(BODY) // 3
    parts = [BODY[:third], BODY[third : 2 * third], BODY[2 * third :]]
    assert server.say(head(len(BODY)), *parts, pause=0.2)[0] == 200


def test_rest_of_a_refused_body_is_dropped_for_a_while(hasty: Running) -> None:
    with hasty.connection() as connection:
        connection.sendall(head(2**40) + b"a" * 10_000)
        assert answer(connection)[0] == 413
        assert is_cut_off(connection, b"a" * 10_000_000)


def test_answers_that_nobody_reads(hasty: Running) -> None:
    # Long answers soon fill what the system keeps.
    request = b"GET /page/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with hasty.connection() as connection:
        assert is_cut_off(connection, request * 10_000)


def test_too_many_connections(hasty: Running) -> None:
    held = [hasty.connection() for _ in range(10)]
    found = hasty.say(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (found[0], "too many connections" in error_of(found[2])) == (503, True)
    assert found[1]["retry-after"] == "2"
    for connection in held:
        connection.close()
    assert hasty.post(SONG).status_code == 200
