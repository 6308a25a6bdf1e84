"""The key in ID3v2 tags: at the start of a file, appended to its end, or in a chunk of WAV and AIFF.

Formats: ID3v2.2.0, ID3v2.3.0 and ID3v2.4.0 (https://id3.org). A tag keeps its version: the key is the frame
``TKEY``, or ``TKE`` in version 2.2. ID3v1, APE and Lyrics3 tags have no place for a key and stay unchanged.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from tfkey.tags.fields import Field, edited
from tfkey.tags.id3_frames import (
    OWN,
    as_synchsafe,
    make_frame,
    read_frame,
    skip,
    split,
    stuffed,
    synchsafe,
    unstuffed,
)
from tfkey.tags.patches import Patch, Plan, Source, UntaggableError

VERSION_OF_NEW_TAGS = 3
"""Every player and car stereo reads this version; the frame TKEY is the same in 2.4."""

_PADDING = 1024
_HEADER = 10
_UNSYNCHRONISED, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10
_KNOWN_FLAGS = {2: 0x80, 3: 0xE0, 4: 0xF0}
_LARGEST = (1 << 28) - 1
_LONGEST_EXTENDED = 64


@dataclass
class _Tag:
    """The parts of a tag.

    Attributes:
        version: 2, 3 or 4.
        flags: the flags in its header.
        extended: the extended header, as it is in the file.
        fields: the frames.
        rest: the bytes after the frames, usually padding.
        is_damaged: whether the end of a frame cannot be found; that frame and all bytes after it are in
            ``rest``.
        has_footer: whether a footer follows; a header may announce one that is missing.
    """

    version: int
    flags: int
    extended: bytes
    fields: list[Field]
    rest: bytes
    is_damaged: bool
    has_footer: bool = False

    @property
    def is_stuffed(self) -> bool:
        """Whether the tag is unsynchronised as a whole; in 2.4 each frame is unsynchronised separately."""
        return bool(self.flags & _UNSYNCHRONISED) and self.version < 4


def plan(source: Source, text: str | None, *, add: bool = True) -> Plan:
    """Plan the key in the ID3v2 tags of a file.

    Args:
        source: the file.
        text: the key; None for reading only.
        add: add a frame, and if necessary a tag, if no key is stated yet.
    """
    found = Plan()
    front = _front_tags(source)
    for start, end in front:
        tag = source.at(start, end - start)
        fields, new = edit_tag(tag, text, add=add and start == front[0][0])
        found.fields.extend(fields)
        if new != tag:
            found.patches.append(Patch(start, end, new))
    if text is not None and add and not front:
        found.patches.append(Patch(0, 0, new_tag(text)))
    appended = _appended_tag(source, front[-1][1] if front else 0)
    if appended is not None:
        tag = source.at(appended[0], appended[1] - appended[0])
        fields, new = edit_tag(tag, text, add=False)
        found.fields.extend(fields)
        if new != tag:
            found.patches.append(Patch(*appended, new))
    return found


def end_of_front_tags(source: Source) -> int:
    """Where the ID3v2 tags at the start of a file end; 0 if there are no tags."""
    return max((end for _, end in _front_tags(source)), default=0)


def tag_length(data: bytes) -> int | None:
    """The length of the tag at the start of ``data``, according to its header; None if there is no tag."""
    size = _size(data[:_HEADER], b"ID3")
    return size - _HEADER if size and _lacks_footer(data[:_HEADER], data[size - _HEADER : size]) else size


def new_tag(text: str) -> bytes:
    """A tag that holds only the key."""
    return edit_tag(b"ID3" + bytes([VERSION_OF_NEW_TAGS, 0, 0, 0, 0, 0, 0]), text)[1]


def edit_tag(data: bytes, text: str | None, *, add: bool = True) -> tuple[list[Field], bytes]:
    """Read the frames of a whole tag, and write it with another key.

    Args:
        data: the tag, from its header to the end of its padding or footer.
        text: the key; None for reading only.
        add: add a frame if there is no frame to replace.

    Returns:
        The frames, and the tag. Everything in it except the key has the same bytes in the same order.

    Raises:
        UntaggableError: the form of the tag is not known. Damaged frames are not an error: they are kept.
    """
    tag = _parse(data)
    if text is None:
        return tag.fields, data

    def make(name: str, old: Field | None) -> bytes:
        return make_frame(
            name, old, text, tag.version, is_stuffed=tag.is_stuffed,
            tag_unsynchronised=bool(tag.flags & _UNSYNCHRONISED),
        )  # fmt: skip

    raw = [field.raw for field in tag.fields]
    # If the end of a frame cannot be found, only the start of the first frame is certain.
    frames = edited(tag.fields, OWN, text, make, add=add, in_front=tag.is_damaged)
    if frames == raw:
        return tag.fields, data
    return tag.fields, _joined(tag, b"".join(frames), len(data))


def _front_tags(source: Source) -> list[tuple[int, int]]:
    """Where the tags at the start begin and end; some programs put their tag in front of another."""
    tags: list[tuple[int, int]] = []
    place = 0
    while True:
        header = source.upto(place, _HEADER)
        size = _size(header, b"ID3")
        if size is not None and _lacks_footer(header, source.upto(place + size - _HEADER, _HEADER)):
            size -= _HEADER
        if size is None and not tags and source.upto(place, 3) == b"ID3" and source.size > _HEADER:
            raise UntaggableError(
                "its ID3 tag is damaged (it states no size); write its tags again in a tag editor"
            )
        if size is None or place + size > source.size:
            if size is not None and not tags:
                raise UntaggableError(
                    "its ID3 tag is damaged (it is longer than the file); fetch the file again"
                )
            return tags
        tags.append((place, place + size))
        place += size


def _size(header: bytes, mark: bytes) -> int | None:
    """The length of a tag with header and footer, according to either; None if it is not a tag."""
    if len(header) < _HEADER or header[:3] != mark or not 2 <= header[3] < 0xFF:
        return None
    size = synchsafe(header[6:_HEADER])
    footer = _HEADER if header[3] == 4 and header[5] & _FOOTER else 0
    return None if size is None else _HEADER + size + footer


def _lacks_footer(header: bytes, footer: bytes) -> bool:
    """Whether a header announces a footer, but something else is there, which may be audio."""
    return header[3] == 4 and bool(header[5] & _FOOTER) and footer[:3] != b"3DI"


def _appended_tag(source: Source, front: int) -> tuple[int, int] | None:
    """Where a tag at the end begins and ends: before ID3v1, Lyrics3 and APE tags (ID3v2.4.0-structure, 5)."""
    end = source.size
    while end > front:
        size = _size(source.upto(end - _HEADER, _HEADER), b"3DI")
        if size is not None and end - size >= front and source.upto(end - size, 3) == b"ID3":
            return end - size, end
        shorter = _without_last_tag(source, end)
        if shorter == end:
            return None
        end = shorter
    return None


def _without_last_tag(source: Source, end: int) -> int:
    """Where the tag of another kind that ends at ``end`` begins; ``end`` itself if there is no such tag."""
    if source.upto(end - 128, 3) == b"TAG":
        return end - 128
    ape = source.upto(end - 32, 32)
    if ape[:8] == b"APETAGEX":
        has_header = ape[23] & 0x80
        return max(end - int.from_bytes(ape[12:16], "little") - (32 if has_header else 0), 0)
    lyrics = source.upto(end - 15, 15)
    if lyrics[6:] == b"LYRICS200" and lyrics[:6].isdigit():
        return max(end - 15 - int(lyrics[:6]), 0)
    return end


def _parse(data: bytes) -> _Tag:
    version, flags = data[3], data[5]
    if version not in _KNOWN_FLAGS:
        raise UntaggableError(
            f"its ID3 tag is of version 2.{version}, which is not known; write it as 2.3 or 2.4"
        )
    if flags & ~_KNOWN_FLAGS[version]:
        raise UntaggableError(
            "its ID3 tag is compressed, or has flags that are not known; write it as 2.3 or 2.4"
        )
    has_footer = bool(flags & _FOOTER) and version == 4 and data[-_HEADER:][:3] == b"3DI"
    body = data[_HEADER : len(data) - (_HEADER if has_footer else 0)]
    tag = _Tag(version, flags, b"", [], b"", False, has_footer)
    place = _extended_length(body, tag) if version > 2 and flags & _EXTENDED else 0
    tag.extended = body[:place]
    frames, tag.rest, tag.is_damaged = split(body[place:], version, tag.is_stuffed)
    unsynchronised = bool(flags & _UNSYNCHRONISED)
    tag.fields = [read_frame(frame, version, tag.is_stuffed, unsynchronised) for frame in frames]
    return tag


def _extended_length(body: bytes, tag: _Tag) -> int:
    """The length of the extended header in the file."""
    head = unstuffed(body[:8])[:4] if tag.is_stuffed else body[:4]
    if head.isalnum() and head.isupper():
        # Some programs set the flag but write a frame here.
        return 0
    size = synchsafe(head) if tag.version == 4 else int.from_bytes(head, "big") + 4
    # In 2.3 it has a checksum or not; in 2.4 its length depends on its flags. A longer one would hide frames.
    fits = size is not None and (6 <= size <= _LONGEST_EXTENDED if tag.version == 4 else size in (10, 14))
    if size is None or not fits or size > len(body):
        raise UntaggableError(
            "its ID3 tag is damaged (in the extended header); write its tags again in a tag editor"
        )
    return skip(body, 0, size, tag.is_stuffed)


def _joined(tag: _Tag, frames: bytes, old_length: int) -> bytes:
    """A tag with other frames, of the same length if the padding has room."""
    rest = tag.rest
    if not rest.strip(b"\0") and not tag.has_footer:
        room = old_length - _HEADER - len(tag.extended) - len(frames)
        rest = bytes(room if room >= 0 else _PADDING)
    extended = _extended(tag, frames, rest)
    body = extended + frames + rest
    if len(body) > _LARGEST:
        raise UntaggableError("its ID3 tag has no room left for a key (256 MiB); remove the largest frame")
    state = bytes([tag.version, 0, tag.flags]) + as_synchsafe(len(body))
    return b"ID3" + state + body + (b"3DI" + state if tag.has_footer else b"")


def _extended(tag: _Tag, frames: bytes, padding: bytes) -> bytes:
    """The extended header, with the new checksum and length of the padding."""
    if not tag.extended:
        return b""
    head = bytearray(unstuffed(tag.extended) if tag.is_stuffed else tag.extended)
    if tag.version == 3:
        head[6:10] = len(padding).to_bytes(4, "big")
        if head[4] & 0x80 and len(head) >= 14:
            plain = unstuffed(frames) if tag.is_stuffed else frames
            head[10:14] = zlib.crc32(plain).to_bytes(4, "big")
    elif len(head) > 5 and head[5] & 0x20:
        # Each flag that is set has data, which begin with their length.
        place = 6 + (1 + head[6] if head[5] & 0x40 and len(head) > 6 else 0)
        if head[place : place + 1] == b"\5" and place + 6 <= len(head):
            head[place + 1 : place + 6] = as_synchsafe(zlib.crc32(frames + padding), 5)
    return stuffed(bytes(head)) if tag.is_stuffed else bytes(head)
