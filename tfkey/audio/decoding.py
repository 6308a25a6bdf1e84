"""Decoding a file with whichever decoders can read it, until all of it is decoded.

For each format the more dependable decoder goes first. If it refuses the file, stops before the end or finds
far too little audio, the next decoder continues where it stopped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from tfkey.audio import mpeg_frames
from tfkey.audio.ffmpeg import ContainerReader
from tfkey.audio.headers import HEAD_BYTES, part_head, read_at
from tfkey.audio.joined import find_parts
from tfkey.audio.libsndfile import SndfileReader
from tfkey.audio.opening import Opened
from tfkey.audio.readers import Reader, UndecodableError
from tfkey.audio.spans import Span
from tfkey.errors import AudioError

# WAV's numbers for codings that libsndfile decodes: PCM, ADPCM, float, A-law, mu-law, GSM, G.721 ...
_SNDFILE_CODINGS = {1, 2, 3, 6, 7, 0x11, 0x31, 0x40, 0xFFFE}
_SNDFILE_KINDS = {"wav", "w64", "aiff", "au", "caf", "flac", "vorbis", "mp3", "unknown"}
# DTS in a WAV that claims to be PCM, in 16 and 14 bits, both byte orders.
_DTS = (b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\x00", b"\xff\x1f\x00\xe8")
# A decoded length may fall short of the stated one by this much: encoders count padding, containers round.
_SPARE_SECONDS = 0.1
_SPARE_SECONDS_LOSSY = 1.0
# Audio has no lower rate, and resampled it would take far more memory than its file is worth.
_LEAST_RATE = 1000
# A decoder may leave the bytes of this much audio unread at the end.
_LEFT_SECONDS = 0.04
# The most bytes that headers take, and that a second of MP3 takes (twice 320 kbit/s, at a free rate).
_SPARE_BYTES = 4096
_MP3_BYTES_PER_SECOND = 80_000
# The most bytes that a frame of uncompressed audio takes: eight channels of eight bytes.
_FRAME_BYTES = 64


class Decoding:
    """A file while it is decoded.

    Attributes:
        seconds: the length that the file states, set from the first block on; 0.0 if it does not state one.
        decoded: the seconds decoded so far.
        cut: after the last block: what is missing, in words, if the file is cut or damaged.
        doubt: after the last block: why the file may be cut, if nothing shows what is missing.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.seconds = 0.0
        self.decoded = 0.0
        self.cut: str | None = None
        self.doubt: str | None = None

    @property
    def warning(self) -> str | None:
        """What the user must know about the result; None if nothing is wrong."""
        return self.cut or self.doubt

    def blocks(self) -> Iterator[tuple[np.ndarray, int]]:
        """The mean over channels, float32 ``[n]``, block by block, each with its rate in Hz.

        The rate may change between blocks. A block's memory may be reused for the next one.

        Raises:
            AudioError: no decoder knows the format, or the file is protected, or so short that nothing can be
                decoded.
            OSError: the file cannot be read.
        """
        refusals: list[UndecodableError] = []
        missing = fault = None
        for decoder in _decoders(self._opened):
            try:
                reader = decoder()
            except UndecodableError as error:
                refusals.append(error)
                continue
            with contextlib.closing(reader):
                self.seconds = self.seconds or reader.seconds
                before = self.decoded
                try:
                    yield from self._continue(reader.blocks())
                    fault, text = reader.fault(), reader.missing()
                except UndecodableError as error:
                    refusals.append(error)
                    fault, text = error.reason, None
                # The decoder that got further decides what is missing.
                missing = text if self.decoded > before else missing or text
            if fault is None:
                break
        self._conclude(missing, fault, refusals)

    def _continue(self, blocks: Iterator[tuple[np.ndarray, int]]) -> Iterator[tuple[np.ndarray, int]]:
        """The blocks without the audio that was decoded before."""
        skip = self.decoded
        for block, rate in blocks:
            if rate < _LEAST_RATE:
                raise UndecodableError(f"it states a sample rate of {rate} Hz")
            if skip > 0:
                count = min(block.size, round(skip * rate))
                skip = skip - count / rate if count == block.size else 0.0
                block = block[count:]
            if block.size:
                self.decoded += block.size / rate
                yield block, rate

    def _conclude(self, missing: str | None, fault: str | None, refusals: list[UndecodableError]) -> None:
        """Say what is missing, or why nothing was decoded."""
        opened = self._opened
        missing = missing or next((error.missing for error in refusals if error.missing), None)
        self.cut = _missing(opened, self.decoded) or missing
        if self.decoded:
            if opened.tail is not None and opened.tail.serial and not opened.tail.is_marked:
                self.doubt = "the end of the Ogg stream is not marked; it may be cut"
            elif _ends_in_frame(opened):
                self.doubt = "it ends in the middle of a frame; it may be cut"
            if fault is not None and self.cut is None:
                self.doubt = f"damaged ({fault})"
        elif self.cut is None and refusals:
            reason = next((error.reason for error in refusals if not error.is_vague), refusals[0].reason)
            raise AudioError(f"{opened.path}: cannot be decoded ({reason}); give an intact audio file")


def _missing(opened: Opened, decoded: float) -> str | None:
    """What the file's own header states and the file does not hold, in words; None if nothing."""
    head, stated, spare = opened.head, 0.0, _SPARE_SECONDS
    if opened.samples is not None:
        # The place of the samples is known to the byte; other numbers in the header do not matter.
        stated = opened.samples.stated_seconds
        decoded = stated - opened.samples.missing_seconds
    elif head.kind == "flac":
        stated = _flac_seconds(head.content)
    elif head.kind == "mp3":
        stated, size = mpeg_frames.announced(head.content)
        spare = _SPARE_SECONDS_LOSSY
        if size and head.end - head.start > 0.99 * size:
            # All bytes are there: the length is wrong.
            return None
    elif opened.tail is not None and opened.tail.serial and not opened.tail.is_whole:
        return "truncated (the last page of the Ogg stream is incomplete)"
    if decoded >= stated - spare:
        return None
    return f"truncated ({decoded:.1f} of {stated:.1f} s)"


