"""Key tags in FLAC: all other blocks keep their bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import soundfile
from mutagen.flac import FLAC, Picture

from tests.media import chord
from tests.tfkey.tags.building import (
    ID3V1,
    MIXED_IN_KEY,
    RATE,
    comments,
    frame,
    tag,
    text,
    written,
)
from tfkey.tags.key_tags import key_texts, stated_keys, write_key
from tfkey.tags.vorbis import edit_comments


def blocks(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The blocks of a FLAC file but padding, and the frames."""
    place = data.index(b"fLaC") + 4
    found: list[tuple[int, bytes]] = []
    while True:
        kind, length = data[place], int.from_bytes(data[place + 1 : place + 4], "big")
        found.append((kind & 127, data[place + 4 : place + 4 + length]))
        place += 4 + length
        if kind & 128:
            return [block for block in found if block[0] != 1], data[place:]


def flac(path: Path, *extra: tuple[int, bytes], padding: int | None = None) -> Path:
    """A FLAC file with blocks of one's own behind the first."""
    soundfile.write(path, chord(0.5, RATE, 2), RATE)
    found, frames = blocks(path.read_bytes())
    parts = [found[0], *extra, *([] if padding is None else [(1, bytes(padding))])]
    coded = [
        bytes([kind | (128 if place == len(parts) - 1 else 0)]) + len(content).to_bytes(3, "big") + content
        for place, (kind, content) in enumerate(parts)
    ]
    path.write_bytes(b"fLaC" + b"".join(coded) + frames)
    return path


ODD_ITEMS = (
    b"TITLE=\xe5\xa4\xa2",
    b"artist=one",
    b"ARTIST=two",
    b"LATIN=\xe4\xf6\xfc",
    b"no equals sign",
    b"=",
    b"EMPTY=",
)
PICTURE_BLOCK = struct.pack(">II10sIIIIII", 3, 10, b"image/jpeg", 0, 1, 1, 24, 0, 300) + b"\xff" * 300
APPLICATION, PICTURE = (2, b"ABCDsomething"), (6, PICTURE_BLOCK)


@pytest.mark.parametrize("padding", [None, 0, 5, 4000])
@pytest.mark.parametrize("order", ["comments first", "comments last", "no comments", "comments alone"])
def test_flac_blocks(tmp_path: Path, padding: int | None, order: str) -> None:
    block = (4, comments(*ODD_ITEMS))
    extra = {
        "comments first": [block, APPLICATION, PICTURE],
        "comments last": [APPLICATION, PICTURE, block],
        "no comments": [APPLICATION],
        "comments alone": [block],
    }[order]
    path = flac(tmp_path / "a.flac", *extra, padding=padding)
    before, frames = blocks(path.read_bytes())
    others = [item for item in before if item[0] != 4]
    size = path.stat().st_size
    sound = soundfile.read(path)[0].tobytes()
    assert write_key(path, "Am").state == "written"
    after, frames_after = blocks(path.read_bytes())
    assert frames_after == frames
    assert [item for item in after if item[0] != 4] == others
    (new,) = [content for kind, content in after if kind == 4]
    if order == "no comments":
        assert new == comments(b"INITIALKEY=Am", vendor=b"tfkey")
    else:
        assert new == comments(*ODD_ITEMS, b"INITIALKEY=Am")
    if padding == 4000 and order != "no comments":
        assert path.stat().st_size == size
    assert write_key(path, "Gb minor", overwrite=True).state == "written"
    assert key_texts(path) == [("INITIALKEY", "Gb minor")]
    assert soundfile.read(path)[0].tobytes() == sound
    assert [item for item in blocks(path.read_bytes())[0] if item[0] != 4] == others


def test_flac_of_many_programs(tmp_path: Path) -> None:
    path = flac(tmp_path / "a.flac")
    file = FLAC(path)
    file.add_tags()
    file["title"] = "夢"
    picture = Picture()
    picture.data, picture.mime, picture.type = b"\xff\xd8" + bytes(range(256)) * 300, "image/jpeg", 3
    file.add_picture(picture)
    file.save()
    assert written(path) == "written"
    assert (FLAC(path)["title"], FLAC(path).pictures[0].write()) == (["夢"], picture.write())


