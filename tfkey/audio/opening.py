"""Opening an audio file once, and reading its head."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tfkey.audio.chunk_reading import Samples
from tfkey.audio.chunks import find_samples
from tfkey.audio.headers import Head, read_head
from tfkey.audio.ogg import Tail, read_tail
from tfkey.audio.spans import Span
from tfkey.errors import AudioError

OGG_KINDS = ("vorbis", "opus", "ogg")


@dataclass(frozen=True)
class Opened:
    """An open file.

    Attributes:
        path: its name.
        stream: the file, without a buffer.
        size: its length in bytes.
        head: where its audio is, and its format.
        samples: where its samples are, if its format consists of chunks.
        tail: its last page, if it is Ogg.
    """

    path: Path
    stream: IO[bytes]
    size: int
    head: Head
    samples: Samples | None = None
    tail: Tail | None = None

    @classmethod
    def of(cls, path: Path, stream: IO[bytes], size: int, head: Head) -> Opened:
        """A file, or a part of one, whose head has been read."""
        tail = read_tail(stream, head) if head.kind in OGG_KINDS else None
        return cls(path, stream, size, head, find_samples(stream, head), tail)

    def span(self) -> Span:
        """The audio without the bytes around it."""
        samples, head = self.samples, self.head
        if samples is not None and samples.header:
            return Span(self.stream, samples.start, samples.end, samples.header)
        if (head.kind in ("mp3", "unknown") and not head.is_found) or samples is not None:
            # MP3 decoders know tags, and reading the file as it is is fastest.
            return Span(self.stream, 0, self.size)
        return Span(self.stream, head.start, head.end)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a file and recognise its format by its content.

    Raises:
        AudioError: the file is missing, a folder, or empty, or cannot be read.
    """
    try:
        if not path.exists():
            raise AudioError(f"{path}: no such file; check the path")
        if path.is_dir():
            raise AudioError(f"{path}: a folder, not a file; give an audio file")
        stream = path.open("rb", buffering=0)
    except OSError as error:
        raise AudioError(
            f"{path}: cannot be opened ({error.strerror}); check its name and permissions"
        ) from error
    with stream:
        try:
            size = os.fstat(stream.fileno()).st_size
            if size == 0:
                raise AudioError(f"{path}: empty (0 bytes); copy it again from its source")
            yield Opened.of(path, stream, size, read_head(stream, size))
        except OSError as error:
            raise AudioError(
                f"{path}: cannot be read ({error.strerror}); check that it is still there"
            ) from error
