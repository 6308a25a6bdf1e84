"""Ogg pages (RFC 3533): whether a file ends where its streams do, and the streams it chains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from tfkey.audio.headers import OGG_PAGE, Head, read_at


@dataclass(frozen=True)
class Tail:
    """The end of an Ogg file.

    Attributes:
        is_whole: whether the last page is complete.
        is_marked: whether the last page is marked as the end of its stream.
        serial: the serial number of the last page's stream; None if no page was found.
    """

    is_whole: bool
    is_marked: bool
    serial: bytes | None


def read_tail(stream: IO[bytes], head: Head) -> Tail:
    """Read the last page of an Ogg file."""
    start = max(head.start, head.end - OGG_PAGE)
    content = read_at(stream, start, head.end - start)
    place = content.rfind(b"OggS")
    if place < 0:
        return Tail(False, False, None)
    page = content[place:]
    length = _page_length(page)
    return Tail(0 < length <= len(page), len(page) > 5 and bool(page[5] & 4), page[14:18])


def _page_length(page: bytes) -> int:
    """The length that a page's header states; 0 if the header is incomplete."""
    if len(page) < 27 or len(page) < 27 + page[26]:
        return 0
    return 27 + page[26] + sum(page[27 : 27 + page[26]])


def find_links(stream: IO[bytes], head: Head) -> list[int]:
    """Where each of the chained files begins. All pages are visited."""
    starts: list[int] = []
    was_first = False
    place = head.start
    while place + 27 <= head.end:
        page = read_at(stream, place, 27 + 255)
        length = _page_length(page)
        if page[:4] != b"OggS" or not length:
            place = _next_page(stream, place + 1, head.end)
            continue
        # The first pages of parallel streams follow each other, before any other page.
        is_first = bool(page[5] & 2)
        if is_first and not was_first:
            starts.append(place)
        was_first = is_first
        place += length
    return starts


def _next_page(stream: IO[bytes], place: int, end: int) -> int:
    """Where the next page begins after bytes that do not belong to a page."""
    # It is usually near. If pages and damage alternate, 64 KiB would otherwise be read for each.
    size = 1 << 8
    while place < end:
        content = read_at(stream, place, min(size, end - place))
        found = content.find(b"OggS")
        if found >= 0:
            return place + found
        place += max(1, len(content) - 3)
        size = min(2 * size, 1 << 16)
    return end
