"""Two runs that write one place elsewhere: one of them is refused, and a killed one is taken over."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.object_store import BUCKET, Fault, ObjectStore
from tfkey.errors import TfkeyError, UsageError
from tfkey.storage import alone_at, files_below, located, locks

GONE = 2**22 + 1
"""No process has this number: it is above the greatest that Linux gives."""


@pytest.fixture(params=["memory", "s3"])
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    if request.param == "s3":
        request.getfixturevalue("object_store")
        yield located(f"s3://{BUCKET}/out/keys.csv")
        return
    from fsspec.implementations.memory import MemoryFileSystem

    yield located("memory://out/keys.csv")
    MemoryFileSystem.store.clear()


def lock_of(place: Path) -> Path:
    return place.parent / ".keys.csv.lock"


def write_lock(place: Path, age: float = 0.0, host: str = "elsewhere", process: int = 1) -> None:
    text = json.dumps({"host": host, "process": process, "token": "theirs", "time": time.time() - age})
    place.fs.makedirs(lock_of(place).parent.path, exist_ok=True)  # type: ignore[attr-defined]
    lock_of(place).write_text(text)


def seconds_of(place: Path) -> float:
    """When the lock was renewed. Read at once: an open file would notice that it changes."""
    return json.loads(place.fs.cat_file(lock_of(place).path))["time"]  # type: ignore[attr-defined]


def test_a_place_is_held_for_the_block(place: Path) -> None:
    with alone_at(place) as holder:
        holder.check()
        assert json.loads(lock_of(place).read_text())["process"] == os.getpid()
        with pytest.raises(TfkeyError, match="this process already writes there"), alone_at(place):
            pass
        holder.check()
        with alone_at(place.with_name("other.csv")):
            pass
    assert list(files_below(place.parent)) == []
    with alone_at(place):
        pass


@pytest.mark.parametrize(
    ("age", "host", "process", "is_refused"),
    [
        (1.0, "elsewhere", 1, True),
        (100.0, "elsewhere", GONE, True),
        (130.0, "elsewhere", 1, False),
        (1.0, socket.gethostname(), os.getppid(), True),
        (1.0, socket.gethostname(), GONE, False),
        (1.0, socket.gethostname(), os.getpid(), False),
    ],
    # Test workers must agree on names, and process numbers differ.
    ids=["elsewhere", "elsewhere late", "elsewhere gone", "here", "here ended", "own"],
)
def test_a_lock_of_another_run(place: Path, age: float, host: str, process: int, is_refused: bool) -> None:
    write_lock(place, age, host, process)
    if is_refused:
        words = rf"^{place}: another run \(process {process} on {host}\) writes there, last seen \d+ s ago;"
        with pytest.raises(TfkeyError, match=words), alone_at(place):
            pass
        assert json.loads(lock_of(place).read_text())["token"] == "theirs"
    else:
        with alone_at(place) as holder:
            holder.check()
        assert not files_below(place.parent)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"{}"])
def test_a_damaged_lock_is_taken_over(place: Path, content: bytes) -> None:
    write_lock(place)
    lock_of(place).write_bytes(content)
    with alone_at(place) as holder:
        holder.check()


def test_a_run_that_lost_its_lock_does_not_write(place: Path) -> None:
    with alone_at(place) as holder:
        write_lock(place)
        with pytest.raises(
            TfkeyError, match=rf"^{place}: another run \(process 1 on elsewhere\) has taken it over"
        ):
            holder.check()
    assert json.loads(lock_of(place).read_text())["token"] == "theirs"


def test_a_lock_that_was_removed_is_held_again(place: Path) -> None:
    with alone_at(place) as holder:
        lock_of(place).unlink()
        holder.check()
        assert lock_of(place).exists()


def test_a_lock_is_renewed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.01)
    with alone_at(place):
        before = seconds_of(place)
        deadline = time.monotonic() + 60
        while seconds_of(place) == before:
            assert time.monotonic() < deadline
    assert not files_below(place.parent)


def test_of_two_at_once_one_is_refused(object_store: ObjectStore) -> None:
    """Both find no lock; the store lets one of them create it."""
    go = threading.Event()
    object_store.fail(Fault(hold=go), "*.lock", "PUT", times=2)
    place = located(object_store.url("keys.csv"))
    outcomes: list[str] = []
    end = threading.Barrier(2)

    def run() -> None:
        try:
            with alone_at(place):
                outcomes.append("held")
                end.wait(30)
        except TfkeyError:
            outcomes.append("refused")
            end.wait(30)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    while object_store.unused:
        time.sleep(0.01)
    go.set()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held", "refused"]


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(cut="before"), Fault(cut="after")])
def test_a_lock_is_taken_through_faults(impatient: ObjectStore, fault: Fault) -> None:
    impatient.fail(fault, "*.lock", "PUT", times=2)
    with alone_at(located(impatient.url("keys.csv"))) as holder:
        holder.check()
    assert impatient.unused == 0
    assert impatient.contents() == {}


def test_a_bucket_without_rights(impatient: ObjectStore) -> None:
    impatient.fail(Fault(status=403), method="PUT", times=None)
    url = impatient.url("keys.csv")
    with (
        pytest.raises(TfkeyError, match=rf"^{url}: access denied \(AccessDenied on purpose\.\); check"),
        alone_at(located(url)),
    ):
        pass


def test_the_web_cannot_be_written() -> None:
    with (
        pytest.raises(UsageError, match="a web server cannot be written to"),
        alone_at(located("https://e.org/a")),
    ):
        pass
