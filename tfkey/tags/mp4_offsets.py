"""All numbers that state places in an MP4 file, for when the bytes after a place move.

Chunks of tracks (``stco``, ``co64``), auxiliary data (``saio``), fragments (``tfhd``, ``tfra``), and the
items of a file's own metadata (``iloc``): ISO/IEC 14496-12, 8.7.5, 8.7.9, 8.8.7, 8.8.10 and 8.11.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tfkey.tags.mp4_boxes import Box, boxes, child
from tfkey.tags.patches import Patch, Source, UntaggableError

_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mfra")
_BASE_IS_STATED = 1
# Tables are four boxes below the movie. Damaged files may nest boxes to any depth.
_DEEPEST = 16


def offset_patches(source: Source, top: Sequence[Box], place: int, growth: int) -> list[Patch]:
    """Patches after which everything at or after ``place`` is found ``growth`` bytes later.

    Raises:
        UntaggableError: places are stated in a way that is not supported.
    """
    behind = [item for item in top if item.start >= place]
    if not behind:
        return []
    for item in top:
        # It counts from its own end to fragments after the movie.
        if item.name == b"sidx" and item.start < place:
            raise UntaggableError(
                "has an index in front of its movie box, which would become wrong; convert it to M4A"
            )
        if item.name == b"meta":
            inside = list(boxes(source, item.content + 4, item.end))
            if child(inside, b"iloc") is not None:
                raise UntaggableError(
                    "has items in its own metadata, whose places would become wrong; convert it to M4A"
                )
    patches: list[Patch] = []
    for item in top:
        if item.name in _CONTAINERS:
            patches.extend(_in(source, item, place, growth))
    return patches


def _in(source: Source, parent: Box, place: int, growth: int, depth: int = 0) -> Iterator[Patch]:
    for item in boxes(source, parent.content, parent.end):
        if item.end > parent.end or depth > _DEEPEST:
            raise UntaggableError(
                f"its MP4 boxes are damaged in {parent.name.decode('latin-1')!r}; encode it again"
            )
        if item.name in _CONTAINERS:
            yield from _in(source, item, place, growth, depth + 1)
        elif item.name in (b"stco", b"co64"):
            yield from _table(source, item, 8 if item.name == b"co64" else 4, item.content + 4, place, growth)
        elif item.name == b"saio" and parent.name == b"stbl":
            head = source.at(item.content, 4)
            start = item.content + (12 if head[3] & 1 else 4)
            yield from _table(source, item, 8 if head[0] else 4, start, place, growth)
        elif item.name == b"tfhd" and source.at(item.content, 4)[3] & _BASE_IS_STATED:
            yield from _moved(source, item.content + 8, 1, 8, 8, place, growth)
        elif item.name == b"tfra":
            yield from _fragments(source, item, place, growth)


def _table(source: Source, item: Box, size: int, start: int, place: int, growth: int) -> Iterator[Patch]:
    """A table of places, preceded by their count."""
    count = int.from_bytes(source.at(start, 4), "big")
    if start + 4 + count * size > item.end:
        raise UntaggableError(f"its MP4 box {item.name.decode('latin-1')!r} is damaged; encode it again")
    yield from _moved(source, start + 4, count, size, size, place, growth)


def _fragments(source: Source, item: Box, place: int, growth: int) -> Iterator[Patch]:
    head = source.at(item.content, 16)
    size = 8 if head[0] else 4
    lengths = int.from_bytes(head[8:12], "big")
    step = 2 * size + sum((lengths >> shift & 3) + 1 for shift in (4, 2, 0))
    count = int.from_bytes(head[12:16], "big")
    if item.content + 16 + count * step > item.end:
        raise UntaggableError("its MP4 box 'tfra' is damaged; encode it again")
    yield from _moved(source, item.content + 16 + size, count, size, step, place, growth)


def _moved(
    source: Source, start: int, count: int, size: int, step: int, place: int, growth: int
) -> Iterator[Patch]:
    """The patch for ``count`` numbers of ``size`` bytes, each ``step`` bytes after the one before it."""
    if not count:
        return
    length = (count - 1) * step + size
    old = source.at(start, length)
    new = bytearray(old)
    for index in range(0, length, step):
        value = int.from_bytes(old[index : index + size], "big")
        if value >= place:
            if value + growth >= 1 << 8 * size:
                raise UntaggableError("has no room left for a tag (4 GiB); convert it to M4A")
            new[index : index + size] = (value + growth).to_bytes(size, "big")
    if new != old:
        yield Patch(start, start + length, bytes(new))
