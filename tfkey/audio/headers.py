"""What a file is according to its content: the tags around the audio, and the format between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO

from tfkey.audio import mpeg_frames

HEAD_BYTES = 1 << 14
"""The number of bytes that are read to recognise a file."""

OGG_PAGE = 65307
"""The length of the longest Ogg page in bytes: a header, 255 lengths, 255 times 255 bytes."""

EBML = b"\x1a\x45\xdf\xa3"
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
FLAC_START = re.compile(rb"fLaC[\0\x80]\0\0\x22")
"""What a FLAC begins with: its name, and STREAMINFO of 34 bytes as the first block (RFC 9639)."""

_ISO_FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof")
_MAGIC = {
    b"fLaC": "flac", b".snd": "au", b"dns.": "au", b"caff": "caf", EBML: "matroska", b"FLV\x01": "flv",
    b"wvpk": "wavpack", b"TTA1": "tta", b"MAC ": "ape", b"ADIF": "aac", b"#!AM": "amr", b"\x0b\x77": "ac3",
    b"\x7f\xfe\x80\x01": "dts",
}  # fmt: skip
_RIFF = {b"WAVE": "wav", b"AVI ": "avi"}
# The first four bytes of formats that are searched for if the beginning of a file is not recognised.
_SIGNATURE = re.compile(rb"fLaC|OggS|RIFF|RF64|FORM|caff|ftyp|\xff[\xe2-\xe7\xf0-\xff]|" + re.escape(EBML))
# A tag with a wrong size may hold a large picture.
_SEARCH_BYTES = 1 << 24


@dataclass(frozen=True)
class Head:
    """Where the audio of a file is, and which format it has.

    Attributes:
        kind: a name for the format (``"wav"``, ``"mp3"``, ``"vorbis"`` ...); ``"unknown"`` for all others.
        start: the first byte after the tags in front of the audio.
        end: the first byte of the tags after the audio.
        content: the first bytes from ``start`` on, at most :data:`HEAD_BYTES`.
        is_found: whether the audio was found by a search, as it does not begin where the tags state.
    """

    kind: str
    start: int
    end: int
    content: bytes
    is_found: bool = False


def read_head(stream: IO[bytes], size: int) -> Head:
    """Recognise a file.

    Args:
        stream: the file.
        size: its length in bytes.

    Raises:
        OSError: it cannot be read.
    """
    content = read_at(stream, 0, HEAD_BYTES)
    start = _end_of_tags(stream, content, size)
    if start:
        content = read_at(stream, start, HEAD_BYTES)
    kind, found = kind_of(content), 0
    if kind == "unknown":
        # A tag has a wrong size, or stray bytes precede the audio. The search begins at the start of the tag,
        # as the stated size may be too large.
        found = _search(stream, 10 if start else 1, size)
        if found:
            start, content = found, read_at(stream, found, HEAD_BYTES)
            kind = kind_of(content)
    return Head(kind, start, _start_of_tags(stream, start, size), content, bool(found))


def part_head(stream: IO[bytes], start: int, end: int) -> Head:
    """The head of a part of a file that begins at a known place."""
    content = read_at(stream, start, min(HEAD_BYTES, end - start))
    return Head(kind_of(content), start, _start_of_tags(stream, start, end), content, is_found=True)


def read_at(stream: IO[bytes], place: int, count: int) -> bytes:
    """Up to ``count`` bytes from a place on."""
    stream.seek(place)
    # An unbuffered file may return fewer bytes than there are.
    parts = []
    while count > 0 and (part := stream.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def kind_of(content: bytes) -> str:
    """The format of a file that begins with these bytes."""
    for magic, kind in _MAGIC.items():
        if content.startswith(magic):
            return kind
    if content[:4] == b"OggS" and len(content) > 27:
        # A page may hold video; the names of codecs are in the first pages of streams.
        names = {b"\x01vorbis": "vorbis", b"OpusHead": "opus"}
        packet = content[27 + content[26] :][:8]
        found = [kind for name, kind in names.items() if packet.startswith(name)]
        return found[0] if found else "ogg"
    if content[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return _RIFF.get(content[8:12], "unknown")
    if content[:4] == b"FORM" and content[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if content[:16] == W64:
        return "w64"
    if content[:16] == ASF:
        return "asf"
    if content[4:8] in _ISO_FIRST:
        return "mp4"
    if content[:1] == b"\x47" and content[188:189] == b"\x47" and content[376:377] == b"\x47":
        return "mpegts"
    return mpeg_frames.kind(content)


def _end_of_tags(stream: IO[bytes], content: bytes, size: int) -> int:
    """Where the tags in front of the audio (ID3v2 and APE, any number of them) end."""
    place, head = 0, content
    while True:
        length = 0
        if head[:3] == b"ID3" and len(head) > 10 and head[3] < 0xFF:
            length = 10 + synchsafe(head[6:10]) + (10 if head[5] & 0x10 else 0)
        elif head[:8] == b"APETAGEX":
            length = 32 + int.from_bytes(head[12:16], "little")
        if not length or place + length >= size:
            # A tag longer than the file has a wrong size; the audio is searched for.
            return place + 10 if length else place
        place += length
        head = read_at(stream, place, 4096)
        padding = len(head) - len(head.lstrip(b"\0"))
        # An MP4 begins with the length of its first box, and that begins with zeros.
        if padding > 3 and head[4:8] not in _ISO_FIRST:
            place += padding
            head = head[padding:]


def synchsafe(four: bytes) -> int:
    """An ID3v2 number in four bytes of seven bits; some writers use all eight bits."""
    if any(byte & 0x80 for byte in four):
        return int.from_bytes(four, "big")
    return four[0] << 21 | four[1] << 14 | four[2] << 7 | four[3]


def _search(stream: IO[bytes], place: int, size: int) -> int:
    """Where a known format begins, at or after a place; 0 if none is found."""
    block, overlap = 1 << 20, 1 << 13
    last = min(size, place + _SEARCH_BYTES)
    while place < last:
        content = read_at(stream, place, block + overlap)
        for match in _SIGNATURE.finditer(content, 0, min(block, len(content))):
            found = match.start() - (4 if match[0] == b"ftyp" else 0)
            # Most bytes 0xFF do not begin a frame. Check for a frame before copying what surrounds it.
            if match[0][0] == 0xFF and mpeg_frames.frame(content, found) is None:
                continue
            if found >= 0 and _is_certain(content[found : found + overlap]):
                return place + found
        place += block
    return 0


def _is_certain(content: bytes) -> bool:
    """Whether a format begins here, by more than its first bytes: pictures and text may hold those, too."""
    kind = kind_of(content)
    if kind == "flac":
        return FLAC_START.match(content) is not None
    if kind in ("vorbis", "opus", "ogg"):
        return content[4] == 0 and bool(content[5] & 2)
    if kind in ("mp3", "aac"):
        return mpeg_frames.kind(content, 6) == kind
    return kind in ("wav", "avi", "aiff", "caf", "mp4", "matroska")


def _start_of_tags(stream: IO[bytes], start: int, end: int) -> int:
    """Where the tags after the audio (ID3v1, APE, Lyrics3 and ID3v2.4, any number of them) begin."""
    while True:
        tail = read_at(stream, max(start, end - 160), end - max(start, end - 160))
        length = 0
        if tail[-128:-125] == b"TAG" and len(tail) >= 128:
            length = 128
            if read_at(stream, max(start, end - 355), 4) == b"TAG+":
                length += 227
        elif tail[-32:-24] == b"APETAGEX":
            has_header = tail[-9] & 0x80
            length = int.from_bytes(tail[-20:-16], "little") + (32 if has_header else 0)
        elif tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
            length = int(tail[-15:-9]) + 15
        elif tail[-9:] == b"LYRICSEND":
            text = read_at(stream, max(start, end - 5120), min(5120, end - start))
            length = len(text) - text.rfind(b"LYRICSBEGIN") if b"LYRICSBEGIN" in text else 0
        elif tail[-10:-7] == b"3DI":
            length = 20 + synchsafe(tail[-4:])
        if not 0 < length <= end - start:
            return end
        end -= length
