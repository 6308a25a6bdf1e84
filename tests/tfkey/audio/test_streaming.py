"""Lists that are read as they go give what lists that are read whole do."""

from __future__ import annotations

import io
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tfkey.audio import streaming
from tfkey.audio.finding import list_files
from tfkey.audio.playlists import read_playlist, split_list
from tfkey.audio.streaming import Seen, iter_files, iter_list
from tfkey.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Audio in folders, links to it, playlists that name each other."""
    music = tmp_path / "music"
    (music / "b").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name in ("a.mp3", "b/c.flac", "b/d.wav", "e.ogg"):
        (music / name).touch()
    (tmp_path / "link.mp3").symlink_to(music / "a.mp3")
    (tmp_path / "one.m3u").write_text(
        "music/a.mp3\n# a comment\n\nmusic/b\ntwo.m3u8\nhttp://radio/x\ngone.mp3\n"
    )
    (tmp_path / "two.m3u8").write_text("music/e.ogg\nlink.mp3\n")
    (tmp_path / "nothing.m3u").touch()
    return tmp_path


@pytest.mark.parametrize("whole_bytes", [1 << 22, 1], ids=["short", "long"])
@pytest.mark.parametrize(
    "names",
    [
        ["music"],
        ["music/e.ogg", "link.mp3", "music", "gone.wav"],
        ["one.m3u", "music"],
        ["two.m3u8", "one.m3u", "two.m3u8"],
        ["empty", "nothing.m3u", "a" * 300],
    ],
)
def test_files_and_failures_are_those_of_a_listing(
    folder: Path, names: list[str], whole_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_WHOLE_BYTES", whole_bytes)
    paths = [folder / name for name in names]
    expected = list_files(paths)
    failures: list[tuple[str, str]] = []
    assert list(iter_files(paths, Seen(), lambda *failure: failures.append(failure))) == expected.files
    # A playlist that is named again is read again; its files are still found once.
    assert dict(failures) == dict(expected.failures)


@pytest.mark.parametrize(
    "content",
    [
        b"a.mp3\nb c.mp3\n", b"a\r\nb\r\n\r\nc", b"\xef\xbb\xbfa\nb", "ä.mp3\nß.mp3".encode("utf-16"),
        "a\nb\n".encode("utf-16-le"), b"\xff\xfen\x00", b"", b"\n\n", b"no end", b"x" * 5000 + b"\ny",
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_lists_are_split_alike(content: bytes, size: int) -> None:
    stream = io.BytesIO(content)
    assert list(iter_list(lambda _: stream.read(size))) == split_list(content)


def test_list_with_nul() -> None:
    stream = io.BytesIO(b"a\nb\0c\0")
    assert list(iter_list(stream.read, null=True)) == [Path("a\nb"), Path("c")]


@pytest.mark.parametrize("content", [b"fLaC\0\0\0\x22" + b"\0" * 50, b"\1\2\3binary\n\4"])
def test_lists_that_are_none(content: bytes) -> None:
    with pytest.raises(DataError):
        list(iter_list(io.BytesIO(content).read))


def test_long_playlist_is_read_as_a_short_one(folder: Path) -> None:
    for name in ("one.m3u", "two.m3u8"):
        path = folder / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
        assert list(streaming.iter_playlist(path)) == read_playlist(path)


def test_names_are_remembered_in_little_memory() -> None:
    seen = Seen()
    tracemalloc.start()
    try:
        assert all(seen.add(f"/music/{number}.flac") for number in range(50_000))
        assert not any(seen.add(f"/music/{number}.flac") for number in range(0, 50_000, 100))
        assert "/music/17.flac" in seen
        assert "/music/x.flac" not in seen
        assert not seen.add("/music/1.flac")
        assert seen.add(os.fsdecode(b"/music/\xff.flac"))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
        seen.close()


def test_a_list_is_not_read_ahead(folder: Path) -> None:
    taken: list[str] = []

    def paths() -> Iterator[Path]:
        for name in ("music/a.mp3", "music/b", "music/e.ogg"):
            taken.append(name)
            yield folder / name

    files = iter_files(paths(), Seen(), lambda *_: None)
    assert next(files) == folder / "music/a.mp3"
    assert taken == ["music/a.mp3"]
    assert next(files) == folder / "music/b/c.flac"
    assert taken == ["music/a.mp3", "music/b"]
