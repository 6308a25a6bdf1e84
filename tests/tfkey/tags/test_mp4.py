"""Key tags in MP4: all other items keep their bytes, and the sound is found where it is."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mutagen.mp4 import MP4

from tests.media import chord, encode
from tests.tfkey.tags.building import (
    MIXED_IN_KEY,
    RATE,
    written,
)
from tfkey.tags.key_tags import key_texts


def top_boxes(data: bytes) -> list[str]:
    place, found = 0, []
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        found.append(data[place + 4 : place + 8].decode("latin-1"))
        if size == 1:
            size = int.from_bytes(data[place + 8 : place + 16], "big")
        place += size or len(data)
    return found


def m4a(path: Path, **options: Any) -> Path:
    return encode(path, "aac", chord(1, RATE, 2), RATE, **{"container": "mp4"} | options)


def tagged(path: Path, padding: int) -> Path:
    """With tags of iTunes, and free space behind them."""
    file = MP4(m4a(path, movflags="faststart"))
    file["©nam"], file["trkn"] = ["夢"], [(1, 2)]
    file["----:com.apple.iTunes:LABEL"] = [b"None"]
    file.save(padding=lambda _: padding)
    return path


def with_genre(path: Path) -> Path:
    """With an item that tag libraries turn into another one, and one that nobody knows."""
    tagged(path, 0)
    data = path.read_bytes()
    genre = struct.pack(">I4sI4sIIH", 26, b"gnre", 18, b"data", 0, 0, 9)
    odd = struct.pack(">I4sI4sII3s", 27, b"xyz!", 19, b"data", 77, 5, b"\xff\x00\xfe")
    return grown(path, data, genre + odd)


def grown(path: Path, data: bytes, items: bytes) -> Path:
    """Put items behind those of a file in which the movie box is in front, and the sound behind it."""
    place = data.index(b"ilst") - 4
    end = place + int.from_bytes(data[place : place + 4], "big")
    out = bytearray(data[:end] + items + data[end:])
    for name in (b"moov", b"udta", b"meta", b"ilst"):
        start = out.index(name) - 4
        size = int.from_bytes(out[start : start + 4], "big")
        out[start : start + 4] = (size + len(items)).to_bytes(4, "big")
    start = out.index(b"stco")
    for index in range(int.from_bytes(out[start + 8 : start + 12], "big")):
        spot = start + 12 + 4 * index
        out[spot : spot + 4] = (int.from_bytes(out[spot : spot + 4], "big") + len(items)).to_bytes(4, "big")
    path.write_bytes(out)
    return path


def large_sizes(path: Path) -> Path:
    """With a size of 64 bits at the sound."""
    data = tagged(path, 0).read_bytes()
    place = data.index(b"mdat") - 4
    size = int.from_bytes(data[place : place + 4], "big")
    # The sound stays where it is: eight bytes of free space in front of it go.
    assert data[place - 8 : place] == b"\0\0\0\x08free"
    head = b"\0\0\0\1mdat" + (size + 8).to_bytes(8, "big")
    path.write_bytes(data[: place - 8] + head + data[place + 8 :])
    return path


def open_end(path: Path) -> Path:
    """With sound that goes on to the end of the file."""
    data = tagged(path, 0).read_bytes()
    place = data.index(b"mdat") - 4
    path.write_bytes(data[:place] + bytes(4) + data[place + 4 :])
    return path


def free_behind_movie(path: Path) -> Path:
    data = m4a(path, movflags="faststart", movie_timescale="1000").read_bytes()
    place = data.index(b"moov") - 4
    end = place + int.from_bytes(data[place : place + 4], "big")
    out = bytearray(data[:end] + (200).to_bytes(4, "big") + b"free" + bytes(192) + data[end:])
    start = out.index(b"stco")
    for index in range(int.from_bytes(out[start + 8 : start + 12], "big")):
        spot = start + 12 + 4 * index
        out[spot : spot + 4] = (int.from_bytes(out[spot : spot + 4], "big") + 200).to_bytes(4, "big")
    path.write_bytes(out)
    return path


MP4S: dict[str, Callable[[Path], Path]] = {
    "movie last": m4a,
    "movie first": lambda path: m4a(path, movflags="faststart"),
    "free space": lambda path: tagged(path, 2000),
    "free space of just enough": lambda path: tagged(path, 76),
    "free space of too little": lambda path: tagged(path, 79),
    "free space behind the movie": free_behind_movie,
    "odd items": with_genre,
    "64 bits": large_sizes,
    "open end": open_end,
    "fragments": lambda path: m4a(path, movflags="frag_keyframe+empty_moov", frag_duration="200000"),
    "fragments from the movie": lambda path: m4a(
        path, movflags="frag_keyframe+empty_moov+default_base_moof", frag_duration="200000"
    ),
    "fragments with an index": lambda path: m4a(path, movflags="dash+global_sidx", frag_duration="200000"),
    "video": lambda path: m4a(path, video=True, movflags="faststart"),
    "QuickTime": lambda path: m4a(path, container="mov", movflags="faststart"),
}


@pytest.mark.parametrize("name", MP4S)
def test_mp4_boxes(tmp_path: Path, name: str) -> None:
    path = MP4S[name](tmp_path / "a.m4a")
    data = path.read_bytes()
    order = top_boxes(data)
    others = dict(MP4(path).tags or {})
    for key in ("Am", "Gb minor", "C"):
        assert written(path, key, referee=key == "Am", overwrite=True) == "written"
        after = path.read_bytes()
        assert [item for item in top_boxes(after) if item != "free"] == [
            item for item in order if item != "free"
        ]
        tags = dict(MP4(path).tags)
        assert tags.pop("----:com.apple.iTunes:initialkey") == [key.encode()]
        assert tags == others
        assert key_texts(path) == [("initialkey", key)]
        if name == "free space":
            assert len(after) == len(data)
        if name == "odd items":
            assert after.count(b"gnre") == after.count(b"xyz!") == 1


def named(name: str, value: str, owner: str = "com.apple.iTunes") -> bytes:
    def box(kind: bytes, content: bytes) -> bytes:
        return (8 + len(content)).to_bytes(4, "big") + kind + content

    head = box(b"mean", bytes(4) + owner.encode()) + box(b"name", bytes(4) + name.encode())
    return box(b"----", head + box(b"data", (1).to_bytes(4, "big") + bytes(4) + value.encode()))


@pytest.mark.parametrize(
    ("old", "state", "new"),
    [
        (named("INITIALKEY", "Cm"), "kept", named("INITIALKEY", "Am")),
        (named("InitialKey", "Cm") + named("initialkey", "8B"), "kept", named("InitialKey", "Am")),
        (named("KEY", "Cm"), "kept", named("KEY", "Am") + named("initialkey", "Am")),
        (named("key", MIXED_IN_KEY, "com.mixedinkey.mixedinkey"), "written",
         named("key", MIXED_IN_KEY, "com.mixedinkey.mixedinkey") + named("initialkey", "Am")),
        (named("INITIALKEY", "Cm") + named("KEY", MIXED_IN_KEY), "kept",
         named("INITIALKEY", "Am") + named("KEY", MIXED_IN_KEY)),
        (named("initialkey", "Cm", "org.other"), "kept",
         named("initialkey", "Am", "org.other") + named("initialkey", "Am")),
    ],
)  # fmt: skip
def test_which_items_are_the_key(tmp_path: Path, old: bytes, state: str, new: bytes) -> None:
    path = grown(tmp_path / "a.m4a", tagged(tmp_path / "a.m4a", 0).read_bytes(), old)
    assert old in path.read_bytes()
    assert written(path) == state
    assert written(path, overwrite=True) == ("written" if state == "kept" else "kept")
    assert new in path.read_bytes()
    assert old not in path.read_bytes() or old in new
