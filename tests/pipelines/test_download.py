from __future__ import annotations

import contextlib
import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.download import Downloaded, DownloadSettings, DownloadState, Item, download
from tests.faulty_server import HTML, Fault, FaultyServer, http_date
from tfkey.errors import TfkeyError

LENGTH = 300_000
CONTENT = random.Random(0).randbytes(LENGTH)
OTHER = random.Random(1).randbytes(LENGTH)
FAST = DownloadSettings(timeout_seconds=20, retries=2, backoff_seconds=0.01)
ROOT = Path(__file__).parents[2]

Serve = Callable[..., FaultyServer]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with contextlib.ExitStack() as stack:
        yield lambda **files: stack.enter_context(
            FaultyServer({f"{name}.mp3": content for name, content in files.items()} or {"a.mp3": CONTENT})
        )


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


def item(*servers: FaultyServer, checksum: str | None = md5(CONTENT), size: int | None = None) -> Item:
    return Item("a.mp3", tuple(server.url("a.mp3") for server in servers), checksum, size)


def get(folder: Path, *items: Item, settings: DownloadSettings = FAST) -> Downloaded:
    return download(items, folder, workers=2, settings=settings)


def only_reason(report: Downloaded) -> str:
    assert not report.paths
    (failure,) = report.failures
    assert "\n" not in failure.reason
    return failure.reason


def half_size(folder: Path) -> int:
    half = folder / ".a.mp3.part"
    return half.stat().st_size if half.exists() else 0


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if not path.name.startswith("."))


EVERY_FAULT = {
    "cut": Fault(cut_after=100_000),
    "cut at once": Fault(cut_after=0),
    "reset": Fault(cut_after=100_000, reset=True),
    "cut, no ranges": Fault(cut_after=100_000, ignore_range=True),
    "cut, wrong bytes": Fault(cut_after=100_000, wrong_bytes=True),
    "cut chunks": Fault(cut_after=100_000, chunked=True),
    "cut, no length": Fault(cut_after=100_000, until_close=True),
    "cut, no validators": Fault(cut_after=100_000, no_validators=True),
    "cut, weak etag": Fault(cut_after=100_000, weak_etag=True),
    "cut, wrong range": Fault(cut_after=100_000, shift_range=10),
    "404": Fault(status=404),
    "403": Fault(status=403),
    "410": Fault(status=410),
    "204": Fault(status=204),
    "408": Fault(status=408),
    "429": Fault(status=429, retry_after="0"),
    "500": Fault(status=500),
    "503": Fault(status=503, retry_after="0"),
    "503, nonsense": Fault(status=503, retry_after="tomorrow, perhaps"),
    "503, for a year": Fault(status=503, retry_after=str(365 * 86400)),
    "no ranges": Fault(ignore_range=True),
    "wrong bytes": Fault(wrong_bytes=True),
    "web page": Fault(html=True),
    "stall": Fault(stall_after=100_000),
    "stall at once": Fault(stall_after=0),
    "length too big": Fault(extra_length=10),
    "length too small": Fault(extra_length=-10),
    "chunks": Fault(chunked=True),
    "no length": Fault(until_close=True),
    "changing": Fault(cut_after=100_000, then=OTHER),
}


WITH_KNOWN_SIZE = [
    "cut",
    "no ranges",
    "wrong bytes",
    "web page",
    "length too big",
    "length too small",
    "chunks",
]


@pytest.mark.parametrize(
    ("name", "size"), [(name, None) for name in EVERY_FAULT] + [(name, LENGTH) for name in WITH_KNOWN_SIZE]
)
def test_whatever_one_mirror_does_the_file_is_that_of_the_good_one(
    name: str, size: int | None, serve: Serve, tmp_path: Path
) -> None:
    fault = EVERY_FAULT[name]
    bad, good = serve(), serve()
    bad.fail(fault)
    stalls = fault.stall_after is not None
    settings = FAST.model_copy(update={"timeout_seconds": 0.2, "retries": 1} if stalls else {})
    report = get(tmp_path, item(bad, good, size=size), settings=settings)
    assert report.failures == []
    assert report.paths == {"a.mp3": tmp_path / "a.mp3"}
    assert (tmp_path / "a.mp3").read_bytes() == CONTENT
    assert not list(tmp_path.glob(".*.part*"))


