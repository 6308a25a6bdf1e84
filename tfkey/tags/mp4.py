"""The key in MP4 (M4A, M4B, MOV): the item ``----:com.apple.iTunes:initialkey`` of the iTunes metadata.

Format: ISO/IEC 14496-12; the items as iTunes writes them. If boxes grow, free space after them shrinks.
Without enough free space the audio moves, and all numbers that state its place in the file are changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tfkey.tags.fields import Field, edited, is_key_name
from tfkey.tags.mp4_boxes import Box, boxes, child, make
from tfkey.tags.mp4_offsets import offset_patches
from tfkey.tags.patches import Patch, Plan, Source, UntaggableError

OWN = "initialkey"
_OWNER = "com.apple.iTunes"

_FREE = (b"free", b"skip")
_DATA_OF_TEXT = (1).to_bytes(4, "big") + bytes(4)
_HANDLER = make(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))


@dataclass(frozen=True)
class _Place:
    """Where the items are, or would be.

    Attributes:
        parents: the boxes around them, which grow with them, outermost first.
        items: the box of the items; None if it does not exist yet.
        at: where a new box of items begins.
        missing: the boxes to make around a new box of items, outermost first.
    """

    parents: tuple[Box, ...]
    items: Box | None
    at: int
    missing: tuple[bytes, ...]


def plan(source: Source, text: str | None) -> Plan:
    """Plan the key in the iTunes metadata of an MP4 file."""
    top = list(boxes(source, 0, source.size))
    movies = [item for item in top if item.name == b"moov"]
    if len(movies) != 1 or any(item.end > source.size for item in top):
        raise UntaggableError("its MP4 boxes are damaged (there is no complete movie box); encode it again")
    place = _place(source, movies[0])
    fields = [] if place.items is None else [_field(source, item) for item in _inside(source, place.items)]
    if text is None:
        return Plan(fields)
    new = edited(fields, OWN, text, lambda name, old: _item(name, old, text))
    data = make(b"ilst", b"".join(new))
    if place.items is not None:
        first = Patch(place.items.start, place.items.end, data)
    else:
        for name in reversed(place.missing):
            data = make(name, (bytes(4) + _HANDLER if name == b"meta" else b"") + data)
        first = Patch(place.at, place.at, data)
    return Plan(fields, _grown(source, top, place, first))


def _inside(source: Source, parent: Box, start: int | None = None) -> list[Box]:
    """The boxes in a box; ``start`` is given if they do not begin where its content begins."""
    found = list(boxes(source, parent.content if start is None else start, parent.end))
    if any(item.end > parent.end for item in found):
        raise UntaggableError(
            f"its MP4 boxes are damaged in {parent.name.decode('latin-1')!r}; encode it again"
        )
    return found


def _end(found: list[Box], start: int) -> int:
    """Where the last box ends; something else may follow it."""
    return found[-1].end if found else start


def _place(source: Source, movie: Box) -> _Place:
    inside = _inside(source, movie)
    if any(item.name == b"cmov" for item in inside):
        raise UntaggableError("its movie box is compressed, which cannot be changed; convert it to M4A")
    user = child(inside, b"udta")
    if user is None:
        return _Place((movie,), None, _end(inside, movie.content), (b"udta", b"meta"))
    meta = child(_inside(source, user), b"meta")
    if meta is None:
        # In front, as old QuickTime files end this box with a zero.
        return _Place((movie, user), None, user.content, (b"meta",))
    # A full box, except in QuickTime.
    start = meta.content if source.upto(meta.content + 4, 4) == b"hdlr" else meta.content + 4
    found = _inside(source, meta, start)
    handler = child(found, b"hdlr")
    if handler is not None and source.upto(handler.content + 8, 4) != b"mdir":
        raise UntaggableError(
            "has metadata of another kind than iTunes where the key would be; convert it to M4A"
        )
    items = child(found, b"ilst")
    return _Place((movie, user, meta), items, items.start if items else _end(found, start), ())


def _grown(source: Source, top: list[Box], place: _Place, first: Patch) -> list[Patch]:
    """All changes that the items require: the boxes around them, free space, and the places of the audio."""
    growth = len(first.data) - (first.end - first.start)
    if not growth:
        return [first]
    # Free space after the items, or after the movie.
    innermost, movie = place.parents[-1], place.parents[0]
    if place.items is not None:
        for free in _behind(list(boxes(source, place.items.end, innermost.end)), place.items.end):
            if (patch := _resized(source, free, -growth)) is not None:
                return [first, patch]
    patches = [first, *(parent.longer(growth) for parent in place.parents if not parent.is_open)]
    for free in _behind(top, movie.end):
        if (patch := _resized(source, free, -growth)) is not None:
            return sorted([*patches, patch])
    return sorted([*patches, *offset_patches(source, top, first.end, growth)])


def _behind(found: list[Box], place: int) -> list[Box]:
    """The box that begins at a place, if it is free space."""
    return [item for item in found if item.start == place and item.name in _FREE][:1]


def _resized(source: Source, free: Box, growth: int) -> Patch | None:
    """Free space of another size; None if it cannot have that size or is not empty."""
    size = free.end - free.start + growth
    hidden = source.at(free.content, free.end - free.content).strip(b"\0")
    if (size != 0 and size < 8) or hidden or size >= 1 << 32 or free.is_open:
        return None
    return Patch(free.start, free.end, make(free.name, bytes(size - 8)) if size else b"")


def _field(source: Source, item: Box) -> Field:
    """An item, with its name and texts if its name is one of a key tag."""
    raw = source.at(item.start, item.end - item.start)
    if item.name != b"----":
        return Field(raw)
    parts = _parts(raw)
    owner, name = (
        next((part[12:].decode("utf-8", "replace") for kind, part in parts if kind == wanted), "")
        for wanted in (b"mean", b"name")
    )
    if not is_key_name(name):
        return Field(raw)
    if owner != _OWNER:
        name = f"{owner}:{name}"
    return Field(
        raw, name, tuple(part[16:].decode("utf-8", "replace") for kind, part in parts if kind == b"data")
    )


def _parts(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes in an item, by name, each with its header."""
    place, parts = 8, []
    while place + 8 <= len(raw):
        size = int.from_bytes(raw[place : place + 4], "big")
        if size < 8 or place + size > len(raw):
            break
        parts.append((raw[place + 4 : place + 8], raw[place : place + size]))
        place += size
    return parts


def _item(name: str, old: Field | None, text: str) -> bytes:
    head = make(b"mean", bytes(4) + _OWNER.encode()) + make(b"name", bytes(4) + name.encode())
    if old is not None:
        head = b"".join(part for kind, part in _parts(old.raw) if kind != b"data")
    return make(b"----", head + make(b"data", _DATA_OF_TEXT + text.encode()))
