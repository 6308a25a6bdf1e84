"""``tfkey serve`` and ``tfkey view`` as processes of their own."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import ROOT, in_subprocess
from tests.tfkey.serving.processes import Process, started
from tests.tfkey.serving.running import form, head, wav

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def serving(
    temporary: Path, *arguments: object, **environment: str
) -> contextlib.AbstractContextManager[Process]:
    """``tfkey serve`` on a free port."""
    command = ("serve", "--port", 0, "--workers", 1, *arguments)
    return started(*command, temporary=temporary, **environment)


def get(address: str, token: str | None = None) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.get(address, headers=headers, trust_env=False, timeout=30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_when_it_has_finished(tmp_path: Path, number: int) -> None:
    with serving(tmp_path) as process:
        assert process.first.startswith("serving on http://127.0.0.1:")
        body = form(wav(2.5))
        with process.connection() as connection:
            connection.sendall(head(len(body)) + body[:1000])
            while not any(name.suffix == ".wav" for name in tmp_path.rglob("*")):
                time.sleep(0.05)
            process.signal(number)
            time.sleep(0.5)
            connection.sendall(body[1000:])
            text = b"".join(iter(lambda: connection.recv(65536), b""))
        assert b'"key":"C major"' in text
        assert process.end() == 0
        assert process.errors[-1] == "stopped\n"
    assert not list(tmp_path.iterdir())


def test_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as process, process.connection() as connection:
        connection.sendall(head(1000))
        time.sleep(0.3)
        process.signal(signal.SIGTERM)
        time.sleep(0.5)
        process.signal(signal.SIGTERM)
        assert process.end() == 0
    assert not list(tmp_path.iterdir())


def test_next_start_removes_what_a_kill_left(tmp_path: Path) -> None:
    with serving(tmp_path) as process, process.connection() as connection:
        connection.sendall(head(10**6) + form(wav(2.5))[:10000])
        while not any(name.suffix == ".wav" for name in tmp_path.rglob("*")):
            time.sleep(0.05)
        process.kill()
        process.end()
    (left,) = tmp_path.iterdir()
    with serving(tmp_path) as process:
        (new,) = tmp_path.iterdir()
        assert new != left
        process.signal(signal.SIGTERM)
        process.end()
    assert not list(tmp_path.iterdir())


def test_token_of_a_server_that_others_reach(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0") as process:
        process.signal(signal.SIGTERM)
        process.end()
        (token,) = [line.split()[1] for line in process.errors if line.startswith("token: ")]
        assert len(token) >= 40
        assert any(f"#token={token}" in line for line in process.errors)
        assert token not in process.first
        port = urlsplit(process.address).port
        elsewhere = f"from other machines: http://{socket.gethostname()}:{port}/"
        assert any(line.startswith(elsewhere) for line in process.errors)
        assert any(line.startswith("network: general. ") for line in process.errors)
    with started(
        "serve", "--port", 0, "--workers", 1, temporary=tmp_path, TFKEY_TOKEN="a-token-given"
    ) as process:
        assert get(process.address + "nowhere").status_code == 401
        assert get(process.address + "nowhere", "a-token-given").status_code == 404
        process.signal(signal.SIGTERM)
        process.end()
        assert not any("a-token-given" in line for line in process.errors)


def test_view_shows_one_song_until_the_page_is_closed(tmp_path: Path) -> None:
    song = tmp_path / "my söng.wav"
    song.write_bytes(wav(2.5))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with started("view", song, "--no-browser", temporary=temporary) as process:
        address, _, fragment = process.first.partition("#")
        token = fragment.removeprefix("view&token=")
        assert get(address + "view/song").status_code == 401
        assert get(address + "view/name", token).json() == {"name": song.name}
        found = get(address + "view/song", token)
        assert found.content == song.read_bytes()
        assert found.headers["content-type"].startswith("audio/")
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=30) as client:
            assert client.post("view/alive").status_code == 204
            with song.open("rb") as stream:
                values = client.post("estimate", files={"file": (song.name, stream)}).json()
            assert (values["file"], values["key"]) == (song.name, "C major")
            # A page that loads again is still open.
            assert client.post("view/closed").status_code == 204
            assert client.post("view/alive").status_code == 204
            time.sleep(1)
            assert client.get("healthz").status_code == 200
            assert client.post("view/closed").status_code == 204
        assert process.end() == 0
    assert not list(temporary.iterdir())


BROWSER = """
import json, sys, urllib.error, urllib.request

