"""Where the samples of WAV, AIFF, AU, CAF and W64 files really are, whatever their headers state.

Recorders that crash, writers to a pipe and careless programs leave sizes that are zero, all ones, or wrong.
This module walks the chunks. If their sizes agree with the file, the file is decoded as it is; otherwise it
is decoded behind a new header that states what is there.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import IO, Literal

from tfkey.audio.chunk_reading import Samples, chunk_at, extent, find_chunk, is_name
from tfkey.audio.headers import Head, read_at

# SoX, FFmpeg and others write 32-bit sizes from here upwards if they do not know the size.
_NO_SIZE_32 = 0x7FFFF000
_NO_SIZE_64 = 1 << 62
_PCM = {1, 3, 6, 7}
_EXTENSIBLE = 0xFFFE
_MOST_FORMAT_BYTES = 1 << 10
# Uncompressed AIFC: a frame is one sample per channel.
_AIFC_PLAIN = (b"NONE", b"twos", b"sowt", b"fl32", b"FL32", b"fl64", b"FL64", b"in24", b"in32", b"raw ",
               b"ulaw", b"ULAW", b"alaw", b"ALAW")  # fmt: skip
_FASTEST = 1e9


def find_samples(stream: IO[bytes], head: Head) -> Samples | None:
    """Find the samples of a file; None if it has another format or no usable header."""
    walk = {"wav": _wav, "w64": _w64, "aiff": _aiff, "au": _au, "caf": _caf}.get(head.kind)
    try:
        return walk(stream, head) if walk else None
    except (struct.error, IndexError, ZeroDivisionError, OverflowError):
        return None


def _wav(stream: IO[bytes], head: Head) -> Samples | None:
    order: Literal["little", "big"] = "big" if head.content[:4] == b"RIFX" else "little"
    place, is_regular, wide, form = head.start + 12, not head.start, 0, b""
    while place + 8 <= head.end:
        name, size = chunk_at(stream, place, order)
        if name == b"data":
            break
        if name == b"fmt ":
            form = read_at(stream, place + 8, min(size, _MOST_FORMAT_BYTES))
        elif name == b"ds64":
            wide = int.from_bytes(read_at(stream, place + 16, 8), "little")
        following = place + 8 + size + (size & 1)
        if not is_name(read_at(stream, following, 4)):
            # The pad byte is missing, or the size is wrong.
            is_regular = False
            following = place + 8 + size
            if not size & 1 or not is_name(read_at(stream, following, 4)):
                following = find_chunk(
                    stream, (b"data",) if form else (b"fmt ", b"data"), place + 4, head.end
                )
        if following <= place:
            return None
        place = following
    else:
        return None
    if len(form) < 16:
        return None
    coding, _, rate, per_second, align = struct.unpack(
        ("<" if order == "little" else ">") + "HHIIH", form[:14]
    )
    if coding == _EXTENSIBLE and len(form) >= 26:
        coding = int.from_bytes(form[24:26], order)
    start, stated = place + 8, size
    if size == 0xFFFFFFFF and 0 < wide < _NO_SIZE_64:
        stated = wide
    elif size >= _NO_SIZE_32 and start + size > head.end:
        stated = 0
    unknown = not stated and start < head.end
    end = extent(stream, start, head.end, stated, order)
    unknown = unknown and end > start
    found = Samples(
        start,
        end,
        None if unknown else stated,
        float(rate * align if coding in _PCM else per_second),
        coding,
    )
    if is_regular and stated == end - start:
        return found
    return dataclasses.replace(found, header=_riff(form, end - start, order))


def _riff(form: bytes, size: int, order: Literal["little", "big"] = "little") -> bytes:
    """The header of a WAV, or of an RF64 (EBU Tech 3306) if the samples are too long for WAV."""
    form += b"\0" * (len(form) & 1)
    pack = ("<" if order == "little" else ">") + "I"
    body = b"fmt " + struct.pack(pack, len(form)) + form
    if size + len(body) + 20 < 0xFFFFFFFF:
        magic = b"RIFF" if order == "little" else b"RIFX"
        whole = struct.pack(pack, 4 + len(body) + 8 + size + (size & 1))
        return magic + whole + b"WAVE" + body + b"data" + struct.pack(pack, size)
    wide = struct.pack("<QQQI", 4 + 36 + len(body) + 8 + size, size, 0, 0)
    ones = b"\xff" * 4
    return b"RF64" + ones + b"WAVE" + b"ds64" + struct.pack("<I", 28) + wide + body + b"data" + ones


def _w64(stream: IO[bytes], head: Head) -> Samples | None:
    place, form = head.start + 40, b""
    while place + 24 <= head.end:
        content = read_at(stream, place, 24)
        name, size = content[:4], int.from_bytes(content[16:24], "little")
        if name == b"data":
            break
        if name == b"fmt ":
            form = read_at(stream, place + 24, min(size - 24, _MOST_FORMAT_BYTES))
        if size < 24 or not is_name(name):
            return None
        place += (size + 7) // 8 * 8
    else:
        return None
    coding, _, rate, per_second, align = struct.unpack("<HHIIH", form[:14])
    if coding == _EXTENSIBLE and len(form) >= 26:
        coding = int.from_bytes(form[24:26], "little")
    start, stated = place + 24, size - 24
    unknown = stated <= 0 or stated >= _NO_SIZE_64
    behind = start + (stated + 7) // 8 * 8
    end = head.end
    if not unknown and behind <= end and (behind + 24 > end or is_name(read_at(stream, behind, 4))):
        end = start + stated
    found = Samples(
        start, end, None if unknown else stated, float(rate * align if coding in _PCM else per_second), coding
    )
    if not head.start and stated == end - start:
        return found
    return dataclasses.replace(found, header=_riff(form, end - start))


def _aiff(stream: IO[bytes], head: Head) -> Samples | None:
    place, common, regular = head.start + 12, b"", not head.start
    while place + 8 <= head.end:
        name, size = chunk_at(stream, place, "big")
        if name == b"SSND":
            break
        if name == b"COMM":
            common = read_at(stream, place + 8, min(size, 64))
        following = place + 8 + size + (size & 1)
        if not is_name(read_at(stream, following, 4)):
            regular, following = False, place + 8 + size
            if not size & 1 or not is_name(read_at(stream, following, 4)):
                following = find_chunk(
                    stream, (b"SSND",) if common else (b"COMM", b"SSND"), place + 4, head.end
                )
        if following <= place:
            return None
        place = following
    else:
        return None
    if len(common) < 18:
        return None
    channels, frames, bits = struct.unpack(">HIH", common[:8])
    compression = common[18:22] if head.content[8:12] == b"AIFC" else b"NONE"
    if compression not in _AIFC_PLAIN:
        return None
    offset = int.from_bytes(read_at(stream, place + 8, 4), "big")
    start, stated, width = place + 16 + offset, size - 8 - offset, channels * ((bits + 7) // 8)
    unknown = size < 8 + offset or size >= _NO_SIZE_32
    end = head.end if unknown else extent(stream, start, head.end, stated, "big")
    if unknown and 0 < frames * width < _NO_SIZE_32:
        unknown, stated, regular = False, frames * width, False
    rate = _extended(common[8:18])
    found = Samples(start, end, None if unknown else stated, rate * width)
    if regular and not unknown and frames and stated // width == frames and stated == end - start:
        return found
    count = (end - start) // width
    common = common[:2] + struct.pack(">I", count) + common[6:]
    common += b"\0" * (len(common) & 1)
    body = head.content[8:12] + (b"FVER\0\0\0\x04\xa2\x80\x51\x40" if head.content[8:12] == b"AIFC" else b"")
    body += b"COMM" + struct.pack(">I", len(common)) + common
    body += b"SSND" + struct.pack(">III", count * width + 8 & 0xFFFFFFFF, 0, 0)
    whole = struct.pack(">I", min(len(body) + count * width, 0xFFFFFFFF))
    return dataclasses.replace(found, header=b"FORM" + whole + body)


def _extended(ten: bytes) -> float:
    """An 80-bit floating-point number (IEEE 754), as AIFF stores sample rates."""
    exponent, mantissa = struct.unpack(">HQ", ten)
    return float(mantissa) * 2.0 ** ((exponent & 0x7FFF) - 16383 - 63)


def _au(stream: IO[bytes], head: Head) -> Samples | None:
    order = ">" if head.content[:1] == b"." else "<"
    offset, stated, coding, rate, channels = struct.unpack(order + "5I", head.content[4:24])
    # Sun's numbers: mu-law, linear with 8 to 32 bits, float, double, A-law.
    width = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}.get(coding, 0)
    if not width:
        return None
    start, end = head.start + offset, head.end
    unknown = not stated or stated >= _NO_SIZE_32
    found = Samples(start, end, None if unknown else stated, float(rate * channels * width))
    if not head.start and stated == end - start:
        return found
    size = min(end - start, 0xFFFFFFFF)
    header = head.content[:4] + struct.pack(order + "5I", 24, size, coding, rate, channels)
    return dataclasses.replace(found, header=header)


def _caf(stream: IO[bytes], head: Head) -> Samples | None:
    place, form = head.start + 8, b""
    while place + 12 <= head.end:
        content = read_at(stream, place, 12)
        name, size = content[:4], int.from_bytes(content[4:], "big", signed=True)
        if name == b"data":
            break
        if name == b"desc":
            form = read_at(stream, place + 12, 32)
        if size < 0 or not is_name(name):
            return None
        place += 12 + size
    else:
        return None
    rate, codec, _, width = struct.unpack(">d4sII", form[:20])
    if codec not in (b"lpcm", b"ulaw", b"alaw") or not width:
        return None
    # The first four bytes count edits.
    start, stated = place + 16, size - 4
    unknown = stated <= 0 or stated >= _NO_SIZE_64
    end = head.end
    behind = start + stated
    if not unknown and behind <= end and (behind + 12 > end or is_name(read_at(stream, behind, 4))):
        end = behind
    # A damaged rate may be any float, including negative ones and NaN.
    per_second = rate * width if 0 < rate < _FASTEST else 0.0
    found = Samples(start, end, None if unknown else stated, per_second)
    if not head.start and stated == end - start:
        return found
    body = b"caff\0\1\0\0" + b"desc" + struct.pack(">q", 32) + form
    return dataclasses.replace(found, header=body + b"data" + struct.pack(">qI", end - start + 4, 0))