def _ends_in_frame(opened: Opened) -> bool:
    """Whether a stream does not state its length and its last frame is incomplete."""
    head = opened.head
    if head.kind not in ("mp3", "aac") or mpeg_frames.announced(head.content)[0]:
        return False
    start = max(head.start, head.end - HEAD_BYTES)
    return mpeg_frames.ends_in_frame(read_at(opened.stream, start, head.end - start))


def _flac_seconds(content: bytes) -> float:
    """The length according to STREAMINFO (RFC 9639, 8.2); 0.0 if it is unknown."""
    rate = int.from_bytes(content[18:21], "big") >> 4
    total = int.from_bytes(content[21:26], "big") & (1 << 36) - 1
    return total / rate if rate else 0.0


def _decoders(opened: Opened) -> Iterator[Callable[[], Reader]]:
    """The decoders for a file, the most dependable first."""
    is_sndfile_first = opened.head.kind in _SNDFILE_KINDS
    if opened.samples is not None:
        start = read_at(opened.stream, opened.samples.start, HEAD_BYTES)
        has_dts = opened.head.kind == "wav" and any(sync in start for sync in _DTS)
        is_sndfile_first = opened.samples.coding in _SNDFILE_CODINGS and not has_dts
    first = (lambda: _Sndfile(opened)) if is_sndfile_first else (lambda: _container(opened))
    # Chained Ogg streams usually have different serial numbers.
    is_joined = opened.tail is not None and opened.tail.serial not in (None, opened.head.content[14:18])
    if not is_joined:
        yield first
    parts = find_parts(opened.stream, opened.head)
    if len(parts) > 1:
        yield lambda: _JoinedReader(opened, parts)
    if is_joined:
        yield first
    yield (lambda: _container(opened)) if is_sndfile_first else (lambda: _Sndfile(opened))


def _container(opened: Opened) -> ContainerReader:
    head = opened.head
    span = opened.span()
    if head.kind == "mp3" or (head.start and span.start == 0 and not span.header):
        # FFmpeg may take what follows a tag for the format, and positions as counted from the file's start.
        span = Span(opened.stream, head.start, head.end)
    return ContainerReader(opened.path, span, head.kind)


class _Sndfile(SndfileReader):
    """libsndfile, with a check of how far it got."""

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened.span())
        self._opened = opened
        self._count = 0

    def blocks(self) -> Iterator[tuple[np.ndarray, int]]:
        for block, rate in super().blocks():
            self._count += block.size
            yield block, rate

    @property
    def _given(self) -> float:
        """The seconds decoded."""
        return self._count / self.sample_rate

    def fault(self) -> str | None:
        """Whether bytes were left over, or held too little audio for their number, in words."""
        opened = self._opened
        if opened.samples is not None:
            return None
        size = opened.head.end - opened.head.start
        most = _MP3_BYTES_PER_SECOND if opened.head.kind == "mp3" else self.sample_rate * _FRAME_BYTES
        if size > most * self._given + _SPARE_BYTES or not self._given:
            return f"{self._given:.1f} s found in {size} bytes"
        left = self.left - (opened.size - opened.head.end if self._file is None else 0)
        if opened.head.kind == "mp3":
            left = max(left, self._beyond_header())
        if opened.head.kind not in ("mp3", "flac", "vorbis") or left <= _LEFT_SECONDS * size / self._given:
            return None
        rest = read_at(opened.stream, opened.head.end - left, min(left, 1 << 20))
        has_audio = mpeg_frames.has_frame(rest) if opened.head.kind == "mp3" else rest.strip(b"\0")
        return f"{left} bytes were not decoded" if has_audio else None

    def _beyond_header(self) -> int:
        """How many bytes of an MP3 follow the length at which libsndfile stops.

        It reads ahead: it reads all bytes of a short file, however much it decodes.
        """
        head = self._opened.head
        seconds, size = mpeg_frames.announced(head.content)
        if seconds and size:
            return head.end - head.start - size
        # It guesses the length from the first frame, or takes it from a header that does not count bytes.
        has_stopped = self._count >= round(self.seconds * self.sample_rate)
        return round((head.end - head.start) * 2 * _LEFT_SECONDS / self._given) if has_stopped else 0

    def missing(self) -> str | None:
        """What is missing from files whose format is checked nowhere else."""
        if self._opened.head.kind != "unknown" or self._given >= self.seconds - _SPARE_SECONDS:
            return None
        return f"truncated ({self._given:.1f} of {self.seconds:.1f} s)"


class _JoinedReader:
    """Several files joined into one, read one after the other."""

    def __init__(self, opened: Opened, parts: list[tuple[int, int]]) -> None:
        self._opened, self._parts = opened, parts
        self.seconds = 0.0

    def blocks(self) -> Iterator[tuple[np.ndarray, int]]:
        """The audio of all parts; one that cannot be decoded is left out."""
        opened = self._opened
        for start, end in self._parts:
            head = part_head(opened.stream, start, end)
            part = Opened.of(opened.path, opened.stream, opened.size, head)
            with contextlib.suppress(AudioError):
                yield from Decoding(part).blocks()

    def fault(self) -> None:
        """None: each part has been decoded by any decoder that can read it."""

    def missing(self) -> None:
        """None: the last part ends where the file ends."""

    def close(self) -> None:
        """Nothing is open."""