address, _, fragment = sys.argv[2].partition("#")
ticket = fragment.removeprefix("view&ticket=")

def ask(path, token="", method="POST"):
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(address + path, method=method, headers=headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        return error.code, None

found = [ask("view/token?ticket=guessed")[0], ask("view/name", ticket, "GET")[0]]
status, values = ask("view/token?ticket=" + ticket)
found += [status, ask("view/token?ticket=" + ticket)[0], ask("view/name", values["token"], "GET")]
with open(sys.argv[1], "w") as stream:
    json.dump(found, stream)
ask("view/closed", values["token"])
"""


def test_browser_that_view_opens(tmp_path: Path) -> None:
    """One that runs until it is closed, and whose command line others can read."""
    song, browser, found = tmp_path / "song.wav", tmp_path / "browser.py", tmp_path / "found.json"
    song.write_bytes(wav(0.6))
    browser.write_text(BROWSER)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = shlex.join([sys.executable, str(browser), str(found), "%s"])
    with started("view", song, temporary=temporary, BROWSER=command) as process:
        assert "#view&token=" in process.first
        assert process.end() == 0
    # A ticket is no token, and works once.
    assert json.loads(found.read_text()) == [403, 401, 200, 403, [200, {"name": "song.wav"}]]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["serve", "--port", "70000"], 2, "--port: 70000 is not allowed"),
        (["serve", "--token", "short"], 2, "--token: give 8 or more"),
        (["serve", "--token", "with a space"], 2, "--token: give 8 or more"),
        (["serve", "--max-upload-mb", "0"], 2, "--max-upload-mb: 0"),
        (["serve", "--max-seconds", "nan"], 2, "--max-seconds"),
        (["serve", "--workers", "0"], 2, "--workers: 0"),
        (["serve", "--model", "nowhere"], 2, "--model nowhere: no such folder"),
        (["serve", "--host", "256.0.0.1"], 2, "option --host"),
        (["serve", "--host", "192.0.2.1"], 2, "give an address of this machine (option --host)"),
        (["serve", "--allow-host", "http://music.example/"], 2, "--allow-host: give a host name"),
        (["serve", "--allow-host", "*"], 2, "--allow-host: give a host name"),
        (["view", "nowhere.mp3"], 1, "nowhere.mp3: no such file"),
        (["view", "tests"], 1, "tests: a folder"),
        (["view"], 2, "SONG"),
    ],
)
def test_wrong_arguments(tfkey, arguments: list[str], code: int, words: str) -> None:
    found, _, errors = tfkey(*arguments)
    assert (found, words in errors[-1]) == (code, True), errors
    assert "short" not in errors[-1]


def test_port_that_is_taken(tfkey) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, errors = tfkey("serve", "--port", taken.getsockname()[1])
    assert code == 2
    assert errors[-1].endswith("choose another port or address (option --port)")


def test_network_that_cannot_be_loaded(tmp_path: Path) -> None:
    done = in_subprocess("serve", "--port", "0", "--workers", "2", "--model", tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"tfkey: {tmp_path}: is not an export")
    assert done.stdout == ""


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "python_multipart"])
def test_packages_that_are_not_installed(package: str) -> None:
    script = """
import sys
from scripts.main import main
sys.modules[sys.argv.pop(1)] = None
main()
"""
    for arguments in (["serve"], ["view", "setup.cfg"]):
        command = [sys.executable, "-c", script, package, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        needs = f"needs {package.replace('_', '-')}, which is not installed; run pip install 'tfkey[serve]'"
        assert done.stderr == f"tfkey: {arguments[0]}: {needs}\n"


def test_help_needs_no_package_of_the_extra() -> None:
    script = """
import sys
from scripts.main import main
for command in ("serve", "view"):
    sys.argv = ["tfkey", command, "--help"]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0
heavy = {"starlette", "uvicorn", "python_multipart", "prometheus_client", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
