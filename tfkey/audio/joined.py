"""Several files in one: chained Ogg (RFC 3533, section 4), and concatenated FLACs."""

from __future__ import annotations

from typing import IO

from tfkey.audio.headers import FLAC_START, Head, read_at
from tfkey.audio.ogg import find_links

_BLOCK = 1 << 20


def find_parts(stream: IO[bytes], head: Head) -> list[tuple[int, int]]:
    """Where each of the joined files starts and ends. The whole file is read.

    Args:
        stream: the file.
        head: the head of the first of them.
    """
    if head.kind == "flac":
        starts = list(_flac_starts(stream, head))
    elif head.kind in ("vorbis", "opus", "ogg"):
        starts = find_links(stream, head)
    else:
        return [(head.start, head.end)]
    # In a damaged file, no start may be found.
    return list(zip(starts, [*starts[1:], head.end], strict=False))


def _flac_starts(stream: IO[bytes], head: Head) -> list[int]:
    starts = []
    overlap = 8
    for place in range(head.start, head.end, _BLOCK):
        content = read_at(stream, place, min(_BLOCK + overlap, head.end - place))
        starts += [place + match.start() for match in FLAC_START.finditer(content) if match.start() < _BLOCK]
    return starts
