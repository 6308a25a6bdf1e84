"""Host names, origins, the token, and the headers of every answer."""

from __future__ import annotations

import time

import pytest

from tests.tfkey.serving.running import Running, error_of, head, open_moody, running, wav
from tfkey.serving.guards import SECURITY_HEADERS, host_name, new_token
from tfkey.serving.settings import ServerSettings

TOKEN = "correct-horse"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 404),
        ("LOCALHOST:80", 404),
        ("127.0.0.1:9", 404),
        ("[::1]:8501", 404),
        ("localhost.", 404),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.2", 421),
        ("192.168.1.7", 421),
        ("localhost:x", 400),
        ("a@localhost", 400),
        ("localhost/x", 400),
        ("[::1", 400),
        ("", 400),
    ],
)
def test_names_of_the_server(server: Running, host: str, status: int) -> None:
    found = server.say(f"GET /nowhere HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert found[0] == status
    error_of(found[2])


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "{own}"}, True),
        ({"Origin": "{own}", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, True),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, False),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, False),
    ],
)
def test_pages_of_other_sites(server: Running, headers: dict[str, str], allowed: bool) -> None:
    own = server.address.rstrip("/")
    headers = {name: value.replace("{own}", own) for name, value in headers.items()}
    with server.client(headers=headers) as client:
        found = client.post("/estimate", files={"file": ("a.wav", wav(0.6))})
        assert found.status_code == (200 if allowed else 403)
        assert allowed or "other sites" in error_of(found)
        # A link on another page may lead here.
        is_visit = headers.get("Sec-Fetch-Mode") == "navigate"
        assert client.get("/healthz").status_code == (200 if allowed or is_visit else 403)


def test_token(tmp_path) -> None:
    with running(tmp_path, open_moody, token=TOKEN) as guarded, guarded.client() as client:
        for header, status in (
            (None, 401),
            ("", 401),
            ("Bearer", 401),
            (f"Basic {TOKEN}", 401),
            (f"Bearer {TOKEN}x", 401),
            (f"Bearer {TOKEN[:-1]}", 401),
            ("Bearer \xff", 401),
            (f"bearer {TOKEN}", 200),
            (f"Bearer {TOKEN}", 200),
        ):
            headers = {} if header is None else {"Authorization": header.encode("latin-1")}
            found = client.post("/estimate", files={"file": ("a.wav", wav(0.6))}, headers=headers)
            assert found.status_code == status, header
            if status == 401:
                assert "token" in error_of(found)
                assert found.headers["www-authenticate"].startswith("Bearer")
        for path, status in (
            ("/healthz", 200),
            ("/page/none.js", 404),
            ("/nowhere", 401),
            ("/view/song", 401),
        ):
            assert client.get(path).status_code == status, path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/healthz"),
        ("GET", "/nowhere"),
        ("GET", "/estimate"),
        ("POST", "/estimate"),
        ("DELETE", "/healthz"),
        ("GET", "/page/..%2f..%2fsetup.cfg"),
        ("GET", "/page//etc/passwd"),
        ("GET", "/page/%00"),
        ("GET", "/estimate/"),
    ],
)
def test_every_answer_is_guarded(server: Running, method: str, path: str) -> None:
    with server.client() as client:
        found = client.request(method, path)
    assert {name: found.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "server" not in found.headers
    if found.status_code != 200:
        assert 400 <= found.status_code < 500
        error_of(found)
    if found.status_code == 405:
        assert found.headers["allow"]


def test_policy_allows_nothing_from_elsewhere() -> None:
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_server_on_every_address(tmp_path) -> None:
    with running(
        tmp_path, open_moody, host="0.0.0.0", token=TOKEN, allowed_hosts=("music.example",)
    ) as found:
        assert found.address.startswith("http://127.0.0.1:")
        for host, status in (("192.168.1.7:80", 200), ("music.example", 200), ("evil.example", 421)):
            text = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n"
            assert found.say(text.encode())[0] == status, host


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("LocalHost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.7", False), ("localhost.example", False)],
)  # fmt: skip
def test_loopback_addresses(host: str, is_loopback: bool) -> None:
    assert ServerSettings(host=host).is_loopback is is_loopback


def test_tokens_and_names() -> None:
    assert len({new_token() for _ in range(10)}) == 10
    assert ServerSettings(token=new_token()).token
    assert host_name("A.Example:80") == "a.example"
    assert host_name("[::1]:80") == "::1"


def test_requests_without_work_take_no_place(tmp_path) -> None:
    with running(tmp_path, open_moody, max_requests=1) as found, found.connection() as connection:
        connection.sendall(head(1000))
        with found.client() as client:
            for _ in range(100):
                if client.post("/estimate").status_code == 503:
                    break
                time.sleep(0.1)
            for method, path, status in (
                ("GET", "/healthz", 200), ("POST", "/view/alive", 404), ("POST", "/estimate", 503),
            ):  # fmt: skip
                assert client.request(method, path).status_code == status, path
