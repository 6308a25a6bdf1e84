"""Playlists and lists of paths as other programs write them."""

from __future__ import annotations

import contextlib
import inspect
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tfkey.audio.finding import list_files
from tfkey.audio.playlists import looks_like_audio, parse_playlist, read_playlist, split_list
from tfkey.errors import DataError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")

UMLAUT = "Björk – Jóga.mp3"
WINDOWS = "#EXTM3U\r\n#EXTINF:1,a\r\nMusic\\song.mp3\r\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder ``home/bob/Music`` with songs, in which playlists are written; it is current."""
    music = tmp_path / "home" / "bob" / "Music"
    names = [
        "song.mp3",
        UMLAUT,
        "sub/100% #1? x.mp3",
        "夢.mp3",
        "Music/song.mp3",
        "Жар-птица.mp3",
        "two  .mp3 ",
    ]
    for name in names:
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).touch()
    for name in (b"caf\xe9.mp3", b"\x96\xb2 sjis.mp3"):
        (music / os.fsdecode(name)).touch()
    monkeypatch.chdir(music)
    return music


# The text of a playlist, and the file that its one entry is found in.
FOUND = {
    "UTF-8 with a mark": (b"\xef\xbb\xbf" + UMLAUT.encode(), UMLAUT),
    "UTF-16 LE": (b"\xff\xfe" + WINDOWS.encode("utf-16-le"), "Music/song.mp3"),
    "UTF-16 BE": (b"\xfe\xff" + WINDOWS.encode("utf-16-be"), "Music/song.mp3"),
    "UTF-16 LE without a mark": (f"{UMLAUT}\n".encode("utf-16-le"), UMLAUT),
    "UTF-16 BE without a mark": ("夢.mp3\r\n".encode("utf-16-be"), "夢.mp3"),
    "UTF-16 cut in the middle": (b"\xff\xfe" + "song.mp3\n".encode("utf-16-le") + b"a", "song.mp3"),
    "UTF-16 with a NUL at the end": ("\ufeffsong.mp3\n\0".encode("utf-16-le"), "song.mp3"),
    "UTF-32": ("夢.mp3\n".encode("utf-32"), "夢.mp3"),
    "Windows-1252": (UMLAUT.encode("cp1252"), UMLAUT),
    "Latin-1 list, Latin-1 name": ("café.mp3".encode("latin-1"), os.fsdecode(b"caf\xe9.mp3")),
    "UTF-8 list, Latin-1 name": ("café.mp3".encode(), os.fsdecode(b"caf\xe9.mp3")),
    "UTF-16 list, Latin-1 name": ("café.mp3\n".encode("utf-16"), os.fsdecode(b"caf\xe9.mp3")),
    "UTF-8 list, Shift JIS name": ("夢 sjis.mp3".encode(), os.fsdecode(b"\x96\xb2 sjis.mp3")),
    "Cyrillic": ("Жар-птица.mp3".encode("cp1251"), "Жар-птица.mp3"),
    "KOI8": ("Жар-птица.mp3".encode("koi8-r"), "Жар-птица.mp3"),
    "CR": (b"#EXTM3U\rsong.mp3\r", "song.mp3"),
    "spaces around": (b" \tsong.mp3  ", "song.mp3"),
    "spaces that are part of it": (b"two  .mp3 ", "two  .mp3 "),
    "padded with NUL": (b"song.mp3\0\0\r\n\0\0", "song.mp3"),
    "escapes": (b"sub/100%25%20%231%3F%20x.mp3", "sub/100% #1? x.mp3"),
    "per cent": (b"sub/100% #1? x.mp3", "sub/100% #1? x.mp3"),
    "URL": (b"file://{folder}/sub/100%25%20%231%3F%20x.mp3", "sub/100% #1? x.mp3"),
    "URL of a host": (b"FILE://localhost{folder}/song.mp3", "song.mp3"),
    "URL with one slash": (b"file:{folder}/song.mp3", "song.mp3"),
    "URL without escapes": (b"file://{folder}/sub/100% #1? x.mp3", "sub/100% #1? x.mp3"),
    "URL with a fragment": (b"file://{folder}/song.mp3#t=10", "song.mp3"),
    "URL in Latin-1": (b"file://{folder}/Bj%F6rk%20%96%20J%F3ga.mp3", UMLAUT),
    "relative URL": (b"file:sub/100%25%20%231%3f%20x.mp3", "sub/100% #1? x.mp3"),
    "Windows": (b".\\Music\\..\\song.mp3", "song.mp3"),
    "drive": (b"C:\\home\\bob\\Music\\song.mp3", "song.mp3"),
    "drive of another place": (b"D:\\Users\\Bob\\Music\\sub\\100% #1? x.mp3", "sub/100% #1? x.mp3"),
    "root of a drive": (b"\\Music\\song.mp3", "Music/song.mp3"),
    "URL of a drive": (b"file:///C:/Users/Bob/Music/song.mp3", "song.mp3"),
    "URL of a drive, old style": (b"file:///C|/Users/Bob/Music/song.mp3", "song.mp3"),
    "URL of a drive with backslashes": (b"file://C:\\Users\\Bob\\Music\\song.mp3", "song.mp3"),
    "PLS": (
        b"[playlist]\nNumberOfEntries=1\nFile1=song.mp3\nTitle1=A song\nLength1=-1\nVersion=2\n",
        "song.mp3",
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_entry_is_found_in_every_spelling(folder: Path, case: str) -> None:
    content, name = FOUND[case]
    Path("list.m3u").write_bytes(content.replace(b"{folder}", os.fsencode(folder)))
    (entry,) = read_playlist(Path("list.m3u"))
    assert entry.path is not None
    assert entry.path.samefile(name)


# The entry of a playlist, and the name that its failure carries.
MISSING = {
    b"gone.mp3": "gone.mp3",
    "schön.mp3".encode("cp1252"): "schön.mp3",
    b"C:\\Music\\gone.mp3": "C:\\Music\\gone.mp3",
    b"E:\\song.mp3.\\": "E:\\song.mp3.\\",
    b"file:///no/where.mp3": "/no/where.mp3",
    b"\x81\x8d.mp3": "\x81\x8d.mp3",
    b"x" * 5000: "x" * 5000,
    b"<asx version='3'>": "<asx version='3'>",
}


@pytest.mark.parametrize("line", MISSING)
def test_missing_entry_is_named_and_the_rest_goes_on(folder: Path, line: bytes) -> None:
    Path("list.m3u").write_bytes(line + b"\nsong.mp3\n")
    listing = list_files([Path("list.m3u")])
    named = [str(path) for path in listing.files] + [name for name, _ in listing.failures]
    assert sorted(named) == sorted([MISSING[line], "song.mp3"])


def test_addresses_are_left_out(folder: Path) -> None:
    addresses = ["http://radio.example/a b.mp3", "HTTPS://x.example/", "mms://old.example", "rtsp://x:80/é"]
    Path("list.m3u8").write_text("\n".join([*addresses, "song.mp3"]))
    listing = list_files([Path("list.m3u8")])
    assert listing.files == [Path("song.mp3")]
    assert [name for name, _ in listing.failures] == addresses
    assert all("in list.m3u8: an address, not a file" in reason for _, reason in listing.failures)


def test_pls_is_read_in_the_order_of_its_numbers(folder: Path) -> None:
    lines = ["[Playlist]", "file10=sub\\100% #1? x.mp3", "File2 = 夢.mp3", "FILE1=song.mp3", "Title2=x"]
    Path("list.pls").write_text("\r\n".join(lines), "utf-16")
    listing = list_files([Path("list.pls")])
    assert [str(path) for path in listing.files] == ["song.mp3", "夢.mp3", "sub/100% #1? x.mp3"]
    # A list of the other kind under this suffix.
    Path("list.pls").write_text("#EXTM3U\nsong.mp3\n")
    assert list_files([Path("list.pls")]).files == [Path("song.mp3")]


def test_list_by_a_link_begins_where_it_lies(folder: Path) -> None:
    desk = folder.parent / "Desk"
    desk.mkdir()
    (folder / "list.m3u").write_text("song.mp3\nbeside the link.mp3\ngone.mp3\n")
    (desk / "beside the link.mp3").touch()
    (desk / "song.mp3").touch()
    (desk / "link.m3u").symlink_to("../Music/list.m3u")
    found = list_files([desk / "link.m3u"]).files
    assert found[0].samefile(folder / "song.mp3")
    assert found[1].samefile(desk / "beside the link.mp3")
    assert os.path.normpath(found[2]) == str(folder / "gone.mp3")


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Called, it leaves Python room for 150 more calls in one another."""
    limit = sys.getrecursionlimit()
    yield lambda: sys.setrecursionlimit(len(inspect.stack()) + 150)
    sys.setrecursionlimit(limit)


def test_lists_in_lists(folder: Path, shallow: Callable[[], None]) -> None:
    """Circles, what is named again and again, and more levels than Python may call."""
    shallow()
    for number in range(200):
        deeper = f"{number + 1}.m3u\n"
        Path(f"{number}.m3u").write_text(f"{deeper}0.m3u\n{deeper}")
    Path("200.m3u").write_text("song.mp3\n")
    listing = list_files([Path("0.m3u"), Path("7.m3u")])
    assert (listing.files, listing.failures) == ([Path("song.mp3")], [])


def test_folders_in_folders(tmp_path: Path, shallow: Callable[[], None]) -> None:
    deepest = tmp_path.joinpath(*["d"] * 200)
    deepest.mkdir(parents=True)
    (deepest / "a.wav").touch()
    shallow()
    assert list_files([tmp_path]).files == [deepest / "a.wav"]


@pytest.mark.parametrize(
    "content",
    [
        b"ID3\x04\x00" + bytes(2000),
        bytes(range(256)) * 8,
        b"\xff\xfe" + b"\1\0" * 1000,
        b"song.mp3\0song.mp3\0x",
    ],
)
def test_binary_data_is_no_playlist(folder: Path, content: bytes) -> None:
    Path("list.m3u").write_bytes(content)
    with pytest.raises(DataError, match=r"^list.m3u: is .*, not a playlist; "):
        read_playlist(Path("list.m3u"))
    listing = list_files([Path("list.m3u"), Path("song.mp3")])
    assert listing.files == [Path("song.mp3")]
    assert [name for name, _ in listing.failures] == ["list.m3u"]


def test_names_that_seem_to_be_something_else_are_kept(folder: Path) -> None:
    """What is there in the bytes as they are is never read as a mark or a line's end."""
    names = [
        b"\xef\xbb\xbfmark.wav",
        b"return.wav\r",
        b"ID3 tags.wav",
        b"RIFF.wav",
        b"MAC Miller.wav",
        b"\x01.wav",
    ]
    for name in names:
        Path(os.fsdecode(name)).touch()
    for null, end in ((False, b"\n"), (True, b"\0")):
        content = end.join(names) + end
        assert not looks_like_audio(content)
        assert [os.fsencode(path) for path in split_list(content, null=null)] == names


def test_damaged_lists_end_in_errors_of_their_own(folder: Path) -> None:
    """Whatever the bytes are, there are entries or one error."""
    source = random.Random(1)
    seeds = [content for content, _ in FOUND.values()]
    for _ in range(2000):
        content = bytearray(
            source.choice(seeds) + source.choice([b"\r\n", b"\0", b""]) + source.choice(seeds)
        )
        for _ in range(source.randrange(6)):
            content[source.randrange(len(content))] = source.choice(b"\0\n\r%\\/:\xff\xfe\x80#[=f")
        with contextlib.suppress(DataError):
            for entry in parse_playlist(bytes(content), Path("list.m3u")):
                assert entry.path is None or os.fsencode(entry.path)
        with contextlib.suppress(DataError):
            split_list(bytes(content), null=source.random() < 0.2)
