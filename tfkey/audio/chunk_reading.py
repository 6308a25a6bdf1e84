"""Chunks of audio files: their names and sizes, the samples in them, and where these end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Literal

from tfkey.audio.headers import read_at

_SEARCH_BYTES = 1 << 20


@dataclass(frozen=True)
class Samples:
    """Where the samples of a file are.

    Attributes:
        start: the first byte of the samples.
        end: the byte after the last one.
        stated: the number of bytes that the header states; None if it does not state it.
        bytes_per_second: the data rate of the samples; 0.0 if it is not known.
        coding: WAV's number for the coding; 1 for uncompressed samples in other formats.
        header: the bytes to put before the samples; empty if the file is consistent as it is.
    """

    start: int
    end: int
    stated: int | None
    bytes_per_second: float
    coding: int = 1
    header: bytes = b""

    @property
    def missing_seconds(self) -> float:
        """How much of the stated length is missing from the file."""
        if self.stated is None or not self.bytes_per_second:
            return 0.0
        return max(0, self.stated - (self.end - self.start)) / self.bytes_per_second

    @property
    def stated_seconds(self) -> float:
        """The length according to the header; 0.0 if the header does not state it."""
        return (self.stated or 0) / self.bytes_per_second if self.bytes_per_second else 0.0


def extent(stream: IO[bytes], start: int, end: int, stated: int, order: Literal["little", "big"]) -> int:
    """Where the samples in a chunk with a 32-bit size end: at the stated place, or at the end of the file."""
    if stated and start + stated <= end and _only_chunks(stream, start + stated, end, order):
        return start + stated
    if not stated and start < end and _only_chunks(stream, start, end, order):
        return start
    return end


def _only_chunks(stream: IO[bytes], place: int, end: int, order: Literal["little", "big"]) -> bool:
    """Whether only chunks (or zeros) follow the samples, and not more samples."""
    for begin in (place + (place & 1), place):
        while begin + 8 <= end:
            head = read_at(stream, begin, 8)
            if not is_name(head[:4]):
                break
            begin += 8 + int.from_bytes(head[4:], order)
            # The last chunk may be cut.
            begin += begin & 1 if begin + 1 < end else 0
        if begin + 8 > end:
            return True
    rest = read_at(stream, place, min(end - place, 1 << 16))
    return end - place <= 1 << 16 and not rest.strip(b"\0")


def is_name(four: bytes) -> bool:
    """Whether four bytes can be the name of a chunk: printable, and not all blank."""
    return len(four) == 4 and all(0x20 <= byte < 0x7F for byte in four) and four.strip() != b""


def chunk_at(stream: IO[bytes], place: int, order: Literal["little", "big"]) -> tuple[bytes, int]:
    """The name and the size of a chunk with a 32-bit size."""
    head = read_at(stream, place, 8)
    return head[:4], int.from_bytes(head[4:8], order)


def find_chunk(stream: IO[bytes], names: tuple[bytes, ...], place: int, end: int) -> int:
    """The first place of a chunk with one of these names; 0 if there is no such chunk within a megabyte."""
    # Piece by piece: in a file with much damage, a megabyte would otherwise be read for each damaged place.
    last, size = min(end, place + _SEARCH_BYTES), 1 << 8
    while place < last:
        content = read_at(stream, place, min(size + 3, last - place))
        found = [where for name in names if (where := content.find(name)) >= 0]
        if found:
            return place + min(found)
        place, size = place + size, 2 * size
    return 0