@pytest.mark.parametrize(
    "name",
    [
        "cut",
        "reset",
        "cut, no ranges",
        "cut, no validators",
        "cut chunks",
        "408",
        "429",
        "500",
        "503",
        "stall",
    ],
)
def test_trouble_that_passes_is_sat_out(name: str, serve: Serve, tmp_path: Path) -> None:
    server = serve().fail(EVERY_FAULT[name], times=2)
    settings = FAST.model_copy(update={"timeout_seconds": 0.3, "retries": 9} if name == "stall" else {})
    report = get(tmp_path, item(server), settings=settings)
    assert report.failures == []
    assert (tmp_path / "a.mp3").read_bytes() == CONTENT
    assert len(server.requests) == 3 or name == "stall"


def test_a_server_that_cuts_often_gets_there_as_long_as_it_gets_further(serve: Serve, tmp_path: Path) -> None:
    server = serve().fail(Fault(cut_after=50_000))
    assert get(tmp_path, item(server)).failures == []
    assert [request.begin for request in server.requests] == list(range(0, LENGTH, 50_000))
    assert (tmp_path / "a.mp3").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "checksum", [md5(CONTENT), f"SHA256:{hashlib.sha256(CONTENT).hexdigest().upper()}", None]
)
def test_a_half_file_is_resumed_in_a_later_call(checksum: str | None, serve: Serve, tmp_path: Path) -> None:
    server = serve().fail(Fault(cut_after=100_000), times=1)
    settings = FAST.model_copy(update={"retries": 0})
    reason = only_reason(get(tmp_path, item(server, checksum=checksum), settings=settings))
    assert "closed after 100000 bytes" in reason
    assert visible(tmp_path) == []
    report = get(tmp_path, item(server, checksum=checksum))
    assert report.paths["a.mp3"].read_bytes() == CONTENT
    assert report.fetched_bytes == LENGTH - 100_000
    second = server.requests[1]
    assert (second.begin, second.sent, second.status) == (100_000, LENGTH - 100_000, 206)
    assert second.headers["if-range"].startswith('"')


@pytest.mark.parametrize("checksum", [md5(CONTENT), None])
def test_only_a_checksum_lets_another_mirror_go_on(
    checksum: str | None, serve: Serve, tmp_path: Path
) -> None:
    first, second = serve(), serve()
    first.fail(Fault(cut_after=100_000), times=1).fail(Fault(status=404))
    assert get(tmp_path, item(first, second, checksum=checksum)).failures == []
    assert (tmp_path / "a.mp3").read_bytes() == CONTENT
    (request,) = second.requests
    assert request.begin == (100_000 if checksum else 0)
    assert "if-range" not in request.headers


def test_a_bad_first_half_does_not_spoil_a_good_mirror(serve: Serve, tmp_path: Path) -> None:
    bad, good = serve(), serve()
    bad.fail(Fault(cut_after=100_000, wrong_bytes=True), times=1).fail(Fault(status=404))
    assert get(tmp_path, item(bad, good)).failures == []
    assert (tmp_path / "a.mp3").read_bytes() == CONTENT
    assert [request.begin for request in good.requests] == [100_000, 0]


