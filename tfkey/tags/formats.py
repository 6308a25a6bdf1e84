"""Which format a file has, according to its content, and which module reads and writes its key tag."""

from __future__ import annotations

from collections.abc import Callable

from tfkey.tags import asf, chunks, id3, mp4, ogg, vorbis
from tfkey.tags.patches import Plan, Source, UntaggableError

_Planner = Callable[[Source, "str | None"], Plan]

_SYNC_WITHIN = (1 << 14, 1 << 20)
_MPEG_KBPS = {
    # For each layer: MPEG 1; MPEG 2 and 2.5.
    1: ((0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
        (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)),
    2: ((0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
        (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)),
    3: ((0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
        (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)),
}  # fmt: skip
_MPEG_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}

_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")

_UNSUPPORTED: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (0, b"RF64", "RF64, the WAV of large files"),
    (0, b"BW64", "BW64, the WAV of large files"),
    (0, b"RIFX", "RIFX, the WAV with big-endian byte order"),
    (0, b"riff\x2e\x91\xcf\x11", "Wave64"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"tBaK", "TAK"),
    (0, b"OFR ", "OptimFROG"),
    (0, b"caff", "Core Audio Format"),
    (0, b".snd", "AU"),
    (0, b"FLV\x01", "Flash video"),
    (0, b"#!AMR", "AMR"),
    (0, b"ADIF", "AAC without a container"),
    (0, b"DSD ", "DSF"),
    (0, b"FRM8", "DSDIFF"),
    (0, b".RMF", "RealMedia"),
    (0, b"\0\0\x01\xba", "MPEG video"),
    (0, b"\x0bw", "AC-3"),
    (0, b"MThd", "MIDI"),
    (8, b"AVI ", "AVI"),
)


def plan(source: Source, text: str | None) -> Plan:
    """Plan the key in the tags of a file.

    Args:
        source: the file.
        text: the key; None for reading only.

    Raises:
        UntaggableError: tags are not supported in this format, or the file is damaged.
    """
    planner, _ = _planner(source)
    return planner(source, text)


def has_off_key(source: Source) -> bool:
    """Whether the format's key tag can state that a recording has no key; only ID3 can."""
    return _planner(source)[1]


def _planner(source: Source) -> tuple[_Planner, bool]:
    if source.size == 0:
        raise UntaggableError("is empty; fetch the file again")
    start = id3.end_of_front_tags(source)
    head = source.upto(start, 64)
    if head.startswith(b"fLaC"):
        return vorbis.plan, False
    for name, planner, has_off_key, fits in (
        ("Ogg", ogg.plan, False, head.startswith(b"OggS")),
        ("ASF", asf.plan, False, head.startswith(asf.HEADER)),
        ("MP4", mp4.plan, False, head[4:8] in _MP4_BOXES),
        ("WAV", chunks.plan, True, head[:4] == b"RIFF" and head[8:12] == b"WAVE"),
        ("AIFF", chunks.plan, True, head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC")),
    ):
        if fits and start:
            raise UntaggableError(
                f"is {name} after an ID3 tag, which does not belong there; remove that tag first"
            )
        if fits:
            return planner, has_off_key
    if head[:4] in (b"TTA1", b"TTA2"):
        return id3.plan, True
    for place, mark, name in _UNSUPPORTED:
        if head[place : place + len(mark)] == mark:
            raise _no_place(name)
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        raise _no_place("AAC without a container (ADTS)")
    if _has_mpeg_frames(source, start):
        return id3.plan, True
    raise _no_place("a file of unknown format")


def _no_place(name: str) -> UntaggableError:
    return UntaggableError(f"is {name}, which has no supported key tag; convert it to FLAC, MP3 or M4A")


def _has_mpeg_frames(source: Source, start: int) -> bool:
    """Whether frames of MPEG audio (MP3, MP2) begin at a place or soon after it."""
    for within in _SYNC_WITHIN:
        data = source.upto(start, within)
        place = data.find(b"\xff")
        while place >= 0:
            # In any data, two headers may follow each other by chance, or one may be near the end. The cheap
            # check for a header comes first.
            if _mpeg_frame(data[place : place + 4]) is not None and _are_mpeg_frames(
                source, start + place, 2 if place == 0 else 4
            ):
                return True
            place = data.find(b"\xff", place + 1)
    return False


def _are_mpeg_frames(source: Source, place: int, count: int) -> bool:
    """Whether ``count`` frames (fewer at the end of the file) follow each other from a place on."""
    for number in range(count):
        header = source.upto(place, 4)
        if number >= count // 2 and (
            len(header) < 4 or header[:3] in (b"TAG", b"APE", b"LYR", b"3DI", b"ID3")
        ):
            return True
        length = _mpeg_frame(header)
        # A header with a free bit rate states no length. In the middle of other data it is a coincidence.
        if not length:
            return length == 0 and count == 2
        place += length
    return True


def _mpeg_frame(header: bytes) -> int | None:
    """The length of a header's frame; 0 if it is not stated, None if this is not a header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate, frequency, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or rate == 15 or frequency == 3:
        return None
    bits = 1000 * _MPEG_KBPS[layer][0 if version == 3 else 1][rate]
    hertz = _MPEG_RATES[version][frequency]
    if layer == 1:
        return (12 * bits // hertz + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * bits // hertz + (padding if bits else 0)
