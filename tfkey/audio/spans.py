"""A part of a file as a separate file, with another header if necessary."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import IO, Any


@dataclass(frozen=True)
class Span:
    """The bytes of a file that a decoder reads.

    Attributes:
        stream: the file, unbuffered.
        start: the first byte.
        end: the byte after the last one.
        header: bytes that come first, instead of those before ``start``.
    """

    stream: IO[bytes]
    start: int
    end: int
    header: bytes = b""

    @property
    def size(self) -> int:
        """The length in bytes."""
        return len(self.header) + self.end - self.start

    def is_whole(self) -> bool:
        """Whether it is the whole file, unchanged."""
        return not self.start and not self.header and self.end == os.fstat(self.stream.fileno()).st_size

    def open(self) -> SpanFile:
        """A file object that reads it."""
        return SpanFile(self)


class SpanFile(io.RawIOBase):
    """Reads a span. Each read sets the position of the file, so that several spans can be read in turns.

    Attributes:
        error: what went wrong when reading. It is not raised: libsndfile calls from C, which no exception
            passes through.
    """

    def __init__(self, span: Span) -> None:
        super().__init__()
        self._span = span
        self._place = 0
        self.error: OSError | None = None

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._span.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Read up to as many bytes as the buffer holds; return 0 at the end."""
        span, view = self._span, memoryview(buffer).cast("B")
        count = min(len(view), span.size - self._place)
        if count <= 0:
            return 0
        if self._place < len(span.header):
            count = min(count, len(span.header) - self._place)
            view[:count] = span.header[self._place : self._place + count]
        else:
            try:
                span.stream.seek(span.start + self._place - len(span.header))
                count = span.stream.readinto(view[:count])  # type: ignore[attr-defined]
            except OSError as error:
                self.error = error
                return 0
        self._place += count
        return count
