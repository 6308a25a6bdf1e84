"""Targets: what recognises audio files and finds their sound, in tfkey.audio."""

from __future__ import annotations

import io
import struct
from pathlib import Path

from tfkey.audio import chunks, container_sizes, headers, joined, mpeg, ogg
from tfkey.audio.spans import Span


class Counting(io.BytesIO):
    """A file in memory that refuses to be read over and over: no reader needs its bytes a hundred times."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.left = 100 * len(data) + (8 << 20)

    def read(self, size: int | None = -1) -> bytes:
        part = super().read(size)
        self.left -= len(part) + 16
        assert self.left > 0, "the bytes of the file are read again and again"
        return part


def check_head(data: bytes) -> None:
    """The audio lies within the file, and so do the parts that were joined."""
    stream = Counting(data)
    head = headers.read_head(stream, len(data))
    assert head.start >= 0
    assert head.end <= len(data)
    assert head.content == data[head.start : head.start + headers.HEAD_BYTES]
    for kind in (head.kind, "flac", "vorbis"):
        whole = headers.Head(kind, min(head.start, head.end), head.end, head.content)
        before = 0
        for start, end in joined.find_parts(stream, whole):
            assert before <= start <= end <= len(data)
            headers.part_head(stream, start, end)
            before = end


def check_chunks(data: bytes) -> None:
    """The samples lie within the file, and a new header in front of them agrees with them."""
    stream = Counting(data)
    head = headers.read_head(stream, len(data))
    for kind in {head.kind} | ({"wav", "w64", "aiff", "au", "caf"} if head.kind == "unknown" else set()):
        whole = headers.Head(kind, head.start, head.end, head.content)
        samples = chunks.find_samples(stream, whole)
        if samples is None:
            continue
        assert samples.start >= 0
        assert samples.end <= len(data)
        assert samples.missing_seconds >= 0
        assert samples.stated_seconds >= 0
        if samples.header and samples.start <= samples.end:
            made = samples.header + data[samples.start : samples.end]
            stream = Counting(made)
            again = chunks.find_samples(stream, headers.read_head(stream, len(made)))
            if again is not None:
                assert again.end <= len(made)


def check_mpeg(data: bytes) -> None:
    """Frames have a length, and numbers are no less than nothing."""
    found = mpeg.frame(data)
    assert found is None or (found.length > 0 and found.samples > 0 and found.sample_rate > 0)
    assert mpeg.kind(data) in ("mp3", "aac", "unknown")
    mpeg.has_frame(data)
    seconds, size = mpeg.announced(data)
    assert seconds >= 0
    assert size >= 0


def check_ogg(data: bytes) -> None:
    """The chained files begin in order, within the file."""
    stream = Counting(data)
    for start in (0, min(3, len(data))):
        head = headers.Head("ogg", start, len(data), data[start : start + headers.HEAD_BYTES])
        ogg.read_tail(stream, head)
        starts = ogg.find_links(stream, head)
        assert starts == sorted(set(starts))
        assert all(start <= place < len(data) for place in starts)


def check_containers(data: bytes) -> None:
    """A length is stated, or is not."""
    span = Span(Counting(data), 0, len(data))
    assert container_sizes.promised_bytes(span.open(), span.size) >= 0
    container_sizes.ends_flv(span.open(), span.size)
    container_sizes.is_encrypted_asf(data)


def wav(sound: bytes, coding: int = 1, size: int | None = None, extra: bytes = b"") -> bytes:
    """A WAV file, of 16 bits at 8 kHz."""
    form = b"fmt " + struct.pack("<IHHIIHH", 16, coding, 1, 8000, 16000, 2, 16)
    body = form + extra + b"data" + struct.pack("<I", len(sound) if size is None else size) + sound
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def aiff(sound: bytes, kind: bytes = b"AIFF", extra: bytes = b"") -> bytes:
    """An AIFF file, of 16 bits at 44.1 kHz."""
    common = struct.pack(">HIH", 1, len(sound) // 2, 16) + bytes.fromhex("400eac44000000000000")
    common += b"NONE\0\0" if kind == b"AIFC" else b""
    body = kind + b"COMM" + struct.pack(">I", len(common)) + common + extra
    body += b"SSND" + struct.pack(">III", len(sound) + 8, 0, 0) + sound
    return b"FORM" + struct.pack(">I", len(body)) + body


def page(number: int, flags: int, body: bytes, serial: bytes = b"ser1") -> bytes:
    """An Ogg page; its checksum is left out."""
    lacing = b"\xff" * (len(body) // 255) + bytes([len(body) % 255])
    head = b"OggS\0" + bytes([flags]) + bytes(8) + serial + number.to_bytes(4, "little") + bytes(4)
    return head + bytes([len(lacing)]) + lacing + body


MP3 = (b"\xff\xf3\x14\xc4" + bytes(20)) * 3
XING = b"\xff\xfb\x10\xc4" + bytes(32) + b"Xing\0\0\0\3\0\0\0\x20\0\0\x40\0" + bytes(52)
AAC = (b"\xff\xf1\x50\x40\x02\x1f\xfc" + bytes(9)) * 7
OGG = page(0, 2, b"\x01vorbis" + bytes(22)) + page(1, 0, b"\x03vorbis" + bytes(9)) + page(2, 4, bytes(40))
FLAC = b"fLaC\0\0\0\x22" + bytes(34) + b"\x84\0\0\x08" + bytes(8) + b"\xff\xf8\xc9\x18" + bytes(20)
MP4 = (
    b"\0\0\0\x10ftypM4A \0\0\0\0"
    + b"\0\0\0\x18moov\0\0\0\x10udta\0\0\0\x08meta"
    + b"\0\0\0\x10mdat"
    + bytes(8)
)
MATROSKA = b"\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01\x18\x53\x80\x67\x01\0\0\0\0\0\0\x20" + bytes(32)
FLV = b"FLV\x01\x04\0\0\0\x09\0\0\0\0\x08\0\0\x05\0\0\0\0\0\0\0" + bytes(5) + b"\0\0\0\x10"
AVI = b"RIFF\x20\0\0\0AVI LIST\x14\0\0\0hdrlavih" + bytes(16)
PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
ASF = (
    headers.ASF
    + (142).to_bytes(8, "little")
    + b"\1\0\0\0\1\2"
    + PROPERTIES
    + (104).to_bytes(8, "little")
    + bytes(80)
)
APE = b"APETAGEX\xd0\x07\0\0\x20\0\0\0\0\0\0\0\0\0\0\x80" + bytes(8)
LYRICS = b"LYRICSBEGININD0000200000031LYRICS200"
ID3 = b"ID3\3\0\0\0\0\0\x0a" + bytes(10)
ID3V1 = b"TAG" + bytes(125)
SOUND = bytes(range(64))
W64 = (
    headers.W64 + bytes(8) + b"wave" + bytes(12)
    + b"fmt " + bytes(12) + struct.pack("<QHHIIHH", 40, 1, 1, 8000, 16000, 2, 16)
    + b"data" + bytes(12) + struct.pack("<Q", 24 + 64) + SOUND
)  # fmt: skip
CAF = (
    b"caff\0\1\0\0desc" + struct.pack(">qd4sIIIII", 32, 8000.0, b"lpcm", 0, 2, 1, 1, 16)
    + b"data" + struct.pack(">qI", 68, 0) + SOUND
)  # fmt: skip
AU = b".snd" + struct.pack(">5I", 24, 64, 3, 8000, 1) + SOUND
FILES = [
    MP3, XING + MP3, AAC, OGG, OGG + OGG, FLAC, FLAC + FLAC, MP4, MATROSKA, FLV, AVI, ASF, W64, CAF, AU,
    wav(SOUND), wav(SOUND, size=0), wav(SOUND, size=0xFFFFFFFF), wav(SOUND, extra=b"LIST\2\0\0\0ab"),
    wav(MP3, coding=0x55), aiff(SOUND), aiff(SOUND, b"AIFC"), aiff(SOUND, extra=b"NAME\0\0\0\2ab"),
]  # fmt: skip


def seeds() -> list[bytes]:
    """Files of all kinds, with tags around some."""
    around = [ID3 + MP3 + ID3V1, ID3 + MP3 + APE + ID3V1, MP3 + LYRICS + ID3V1, ID3 + FLAC, b"junk" + FLAC]
    return [*FILES, *around]


def chunk_seeds() -> list[bytes]:
    """Files that consist of chunks."""
    return [data for data in FILES if data[:4] in (b"RIFF", b"FORM", b"riff", b"caff", b".snd")]


def beginning(*magic: bytes) -> list[bytes]:
    """Those of the files that begin so."""
    return [data for data in FILES if data.startswith(magic)]


def whole_file(name: str) -> Path:
    """A small file of another program's."""
    return Path(__file__).parents[1] / "data" / "files" / name
