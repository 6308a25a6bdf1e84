"""Key tags in Ogg: all other packets keep their bytes, and pages stay in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mutagen
import pytest
import soundfile

from tests.media import chord, encode
from tests.tfkey.tags.building import (
    RATE,
    by_ffmpeg,
    comments,
)
from tfkey.audio.reading import read
from tfkey.tags.key_tags import key_texts, write_key


def pages(data: bytes) -> Iterator[tuple[int, bytes, int, bytes, bytes]]:
    """Flags, serial, number, lacing and body of pages; their checksums must be right."""
    place = 0
    while place < len(data):
        assert data[place : place + 4] == b"OggS"
        lacing = data[place + 27 : place + 27 + data[place + 26]]
        end = place + 27 + len(lacing) + sum(lacing)
        page = data[place:end]
        assert checksum(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")
        yield page[5], page[14:18], int.from_bytes(page[18:22], "little"), lacing, page[27 + len(lacing) :]
        place = end


TABLE = []
for _byte in range(256):
    _value = _byte << 24
    for _ in range(8):
        _value = (_value << 1) ^ (0x04C11DB7 if _value & 0x80000000 else 0)
    TABLE.append(_value & 0xFFFFFFFF)


def checksum(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ TABLE[value >> 24 ^ byte]
    return value


def ogg_packets(data: bytes) -> tuple[dict[tuple[bytes, int], list[bytes]], list[bytes]]:
    """The packets of each stream of each link, and all serials; the numbers of pages must be in order."""
    streams: dict[tuple[bytes, int], list[bytes]] = {}
    numbers: dict[tuple[bytes, int], int] = {}
    links: dict[bytes, int] = {}
    half: dict[bytes, bytes] = {}
    for flags, serial, number, lacing, body in pages(data):
        if flags & 2:
            links[serial] = links.get(serial, 0) + 1
            half[serial] = b""
        stream = serial, links[serial]
        assert number == numbers.get(stream, -1) + 1
        numbers[stream] = number
        assert bool(flags & 1) == bool(half[serial])
        place = 0
        for size in lacing:
            half[serial] += body[place : place + size]
            place += size
            if size < 255:
                streams.setdefault(stream, []).append(half[serial])
                half[serial] = b""
    return streams, list(half)


def repaged(data: bytes, extra: int) -> bytes:
    """An Ogg Vorbis file with a comment that fills its page so that ``extra`` more bytes need another."""
    parts = list(pages(data))
    header = parts[1]
    size = next(place + 1 for place, lace in enumerate(header[3]) if lace < 255)
    old = header[4][: sum(header[3][:size])]
    rest, rest_lacing = header[4][len(old) :], header[3][size:]
    room = 255 * (255 - len(rest_lacing)) - 1 - extra
    new = old[:7] + comments(b"A=".ljust(room - 7 - 8 - 4 - 1 - len(b"xiph"), b"x"), vendor=b"xiph") + b"\1"
    assert len(new) == room
    lacing = bytes([255] * (len(new) // 255) + [len(new) % 255]) + rest_lacing
    start = data.index(b"OggS", 4)
    end = start + 27 + len(header[3]) + len(header[4])
    page = data[start : start + 26] + bytes([len(lacing)]) + lacing + new + rest
    page = page[:22] + checksum(page[:22] + bytes(4) + page[26:]).to_bytes(4, "little") + page[26:]
    return data[:start] + page + data[end:]


def vorbis(path: Path, seconds: float = 0.5) -> bytes:
    soundfile.write(path, chord(seconds, RATE, 2), RATE)
    return path.read_bytes()


def two_streams(path: Path) -> None:
    """Two streams of Vorbis side by side, page by page."""
    first, second = vorbis(path, 0.5), vorbis(path, 0.7)
    second = second.replace(second[14:18], b"BBBB")
    units = [list(_raw_pages(data)) for data in (first, second)]
    order = [units[0][0], units[1][0], units[0][1], units[1][1]]
    for pair in zip(units[0][2:], units[1][2:], strict=False):
        order += pair
    order += units[1][len(units[0]) :] + units[0][len(units[1]) :]
    path.write_bytes(b"".join(map(_checked, order)))


def _raw_pages(data: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(data):
        lacing = data[place + 27 : place + 27 + data[place + 26]]
        end = place + 27 + len(lacing) + sum(lacing)
        yield data[place:end]
        place = end


def _checked(page: bytes) -> bytes:
    return page[:22] + checksum(page[:22] + bytes(4) + page[26:]).to_bytes(4, "little") + page[26:]


def chained(path: Path) -> None:
    path.write_bytes(vorbis(path, 0.5) + vorbis(path, 0.4))


def same_serial(path: Path) -> None:
    path.write_bytes(repaged(vorbis(path), 3) * 2)


def without_end(path: Path) -> None:
    *units, last = _raw_pages(repaged(vorbis(path), 3))
    path.write_bytes(b"".join(units) + _checked(last[:5] + bytes([last[5] & ~4]) + last[6:]))


def full_page(path: Path) -> None:
    path.write_bytes(repaged(vorbis(path), 3))


def opus(path: Path) -> None:
    soundfile.write(path, chord(0.5, 48000, 2), 48000, format="OGG", subtype="OPUS")


def ogg_flac(path: Path) -> None:
    encode(path, "flac", chord(0.5, RATE, 2), RATE, container="ogg")


OGGS = [vorbis, opus, ogg_flac, two_streams, chained, same_serial, without_end, full_page]


@pytest.mark.parametrize("make", OGGS)
def test_ogg_packets(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    path = tmp_path / "a.ogg"
    make(path)
    before, order = ogg_packets(path.read_bytes())
    first = next(iter(before))
    assert key_texts(path) == []
    for key in ("Am", "Gb minor", "C"):
        sound = read(path, RATE).tobytes() if make not in (two_streams, without_end) else b""
        old = by_ffmpeg(path) if key == "Am" else ""
        assert write_key(path, key, overwrite=True).state == "written"
        assert old in ("", by_ffmpeg(path))
        assert sound == (read(path, RATE).tobytes() if sound else b"")
        after, order_after = ogg_packets(path.read_bytes())
        assert order_after == order
        assert after.keys() == before.keys()
        for stream, old_packets in before.items():
            new_packets = after[stream]
            if stream == first:
                assert f"INITIALKEY={key}".encode() in new_packets[1]
                assert new_packets[0] == old_packets[0]
                assert new_packets[2:] == old_packets[2:]
            else:
                assert new_packets == old_packets
        assert mutagen.File(path)["initialkey"] == [key]
    if make in (full_page, without_end):
        make(tmp_path / "again.ogg")
        count = len(list(pages((tmp_path / "again.ogg").read_bytes())))
        assert len(list(pages(path.read_bytes()))) == count + 1


def test_page_with_a_wrong_checksum_keeps_it_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    *units, last = _raw_pages(repaged(vorbis(path), 3))
    path.write_bytes(b"".join(units) + last[:22] + b"\1\2\3\4" + last[26:])
    assert write_key(path, "Am").state == "written"
    *_, page = _raw_pages(path.read_bytes())
    assert page[26:] == last[26:]
    assert int.from_bytes(page[22:26], "little") != checksum(page[:22] + bytes(4) + page[26:])
