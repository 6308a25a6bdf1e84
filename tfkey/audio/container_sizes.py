"""What containers of compressed audio and video state about their length in bytes and their protection."""

from __future__ import annotations

from tfkey.audio.headers import ASF, EBML
from tfkey.audio.spans import SpanFile

# 32-bit sizes from here upwards mean that the size is unknown.
_NO_SIZE_32 = 0x7FFFF000
_SEGMENT = b"\x18\x53\x80\x67"
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
# Content Encryption, Extended Content Encryption and Advanced Content Encryption Object.
_ASF_ENCRYPTION = tuple(
    bytes.fromhex(guid)
    for guid in (
        "fbb31122 23bd d211 b4b700a0c955fc6e",
        "14e68a29 2226 174c b935dae07ee9289c",
        "33850543 8169 e649 9b74ad12cb86d58c",
    )
)
_ISO_FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def promised_bytes(stream: SpanFile, size: int) -> int:
    """The length in bytes that a container states; 0 if it does not state one."""
    head = stream.read(1 << 12)
    if head[4:8] in _ISO_FIRST:
        return _end_of_boxes(stream, size)
    if head[:4] == EBML:
        return _end_of_segment(head)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        size = int.from_bytes(head[4:8], "little")
        # Writers to a pipe leave all ones or zero there.
        return size + 8 if 0 < size < _NO_SIZE_32 else 0
    if head[:16] == ASF:
        place = head.find(_ASF_FILE_PROPERTIES)
        # A broadcast does not know its length and sets the first flag.
        if 0 <= place < len(head) - 88 and not head[place + 88] & 1:
            return int.from_bytes(head[place + 40 : place + 48], "little")
    return 0


def _end_of_boxes(stream: SpanFile, size: int) -> int:
    """Where the last box of the top level ends (ISO/IEC 14496-12, 4.2)."""
    place = 0
    while place + 8 <= size:
        stream.seek(place)
        head = stream.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0 or not head[4:8].isascii():
            return size
        if length < 8:
            return 0
        place += length
    return place if place > size else 0


def _end_of_segment(head: bytes) -> int:
    """Where a Matroska file's segment ends (RFC 8794, 4); 0 if its length is unknown."""
    place = head.find(_SEGMENT)
    if place < 0 or len(head) < place + 12:
        return 0
    place += 4
    width = 9 - head[place].bit_length()
    length = int.from_bytes(head[place : place + width], "big") & ((1 << 7 * width) - 1)
    return 0 if length == (1 << 7 * width) - 1 else place + width + length


def is_encrypted_asf(head: bytes) -> bool:
    """Whether the header of an ASF file (WMA, WMV) says that its content is encrypted."""
    return head[:16] == ASF and any(guid in head for guid in _ASF_ENCRYPTION)


def ends_flv(stream: SpanFile, size: int) -> bool:
    """Whether the last packet of an FLV is complete: each packet is followed by its length."""
    stream.seek(max(0, size - 4))
    length = int.from_bytes(stream.read(4), "big")
    if not 11 <= length <= size - 4:
        return False
    stream.seek(size - 4 - length)
    head = stream.read(4)
    return length == 11 + int.from_bytes(head[1:4], "big")
