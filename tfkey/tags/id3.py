"""Setting the key in ID3v2 tags without touching a byte of their other frames.

Tag libraries parse frames and write them anew; those that they do not understand, and the order, are lost.
Formats: ID3v2.3.0 and ID3v2.4.0 (https://id3.org), sections 3 and 4.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

VERSION_OF_NEW_TAGS = 3
"""What every player and car reads; the frame TKEY is the same in 2.4."""

_PADDING = 1024
_FRAME_ID = re.compile(rb"[A-Z0-9]{4}")
_CODINGS = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}
_UNSYNCHRONISED = 0x80


def splice_key(source: Path, target: Path, text: str, is_key_name: Callable[[str], bool]) -> bool:
    """Write ``source`` with another key in the ID3v2 tag at its start over its copy ``target``.

    The frame ``TKEY`` is replaced or added, ``TXXX`` frames that state a key are replaced; all other frames,
    the version of the tag and what follows it stay as they are. A file without a tag gets one.

    Args:
        source: the file.
        target: a copy of it.
        text: the key, in Latin-1.
        is_key_name: whether a ``TXXX`` frame of this description states a key.

    Returns:
        False, and nothing is written, if the tag is one of the rare that cannot be spliced: of version 2.2,
        damaged, with an extended header or footer, or unsynchronised as a whole.
    """
    with source.open("rb") as stream:
        header = stream.read(10)
        version, flags, body = VERSION_OF_NEW_TAGS, 0, b""
        if header[:3] == b"ID3":
            version, flags, size = header[3], header[5], _synchsafe(header[6:])
            # In 2.4 each frame is unsynchronised by itself, and the new one has nothing to be so.
            allowed = _UNSYNCHRONISED if version == 4 else 0
            if version not in (3, 4) or flags & ~allowed or size is None:
                return False
            body = stream.read(size)
            if len(body) < size:
                return False
        else:
            stream.seek(0)
        frames = _split(body, version)
        if frames is None:
            return False
        new = b"".join(_changed(frame, text, is_key_name) for frame in frames)
        new += _frame(b"TKEY", text.encode("latin-1"))
        room = len(body) if len(new) <= len(body) else len(new) + _PADDING
        with target.open("r+b") as out:
            out.write(b"ID3" + bytes([version, 0, flags]) + _as_synchsafe(room) + new.ljust(room, b"\0"))
            if room != len(body) or header[:3] != b"ID3":
                shutil.copyfileobj(stream, out, 1 << 20)
                out.truncate()
    return True


def _split(body: bytes, version: int) -> list[bytes] | None:
    """The frames of a tag, each with its header; None if it cannot be told where they end."""
    if version == 4:
        frames = _walk(body, _synchsafe)
        if frames is not None:
            return frames
    # Also in 2.4 where old versions of iTunes wrote them.
    return _walk(body, lambda size: int.from_bytes(size, "big"))


def _walk(body: bytes, read_size: Callable[[bytes], int | None]) -> list[bytes] | None:
    frames = []
    place = 0
    while place + 10 <= len(body) and body[place]:
        size = read_size(body[place + 4 : place + 8])
        if size is None or not _FRAME_ID.fullmatch(body[place : place + 4]) or place + 10 + size > len(body):
            return None
        frames.append(body[place : place + 10 + size])
        place += 10 + size
    return frames if not body[place:].strip(b"\0") else None


def _changed(frame: bytes, text: str, is_key_name: Callable[[str], bool]) -> bytes:
    """A frame as it is to stand in the new tag: nothing if it is the key."""
    if frame[:4] == b"TKEY":
        return b""
    # A frame with flags for its format may be compressed or encrypted, or begin with other fields.
    if frame[:4] != b"TXXX" or frame[9] or len(frame) < 12:
        return frame
    try:
        name = frame[11:].decode(_CODINGS.get(frame[10], "latin-1"), "replace").partition("\0")[0]
    except UnicodeError:
        return frame
    name = name.lstrip("\ufeff")
    return _frame(b"TXXX", f"{name}\0{text}".encode("latin-1")) if is_key_name(name) else frame


def _frame(name: bytes, content: bytes) -> bytes:
    """A frame of Latin-1 text; up to 127 bytes both versions write sizes alike."""
    return name + (len(content) + 1).to_bytes(4, "big") + b"\0\0" + b"\0" + content


def _synchsafe(size: bytes) -> int | None:
    """A number of seven bits a byte (ID3v2.4.0-structure, 6.2), None if it is none."""
    if len(size) < 4 or max(size) > 127:
        return None
    return sum(byte << 7 * (3 - place) for place, byte in enumerate(size))


def _as_synchsafe(size: int) -> bytes:
    return bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
