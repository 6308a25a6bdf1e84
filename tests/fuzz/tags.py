"""Targets: the readers and writers of tags, in tfkey.tags.

A key is planned, and the patches are applied in memory. What comes of it must state the key, keep every other
tag and all coded sound, and stay as it is when the key is written again.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.fuzz import audio
from tests.fuzz.audio import Counting
from tests.tfkey.tags.building import MIXED_IN_KEY, comments, frame, named, text
from tests.tfkey.tags.test_id3 import CASES, STATED, tag
from tfkey.tags import formats
from tfkey.tags.fields import Field, is_key_tag, key_texts, other_texts, packed_keys
from tfkey.tags.patches import Patch, Source, UntaggableError

KEY = "Abm"


def check_tags(data: bytes) -> None:
    """Read a file's tags, write a key, and look at everything that must be so afterwards."""
    try:
        before = formats.plan(Source(Counting(data)), None)
    except UntaggableError as error:
        check_reason(error)
        return
    assert not before.patches
    stated = key_texts(before.fields)
    packed_keys(before.fields)
    other_texts(before.fields)
    if stated and {value for _, value in stated} == {KEY}:
        return
    try:
        patches = formats.plan(Source(Counting(data)), KEY).patches
    except UntaggableError as error:
        check_reason(error)
        return
    new = patched(data, patches)
    after = formats.plan(Source(Counting(new)), None)
    assert {value for _, value in key_texts(after.fields)} == {KEY}, key_texts(after.fields)
    assert others(after.fields) == others(before.fields), "another tag was lost or changed"
    assert sound(new) == sound(data), "the sound was changed"
    again = formats.plan(Source(Counting(new)), KEY).patches
    assert patched(new, again) == new, "writing the same key again changes the file"


def check_reason(error: UntaggableError) -> None:
    """The reason is one line, with a remedy."""
    assert "\n" not in str(error)
    assert "; " in str(error)


def patched(data: bytes, patches: Sequence[Patch]) -> bytes:
    """The file with its changes, which must be in order and apart."""
    parts, place = [], 0
    for patch in patches:
        assert place <= patch.start <= patch.end <= len(data), "patches overlap, or lie outside of the file"
        parts += [data[place : patch.start], patch.data]
        place = patch.end
    return b"".join([*parts, data[place:]])


def others(fields: Sequence[Field]) -> list[bytes]:
    """The tags that no key is written into."""
    return [field.raw for field in fields if not is_key_tag(field)]


def sound(data: bytes) -> object:
    """The coded sound of a file, found in the simplest way; nothing where none is."""
    place = 0
    while data[place : place + 3] == b"ID3" and len(data) > place + 9:
        has_footer = data[place + 3] == 4 and data[place + 5] & 0x10
        place += 10 + sum(
            byte << 7 * power for power, byte in enumerate(reversed(data[place + 6 : place + 10]))
        )
        place += 10 if has_footer and data[place : place + 3] == b"3DI" else 0
    if place:
        return _mpeg(data[place:])
    if data.startswith(b"OggS"):
        return packets(data)
    if data[4:8] == b"ftyp":
        return pointed_at(data)
    if data.startswith((b"RIFF", b"FORM")) and data[8:12] in (b"WAVE", b"AIFF", b"AIFC"):
        return chunks(data)
    if data.startswith(audio.headers.ASF):
        return data[int.from_bytes(data[16:24], "little") :]
    return _mpeg(data)


def _mpeg(data: bytes) -> bytes | None:
    """What lies in front of further tags."""
    return data[: data.find(b"ID3")] if data.startswith(b"\xff\xf3\x14") else None


def packets(data: bytes) -> list[tuple[bytes, bytes]]:
    """All but the second packet of each stream of an Ogg file, as long as its pages are whole."""
    found: list[tuple[bytes, bytes]] = []
    open_packets: dict[bytes, bytes] = {}
    seen: dict[bytes, int] = {}
    place = 0
    while data[place : place + 5] == b"OggS\0" and len(data) >= place + 27:
        serial, lacing = data[place + 14 : place + 18], data[place + 27 :][: data[place + 26]]
        body = place + 27 + len(lacing)
        if body + sum(lacing) > len(data):
            break
        for size in lacing:
            open_packets[serial] = open_packets.get(serial, b"") + data[body : body + size]
            body += size
            if size < 255:
                seen[serial] = seen.get(serial, 0) + 1
                if seen[serial] != 2:
                    found.append((serial, open_packets[serial]))
                open_packets[serial] = b""
        place = body
    return [*found, *sorted(open_packets.items())]


