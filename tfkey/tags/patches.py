"""Changes to a file as patches: bytes outside the patches stay the same."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tfkey.tags.fields import Field

_BLOCK = 1 << 20


class UntaggableError(Exception):
    """A reason why tags cannot be read or written, without the file's name; ``why; remedy``."""


class Patch(NamedTuple):
    """New bytes for those from ``start`` up to but not including ``end``; an insertion if both are equal."""

    start: int
    end: int
    data: bytes


@dataclass
class Plan:
    """What a file states as its key, and how it would be changed.

    Attributes:
        fields: its tags in order, at least those that state a key.
        patches: the change, in order, without overlaps; empty if the plan is only for reading.
    """

    fields: list[Field] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)

    @property
    def growth(self) -> int:
        """By how many bytes the file becomes longer; negative if it becomes shorter."""
        return sum(len(patch.data) - (patch.end - patch.start) for patch in self.patches)


class Source:
    """Random access to an open file.

    Args:
        stream: the file, open for reading.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = stream.seek(0, os.SEEK_END)

    def at(self, start: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``start``.

        Raises:
            UntaggableError: the file ends too early.
        """
        data = self.upto(start, length)
        if len(data) < length:
            raise UntaggableError("its tags cannot be read (the file ends within them); fetch it again")
        return data

    def upto(self, start: int, length: int) -> bytes:
        """``length`` bytes from ``start``, or fewer at the end of the file."""
        if start < 0 or length <= 0 or start >= self.size:
            return b""
        self._stream.seek(start)
        return self._stream.read(min(length, self.size - start))


def apply(source: Path, copy: Path, patches: Sequence[Patch]) -> None:
    """Apply patches to ``copy``, which holds the same bytes as ``source``."""
    if all(patch.end - patch.start == len(patch.data) for patch in patches):
        with copy.open("r+b") as out:
            for patch in patches:
                out.seek(patch.start)
                out.write(patch.data)
        return
    with source.open("rb") as stream, copy.open("r+b") as out:
        place = patches[0].start
        out.seek(place)
        for patch in patches:
            _copy(stream, out, place, patch.start)
            out.write(patch.data)
            place = patch.end
        stream.seek(place)
        shutil.copyfileobj(stream, out, _BLOCK)
        out.truncate()


def _copy(stream: BinaryIO, out: BinaryIO, start: int, end: int) -> None:
    stream.seek(start)
    while start < end:
        data = stream.read(min(_BLOCK, end - start))
        if not data:
            raise UntaggableError("was changed by someone else meanwhile; tag it again")
        out.write(data)
        start += len(data)