@pytest.mark.parametrize("checksum", [md5(OTHER), None])
@pytest.mark.parametrize(
    "rest", [Fault(), Fault(ignore_if_range=True), Fault(ignore_if_range=True, chunked=True)]
)
@pytest.mark.parametrize("marks", [Fault(), Fault(no_validators=True), Fault(weak_etag=True)])
def test_a_file_that_changes_between_two_requests_is_not_mixed(
    checksum: str | None, rest: Fault, marks: Fault, serve: Serve, tmp_path: Path
) -> None:
    first = Fault(cut_after=100_000, then=OTHER, no_validators=marks.no_validators, weak_etag=marks.weak_etag)
    server = serve().fail(first, times=1).fail(rest)
    assert get(tmp_path, item(server, checksum=checksum)).failures == []
    assert (tmp_path / "a.mp3").read_bytes() == OTHER


def test_a_server_that_promises_too_much_is_forgiven_if_the_checksum_fits(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve().fail(Fault(extra_length=10))
    assert get(tmp_path, item(server)).paths["a.mp3"].read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_another_part_than_was_asked_for_is_not_taken(serve: Serve, tmp_path: Path) -> None:
    server = serve().fail(Fault(cut_after=100_000), times=1).fail(Fault(shift_range=10))
    assert get(tmp_path, item(server, checksum=None)).failures == []
    assert (tmp_path / "a.mp3").read_bytes() == CONTENT
    assert [request.begin for request in server.requests] == [0, 100_000, 0]


@pytest.mark.parametrize("fault", [Fault(chunked=True), Fault(until_close=True)])
def test_a_file_of_unknown_length_needs_no_checksum(fault: Fault, serve: Serve, tmp_path: Path) -> None:
    server = serve().fail(fault)
    assert get(tmp_path, item(server, checksum=None)).paths["a.mp3"].read_bytes() == CONTENT


@pytest.mark.parametrize("checksum", [md5(CONTENT), None])
@pytest.mark.parametrize("size", [LENGTH, None])
def test_a_web_page_in_place_of_the_file_is_told_as_such(
    checksum: str | None, size: int | None, serve: Serve, tmp_path: Path
) -> None:
    server = serve().fail(Fault(html=True))
    reason = only_reason(get(tmp_path, item(server, checksum=checksum, size=size)))
    assert "web page (HTML) instead of the file" in reason
    assert len(server.requests) == 1
    assert visible(tmp_path) == []


def test_a_web_page_that_is_wanted_is_taken(serve: Serve, tmp_path: Path) -> None:
    server = serve().fail(Fault(html=True))
    report = get(
        tmp_path, Item("a.html", (server.url("a.mp3"),), None), Item("b", (server.url("a.mp3"),), md5(HTML))
    )
    assert {name: path.read_bytes() for name, path in report.paths.items()} == {"a.html": HTML, "b": HTML}


def test_a_file_of_another_size_is_not_even_fetched(serve: Serve, tmp_path: Path) -> None:
    first, second = serve(a=CONTENT + bytes(50_000_000)), serve()
    report = get(tmp_path, item(first, second, size=LENGTH))
    assert report.paths["a.mp3"].read_bytes() == CONTENT
    assert report.fetched_bytes == LENGTH


def test_what_is_there_is_not_asked_for_again(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(**{name: CONTENT + name.encode() for name in "abcdef"})
    items = [
        Item(f"{name}/{name}.mp3", (server.url(f"{name}.mp3"),), md5(CONTENT + name.encode()))
        for name in "abcdef"
    ]
    first = get(tmp_path, *items)
    assert list(first.paths) == [item.name for item in items]
    assert len(server.requests) == 6
    # Nothing is read again either: there is nothing to read with.
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "new", None)
        second = get(tmp_path, *items)
    assert (second.paths, second.fetched_bytes) == (first.paths, 0)
    # A time of change alone makes it be read again, other bytes of the same number fetched again.
    os.utime(first.paths["a/a.mp3"], (0, 0))
    first.paths["b/b.mp3"].write_bytes(OTHER + b"b")
    first.paths["c/c.mp3"].unlink()
    with (tmp_path / ".verified.jsonl").open("a") as stream:
        stream.write('\n["d/d.mp3", "md5:')
    assert get(tmp_path, *items).paths == first.paths
    assert sorted(request.path for request in server.requests[6:]) == ["b.mp3", "c.mp3"]
    assert all(first.paths[item.name].read_bytes() == CONTENT + item.name[:1].encode() for item in items)


def test_a_file_that_cannot_be_replaced_by_the_right_one_stays_and_is_told(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "a.mp3").write_bytes(OTHER)
    assert "has other content" in only_reason(get(tmp_path, item(serve().fail(Fault(status=404)))))
    assert (tmp_path / "a.mp3").read_bytes() == OTHER


def test_what_could_not_be_had_is_told_and_the_rest_goes_on(serve: Serve, tmp_path: Path) -> None:
    names = ["good.mp3", "lost.mp3", 'it\'s "quoted" – a name.mp3', "two\nlines.mp3"]
    files = {name: name.encode() * 10 for name in names}
    with FaultyServer(files) as first, FaultyServer(files) as second:
        first.fail(Fault(status=404), "lost*")
        second.fail(Fault(wrong_bytes=True), "lost*").fail(Fault(wrong_bytes=True), "two*")
        items = [Item(name, (first.url(name), second.url(name)), md5(files[name])) for name in names]
        report = get(tmp_path, *items)
    assert list(report.paths) == [name for name in names if name != "lost.mp3"]
    assert all(path.read_bytes() == files[name] for name, path in report.paths.items())
    (failure,) = report.failures
    assert failure.source == "lost.mp3"
    assert (
        f"{first.url('lost.mp3')}: 404 Not Found; {second.url('lost.mp3')}: has the wrong content (md5:"
        in failure.reason
    )
    assert f"put the file at {tmp_path / 'lost.mp3'} yourself" in failure.reason
    assert [request.path for request in first.requests].count("lost.mp3") == 1


@pytest.mark.parametrize(
    ("retry_after", "date", "asked"),
    [
        ("3600", None, 1),
        ("0", None, 3),
        # By the clock here the first has long passed and the second is far off; the server's clock counts.
        (http_date(1e9 + 3600), http_date(1e9), 1),
        (http_date(4e9), http_date(4e9), 3),
        (http_date(1e9), http_date(2e9), 3),
    ],
)
def test_a_server_is_given_the_time_it_asks_for_by_its_own_clock(
    retry_after: str, date: str | None, asked: int, serve: Serve, tmp_path: Path
) -> None:
    busy, other = serve(), serve()
    busy.fail(Fault(status=503, retry_after=retry_after, date=date))
    assert get(tmp_path, item(busy, other)).failures == []
    assert len(busy.requests) == asked


def test_a_wall_clock_that_jumps_hurts_nothing(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = random.Random(0)
    monkeypatch.setattr(time, "time", lambda: jumps.uniform(0, 4e9))
    server = (
        serve().fail(Fault(cut_after=100_000, date=http_date(4e9)), times=1).fail(Fault(status=500), times=1)
    )
    assert get(tmp_path, item(server)).failures == []
    assert [request.begin for request in server.requests] == [0, 100_000, 100_000]


def test_a_dead_server_is_not_asked_for_every_file(serve: Serve, tmp_path: Path) -> None:
    dead, other = serve().fail(Fault(status=500)), serve()
    items = [Item(f"{n}.mp3", (dead.url("a.mp3"), other.url("a.mp3")), md5(CONTENT)) for n in range(6)]
    settings = FAST.model_copy(update={"retries": 1, "give_up_after": 2})
    assert len(download(items, tmp_path, workers=1, settings=settings).paths) == 6
    assert len(dead.requests) == 4
    assert len(other.requests) == 6


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/a.mp3", "Connection refused"),
        ("http://me:secret@127.0.0.1:1/a.mp3", "http://127.0.0.1:1/a.mp3: Connection refused"),
        ("ftp://127.0.0.1/a.mp3", "No connection adapters"),
        ("a.mp3", "Invalid URL"),
        ("http://[1/a.mp3", "not a URL"),
        ("file:///nowhere/a.mp3", "no such file"),
        ("file:///", "no such file"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_and_passed_over(
    url: str, reason: str, serve: Serve, tmp_path: Path
) -> None:
    told = only_reason(get(tmp_path, Item("a.mp3", (url,), None)))
    assert reason in told
    assert "secret" not in told
    assert get(tmp_path, Item("a.mp3", (url, serve().url("a.mp3")), None)).failures == []


def test_files_of_the_own_machine(tmp_path: Path) -> None:
    there = tmp_path / "50% “ünï” #1?.mp3"
    there.write_bytes(CONTENT)
    (tmp_path / "empty.mp3").touch()
    wanted = Item("a.mp3", (there.as_uri(),), md5(CONTENT))
    report = get(tmp_path / "new", wanted, Item("b.mp3", ((tmp_path / "empty.mp3").as_uri(),), None))
    assert report.paths["a.mp3"].read_bytes() == CONTENT
    assert "is empty" in report.failures[0].reason
    there.unlink()
    assert get(tmp_path / "new", wanted).failures == []


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Item("../a.mp3", ("file:///a",), None), "not a name"),
        (Item("/a.mp3", ("file:///a",), None), "not a name"),
        (Item("b/.a.mp3.part", ("file:///a",), None), "not a name"),
        (Item("b//a.mp3", ("file:///a",), None), "not a name"),
        (Item("b\\a.mp3", ("file:///a",), None), "not a name"),
        (Item("\0", ("file:///a",), None), "not a name"),
        (Item("\ud800", ("file:///a",), None), "not a name"),
        (Item("a" * 300, ("file:///a",), None), "not a name"),
        (Item("a.mp3", ("file:///a",), "md5:123"), "is not a checksum"),
        (Item("a.mp3", ("file:///a",), "crc32:00000000"), "is not a checksum"),
        (Item("a.mp3", (), None), "no address"),
        (Item("folder", ("file:///a",), None), "a folder has this name"),
    ],
)
def test_an_item_that_cannot_be_meant_is_left_out(
    wanted: Item, reason: str, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    report = get(tmp_path, wanted, Item("good.mp3", (serve().url("a.mp3"),), md5(CONTENT)))
    assert reason in report.failures[0].reason
    assert visible(tmp_path) == ["folder", "good.mp3"]


def test_two_items_of_one_name_and_different_content_are_both_left_out(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    same = item(server, checksum=md5(CONTENT).upper().replace("MD5", "md5"))
    assert list(get(tmp_path / "1", item(server), same).paths) == ["a.mp3"]
    report = get(tmp_path / "2", item(server), item(server, checksum=md5(OTHER)), item(server, checksum=None))
    assert "different content" in only_reason(report)


def test_progress_ends_with_everything_done(serve: Serve, tmp_path: Path) -> None:
    server = serve(a=CONTENT, b=OTHER, c=b"c").fail(Fault(cut_after=1000, chunked=True), "b*", times=1)
    server.fail(Fault(status=404), "d*")
    items = [Item(f"{name}.mp3", (server.url(f"{name}.mp3"),), None) for name in "abcd"]
    seen: list[DownloadState] = []
    for wanted in (items[:2], items):
        download(wanted, tmp_path, progress=seen.append, settings=FAST)
        last = seen[-1]
        assert last.files_done == last.files_total == len(wanted)
        assert last.done_bytes == last.total_bytes == 2 * LENGTH + (len(wanted) > 2)
    assert seen[0] == DownloadState(0, None, 0, 2, 0.0)
    assert all(0 <= state.files_done <= state.files_total and state.bytes_per_second >= 0 for state in seen)


CHILD = """
import os, signal, sys
from pathlib import Path
from pipelines.download import DownloadSettings, Item, download

url, checksum, folder, moment = sys.argv[1:]
replace = os.replace

def killed(*paths):
    if moment == "after the rename":
        replace(*paths)
    os.kill(os.getpid(), signal.SIGKILL)

if "rename" in moment:
    os.replace = killed
# A shell's background jobs, and what they start, ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings = DownloadSettings(timeout_seconds=60)
download([Item("a.mp3", (url,), checksum or None)], Path(folder), settings=settings)
"""


def start(server: FaultyServer, folder: Path, checksum: str, moment: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, server.url("a.mp3"), checksum, str(folder), moment]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


@pytest.mark.parametrize(
    ("moment", "stall_after", "least"),
    [
        ("before the first byte", 0, 0),
        ("in the middle", 150_000, 131_072),
        ("before the last byte", LENGTH - 1, 262_144),
        ("before the rename", None, LENGTH),
        ("after the rename", None, 0),
    ],
)
def test_after_a_kill_the_rest_only_is_asked_for(
    moment: str, stall_after: int | None, least: int, serve: Serve, tmp_path: Path
) -> None:
    server = serve().fail(Fault(stall_after=stall_after), times=1)
    checksum = md5(CONTENT)
    with start(server, tmp_path, checksum, moment) as child:
        if stall_after is not None:
            wait_until(lambda: server.stalled.is_set() and half_size(tmp_path) >= least)
            child.kill()
        assert child.wait(120) == -signal.SIGKILL
    server.release()
    assert visible(tmp_path) == (["a.mp3"] if moment == "after the rename" else [])
    half = half_size(tmp_path)
    assert half >= least
    assert get(tmp_path, item(server, checksum=checksum)).failures == []
    assert (tmp_path / "a.mp3").read_bytes() == CONTENT
    later = [(request.begin, request.sent) for request in server.requests[1:]]
    assert later == ([(half, LENGTH - half)] if stall_after is not None else [])
    assert not list(tmp_path.glob(".*.part*"))


def test_ctrl_c_does_not_wait_for_a_silent_server(serve: Serve, tmp_path: Path) -> None:
    server = serve().fail(Fault(stall_after=150_000, stall_seconds=300), times=1)
    with start(server, tmp_path, "") as child:
        wait_until(lambda: server.stalled.is_set() and half_size(tmp_path) > 0)
        child.send_signal(signal.SIGINT)
        # The server keeps silent for longer than this.
        assert "KeyboardInterrupt" in child.communicate(timeout=120)[1]
    half = half_size(tmp_path)
    assert get(tmp_path, item(server, checksum=None)).paths["a.mp3"].read_bytes() == CONTENT
    assert server.requests[1].begin == half > 0


def test_a_disk_that_is_full_ends_the_call_and_keeps_what_is_there(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(TfkeyError, match=r"a\.mp3: cannot be written .*free some space") as error:
            get(tmp_path, item(server))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(error.value)
    assert visible(tmp_path) == []
    assert get(tmp_path, item(server)).failures == []
    assert [request.begin for request in server.requests] == [0, 100_000]
    assert (tmp_path / "a.mp3").read_bytes() == CONTENT


def test_a_file_that_will_not_fit_is_not_begun(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=10**9, free=1000))
    with pytest.raises(TfkeyError, match=r"a\.mp3: needs 0\.3 MB"):
        get(tmp_path, item(serve()))
    assert half_size(tmp_path) == 0


def test_a_folder_that_cannot_be_is_named(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(TfkeyError, match="file: cannot be written"):
        get(tmp_path / "file", item(serve()))


def test_two_calls_at_once_fetch_a_file_once(serve: Serve, tmp_path: Path) -> None:
    files = {name: CONTENT + name.encode() for name in "abcdefgh"}
    server = serve(**files)
    items = [Item(f"{name}.mp3", (server.url(f"{name}.mp3"),), md5(files[name])) for name in files]
    reports: list[Downloaded] = []
    threads = [threading.Thread(target=lambda: reports.append(get(tmp_path, *items))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(report.paths) for report in reports] == [8, 8]
    assert len(server.requests) == 8
    assert all((tmp_path / f"{name}.mp3").read_bytes() == content for name, content in files.items())
