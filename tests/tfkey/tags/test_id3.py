"""ID3 tags of every form, built byte by byte after their specifications."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import NamedTuple

import mutagen.id3
import pytest
import soundfile

from tests.media import chord, packets
from tests.tfkey.tags.building import (
    FILES,
    ID3V1,
    MIXED_IN_KEY,
    frame,
    named,
    synchsafe,
    tag,
    text,
    unsynchronised,
)
from tfkey.audio.reading import read
from tfkey.tags.key_tags import key_texts, write_key

SYNC = bytes(range(224, 256)) + b"\xff\x00\xff\xe0\xff\xff\x01"
PRIVATE = b"somebody\0" + SYNC
FRAMES = {
    version: [
        frame({2: "TT2"}.get(version, "TIT2"), text("Lied ohne Worte"), version),
        frame({2: "ZZZ"}.get(version, "XYZ1"), b"\x01\x02\x03" + SYNC[:8], version),
        frame({2: "UFI"}.get(version, "PRIV"), PRIVATE, version),
        frame({2: "TP1"}.get(version, "TPE1"), text("夢", 1), version),
    ]
    for version in (2, 3, 4)
}
APE_ITEM = (4).to_bytes(4, "little") + bytes(4) + b"MP3GAIN_MINMAX\0" + b"1,20"
APE_SIZE = (len(APE_ITEM) + 32).to_bytes(4, "little")
APE = (
    b"APETAGEX" + (2000).to_bytes(4, "little") + APE_SIZE + b"\1\0\0\0\0\0\0\xa0" + bytes(8) + APE_ITEM
    + b"APETAGEX" + (2000).to_bytes(4, "little") + APE_SIZE + b"\1\0\0\0\0\0\0\x80" + bytes(8)
)  # fmt: skip
LYRICS_BODY = b"LYRICSBEGININD0000200LYR00005hello"
LYRICS = LYRICS_BODY + b"%06dLYRICS200" % len(LYRICS_BODY)
APPENDED = tag(4, b"".join(FRAMES[4]), 0x10)


class Case(NamedTuple):
    """What is in front of the sound, whose frames must stay as they are, and what is behind the sound."""

    front: bytes
    frames: tuple[bytes, ...]
    end: bytes = b""


def case(version: int, flags: int = 0, extended: bytes = b"", padding: int = 0, end: bytes = b"") -> Case:
    frames = FRAMES[version]
    body = extended + b"".join(frames)
    if flags & 0x80 and version < 4:
        return Case(
            tag(version, unsynchronised(body), flags, padding), tuple(map(unsynchronised, frames)), end
        )
    return Case(tag(version, body, flags, padding), tuple(frames), end)


CRC3 = zlib.crc32(b"".join(FRAMES[3])).to_bytes(4, "big")
CRC4 = synchsafe(zlib.crc32(b"".join(FRAMES[4]) + bytes(50)), 5)
STUFFED4 = [
    frame("TIT2", text("Lied"), 4),
    frame("PRIV", unsynchronised(PRIVATE), 4, 0x02),
    frame("APIC", len(PRIVATE).to_bytes(4, "big") + unsynchronised(PRIVATE), 4, 0x03),
]
OF_ITUNES = [
    b"TIT2" + (200).to_bytes(4, "big") + b"\0\0" + b"\0" + b"x" * 199,
    b"TPE1" + (85).to_bytes(4, "big") + b"\0\0\0" + b"y" * 84,
]
HIDDEN, GARBAGE = b"hidden\0here", b"\x01garbage and more of it"
ODD = [
    frame("TIT2", b"\0abc\0"),  # a terminator that need not be
    frame("APIC", b"\x09\x09"),  # broken
    frame("TPE1", len(text("artist")).to_bytes(4, "big") + zlib.compress(text("artist")), 3, 0x80),
    frame("TALB", b"\x80" + bytes(range(16)), 3, 0x40),  # encrypted
    frame("TCOM", b"\x05" + text("composer"), 3, 0x20),  # of a group
    frame("TIT2", text("one too many")),
    b"CM1 " + (5).to_bytes(4, "big") + b"\0\0\0\0abc",  # as an old iTunes writes it
]
CASES = {
    "nothing": Case(b"", ()),
    "2.2": case(2),
    "2.2 unsynchronised": case(2, 0x80, padding=30),
    "2.3": case(3),
    "2.3 padding": case(3, padding=200),
    "2.3 experimental": case(3, 0x20, padding=200),
    "2.3 unsynchronised": case(3, 0x80),
    "2.3 unsynchronised padding": case(3, 0x80, padding=100),
    "2.3 extended": case(3, 0x40, (6).to_bytes(4, "big") + b"\0\0" + (50).to_bytes(4, "big"), padding=50),
    "2.3 checksum": case(3, 0x40, (10).to_bytes(4, "big") + b"\x80\0" + bytes(4) + CRC3),
    "2.3 checksum unsynchronised": case(3, 0xC0, (10).to_bytes(4, "big") + b"\x80\0" + bytes(4) + CRC3),
    "2.4": case(4, padding=60),
    "2.4 footer": case(4, 0x10),
    "2.4 footer, ID3v1": case(4, 0x10, end=ID3V1),
    "2.4 extended": case(4, 0x40, synchsafe(6) + b"\1\0", padding=60),
    "2.4 checksum": case(4, 0x40, synchsafe(12) + b"\1\x20\5" + CRC4, padding=50),
    "2.4 checksum of update": case(4, 0x40, synchsafe(13) + b"\1\x60\0\5" + CRC4, padding=50),
    "2.4 unsynchronised": Case(tag(4, b"".join(STUFFED4), 0x80, 60), tuple(STUFFED4)),
    "2.4 of iTunes": Case(tag(4, b"".join(OF_ITUNES)), tuple(OF_ITUNES)),
    "odd frames": Case(tag(3, b"".join(ODD), padding=100), tuple(ODD)),
    "extended header that is missing": case(3, 0x40, padding=50),
    "something in the padding": Case(tag(3, FRAMES[3][0] + bytes(20) + HIDDEN), (FRAMES[3][0], HIDDEN)),
    "last frame too long": Case(
        tag(3, b"".join(FRAMES[3][:2]) + frame("PRIV", PRIVATE, size=500)),
        (*FRAMES[3][:2], frame("PRIV", PRIVATE, size=500)),
    ),
    "no frame": Case(tag(3, FRAMES[3][0] + GARBAGE), (FRAMES[3][0], GARBAGE)),
    "two tags": Case(
        tag(3, b"".join(FRAMES[3])) + tag(4, b"".join(FRAMES[4]), 0, 10), (*FRAMES[3], *FRAMES[4])
    ),
    "ID3v1 alone": Case(b"", (), ID3V1),
    "ID3v1 behind": case(3, end=ID3V1),
    "APE alone": Case(b"", (), APE),
    "APE and ID3v1": case(3, end=APE + ID3V1),
    "Lyrics3 and ID3v1": case(4, end=LYRICS + ID3V1),
    "appended": Case(b"", (), APPENDED),
    "appended, ID3v1": Case(b"", (), APPENDED + ID3V1),
    "appended, ID3v1, and in front": case(3, padding=9, end=APPENDED + APE + ID3V1),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "a.mp3"
    soundfile.write(path, chord(0.5, 44100, 2), 44100)
    return path.read_bytes()


def others(path: Path) -> tuple[list[str], list[bytes]]:
    """All frames but the key, by mutagen, which is not what wrote them."""
    tags = mutagen.id3.ID3(path, load_v1=False)
    return sorted(repr(item) for item in tags.values() if item.FrameID != "TKEY"), tags.unknown_frames


@pytest.mark.parametrize("name", CASES)
def test_everything_but_the_key_keeps_its_bytes(tmp_path: Path, sound: bytes, name: str) -> None:
    front, frames, end = CASES[name]
    path = tmp_path / "a.mp3"
    path.write_bytes(front + sound + end)
    old = others(path) if front else ([], [])
    samples, coded = read(path, 44100), packets(path)
    assert key_texts(path) == []
    for key in ("Am", "Gb minor", "12A"):
        assert write_key(path, key, overwrite=True).state == "written"
        data = path.read_bytes()
        assert data.endswith(sound + end)
        tags = data[: -len(sound + end)]
        place = 0
        for raw in frames:
            assert raw in tags[place:]
            place = tags.index(raw, place) + len(raw)
        assert tags[3] == (front[3] if front else 3)
        assert others(path) == old
        assert mutagen.id3.ID3(path)["TKEY"].text == [key]
        assert key_texts(path) == [("TKEY", key)]
        assert (read(path, 44100) == samples).all()
        assert packets(path) == coded
        check_structure(tags)
    if "padding" in name and "something" not in name:
        assert len(data) == len(front + sound + end)


def check_structure(data: bytes) -> None:
    """Lengths, footers and checksums of a tag."""
    version, flags = data[3], data[5]
    size = sum(byte << 7 * (3 - place) for place, byte in enumerate(data[6:10]))
    body = data[10 : 10 + size]
    assert len(body) == size
    if version == 4 and flags & 0x10:
        assert data[10 + size : 20 + size] == b"3DI" + data[3:10]
        assert not body.endswith(b"\0")
    plain = body.replace(b"\xff\0", b"\xff") if flags & 0x80 and version == 3 else body
    if version == 3 and flags & 0x40 and plain[:4] == (10).to_bytes(4, "big"):
        padding = int.from_bytes(plain[6:10], "big")
        content = plain[14 : len(plain) - padding]
        assert not plain[len(plain) - padding :].strip(b"\0")
        assert zlib.crc32(content) == int.from_bytes(plain[10:14], "big")
    if version == 4 and flags & 0x40 and plain[5] & 0x20:
        length = plain[3]
        assert synchsafe(zlib.crc32(plain[length:]), 5) == plain[length - 5 : length]


OBJECT = b"\0application/json\0\0Key\0" + MIXED_IN_KEY.encode()
ZIPPED = named("initialkey", "Cm")
STATED = {
    "several": (3, 0, [frame("TKEY", text("Cm")), frame("TKEY", text("8B"))], [b"TKEY"], ["Cm", "8B"]),
    "UTF-16": (3, 0, [frame("TKEY", text("Cm", 1))], [b"TKEY"], ["Cm"]),
    "named": (3, 0, [frame("TXXX", named("Initial Key", "Cm"))], [b"TXXX", b"TKEY"], ["Cm"]),
    "named in UTF-16": (3, 0, [frame("TXXX", named("KEY", "Cm", 1))], [b"TXXX", b"TKEY"], ["Cm"]),
    "named, unsynchronised": (
        3, 0x80, [unsynchronised(frame("TXXX", named("KEY", "Cm", 1)))], [b"TXXX", b"TKEY"], ["Cm"],
    ),
    "named, unsynchronised 2.4": (
        4, 0x80, [frame("TXXX", unsynchronised(named("KEY", "Cm", 1)), 4, 0x02)], [b"TXXX", b"TKEY"], ["Cm"],
    ),
    "compressed": (
        3, 0, [frame("TXXX", len(ZIPPED).to_bytes(4, "big") + zlib.compress(ZIPPED), 3, 0x80)],
        [b"TXXX", b"TKEY"], ["Cm"],
    ),
    "compressed 2.4": (
        4, 0, [frame("TXXX", synchsafe(len(ZIPPED)) + zlib.compress(ZIPPED), 4, 0x09)],
        [b"TXXX", b"TKEY"], ["Cm"],
    ),
    "of a group": (3, 0, [frame("TKEY", b"\x07" + text("Cm"), 3, 0x20)], [b"TKEY"], ["Cm"]),
    "2.2": (
        2, 0, [frame("TKE", text("Cm"), 2), frame("TXX", named("key", "F"), 2)],
        [b"TKE", b"TXX"], ["Cm", "F"],
    ),
    "two values": (4, 0, [frame("TKEY", text("Cm\0F"), 4)], [b"TKEY"], ["Cm", "F"]),
    "blank": (3, 0, [frame("TKEY", text(" "))], [b"TKEY"], []),
    "off key": (3, 0, [frame("TKEY", text("o"))], [b"TKEY"], ["o"]),
}  # fmt: skip


@pytest.mark.parametrize("name", STATED)
def test_all_that_states_a_key_is_replaced(tmp_path: Path, sound: bytes, name: str) -> None:
    version, flags, stating, names, texts = STATED[name]
    path = tmp_path / "a.mp3"
    other = frame({2: "TT2"}.get(version, "TIT2"), text("title"), version)
    path.write_bytes(tag(version, stating[0] + other + b"".join(stating[1:]), flags, 10) + sound)
    assert [value for _, value in key_texts(path)] == texts
    if texts:
        assert write_key(path, "Am").state == "kept"
    assert write_key(path, "Am", overwrite=True).before == (texts[0] if texts else None)
    assert {value for _, value in key_texts(path)} == {"Am"}
    assert others(path)[0][0].startswith("TIT2")
    data = path.read_bytes()
    assert other in data
    assert data.endswith(sound)
    for key_name in (b"TKEY", b"TKE\0", b"TXXX"):
        if key_name in names:
            assert data[: -len(sound)].count(key_name) == 1
    assert mutagen.id3.ID3(path)["TKEY"].text == ["Am"]


FOREIGN = {
    "Mixed In Key's object": frame("GEOB", OBJECT),
    "Mixed In Key's text": frame("TXXX", named("KEY", MIXED_IN_KEY)),
    "packed in INITIALKEY": frame("TXXX", named("INITIALKEY", MIXED_IN_KEY)),
    "JSON": frame("TXXX", named("KEY", '{"key": "8A"}')),
    "a licence": frame("TXXX", named("KEY", "XJ7-99")),
    "encrypted": frame("TXXX", b"\x80" + named("KEY", "Cm"), 3, 0x40),
    "encrypted key": frame("TKEY", b"\x80" + text("Cm"), 3, 0x40),
    "broken": frame("TXXX", b"\x09KEY\0Cm"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_belongs_to_others_is_no_key_tag(tmp_path: Path, sound: bytes, name: str) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(tag(3, FOREIGN[name] + frame("TIT2", text("title"))) + sound)
    assert key_texts(path) == []
    assert write_key(path, "Am").state == "written"
    assert write_key(path, "Bm", overwrite=True).before == "Am"
    assert key_texts(path) == [("TKEY", "Bm")]
    assert path.read_bytes().count(FOREIGN[name]) == 1


def test_key_of_an_appended_tag_is_followed(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "a.mp3"
    appended = tag(4, FRAMES[4][0] + frame("TKEY", text("Cm"), 4) + FRAMES[4][2], 0x10)
    path.write_bytes(sound + appended + ID3V1)
    assert key_texts(path) == [("TKEY", "Cm")]
    assert write_key(path, "Am").state == "kept"
    assert write_key(path, "F#m", overwrite=True).state == "written"
    assert key_texts(path) == [("TKEY", "F#m")] * 2
    changed = tag(4, FRAMES[4][0] + frame("TKEY", text("F#m"), 4) + FRAMES[4][2], 0x10)
    assert path.read_bytes().endswith(sound + changed + ID3V1)


def test_file_whose_only_tag_is_id3v1(tmp_path: Path) -> None:
    old = (FILES / "id3v1_only.mp3").read_bytes()
    path = tmp_path / "old.mp3"
    path.write_bytes(old)
    assert write_key(path, "Am").state == "written"
    assert path.read_bytes().endswith(old)
    assert mutagen.id3.ID3(path, load_v1=False)["TKEY"].text == ["Am"]
