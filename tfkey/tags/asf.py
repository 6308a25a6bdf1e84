"""The key in ASF (WMA, WMV): the attribute ``WM/InitialKey``.

Format: Advanced Systems Format Specification 01.20.05, sections 3.1 to 3.3, 3.11, 4.7 and 4.8.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tfkey.tags.fields import Field, edited, is_key_name
from tfkey.tags.patches import Patch, Plan, Source, UntaggableError

OWN = "WM/InitialKey"


def _guid(text: str) -> bytes:
    return uuid.UUID(text).bytes_le


HEADER = _guid("75B22630-668E-11CF-A6D9-00AA0062CE6C")
_FILE = _guid("8CABDCA1-A947-11CF-8EE4-00C00C205365")
_EXTENSION = _guid("5FBF03B5-A92E-11CF-8EE3-00C00C205365")
_ATTRIBUTES = _guid("D2D0A440-E307-11D2-97F0-00A0C95EA850")
_METADATA = (_guid("C5F8CBEA-5BAF-4877-8467-AA8C44FA4CCA"), _guid("44231C94-9498-49D1-A141-1D134E457054"))
_TEXT = 0


class _Object(NamedTuple):
    start: int
    guid: bytes
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


def plan(source: Source, text: str | None) -> Plan:
    """Plan the key in the attributes of an ASF file."""
    length = int.from_bytes(source.at(16, 8), "little")
    if length < 30:
        raise UntaggableError("its ASF header is damaged (it states no length); encode it again")
    objects = list(_objects(source, 30, length))
    found = Plan()
    attributes = [item for item in objects if item.guid == _ATTRIBUTES]
    for item in attributes:
        _edit(source, item, text, found, add=item is attributes[0], read=_attribute, make=_new_attribute)
    grown_inside = {}
    for extension in objects:
        if extension.guid == _EXTENSION:
            before = found.growth
            for item in _objects(source, extension.start + 46, extension.end):
                if item.guid in _METADATA:
                    _edit(source, item, text, found, add=False, read=_metadata, make=_new_metadata)
            grown_inside[extension] = found.growth - before
    count = int.from_bytes(source.at(24, 4), "little")
    if text is not None and not attributes:
        content = (1).to_bytes(2, "little") + _new_attribute(OWN, None, text)
        found.patches.append(Patch(length, length, _object(_ATTRIBUTES, content)))
        count = min(count + 1, (1 << 32) - 1)
    if found.patches:
        grown = found.growth
        for extension, inside in grown_inside.items():
            if inside:
                found.patches.append(_longer(source, extension.start + 16, 8, inside))
                found.patches.append(_longer(source, extension.start + 42, 4, inside))
        found.patches.append(
            Patch(16, 28, (length + grown).to_bytes(8, "little") + count.to_bytes(4, "little"))
        )
        # The length of the file; broadcasts do not state it.
        found.patches += [
            _longer(source, item.start + 40, 8, grown)
            for item in objects
            if item.guid == _FILE and item.length >= 48
        ]
        found.patches.sort()
    return found


def _objects(source: Source, place: int, end: int) -> Iterator[_Object]:
    while place < end:
        head = source.at(place, 24)
        item = _Object(place, head[:16], int.from_bytes(head[16:], "little"))
        if item.length < 24 or item.end > end or end > source.size:
            raise UntaggableError(f"its ASF header is damaged at byte {place}; encode it again")
        yield item
        place = item.end


def _object(guid: bytes, content: bytes) -> bytes:
    return guid + (24 + len(content)).to_bytes(8, "little") + content


def _longer(source: Source, place: int, size: int, growth: int) -> Patch:
    value = int.from_bytes(source.at(place, size), "little")
    # An unknown length is zero or all ones.
    most = (1 << 8 * size) - 1
    longer = value if value in (0, most) else min(max(value + growth, 0), most)
    return Patch(place, place + size, longer.to_bytes(size, "little"))


def _edit(
    source: Source,
    item: _Object,
    text: str | None,
    found: Plan,
    *,
    add: bool,
    read: Callable[[bytes, int], tuple[int, Field]],
    make: Callable[[str, Field | None, str], bytes],
) -> None:
    """Read a list of attributes into ``found``, and plan its patch with another key."""
    data = source.at(item.start + 24, item.length - 24)
    fields, place = [], 2
    for _ in range(int.from_bytes(data[:2], "little")):
        place, field = read(data, place)
        if place > len(data):
            raise UntaggableError(
                "its ASF attributes are damaged (one extends beyond their end); write its tags again"
            )
        fields.append(field)
    found.fields.extend(fields)
    if text is None:
        return
    new = edited(fields, OWN, text, lambda name, old: make(name, old, text), add=add)
    if new == [field.raw for field in fields]:
        return
    if len(new) >= 1 << 16:
        raise UntaggableError(
            "its ASF attributes have no room left for a key (65,535 attributes); remove one"
        )
    content = len(new).to_bytes(2, "little") + b"".join(new) + data[place:]
    found.patches.append(Patch(item.start, item.end, _object(item.guid, content)))


def _attribute(data: bytes, place: int) -> tuple[int, Field]:
    """An attribute (name, type and value, with lengths), and where it ends."""
    value = place + 6 + _number(data, place, 2)
    end = value + _number(data, value - 2, 2)
    return end, _field(data[place:end], data[place + 2 : value - 4], data[value:end])


def _metadata(data: bytes, place: int) -> tuple[int, Field]:
    """An attribute with a language and a stream, and where it ends."""
    value = place + 12 + _number(data, place + 4, 2)
    end = value + _number(data, place + 8, 4)
    return end, _field(data[place:end], data[place + 12 : value], data[value:end])


def _number(data: bytes, place: int, size: int) -> int:
    return int.from_bytes(data[place : place + size], "little")


def _field(raw: bytes, name: bytes, value: bytes) -> Field:
    title = name.decode("utf-16-le", "replace").rstrip("\0")
    if not is_key_name(title):
        return Field(raw)
    return Field(raw, title, (value.decode("utf-16-le", "replace").rstrip("\0"),))


def _encoded(text: str) -> bytes:
    return f"{text}\0".encode("utf-16-le")


def _new_attribute(name: str, old: Field | None, text: str) -> bytes:
    title = _encoded(name) if old is None else old.raw[2 : 2 + _number(old.raw, 0, 2)]
    value = _encoded(text)
    kind = _TEXT.to_bytes(2, "little")
    return len(title).to_bytes(2, "little") + title + kind + len(value).to_bytes(2, "little") + value


def _new_metadata(name: str, old: Field | None, text: str) -> bytes:
    raw = b"" if old is None else old.raw
    title = raw[12 : 12 + _number(raw, 4, 2)] or _encoded(name)
    value = _encoded(text)
    sizes = len(title).to_bytes(2, "little") + _TEXT.to_bytes(2, "little") + len(value).to_bytes(4, "little")
    return raw[:4].ljust(4, b"\0") + sizes + title + value
