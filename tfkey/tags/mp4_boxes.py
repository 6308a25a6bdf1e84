"""The boxes of MP4 files (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tfkey.tags.patches import Patch, Source, UntaggableError


class Box(NamedTuple):
    """A box.

    Attributes:
        start: where it begins.
        content: where its content begins.
        end: where it ends.
        name: its type.
        is_open: whether it states no length and extends to the end of the file.
    """

    start: int
    content: int
    end: int
    name: bytes
    is_open: bool = False

    def longer(self, growth: int) -> Patch:
        """The patch that makes it state another length."""
        size = self.end - self.start + growth
        if self.content - self.start >= 16:
            return Patch(self.start + 8, self.start + 16, size.to_bytes(8, "big"))
        if size >= 1 << 32:
            raise UntaggableError("has no room left for a tag (4 GiB); convert it to M4A")
        return Patch(self.start, self.start + 4, size.to_bytes(4, "big"))


def boxes(source: Source, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places; the last may end after ``end`` if the file is damaged.

    Only a box of the top level may extend to the end of the file: otherwise growth after it would become part
    of it.
    """
    is_top = start == 0
    while start + 8 <= end:
        item = _box(source, start)
        if item is None or (item.is_open and not is_top):
            return
        yield item
        start = item.end


def _box(source: Source, start: int) -> Box | None:
    """The box at a place; None if there cannot be a box."""
    head = source.upto(start, 16)
    size, content = int.from_bytes(head[:4], "big"), start + 8
    if size == 1:
        size, content = int.from_bytes(head[8:16], "big"), start + 16
    if size == 0:
        return Box(start, content, source.size, head[4:8], is_open=True)
    if size < content - start:
        return None
    return Box(start, content, start + size, head[4:8])


def child(found: Iterable[Box], name: bytes) -> Box | None:
    """The first box of a name."""
    return next((item for item in found if item.name == name), None)


def make(name: bytes, content: bytes) -> bytes:
    """A box."""
    return (8 + len(content)).to_bytes(4, "big") + name + content
