"""Decoding with FFmpeg, through PyAV: AAC, ALAC, WMA, Opus, videos, and files that libsndfile refuses."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfkey.audio.container_sizes import ends_flv, is_encrypted_asf, promised_bytes
from tfkey.audio.mixing import Mixer, turned
from tfkey.audio.readers import UndecodableError
from tfkey.audio.spans import Span
from tfkey.errors import AudioError

# With this many planes (one per channel) or more, PyAV (18) reads beyond their list and crashes.
_PLANES = 8
# The least samples in a block.
_BLOCK = 1 << 14
# Frames last a fiftieth of a second, which is too little to decide how channels are mixed.
_SETTLE_SECONDS = 0.4
# Containers round the length of a stream, and encoders pad it.
_SPARE_SECONDS = 1.0
_SPARE_SECONDS_MP4 = 0.05
_SPARE_BYTES = 16
# A file with a larger share of damaged packets than the first counts as damaged; with a larger share than the
# second, it is of no use. Without a container, tags and pictures between the frames count as damaged packets.
_LEAST_BAD, _MOST_BAD = 0.01, 0.05
_LEAST_BAD_BARE, _MOST_BAD_BARE = 0.2, 0.5
# FFmpeg's names for formats that it might mistake for others.
_DEMUXERS = {"mp3": "mp3", "aac": "aac"}

# Sample entries of Apple's FairPlay, Common Encryption (ISO/IEC 23001-7) and Audible.
_ISO_ENCRYPTED = {"drms", "enca", "aavd"}
_PROTECTED = "protected by DRM; give a copy without protection"


class ContainerReader:
    """The audio of a container, read from start to end.

    Args:
        path: its name, for errors.
        span: where the container is in the file.
        kind: its format, see :class:`tfkey.audio.headers.Head`.

    Attributes:
        seconds: the stated length; 0.0 if no length is stated.

    Raises:
        UndecodableError: it holds no audio that can be decoded.
        AudioError: it is protected.
    """

    def __init__(self, path: Path, span: Span, kind: str) -> None:
        import av

        self._path, self._span, self._kind = path, span, kind
        self._file = span.open()
        self._good = self._bad = self._packets = 0
        # The end of the last packet that was decoded, in the stream's time base.
        self._last = 0
        self._error: str | None = None
        if kind == "asf" and is_encrypted_asf(self._file.read(1 << 16) or b""):
            raise AudioError(f"{path}: {_PROTECTED}")
        self._file.seek(0)
        # Not by name: PyAV needs text, which file names need not be, and takes "a:b" for a protocol.
        options: dict[str, Any] = {"format": _DEMUXERS[kind]} if kind in _DEMUXERS else {}
        if int(av.__version__.split(".")[0]) < 19:
            # From version 19 on, PyAV reads metadata in any bytes and has no such argument.
            options["metadata_errors"] = "replace"
        try:
            self._container = av.open(self._file, **options)
        except av.error.FFmpegError as error:
            raise UndecodableError(
                str(error.strerror), is_vague=True, missing=self._missing_bytes()
            ) from error
        try:
            self._stream = _sound_of(path, self._container)
            self.seconds = _announced_seconds(self._stream, self._container)
            self._decoded = self._decode()
            self._first = next(self._decoded, None)
            if self._first is None:
                raise UndecodableError(self._error or "no audio found in it", missing=self._missing_bytes())
            self._mixer = Mixer(self._first.sample_rate, _SETTLE_SECONDS)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it; the span's stream stays open."""
        self._container.close()

    def blocks(self) -> Iterator[tuple[np.ndarray, int]]:
        """The mean over channels, float32 ``[n]``, several frames per block, each block with its rate in Hz.

        Raises:
            UndecodableError: most of it is damaged.
            OSError: the file cannot be read.
        """
        # Frames are short, and later steps have a fixed cost per block.
        held: list[np.ndarray] = []
        count = rate = 0
        frame = self._first
        while frame is not None:
            if frame.sample_rate != rate or count >= _BLOCK:
                if held:
                    yield np.concatenate(held), rate
                held, count, rate = [], 0, frame.sample_rate
            held.append(self._mono(frame))
            count += held[-1].size
            frame = next(self._decoded, None)
        if held:
            yield np.concatenate(held), rate
        if self._file.error is not None:
            raise self._file.error
        if self._bad > self._good:
            raise UndecodableError(self._damage())

    def fault(self) -> str | None:
        """What went wrong, if anything did."""
        if self._error is not None:
            return self._error
        least = _LEAST_BAD_BARE if self._kind in _DEMUXERS else _LEAST_BAD
        return self._damage() if self._bad > max(1, least * (self._good + self._bad)) else None

    def missing(self) -> str | None:
        """What is missing according to the container's index, lengths and times, or cannot be decoded."""
        truncated = self._truncated()
        most = _MOST_BAD_BARE if self._kind in _DEMUXERS else _MOST_BAD
        if truncated is None and self._bad > max(1, most * (self._good + self._bad)):
            return f"damaged ({self._damage()})"
        return truncated

    def _truncated(self) -> str | None:
        formats = set(self._container.format.name.split(","))
        end = self.seconds + self._first_seconds()
        reached = float(self._last * (self._stream.time_base or 0))
        short = f"truncated ({reached:.1f} of {end:.1f} s)"
        if "mp4" in formats and self._stream.frames:
            # Its index counts packets; an edit list may leave some of them out.
            is_whole = self._packets >= self._stream.frames or reached >= end - _SPARE_SECONDS_MP4
            return None if is_whole else short
        by_bytes = self._missing_bytes()
        if by_bytes is not None or not self.seconds or reached >= end - _SPARE_SECONDS:
            return by_bytes
        # Times count only if the container states no length in bytes, or states it only for chunks, where
        # times show more. (If an AVI states no length in bytes, FFmpeg guesses its length in seconds.)
        is_silent = "matroska" in formats and not promised_bytes(self._span.open(), self._span.size)
        return short if is_silent or formats & {"caf", "aiff", "wav"} else None

    def _missing_bytes(self) -> str | None:
        """What is missing according to the container's length in bytes."""
        promised, size = promised_bytes(self._span.open(), self._span.size), self._span.size
        if size < promised - _SPARE_BYTES:
            return f"truncated ({size} of {promised} bytes)"
        if self._kind == "flv" and not ends_flv(self._span.open(), size):
            return "truncated (its last packet is incomplete)"
        return None

    def _first_seconds(self) -> float:
        """When the audio of an MP4 begins; its stated length does not include this time."""
        if "mp4" not in self._container.format.name or not self._stream.start_time:
            return 0.0
        return float(self._stream.start_time * self._stream.time_base)

    def _damage(self) -> str:
        return f"{self._bad} of {self._bad + self._good} packets cannot be decoded"

    @functools.cached_property
    def _interleave(self) -> Callable[[Any], list[Any]]:
        import av

        return av.AudioResampler("flt").resample

    def _demux(self) -> Iterator[Any]:
        while True:
            try:
                yield from self._container.demux(self._stream)
                return
            except IndexError:
                # PyAV (18) fails on a packet of a stream that begins in the middle of a file, but can go on.
                continue

    def _decode(self) -> Iterator[Any]:
        import av

        try:
            for packet in self._demux():
                self._packets += packet.size > 0
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    # Players, too, continue after a damaged packet.
                    self._bad += 1
                    continue
                self._good += packet.size > 0
                if packet.pts is not None and not packet.is_corrupt:
                    self._last = max(self._last, packet.pts + (packet.duration or 0))
                for frame in frames:
                    if frame.samples:
                        yield frame
        except av.error.FFmpegError as error:
            self._error = str(error.strerror)

    def _mono(self, frame: Any) -> np.ndarray:
        if frame.format.is_planar and len(frame.layout.channels) >= _PLANES:
            (frame,) = self._interleave(frame)
        samples = frame.to_ndarray()
        if not frame.format.is_planar:
            samples = samples.reshape(-1, samples.shape[1] // frame.samples).T
        signs = self._mixer.signs(samples.T)
        if signs is not None:
            samples = turned(samples, signs)
        mono = samples.mean(axis=0, dtype=np.float64 if samples.dtype.itemsize > 2 else np.float32)
        if samples.dtype.kind == "u":
            return ((mono - 128) / 128).astype(np.float32)
        if samples.dtype.kind == "i":
            mono /= -float(np.iinfo(samples.dtype).min)
        return mono.astype(np.float32, copy=False)


def _sound_of(path: Path, container: Any) -> Any:
    streams = list(container.streams.audio)
    if not streams:
        raise UndecodableError("no audio stream found in it")
    if any(_codec_tag(stream) in _ISO_ENCRYPTED for stream in streams):
        raise AudioError(f"{path}: {_PROTECTED}")
    # PyAV 12 cannot select the best stream.
    find_best = getattr(container.streams, "best", lambda _: None)
    stream = find_best("audio") or streams[0]
    if stream.codec_context is None:
        raise UndecodableError("there is no decoder for its audio")
    return stream


def _codec_tag(stream: Any) -> str:
    """The four letters of its coding in the container; empty if they are not text."""
    try:
        return getattr(stream.codec_context, "codec_tag", "")
    except UnicodeDecodeError:
        return ""


def _announced_seconds(stream: Any, container: Any) -> float:
    """The length of a stream according to its container; 0.0 if that does not state it or guesses."""
    formats = set(container.format.name.split(","))
    if formats & {"mp4", "avi", "caf", "aiff", "wav", "flac"} and stream.duration:
        return float(stream.duration * stream.time_base)
    if "matroska" in formats:
        # The container's length is that of its longest stream, which may be the video.
        hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
        minutes, _, seconds = rest.partition(":")
        with contextlib.suppress(ValueError, OverflowError):
            length = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
            return length if 0 <= length < math.inf else 0.0
    if "asf" in formats and len(container.streams) == 1 and container.duration:
        return container.duration / 1e6
    return 0.0
