"""Audio files, folders and playlists in storage elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faulty_server import Fault as WebFault
from tests.faulty_server import FaultyServer
from tests.object_store import Fault, ObjectStore
from tfkey.audio.finding import identity, list_files
from tfkey.audio.playlists import split_list
from tfkey.storage import fetched, located

KEYS = (
    "music/b/2.flac", "music/a/1.mp3", "music/a/notes.txt", "music/.hidden/x.mp3", "music/.y.mp3",
    "music2/3.mp3", "top.MP3",
)  # fmt: skip


@pytest.fixture(params=["memory", "s3"])
def root(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a folder with files."""
    if request.param == "s3":
        store = request.getfixturevalue("object_store")
        for key in KEYS:
            store.write(key, b"x")
        yield store.url().rstrip("/")
        return
    from fsspec.implementations.memory import MemoryFileSystem

    for key in KEYS:
        path = located(f"memory://folder/{key}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    yield "memory://folder"
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def listed(paths: list[str | Path], root: str) -> tuple[list[str], list[tuple[str, str]]]:
    found = list_files(paths)
    return (
        [str(path).removeprefix(f"{root}/") for path in found.files],
        [(name.removeprefix(f"{root}/"), reason) for name, reason in found.failures],
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["music"], ["music/a/1.mp3", "music/b/2.flac"]),
        (["music/"], ["music/a/1.mp3", "music/b/2.flac"]),
        (["music/a"], ["music/a/1.mp3"]),
        ([""], ["music/a/1.mp3", "music/b/2.flac", "music2/3.mp3", "top.MP3"]),
        (
            ["top.MP3", "music2/3.mp3", "music", "top.MP3"],
            ["top.MP3", "music2/3.mp3", "music/a/1.mp3", "music/b/2.flac"],
        ),
        (["music/.hidden"], ["music/.hidden/x.mp3"]),
        (["missing.mp3", "missing"], ["missing.mp3", "missing"]),
        (["music/a/notes.txt"], ["music/a/notes.txt"]),
    ],
)  # fmt: skip
def test_files_and_folders(root: str, names: list[str], expected: list[str]) -> None:
    assert listed([f"{root}/{name}" for name in names], root) == (expected, [])


def test_a_folder_without_audio(root: str) -> None:
    located(f"{root}/texts").mkdir(exist_ok=True)
    located(f"{root}/texts/a.txt").write_text("x")
    reason = "contains no audio files; give a folder with audio files, or the files"
    assert listed([f"{root}/texts"], root) == ([], [("texts", reason)])


def test_a_playlist_elsewhere(root: str) -> None:
    located(f"{root}/music/lists").mkdir(exist_ok=True)
    path = located(f"{root}/music/lists/all.m3u8")
    path.write_text(
        f"#EXTM3U\n../a/1.mp3\n..\\b\\2.flac\n{root}/top.MP3\nnew/ü 100%.mp3\n../a/1.mp3\n"
        "/home/me/4.mp3\nfile:///home/5.mp3\nC:\\6.mp3\nhttp://radio.example/7.mp3\nall.m3u8\n"
    )
    files, failures = listed([str(path)], root)
    assert files == ["music/a/1.mp3", "music/b/2.flac", "top.MP3", "music/lists/new/ü 100%.mp3"]
    assert [name for name, _ in failures] == [
        "/home/me/4.mp3", "file:///home/5.mp3", "C:\\6.mp3", "http://radio.example/7.mp3",
    ]  # fmt: skip
    assert failures[0][1] == (
        f"in {root}/music/lists/all.m3u8: a path on some computer; write it relative to the playlist, or as "
        "a URL"
    )
    assert failures[3][1].endswith("an address, not a file; save its audio to a file")


def test_a_local_playlist_with_files_elsewhere(root: str, tmp_path: Path) -> None:
    (tmp_path / "list.m3u").write_text(f"{root}/top.MP3\nmms://old.example\ngs://b/a.mp3\n{root}/music\n")
    files, failures = listed([tmp_path / "list.m3u"], root)
    assert files == ["top.MP3", "music/a/1.mp3", "music/b/2.flac"]
    assert [name for name, _ in failures] == ["mms://old.example", "gs://b/a.mp3"]
    assert "an address, not a file" in failures[0][1]


def test_a_list_with_urls() -> None:
    content = b"s3://bucket/a b.mp3\r\nfile:///x.mp3\na.mp3\nhttps://e.org/a.mp3?x=1\n"
    expected = ["s3://bucket/a b.mp3", Path("file:///x.mp3"), Path("a.mp3"), "https://e.org/a.mp3?x=1"]
    assert split_list(content) == expected
    assert split_list(content.replace(b"\r\n", b"\0").replace(b"\n", b"\0"), null=True) == expected


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(object_store: ObjectStore) -> None:
    object_store.write("a.mp3", b"x")
    object_store.fail(Fault(status=403), "*denied*", times=None)
    object_store.fail(Fault(status=403), "music", "GET", times=2)
    listing = list_files([
        "nope://u:p@b/a.mp3", object_store.url("a.mp3"), object_store.url("denied"), "s3://no-such-bucket/folder",
        object_store.url("missing.m3u"),
    ])  # fmt: skip
    assert list(map(str, listing.files)) == [object_store.url("a.mp3")]
    reasons = dict(listing.failures)
    assert reasons.keys() == {
        "nope://b/a.mp3", object_store.url("denied"), "s3://no-such-bucket/folder",
        object_store.url("missing.m3u"),
    }  # fmt: skip
    assert reasons["nope://b/a.mp3"].startswith("fsspec does not know the scheme nope://;")
    assert reasons[object_store.url("denied")].startswith("access denied (")
    assert reasons["s3://no-such-bucket/folder"] == "no such bucket; check the address"
    assert reasons[object_store.url("missing.m3u")] == "no such file; check the address"


def test_a_playlist_on_the_web() -> None:
    with FaultyServer({"lists/all.m3u": b"a b.mp3\n../c%20d.mp3\n"}) as server:
        listing = list_files([server.url("lists/all.m3u") + "?token=abc"])
        assert list(map(str, listing.files)) == [server.url("lists/a b.mp3"), server.url("c d.mp3")]
        assert listing.failures == []
        server.fail(WebFault(until_close=True))
        (failure,) = list_files([server.url("lists/all.m3u")]).failures
        assert failure[1] == "a stream of unknown length; save its audio to a file"


def test_identity_is_without_credentials() -> None:
    assert identity("https://me:pw@e.org/a.mp3?sig=1") == identity(located("https://e.org/a.mp3?sig=2"))
    assert identity(located("s3://b/a.mp3")) == "s3://b/a.mp3"


def test_local_files_are_not_asked_about(tmp_path: Path) -> None:
    with fetched(tmp_path / "a.mp3") as local:
        assert local == tmp_path / "a.mp3"
