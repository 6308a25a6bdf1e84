"""Tags built byte by byte after their specifications, and what must not change when a key is written."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.media import packets
from tfkey.audio.reading import read
from tfkey.tags.key_tags import write_key

FILES = Path(__file__).parents[2] / "data" / "files"
RATE = 44100
MIXED_IN_KEY = "eyJrZXkiOiI4QSIsInNvdXJjZSI6Im1peGVkaW5rZXkiLCJhbGdvcml0aG0iOjk0fQ=="
"""What Mixed In Key keeps in ``KEY``: JSON with the key 8A."""


def written(path: Path, key: str = "Am", *, referee: bool = False, **options: bool) -> str:
    """Write a key; coded and decoded sound must stay the same, by PyAV and, as a referee, by FFmpeg."""

    def heard() -> tuple[bytes, bytes, str]:
        return packets(path), read(path, RATE).tobytes(), by_ffmpeg(path) if referee else ""

    before = heard()
    state = write_key(path, key, **options).state
    assert heard() == before
    return state


def by_ffmpeg(path: Path) -> str:
    """Hashes of the decoded sound and of all coded streams; nothing where the program is not installed."""
    if not shutil.which("ffmpeg"):
        return ""
    command = f"ffmpeg -v error -i {path} -map 0:a -f md5 pipe:1 -map 0 -c copy -f streamhash pipe:1"
    return subprocess.run(command.split(), capture_output=True, text=True, check=False).stdout


def synchsafe(size: int, length: int = 4) -> bytes:
    return bytes(size >> 7 * place & 127 for place in reversed(range(length)))


def unsynchronised(data: bytes) -> bytes:
    out = bytearray()
    for place, byte in enumerate(data):
        out.append(byte)
        following = data[place + 1] if place + 1 < len(data) else None
        if byte == 0xFF and (following is None or following >= 0xE0 or following == 0):
            out.append(0)
    return bytes(out)


def frame(name: str, content: bytes, version: int = 3, flags: int = 0, size: int | None = None) -> bytes:
    length = len(content) if size is None else size
    if version == 2:
        return name.encode() + length.to_bytes(3, "big") + content
    coded = synchsafe(length) if version == 4 else length.to_bytes(4, "big")
    return name.encode() + coded + bytes([0, flags]) + content


def tag(version: int, body: bytes, flags: int = 0, padding: int = 0) -> bytes:
    head = bytes([version, 0, flags]) + synchsafe(len(body) + padding)
    footer = b"3DI" + head if flags & 0x10 else b""
    return b"ID3" + head + body + bytes(padding) + footer


def text(value: str, coding: int = 0) -> bytes:
    return bytes([coding]) + value.encode({0: "latin-1", 1: "utf-16", 3: "utf-8"}[coding])


def named(name: str, value: str, coding: int = 0) -> bytes:
    codec, end = {0: ("latin-1", b"\0"), 1: ("utf-16", b"\0\0"), 3: ("utf-8", b"\0")}[coding]
    return bytes([coding]) + name.encode(codec) + end + value.encode(codec)


def comments(*items: bytes, vendor: bytes = b"reference libFLAC 1.3") -> bytes:
    head = len(vendor).to_bytes(4, "little") + vendor + len(items).to_bytes(4, "little")
    return head + b"".join(len(item).to_bytes(4, "little") + item for item in items)


ID3V1 = (
    b"TAG"
    + b"title".ljust(30, b"\0")
    + b"artist".ljust(60, b"\0")
    + b"1984"
    + b"comment".ljust(30, b"\0")
    + b"\x07"
)
