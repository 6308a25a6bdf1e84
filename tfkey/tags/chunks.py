"""ID3v2 tags in the chunks of WAV (RIFF) and AIFF; all other chunks keep their bytes and their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from tfkey.tags import id3
from tfkey.tags.patches import Patch, Plan, Source, UntaggableError

_LARGEST = (1 << 32) - 1
_NAMES = {"little": b"id3 ", "big": b"ID3 "}


Order = Literal["little", "big"]


class _Chunk(NamedTuple):
    start: int
    name: bytes
    length: int

    @property
    def end(self) -> int:
        """The end of its content; a pad byte follows if its length is odd."""
        return self.start + 8 + self.length

    @property
    def padded_end(self) -> int:
        return self.end + self.length % 2


def plan(source: Source, text: str | None) -> Plan:
    """Plan the key in the ID3 chunk of a WAV or AIFF file."""
    order: Order = "little" if source.at(0, 4) == b"RIFF" else "big"
    chunks, end = list(_chunks(source, order)), source.size
    if text is not None:
        chunks, end = _counted(source, chunks, order)
    found = Plan()
    tags = [chunk for chunk in chunks if chunk.name.upper() == b"ID3 " and chunk.end <= source.size]
    for chunk in tags:
        content = source.at(chunk.start + 8, chunk.length)
        new = _edited(content, text, found, add=chunk is tags[0])
        if new != content:
            found.patches.append(
                Patch(chunk.start, min(chunk.padded_end, end), _chunk(chunk.name, new, order))
            )
    if text is not None and not tags:
        missing = bytes(chunks[-1].padded_end - end)
        new = missing + _chunk(_NAMES[order], id3.new_tag(text), order)
        found.patches.append(Patch(end, end, new))
    if found.patches:
        size = end - 8 + found.growth
        if size > _LARGEST:
            raise UntaggableError("has no room left for a tag (4 GiB); convert it to FLAC")
        found.patches.insert(0, Patch(4, 8, size.to_bytes(4, order)))
    return found


def _edited(content: bytes, text: str | None, found: Plan, *, add: bool) -> bytes:
    """The content of an ID3 chunk with another key."""
    size = id3.tag_length(content)
    if size is None or size > len(content):
        if text is None or not add:
            return content
        if content.strip(b"\0"):
            raise UntaggableError(
                "its ID3 chunk holds no complete ID3 tag; write its tags again in a tag editor"
            )
        return id3.new_tag(text)
    fields, new = id3.edit_tag(content[:size], text, add=add)
    found.fields.extend(fields)
    return new + content[size:]


def _chunk(name: bytes, content: bytes, order: Order) -> bytes:
    return name + len(content).to_bytes(4, order) + content + bytes(len(content) % 2)


def _chunks(source: Source, order: Order) -> Iterator[_Chunk]:
    place = 12
    while place + 8 <= source.size:
        head = source.at(place, 8)
        if not all(32 <= byte < 127 for byte in head[:4]):
            return
        chunk = _Chunk(place, head[:4], int.from_bytes(head[4:], order))
        yield chunk
        place = chunk.padded_end


def _counted(source: Source, chunks: list[_Chunk], order: Order) -> tuple[list[_Chunk], int]:
    """The chunks that the length in the file's header includes, and where they end.

    If the header states another length, these are all chunks, provided that they fill the file. Data after
    the stated end belongs to another program.

    Raises:
        UntaggableError: the lengths contradict each other, and one chunk might be mistaken for another.
    """
    stated = int.from_bytes(source.at(4, 4), order) + 8
    counted = [chunk for chunk in chunks if chunk.start < stated]
    for inside, end in ((counted, stated), (chunks, source.size)):
        if inside and end == inside[-1].end and source.size == inside[-1].padded_end:
            end = source.size
        # The pad byte may be missing or not counted.
        if inside and end <= source.size and end in (inside[-1].end, inside[-1].padded_end):
            return inside, end
    raise UntaggableError(
        "its header states wrong lengths (usually an unfinished recording); convert it first"
    )
