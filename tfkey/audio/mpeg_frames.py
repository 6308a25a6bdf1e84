"""Frames of MPEG audio (MP3 and its older layers) and of AAC in ADTS, as far as needed to recognise them."""

from __future__ import annotations

from dataclasses import dataclass

# kbit/s by index, for the layers I, II and III of MPEG-1 and for I and II or III of MPEG-2 (ISO/IEC 11172-3,
# 13818-3). Index 0 is a free rate: a frame with it does not state its length.
_RATES = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = (44100, 48000, 32000)


@dataclass(frozen=True)
class Frame:
    """The header of one frame.

    Attributes:
        length: the length of the frame in bytes.
        samples: the number of samples per channel.
        sample_rate: in Hz.
        kind: ``"mp3"`` for all layers of MPEG audio, or ``"aac"``.
        form: the bits of the header that do not change between the frames of one stream.
    """

    length: int
    samples: int
    sample_rate: int
    kind: str
    form: int


def frame(content: bytes, place: int = 0) -> Frame | None:
    """Read the header of a frame; None if there is no header, or it does not state the frame's length."""
    head = content[place : place + 7]
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        index = head[2] >> 2 & 15
        if length < 7 or index > 12:
            return None
        rates = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
        return Frame(length, 1024, rates[index], "aac", (head[1] & 0xFE) << 8 | head[2] & 0xFD)
    version = {3: 1, 2: 2, 0: 4}.get(head[1] >> 3 & 3, 0)  # MPEG-1, -2 and -2.5 by their divisor
    layer, rate, sampling = 4 - (head[1] >> 1 & 3), head[2] >> 4, head[2] >> 2 & 3
    if not version or layer == 4 or rate in (0, 15) or sampling == 3:
        return None
    bits = _RATES[min(version, 2), layer][rate] * 1000
    hertz = _SAMPLE_RATES[sampling] // version
    padding = head[2] >> 1 & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and version > 1 else 1152
    length = (12 * bits // hertz + padding) * 4 if layer == 1 else samples // 8 * bits // hertz + padding
    return Frame(length, samples, hertz, "mp3", (head[1] & 0xFE) << 8 | head[2] & 0x0C)


def kind(content: bytes, frames: int = 3) -> str:
    """``"mp3"`` or ``"aac"`` if content begins with this many frames of one form, or consists of fewer."""
    place, first = 0, None
    for number in range(frames):
        if number and place >= len(content):
            break
        found = frame(content, place)
        if found is None or (first and (found.kind, found.form) != (first.kind, first.form)):
            return "unknown"
        first = first or found
        place += found.length
    return first.kind if first else "unknown"


def has_frame(content: bytes) -> bool:
    """Whether some bytes contain a complete frame of MPEG audio."""
    place = content.find(b"\xff")
    while place >= 0:
        found = frame(content, place)
        if found is not None and found.kind == "mp3" and place + found.length <= len(content):
            return True
        place = content.find(b"\xff", place + 1)
    return False


def ends_in_frame(content: bytes) -> bool:
    """Whether the last frame of a stream is incomplete.

    Args:
        content: the last bytes of the stream, several frames long.
    """
    place = content.find(b"\xff")
    while place >= 0:
        if kind(content[place:]) != "unknown":
            while (found := frame(content, place)) is not None:
                place += found.length
            return place > len(content)
        place = content.find(b"\xff", place + 1)
    return False


def announced(content: bytes) -> tuple[float, int]:
    """The length that the first frame of an MP3 states, in seconds and in bytes; 0 if it does not state it.

    Some encoders write it there, in a Xing (LAME: Info) or VBRI header.
    """
    first = frame(content)
    if first is None or first.kind != "mp3":
        return 0.0, 0
    head = content[: first.length]
    place = max(head.find(b"Xing", 0, 64), head.find(b"Info", 0, 64))
    count = size = 0
    if place >= 0:
        flags, place = int.from_bytes(head[place + 4 : place + 8], "big"), place + 8
        if flags & 1:
            count, place = int.from_bytes(head[place : place + 4], "big"), place + 4
        if flags & 2:
            size = int.from_bytes(head[place : place + 4], "big")
    elif head[36:40] == b"VBRI":
        size, count = int.from_bytes(head[46:50], "big"), int.from_bytes(head[50:54], "big")
    return count * first.samples / first.sample_rate, size
