"""Vorbis comments, in FLAC (https://www.rfc-editor.org/rfc/rfc9639, sections 8 and 8.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tfkey.tags import id3
from tfkey.tags.fields import Field, edited, is_key_name
from tfkey.tags.patches import Patch, Plan, Source, UntaggableError

OWN = "INITIALKEY"

_STREAMINFO, _PADDING, _COMMENTS = 0, 1, 4
_LARGEST_BLOCK = (1 << 24) - 1
_NEW = b"\x05\0\0\0tfkey\0\0\0\0"


def edit_comments(data: bytes, text: str | None, *, add: bool = True) -> tuple[list[Field], bytes]:
    """Read the comments in ``data``, and write them with another key.

    Args:
        data: a vendor, comments, and whatever follows.
        text: the key; None for reading only.
        add: add the key if there is no key to replace.

    Returns:
        The comments, and ``data`` with the key. The vendor, other comments (valid text or not), their order,
        and what follows are the same.

    Raises:
        UntaggableError: a length extends beyond the end.
    """
    place = 4 + _length(data, 0)
    count = _length(data, place)
    head, place = data[:place], place + 4
    fields = []
    for _ in range(count):
        end = place + 4 + _length(data, place)
        if end > len(data):
            raise UntaggableError(
                "its comments are damaged (one extends beyond their end); write its tags again"
            )
        fields.append(_field(data[place:end]))
        place = end
    if text is None:
        return fields, data
    new = edited(fields, OWN, text, lambda name, _: _comment(name, text), add=add)
    return fields, head + len(new).to_bytes(4, "little") + b"".join(new) + data[place:]


def _length(data: bytes, place: int) -> int:
    if place + 4 > len(data):
        raise UntaggableError("its comments are damaged (they end too early); write its tags again")
    return int.from_bytes(data[place : place + 4], "little")


def _field(raw: bytes) -> Field:
    name, _, value = raw[4:].partition(b"=")
    title = name.decode("ascii", "replace")
    return Field(raw, title, (value.decode("utf-8", "replace"),)) if is_key_name(title) else Field(raw)


def _comment(name: str, text: str) -> bytes:
    content = f"{name}={text}".encode()
    return len(content).to_bytes(4, "little") + content


class _Block(NamedTuple):
    start: int
    kind: int
    is_last: bool
    length: int

    @property
    def end(self) -> int:
        return self.start + 4 + self.length


def plan(source: Source, text: str | None) -> Plan:
    """Plan the key in the comments of a FLAC file, and in ID3 tags around it if they state a key."""
    found = id3.plan(source, text, add=False)
    start = id3.end_of_front_tags(source)
    blocks = list(_blocks(source, start + 4))
    comments = [block for block in blocks if block.kind == _COMMENTS]
    patches: list[Patch] = []
    for block in comments:
        data = source.at(block.start + 4, block.length)
        fields, new = edit_comments(data, text, add=block is comments[0])
        found.fields.extend(fields)
        if new != data:
            patches.append(Patch(block.start, block.end, _block(_COMMENTS, block.is_last, new)))
    if text is not None and not comments:
        patches = _new_block(source, blocks[0], edit_comments(_NEW, text)[1])
    found.patches = sorted([*found.patches, *_into_padding(source, patches, blocks)])
    return found


def _blocks(source: Source, place: int) -> Iterator[_Block]:
    is_last = False
    first = True
    while not is_last:
        head = source.at(place, 4)
        block = _Block(place, head[0] & 127, bool(head[0] & 128), int.from_bytes(head[1:], "big"))
        if block.kind == 127 or block.end > source.size or (first and block.kind != _STREAMINFO):
            raise UntaggableError(f"its FLAC header is damaged at byte {place}; encode it again")
        yield block
        is_last, place, first = block.is_last, block.end, False


def _block(kind: int, is_last: bool, data: bytes) -> bytes:
    if len(data) > _LARGEST_BLOCK:
        raise UntaggableError("its comments have no room left for a key (16 MiB); remove the largest")
    return bytes([kind | is_last << 7]) + len(data).to_bytes(3, "big") + data


def _new_block(source: Source, first: _Block, data: bytes) -> list[Patch]:
    """A block of comments after the first block."""
    new = [Patch(first.end, first.end, _block(_COMMENTS, first.is_last, data))]
    if first.is_last:
        new.insert(0, Patch(first.start, first.start + 1, bytes([first.kind])))
    return new


def _into_padding(source: Source, patches: list[Patch], blocks: list[_Block]) -> list[Patch]:
    """Shrink padding by what patches add, so that the audio frames need not move."""
    growth = sum(len(patch.data) - (patch.end - patch.start) for patch in patches)
    for block in blocks:
        if block.kind == _PADDING and growth and block.length >= growth:
            size = block.length - growth
            # The padding may hold hidden data.
            if size <= _LARGEST_BLOCK and not source.at(block.start + 4, block.length).strip(b"\0"):
                return [*patches, Patch(block.start, block.end, _block(_PADDING, block.is_last, bytes(size)))]
    return patches