@pytest.mark.parametrize("inner", [b"", frame("TKEY", text("Cm"))])
def test_flac_between_id3_tags(tmp_path: Path, inner: bytes) -> None:
    path = flac(tmp_path / "a.flac", (4, comments(b"A=b")))
    whole = path.read_bytes()
    front = tag(3, frame("TIT2", text("title")) + inner, padding=30)
    path.write_bytes(front + whole + ID3V1)
    if inner:
        assert write_key(path, "Am").state == "kept"
    assert write_key(path, "Am", overwrite=True).state == "written"
    data = path.read_bytes()
    assert data.startswith(front.replace(text("Cm"), text("Am")))
    assert data.endswith(blocks(whole)[1] + ID3V1)
    assert blocks(data)[0][1] == (4, comments(b"A=b", b"INITIALKEY=Am"))


MIK = MIXED_IN_KEY
CASES_OF_COMMENTS = [
    ([], "written", [b"INITIALKEY=Am"]),
    ([b"initialkey=Cm"], "kept", [b"initialkey=Am"]),
    ([b"InitialKey=Cm", b"A=b", b"INITIALKEY=8B"], "kept", [b"InitialKey=Am", b"A=b"]),
    ([b"KEY=Cm", b"A=b"], "kept", [b"KEY=Am", b"A=b", b"INITIALKEY=Am"]),
    ([b"KEY=8A (Am)"], "kept", [b"KEY=Am", b"INITIALKEY=Am"]),
    ([b"KEY=" + MIK.encode()], "written", [b"KEY=" + MIK.encode(), b"INITIALKEY=Am"]),
    ([b"KEY=" + MIK.encode(), b"INITIALKEY=8A"], "kept", [b"KEY=" + MIK.encode(), b"INITIALKEY=Am"]),
    ([b"INITIALKEY=" + MIK.encode()], "written", [b"INITIALKEY=Am", b"INITIALKEY=" + MIK.encode()]),
    ([b'KEY={"key": "8A"}'], "written", [b'KEY={"key": "8A"}', b"INITIALKEY=Am"]),
    ([b"KEY=XJ7-99", b"key="], "written", [b"KEY=XJ7-99", b"key=", b"INITIALKEY=Am"]),
    ([b"INITIALKEY=", b"A=b"], "written", [b"INITIALKEY=Am", b"A=b"]),
    ([b"INITIALKEY=what is it"], "kept", [b"INITIALKEY=Am"]),
    ([b"Initial Key=Cm"], "kept", [b"Initial Key=Am", b"INITIALKEY=Am"]),
    ([b"MONKEY=Cm", b"KEYWORDS=C"], "written", [b"MONKEY=Cm", b"KEYWORDS=C", b"INITIALKEY=Am"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "state", "new"), CASES_OF_COMMENTS)
def test_which_comments_are_the_key(tmp_path: Path, old: list[bytes], state: str, new: list[bytes]) -> None:
    path = flac(tmp_path / "a.flac", (4, comments(*old)))
    whole = path.read_bytes()
    change = write_key(path, "Am")
    assert change.state == state
    if state == "kept":
        assert path.read_bytes() == whole
        assert change.before == key_texts(path)[0][1]
        assert write_key(path, "Am", overwrite=True).state == "written"
    assert blocks(path.read_bytes())[0][1] == (4, comments(*new))


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ([b"KEY=" + MIK.encode()], [("KEY", "8A")]),
        ([b"KEY=" + MIK.encode().rstrip(b"=")], [("KEY", "8A")]),
        ([b"KEY=" + MIK.encode(), b"INITIALKEY=Cm"], [("INITIALKEY", "Cm")]),
        ([b"KEY=eyJlbmVyZ3kiOjd9"], []),
        ([b"KEY=off"], [("KEY", "off")]),
        ([b"KEY=off", b"INITIALKEY=C"], [("INITIALKEY", "C")]),
    ],
)
def test_what_a_file_states(tmp_path: Path, old: list[bytes], expected: list[tuple[str, str]]) -> None:
    assert stated_keys(flac(tmp_path / "a.flac", (4, comments(*old)))) == expected


def test_what_is_behind_the_comments_stays() -> None:
    """As in Opus, where programs may keep something there (RFC 7845, 5.2)."""
    behind = b"\1and what nobody expects"
    new = edit_comments(comments(*ODD_ITEMS) + behind, "Am")[1]
    assert new == comments(*ODD_ITEMS, b"INITIALKEY=Am") + behind