def chunks(data: bytes) -> list[bytes]:
    """The chunks of a WAV or AIFF file but for ID3 ones, as far as they are whole."""
    order = "little" if data.startswith(b"RIFF") else "big"
    found, place = [], 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], order)  # type: ignore[arg-type]
        if place + 8 + size > len(data):
            break
        if data[place : place + 4].upper() != b"ID3 ":
            found.append(data[place : place + 8 + size])
        place += 8 + size + size % 2
    return found


def pointed_at(data: bytes) -> list[bytes]:
    """What the first table of places in an MP4 file points at, within its first ``mdat``."""
    start, end, inside = 0, len(data), (0, len(data))
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stco"):
        found = _box(data, *inside, name)
        if found is None:
            return []
        inside = found
    start, end = _box(data, 0, len(data), b"mdat") or (0, 0)
    table = data[inside[0] + 8 : inside[1]]
    count = int.from_bytes(data[inside[0] + 4 : inside[0] + 8], "big")
    if len(table) < 4 * count:
        return []
    places = [int.from_bytes(table[4 * number : 4 * number + 4], "big") for number in range(count)]
    return [data[place : min(place + 8, end)] for place in places if start <= place < end]


def _box(data: bytes, start: int, end: int, wanted: bytes) -> tuple[int, int] | None:
    """Where the content of the first box of a name lies; None if it is not there or not whole."""
    while start + 8 <= end:
        size, name = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        if size < 8 or start + size > end:
            return None
        if name == wanted:
            return start + 8, start + size
        start += size
    return None


def box(name: bytes, *parts: bytes) -> bytes:
    """A box of an MP4 file."""
    content = b"".join(parts)
    return (8 + len(content)).to_bytes(4, "big") + name + content


def item(name: str, value: str) -> bytes:
    """A named item of iTunes."""
    mean = box(b"mean", bytes(4), b"com.apple.iTunes")
    return box(
        b"----",
        mean,
        box(b"name", bytes(4), name.encode()),
        box(b"data", b"\0\0\0\1", bytes(4), value.encode()),
    )


def mp4(*items: bytes, free: int = 0, last: bool = False) -> bytes:
    """A tiny MP4 file with one table of places; ``last``: its movie box is behind the sound."""
    kind, content = box(b"ftyp", b"M4A ", bytes(4)), box(b"mdat", bytes(range(32)))
    handler = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    meta = box(b"udta", box(b"meta", bytes(4), handler, box(b"ilst", *items))) if items else b""

    def movie(place: int) -> bytes:
        table = box(b"stco", bytes(4), b"\0\0\0\2", place.to_bytes(4, "big"), (place + 16).to_bytes(4, "big"))
        tracks = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table))))
        return box(b"moov", tracks, meta) + (box(b"free", bytes(free)) if free else b"")

    if last:
        return kind + content + movie(len(kind) + 8)
    return kind + movie(len(kind) + len(movie(0)) + 8) + content


def asf_object(guid: str, content: bytes) -> bytes:
    """An object of an ASF file."""
    from tfkey.tags.asf import _guid

    return _guid(guid) + (24 + len(content)).to_bytes(8, "little") + content


def asf(*names: str) -> bytes:
    """A tiny ASF file with attributes of these names."""
    listed = b"".join(_attribute(name) for name in names)
    parts = [
        asf_object(
            "8CABDCA1-A947-11CF-8EE4-00C00C205365", bytes(16) + (400).to_bytes(8, "little") + bytes(56)
        ),
        asf_object("D2D0A440-E307-11D2-97F0-00A0C95EA850", len(names).to_bytes(2, "little") + listed),
    ]
    value = "Am\0".encode("utf-16-le")
    name = "WM/InitialKey\0".encode("utf-16-le")
    stated = (
        bytes(4)
        + len(name).to_bytes(2, "little")
        + bytes(2)
        + len(value).to_bytes(4, "little")
        + name
        + value
    )
    inner = asf_object("C5F8CBEA-5BAF-4877-8467-AA8C44FA4CCA", b"\1\0" + stated)
    extension = bytes(16) + b"\6\0" + len(inner).to_bytes(4, "little") + inner
    parts.append(asf_object("5FBF03B5-A92E-11CF-8EE3-00C00C205365", extension))
    body = b"".join(parts)
    head = audio.headers.ASF + (30 + len(body)).to_bytes(8, "little") + (3).to_bytes(4, "little") + b"\1\2"
    return head + body + asf_object("75B22636-668E-11CF-A6D9-00AA0062CE6C", bytes(30))


