"""The frames of ID3v2 tags, as bytes: where each begins and ends, and which of them state the key.

Formats: ID3v2.2.0, ID3v2.3.0 and ID3v2.4.0 (https://id3.org). Tag libraries parse frames and write them
again: the version, the order and frames that they do not understand are lost. This module keeps the bytes of
every frame, including unsynchronisation.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

from tfkey.tags.fields import Field, is_key_name, unpacked

_FRAME_ID = {2: re.compile(rb"[A-Z0-9]{3}"), 3: re.compile(rb"[A-Z0-9]{3}[A-Z0-9 \0]")}
_CODINGS = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}
_TERMINATORS = {0: b"\0", 1: b"\0\0", 2: b"\0\0", 3: b"\0"}
_LONGEST_TEXT = 1 << 20
_TEXT, _NAMED_TEXT, _OBJECT = (b"TKEY", b"TKE"), (b"TXXX", b"TXX"), (b"GEOB", b"GEO")

OWN = "TKEY"


def synchsafe(size: bytes) -> int | None:
    """A number with seven bits per byte (ID3v2.4.0-structure, 6.2); None if it is not such a number."""
    if not size or max(size) > 127:
        return None
    return sum(byte << 7 * (len(size) - 1 - place) for place, byte in enumerate(size))


def as_synchsafe(size: int, length: int = 4) -> bytes:
    """A number, written with seven bits per byte."""
    return bytes(size >> 7 * place & 127 for place in reversed(range(length)))


def unstuffed(data: bytes) -> bytes:
    """Undo unsynchronisation."""
    return data.replace(b"\xff\0", b"\xff")


def stuffed(data: bytes) -> bytes:
    """Unsynchronise (ID3v2.4.0-structure, 6.1)."""
    data = re.sub(rb"\xff(?=[\xe0-\xff\0])", b"\xff\0", data)
    return data + b"\0" if data.endswith(b"\xff") else data


def skip(data: bytes, place: int, count: int, is_stuffed: bool) -> int:
    """The place ``count`` bytes after ``place``, counted before unsynchronisation if ``is_stuffed``."""
    if not is_stuffed:
        return place + count
    while count > 0:
        found = data.find(b"\xff\0", place, place + count + 1)
        if found < 0:
            return place + count
        count -= found - place + 1
        place = found + 2
    return place


def split(data: bytes, version: int, is_stuffed: bool) -> tuple[list[bytes], bytes, bool]:
    """Split the bytes that follow the headers of a tag.

    Returns:
        The frames, each with its header; the rest, usually padding; and whether the rest begins with a frame
        whose end cannot be found.
    """
    if version == 4:
        # Old versions of iTunes write plain sizes even in 2.4.
        tries = [_walk(data, version, is_stuffed=False, read_size=read) for read in (synchsafe, _plain_size)]
        return next((found for found in tries if not found[2]), tries[0])
    return _walk(data, version, is_stuffed, _plain_size)


def _plain_size(size: bytes) -> int:
    return int.from_bytes(size, "big")


def _walk(
    data: bytes, version: int, is_stuffed: bool, read_size: Callable[[bytes], int | None]
) -> tuple[list[bytes], bytes, bool]:
    id_length, header = (3, 6) if version == 2 else (4, 10)
    frames: list[bytes] = []
    place = 0
    while place < len(data) and data[place]:
        start = skip(data, place, header, is_stuffed)
        head = unstuffed(data[place:start]) if is_stuffed else data[place:start]
        if len(head) < header:
            break
        size = read_size(head[id_length : id_length + (3 if version == 2 else 4)])
        if size is None or not _FRAME_ID[min(version, 3)].fullmatch(head[:id_length]):
            return frames, data[place:], True
        end = skip(data, start, size, is_stuffed)
        if end > len(data):
            return frames, data[place:], True
        frames.append(data[place:end])
        place = end
    return frames, data[place:], False


def read_frame(raw: bytes, version: int, is_stuffed: bool, tag_unsynchronised: bool) -> Field:
    """Read a frame if it may state a key; any other becomes a field without a name."""
    frame = unstuffed(raw) if is_stuffed else raw
    frame_id = frame[: 3 if version == 2 else 4]
    if frame_id not in _TEXT + _NAMED_TEXT + _OBJECT:
        return Field(raw)
    content = _content(frame, version, tag_unsynchronised)
    # Encrypted or damaged: its content is unknown.
    if not content or content[0] not in _CODINGS:
        return Field(raw)
    coding = content[0]
    if frame_id in _TEXT:
        return Field(raw, OWN, tuple(_decoded(content[1:], coding).split("\0")))
    if frame_id in _OBJECT:
        rest = content[1:].partition(b"\0")[2]
        _, rest = _parted(rest, coding)
        name, data = _parted(rest, coding)
        title = _decoded(name, coding)
        # Never a key tag: only the content that Mixed In Key packs into it is read.
        text = "" if len(data) > _LONGEST_TEXT else data.decode("utf-8", "replace").strip("\0")
        is_packed = is_key_name(title) and len(text) > 8 and unpacked(text) is not None
        return Field(raw, title, (text,)) if is_packed else Field(raw)
    name, value = _parted(content[1:], coding)
    title = _decoded(name, coding)
    if not is_key_name(title):
        return Field(raw)
    return Field(raw, title, tuple(_decoded(value, coding).split("\0")))


def make_frame(
    name: str, old: Field | None, text: str, version: int, *, is_stuffed: bool, tag_unsynchronised: bool
) -> bytes:
    """A frame that states the key: ``TKEY``, or a replacement of an old frame with its description."""
    if name == OWN or old is None:
        return _frame(b"TKE" if version == 2 else b"TKEY", b"\0" + text.encode("latin-1", "replace"), version)
    frame = unstuffed(old.raw) if is_stuffed else old.raw
    content = _content(frame, version, tag_unsynchronised) or b""
    coding = content[0]
    title, _ = _parted(content[1:], coding)
    if version == 4 and coding == 1 and tag_unsynchronised:
        # The byte order mark would have to be unsynchronised.
        coding, title = 3, _decoded(title, coding).encode("utf-8")
    content = bytes([coding]) + title + _TERMINATORS[coding] + text.encode(_CODINGS[coding], "replace")
    new = _frame(frame[: 3 if version == 2 else 4], content, version)
    return stuffed(new) if is_stuffed else new


def _frame(name: bytes, content: bytes, version: int) -> bytes:
    if version == 2:
        return name + len(content).to_bytes(3, "big") + content
    size = as_synchsafe(len(content)) if version == 4 else len(content).to_bytes(4, "big")
    return name + size + b"\0\0" + content


def _content(frame: bytes, version: int, tag_unsynchronised: bool) -> bytes | None:
    """The content of a frame, with what its flags state undone; None if that is not possible."""
    if version == 2:
        return frame[6:]
    flags, content = frame[9], frame[10:]
    if version == 3:
        encrypted, compressed = flags & 0x40, flags & 0x80
        extra = 4 * bool(compressed) + bool(flags & 0x20)
    else:
        encrypted, compressed = flags & 0x04, flags & 0x08
        extra = bool(flags & 0x40) + 4 * bool(flags & 0x01)
        if flags & 0x02 or tag_unsynchronised:
            content = unstuffed(content)
    if encrypted:
        return None
    content = content[extra:]
    if not compressed:
        return content
    try:
        return zlib.decompressobj().decompress(content, _LONGEST_TEXT)
    except zlib.error:
        return None


def _parted(data: bytes, coding: int) -> tuple[bytes, bytes]:
    """The bytes before a terminator, and those after it."""
    terminator = _TERMINATORS[coding]
    step = len(terminator)
    for place in range(0, len(data) - step + 1, step):
        if data[place : place + step] == terminator:
            return data[:place], data[place + step :]
    return data, b""


def _decoded(data: bytes, coding: int) -> str:
    if coding == 1 and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        # Some programs forget the byte order mark; these write little-endian.
        data = b"\xff\xfe" + data
    return data.decode(_CODINGS[coding], "replace").replace("\ufeff", "")
