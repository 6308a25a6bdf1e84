"""Vorbis comments in Ogg: Vorbis, Opus, Speex and FLAC (https://www.rfc-editor.org/rfc/rfc3533, section 6).

The pages that hold the comments of the first audio stream are written again, without changing their number if
possible. Otherwise the later pages of that stream get other numbers. Parallel streams, streams chained after
it, and all encoded audio keep their bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tfkey.tags.patches import Patch, Plan, Source, UntaggableError
from tfkey.tags.vorbis import edit_comments

_HEADER = 27
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_NOTHING_ENDS = b"\xff" * 8
_SWAPPED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

_FLAC_COMMENTS = b"\x04"
_CODECS = {
    b"\x01vorbis": b"\x03vorbis",
    b"OpusHead": b"OpusTags",
    b"Speex   ": b"",
    b"\x7fFLAC": _FLAC_COMMENTS,
}
"""How the first packets of audio streams begin, and how their packets of comments begin."""


class _Page(NamedTuple):
    start: int
    flags: int
    granule: bytes
    serial: bytes
    number: int
    checksum: int
    lacing: bytes

    @property
    def body(self) -> int:
        return self.start + _HEADER + len(self.lacing)

    @property
    def end(self) -> int:
        return self.body + sum(self.lacing)


def plan(source: Source, text: str | None) -> Plan:
    """Plan the key in the comments of the first audio stream."""
    first, mark, has_index = _stream_of_sound(source)
    pages = _pages_of_comments(source, first)
    packets = list(_packets(source, pages))
    comments = packets[0]
    # The first bit of a FLAC block marks the last block.
    if not (bytes([byte & 0x7F for byte in comments[:1]]) if mark == _FLAC_COMMENTS else comments).startswith(
        mark
    ):
        raise UntaggableError("its Ogg comments are missing or damaged; encode it again")
    skipped = 4 if mark == _FLAC_COMMENTS else len(mark)
    fields, new = edit_comments(comments[skipped:], text)
    if text is None or new == comments[skipped:]:
        return Plan(fields)
    head = comments[:skipped]
    if mark == _FLAC_COMMENTS:
        if len(new) >= 1 << 24:
            raise UntaggableError("its comments have no room left for a key (16 MiB); remove the largest")
        head = comments[:1] + len(new).to_bytes(3, "big")
    patches = list(_written(pages, [head + new, *packets[1:]]))
    added = len(patches) - len(pages)
    if added:
        patches.extend(_renumbered(source, pages[-1], added))
    changed = Plan(fields, patches)
    if changed.growth and has_index:
        raise UntaggableError(
            "has an index of places in the file (Ogg Skeleton 4), which would become wrong; remove it first"
        )
    return changed


def _page(source: Source, start: int) -> _Page | None:
    head = source.upto(start, _HEADER)
    if len(head) < _HEADER or head[:5] != b"OggS\0":
        return None
    number, checksum = (int.from_bytes(head[place : place + 4], "little") for place in (18, 22))
    lacing = source.upto(start + _HEADER, head[26])
    return _Page(start, head[5], head[6:14], head[14:18], number, checksum, lacing)


def _stream_of_sound(source: Source) -> tuple[_Page, bytes, bool]:
    """The first audio stream: its first page and the mark of its comments; whether the file has an index."""
    place, found, has_index = 0, None, False
    while (page := _page(source, place)) is not None and page.flags & _FIRST:
        body = source.upto(page.body, 64)
        has_index |= body.startswith(b"fishead\0") and body[8:9] >= b"\4"
        for name, mark in _CODECS.items():
            if found is None and body.startswith(name):
                found = (page, mark)
        place = page.end
    if found is None:
        raise UntaggableError(
            "is Ogg without a stream of Vorbis, Opus, Speex or FLAC; convert it to FLAC or MP3"
        )
    return *found, has_index


def _pages_of_comments(source: Source, first: _Page) -> list[_Page]:
    """The pages from the start of the comments to the first page whose end is the end of a packet."""
    pages: list[_Page] = []
    place = first.end
    while (page := _page(source, place)) is not None:
        place = page.end
        if page.serial != first.serial:
            continue
        if place > source.size or page.flags & _FIRST or page.number != first.number + 1 + len(pages):
            break
        pages.append(page)
        if page.lacing and page.lacing[-1] < 255:
            return pages
    raise UntaggableError("its Ogg comments are missing or damaged; encode it again")


def _packets(source: Source, pages: Sequence[_Page]) -> Iterator[bytes]:
    # Pictures in comments take megabytes: each page is read as a whole, and the parts are joined at the end.
    parts: list[bytes] = []
    for page in pages:
        body = source.at(page.body, page.end - page.body)
        place = start = 0
        for size in page.lacing:
            place += size
            if size < 255:
                yield b"".join([*parts, body[start:place]])
                parts, start = [], place
        parts.append(body[start:])


def _written(pages: Sequence[_Page], packets: Sequence[bytes]) -> Iterator[Patch]:
    """Pages that hold packets, instead of the old pages; further pages are put after the last."""
    sizes: list[int] = []
    for packet in packets:
        sizes += [255] * (len(packet) // 255) + [len(packet) % 255]
    data, place, done = b"".join(packets), 0, 0
    count = max(min(len(pages), len(sizes)), -(-len(sizes) // 255))
    for index in range(max(count, len(pages))):
        old = pages[min(index, len(pages) - 1)]
        start, end = (old.start, old.end) if index < len(pages) else (old.end, old.end)
        if index >= count:
            yield Patch(start, end, b"")
            continue
        lacing = bytes(sizes[done : done + min(255, len(sizes) - done - (count - 1 - index))])
        flags = old.flags & ~(_CONTINUED | _LAST) | (_CONTINUED if done and sizes[done - 1] == 255 else 0)
        flags |= pages[-1].flags & _LAST if index == count - 1 else 0
        granule = pages[-1].granule if any(size < 255 for size in lacing) else _NOTHING_ENDS
        head = b"OggS\0" + bytes([flags]) + granule + old.serial
        head += (pages[0].number + index).to_bytes(4, "little") + bytes(4) + bytes([len(lacing)]) + lacing
        body = data[place : place + sum(lacing)]
        checksum = _checksum(head + body).to_bytes(4, "little")
        yield Patch(start, end, head[:22] + checksum + head[26:] + body)
        done += len(lacing)
        place += len(body)


def _renumbered(source: Source, last: _Page, added: int) -> Iterator[Patch]:
    """The later pages of a stream, each with another number; a wrong checksum stays wrong."""
    place = last.end
    while place < source.size:
        page = _page(source, place)
        if page is None:
            raise UntaggableError(f"its Ogg pages are damaged at byte {place}; encode it again")
        if page.serial == last.serial:
            # The page belongs to another stream, chained after this one.
            if page.flags & _FIRST:
                return
            number = (page.number + added) % (1 << 32)
            changes = bytes(18) + (page.number ^ number).to_bytes(4, "little")
            checksum = page.checksum ^ _checksum(changes + bytes(page.end - page.start - len(changes)))
            data = number.to_bytes(4, "little") + checksum.to_bytes(4, "little")
            yield Patch(place + 18, place + 26, data)
            if page.flags & _LAST:
                return
        place = page.end


def _checksum(data: bytes) -> int:
    """The checksum of a page: that of zlib, but with the bits in reverse order and nothing inverted."""
    found = ~zlib.crc32(data.translate(_SWAPPED), 0xFFFFFFFF) & 0xFFFFFFFF
    return int.from_bytes(found.to_bytes(4, "little").translate(_SWAPPED), "big")