def _attribute(name: str) -> bytes:
    title, value = f"{name}\0".encode("utf-16-le"), "Am\0".encode("utf-16-le")
    return len(title).to_bytes(2, "little") + title + bytes(2) + len(value).to_bytes(2, "little") + value


FRAMES = [
    frame("TIT2", text("song")),
    frame("TKEY", text("Am", 1)),
    frame("TXXX", named("INITIALKEY", "Cm", 1)),
    frame("TXXX", named("KEY", MIXED_IN_KEY)),
    frame("GEOB", b"\0text\0\0Key\0" + MIXED_IN_KEY.encode()),
    frame("PRIV", b"owner\0\xff\xe0\xff\0data"),
]
COMMENTS = [
    comments(),
    comments(b"TITLE=song", b"INITIALKEY=Am", b"initialkey=Cm", b"KEY=" + MIXED_IN_KEY.encode()),
    comments(b"KEY=Am", b"broken", b"\xff=\xff", vendor=b""),
]


def id3_seeds() -> list[bytes]:
    """Tags of every version in front of and behind frames of MP3."""
    made = [tag(3, b"".join(FRAMES)) + audio.MP3, tag(3, b"".join(FRAMES), padding=40) + audio.MP3]
    made += [case.front + audio.MP3 + case.end for case in CASES.values()]
    made += [
        tag(version, b"".join(frames), flags, 10) + audio.MP3
        for version, flags, frames, _, _ in STATED.values()
    ]
    return [data for data in made if len(data) < 1500]


def flac_seeds() -> list[bytes]:
    """FLAC with and without comments and padding."""
    found = []
    for content in COMMENTS:
        block = b"\x04" + len(content).to_bytes(3, "big") + content
        info = b"fLaC\0\0\0\x22" + bytes(34)
        found += [
            info + block + b"\x81\0\0\x40" + bytes(64),
            info + b"\x84" + block[1:] + b"\xff\xf8" + bytes(9),
        ]
    info = b"fLaC\x80\0\0\x22" + bytes(34) + b"\xff\xf8\xc9\x18"
    return [*found, info, tag(3, FRAMES[1]) + info]


def ogg_seeds() -> list[bytes]:
    """Ogg of each codec, with comments on one page and on two."""
    found = []
    for content in COMMENTS:
        for first, mark in ((b"\x01vorbis", b"\x03vorbis"), (b"OpusHead", b"OpusTags"), (b"\x7fFLAC", b"")):
            packet = mark + content
            if not mark:
                packet = b"\x04" + len(content).to_bytes(3, "big") + content
            start = audio.page(0, 2, first + bytes(20))
            found.append(start + audio.page(1, 0, packet) + audio.page(2, 4, bytes(range(40))))
    other = audio.page(0, 2, b"fishead\0\3" + bytes(9), b"ser2")
    return [
        *found,
        start + other + audio.page(1, 0, b"\x04\0\0\x40" + comments(b"A=" + bytes(40))) + audio.OGG,
    ]


def mp4_seeds() -> list[bytes]:
    """MP4 with the movie box first and last, with free space and without."""
    items = (box(b"\xa9nam", b"song"), item("initialkey", "Am"), item("KEY", MIXED_IN_KEY))
    return [
        mp4(),
        mp4(last=True),
        mp4(*items),
        mp4(*items, last=True),
        mp4(*items[:1], free=200),
        mp4(free=24),
    ]


def asf_seeds() -> list[bytes]:
    """ASF with and without a key."""
    return [asf(), asf("Title"), asf("Title", "WM/InitialKey", "INITIALKEY", "Genre")]


def chunk_seeds() -> list[bytes]:
    """WAV and AIFF with and without an ID3 chunk."""
    found = []
    for content in (tag(3, b"".join(FRAMES[:2])), tag(4, b"", padding=30), bytes(20)):
        size = len(content)
        found.append(
            audio.wav(audio.SOUND, extra=b"id3 " + size.to_bytes(4, "little") + content + bytes(size % 2))
        )
        found.append(
            audio.aiff(audio.SOUND, extra=b"ID3 " + size.to_bytes(4, "big") + content + bytes(size % 2))
        )
    return [*found, *audio.chunk_seeds()[:8]]
