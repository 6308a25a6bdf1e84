"""Reading and writing elsewhere: whole or not at all, also through faults; errors in one line."""

from __future__ import annotations

import errno
import functools
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.faulty_server import Fault as WebFault
from tests.faulty_server import FaultyServer
from tests.object_store import BUCKET, Fault, ObjectStore, as_environment
from tfkey.errors import AudioError, TfkeyError, UsageError
from tfkey.files import atomic_path, remove_partial, sha256, write_csv, write_text
from tfkey.storage import committed, failures, fetched, files_below, kind_of, located, remove, storage_errors

CONTENT = bytes(range(256)) * 400


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary folder, empty again after each test."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setattr(failures, "_WAITS", (0.0, 0.0, 0.0))
    yield place
    assert not list(place.iterdir())


@pytest.fixture(params=["memory", "s3"])
def root(request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty folder elsewhere."""
    if request.param == "s3":
        request.getfixturevalue("object_store")
        yield located(f"s3://{BUCKET}/folder")
        return
    from fsspec.implementations.memory import MemoryFileSystem

    yield located("memory://folder")
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def test_writing_and_reading(root: Path) -> None:
    path = root / "deep" / "a.b.flac"
    assert kind_of(path) is None
    with atomic_path(path) as partial:
        assert partial.suffix == ".flac"
        assert isinstance(partial, Path)
        partial.write_bytes(b"old")
        assert kind_of(path) is None
    with atomic_path(path) as partial:
        partial.write_bytes(CONTENT)
        assert path.read_bytes() == b"old"
    with fetched(path) as local:
        assert local.suffix == ".flac"
        assert local.read_bytes() == CONTENT
    assert not local.exists()
    assert kind_of(path) == "file"
    assert kind_of(path.parent) == "folder"
    assert sha256(path) == sha256_of(CONTENT)
    write_text(root / "b.txt", "ü\n")
    write_csv(root / "c.csv", ["x"], [[1.5]])
    assert [str(one.relative_to(root)) for one in files_below(root)] == ["b.txt", "c.csv", "deep/a.b.flac"]
    assert (root / "b.txt").read_text(encoding="utf-8") == "ü\n"
    assert (root / "c.csv").read_text() == "x\n1.5\n"
    remove(path)
    remove(path)
    assert kind_of(path) is None


def sha256_of(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_an_error_leaves_the_old_content(root: Path) -> None:
    path = root / "a.txt"
    write_text(path, "old")
    with pytest.raises(KeyError), atomic_path(path) as partial:  # noqa: PT012
        partial.write_text("new")
        raise KeyError
    assert path.read_text() == "old"
    assert [one.name for one in files_below(root)] == ["a.txt"]


def test_a_folder_is_refused(root: Path) -> None:
    with pytest.raises(TfkeyError, match="a folder cannot be written"), committed(root / "a") as partial:
        partial.mkdir()


def test_errors_name_the_original(root: Path) -> None:
    path = root / "a.flac"
    write_text(path, "x")
    with pytest.raises(AudioError) as caught, fetched(path) as local:
        raise AudioError(f"{local}: damaged")
    assert str(caught.value) == f"{path}: damaged"


def test_a_missing_file(root: Path) -> None:
    with pytest.raises(TfkeyError, match=rf"^{root / 'a.flac'}: no such file; check the address$"):
        read(root / "a.flac")


def test_what_a_kill_left_is_removed() -> None:
    root = located("memory://killed")
    write_text(root / "a.txt", "kept")
    (root / ".b.partial.txt").write_text("half")
    remove_partial(root)
    assert [one.name for one in files_below(root)] == ["a.txt"]


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (Fault(status=503), 1), (Fault(status=503), 3), (Fault(status=500), 2), (Fault(cut="before"), 2),
        (Fault(cut="after"), 2), (Fault(cut_after=1000), 2), (Fault(cut_after=0), 2),
    ],
)  # fmt: skip
def test_reading_through_faults(impatient: ObjectStore, fault: Fault, times: int) -> None:
    impatient.write("a.flac", CONTENT)
    impatient.fail(fault, "*a.flac", "GET", times)
    with fetched(located(impatient.url("a.flac"))) as local:
        assert local.read_bytes() == CONTENT
    assert impatient.unused == 0


@pytest.mark.parametrize(
    ("fault", "times"),
    [(Fault(status=503), 1), (Fault(status=503), 3), (Fault(cut="before"), 2), (Fault(cut="after"), 2)],
)
def test_writing_through_faults(impatient: ObjectStore, fault: Fault, times: int) -> None:
    impatient.write("a.bin", b"old")
    impatient.fail(fault, "*a.bin", "PUT", times)
    with atomic_path(located(impatient.url("a.bin"))) as partial:
        partial.write_bytes(CONTENT)
    assert impatient.unused == 0
    assert impatient.contents() == {"a.bin": CONTENT}


def test_a_large_file_becomes_visible_whole(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In several parts, the second of which fails first."""
    content = os.urandom(1 << 20) * 12
    done = threading.Event()
    path = located(object_store.url("a.bin"))
    in_parts = functools.partial(path.fs.put_file, chunksize=5 << 20)  # type: ignore[attr-defined]
    monkeypatch.setattr(path.fs, "put_file", in_parts)  # type: ignore[attr-defined]
    object_store.write("a.bin", b"old")
    object_store.fail(Fault(status=503), "*a.bin", "PUT", skip=1)
    object_store.fail(Fault(hold=done), "*a.bin", "PUT", skip=1)

    def upload() -> None:
        with atomic_path(path) as partial:
            partial.write_bytes(content)

    thread = threading.Thread(target=upload)
    thread.start()
    while not any(request.status == 503 for request in object_store.requests):
        thread.join(0.01)
    assert object_store.contents() == {"a.bin": b"old"}
    done.set()
    thread.join()
    assert object_store.read("a.bin") == content


def test_a_store_that_stays_busy(impatient: ObjectStore) -> None:
    impatient.write("a.flac", CONTENT)
    impatient.fail(Fault(status=503), times=None)
    url = impatient.url("a.flac")
    with pytest.raises(
        TfkeyError, match=rf"^{url}: the storage failed several times \(.*\); try again later$"
    ):
        read(located(url))


@pytest.mark.parametrize(
    ("url", "changes", "message"),
    [
        ("s3://music/none.flac", {}, r"no such file; check the address"),
        ("s3://no-such-bucket/a.flac", {}, r"no such bucket; check the address"),
        ("s3://music/denied.flac", {}, r"access denied \(.*\); check the credentials and their rights"),
        ("s3://x/a.flac", {}, r"(no such bucket|the storage refused).*"),
        ("s3://music/a.flac", {"AWS_ACCESS_KEY_ID": None}, r"no credentials were found; set them .*"),
        ("s3://music/a.flac", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, r"the storage does not answer .*"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_wrong(
    impatient: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    changes: dict[str, str | None],
    message: str,
) -> None:
    impatient.write("denied.flac", CONTENT)
    impatient.fail(Fault(status=403), "*denied.flac", times=None)
    for name, value in changes.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    with as_environment({}):
        path = located(url)
        for act in (lambda: read(path), lambda: kind_of(path), lambda: write_text(path, "x")):
            if url.endswith("none.flac"):
                act = lambda: read(path)  # noqa: E731
            with pytest.raises(TfkeyError) as caught:
                act()
            assert_one_line(str(caught.value), url, message)


def test_a_full_temporary_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(root / "a.flac", "x")
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(root.fs, "get_file", Mock(side_effect=full))  # type: ignore[attr-defined]
    with pytest.raises(
        TfkeyError, match=r"a\.flac: the temporary folder is full \(.*\); set TMPDIR to one with"
    ):
        read(root / "a.flac")


def read(path: Path) -> bytes:
    with fetched(path) as local:
        return local.read_bytes()


def assert_one_line(text: str, url: str, message: str) -> None:
    import re

    assert re.fullmatch(f"{re.escape(url)}: {message}", text)
    assert "test-secret" not in text


@pytest.mark.parametrize(
    "fault",
    [WebFault(status=503), WebFault(status=429), WebFault(cut_after=1000), WebFault(cut_after=0, reset=True)],
)
def test_the_web_is_read_through_faults(fault: WebFault) -> None:
    with FaultyServer({"a b.mp3": CONTENT}) as server:
        server.fail(fault, times=2)
        url = server.url("a b.mp3") + "?token=abc"
        assert read(located(url)) == CONTENT
        assert kind_of(located(url)) == "file"
        with pytest.raises(
            UsageError, match=r"token=\.\.\.: a web server cannot be written to; name a local"
        ):
            write_text(located(url), "x")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, r"no such file; check the address"),
        (403, r"access denied \(403, .*\); check the credentials and their rights"),
        (503, r"the storage failed several times \(503, .*\); try again later"),
        (418, r"the storage refused \(418, .*\); check the address and its rights"),
    ],
)
def test_the_web_refuses(status: int, message: str) -> None:
    with FaultyServer({"a.mp3": CONTENT}) as server:
        server.fail(WebFault(status=status))
        address = server.url("a.mp3")
        with pytest.raises(TfkeyError) as caught:
            read(located(address.replace("//", "//user:pass@")))
        assert_one_line(str(caught.value), address, message)


def test_a_web_server_that_is_not_there() -> None:
    with pytest.raises(TfkeyError, match=r"^http://127.0.0.1:9/a.mp3: the storage does not answer"):
        read(located("http://127.0.0.1:9/a.mp3"))


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), storage_errors(located("memory://a")):
        raise KeyError
    with pytest.raises(FileNotFoundError), storage_errors(Path("a")):
        raise FileNotFoundError
