"""Decoding what libsndfile cannot (AAC, ALAC, WMA, Opus in Matroska, the sound of videos), by PyAV."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from tfkey.errors import AudioError

# From so many planes on, one a channel, PyAV (18) reads beyond their list, and crashes.
_PLANES = 8
# Containers round a stream's length, and coders pad it.
_SPARE_SECONDS = 1.0

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
# Content Encryption, Extended Content Encryption and Advanced Content Encryption Object.
_ASF_ENCRYPTION = tuple(
    bytes.fromhex(guid)
    for guid in (
        "fbb31122 23bd d211 b4b700a0c955fc6e",
        "14e68a29 2226 174c b935dae07ee9289c",
        "33850543 8169 e649 9b74ad12cb86d58c",
    )
)
_ISO_FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
# Sample entries of Apple's FairPlay, of Common Encryption (ISO/IEC 23001-7) and of Audible.
_ISO_ENCRYPTED = {"drms", "enca", "aavd"}
_PROTECTED = "protected by DRM; give a copy without (bought anew, or recorded)"


class ContainerStream:
    """The sound of a container, read from start to end.

    Attributes:
        samplerate: in Hz, of the first frame.
        frames: the announced length in samples; 0 if there is none.
        spare: by how many samples it may fall short of that.
    """

    def __init__(self, path: Path, container: Any) -> None:
        """Set up decoding.

        Raises:
            AudioError: there is no sound in it, or none that can be decoded.
        """
        self._path, self._container = path, container
        self._stream = _sound_of(path, container)
        self._decoded = self._decode()
        self._first = next(self._decoded, None)
        if self._first is None:
            raise _undecodable(path, "no sound found in it")
        self.samplerate = self._first.sample_rate
        self.frames = round(_announced_seconds(self._stream, container) * self.samplerate)
        self.spare = round(_SPARE_SECONDS * self.samplerate)

    def mono_blocks(self) -> Iterator[np.ndarray]:
        """The mean over channels, float32 ``[n]``, frame by frame; at last a block of no samples."""
        yield self._mono(self._first)
        for frame in self._decoded:
            yield self._mono(frame)
        yield np.zeros(0, np.float32)

    @functools.cached_property
    def _interleave(self) -> Callable[[Any], list[Any]]:
        import av

        return av.AudioResampler("flt").resample

    def _decode(self) -> Iterator[Any]:
        import av

        good = bad = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    for frame in packet.decode():
                        if frame.samples:
                            good += 1
                            yield frame
                except av.error.InvalidDataError:
                    # A player goes on after a damaged packet, too.
                    bad += 1
        except av.error.FFmpegError as error:
            raise _undecodable(self._path, str(error.strerror)) from error
        if bad > good:
            raise _undecodable(self._path, f"{bad} of {bad + good} packets are damaged")

    def _mono(self, frame: Any) -> np.ndarray:
        if frame.sample_rate != self.samplerate:
            raise _undecodable(
                self._path, f"its sample rate changes from {self.samplerate} to {frame.sample_rate} Hz"
            )
        if frame.format.is_planar and len(frame.layout.channels) >= _PLANES:
            (frame,) = self._interleave(frame)
        samples = frame.to_ndarray()
        if not frame.format.is_planar:
            samples = samples.reshape(-1, samples.shape[1] // frame.samples).T
        mono = samples.mean(axis=0, dtype=np.float64 if samples.dtype.itemsize > 2 else np.float32)
        if samples.dtype.kind == "u":
            return ((mono - 128) / 128).astype(np.float32)
        if samples.dtype.kind == "i":
            mono /= -float(np.iinfo(samples.dtype).min)
        return mono.astype(np.float32, copy=False)


@contextlib.contextmanager
def open_container(path: Path, reason: str) -> Iterator[ContainerStream]:
    """Open a file of any format that FFmpeg knows.

    Args:
        path: the file.
        reason: why libsndfile did not read it, for files that nobody reads.

    Raises:
        AudioError: the file is truncated, protected, holds no sound, or is none of these formats.
    """
    import av

    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            promised = _promised_bytes(stream, size)
            if size < promised:
                raise AudioError(
                    f"{path}: truncated ({size} of {promised} bytes); copy it again from its source"
                )
            stream.seek(0)
            if _is_encrypted_asf(stream.read(1 << 16)):
                raise AudioError(f"{path}: {_PROTECTED}")
            stream.seek(0)
            # Not by name: PyAV takes text, which file names need not be, and "a:b" for a protocol.
            with av.open(stream, **_tolerant_metadata()) as container:
                yield ContainerStream(path, container)
    except av.error.FFmpegError as error:
        raise _undecodable(path, reason) from error


def _tolerant_metadata() -> dict[str, Any]:
    """What makes PyAV accept tags that are not UTF-8: version 19 does so by itself and has no such option."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def _sound_of(path: Path, container: Any) -> Any:
    streams = list(container.streams.audio)
    if not streams:
        raise _undecodable(path, "no audio stream found in it")
    if any(getattr(stream.codec_context, "codec_tag", "") in _ISO_ENCRYPTED for stream in streams):
        raise AudioError(f"{path}: {_PROTECTED}")
    stream = container.streams.best("audio") or streams[0]
    if stream.codec_context is None:
        raise _undecodable(path, "there is no decoder for its sound")
    return stream


def _announced_seconds(stream: Any, container: Any) -> float:
    """The length of a stream by its container, 0.0 if that tells none, or guesses."""
    formats = set(container.format.name.split(","))
    if formats & {"mp4", "avi", "caf", "aiff", "wav"} and stream.duration:
        return float(stream.duration * stream.time_base)
    if "matroska" in formats:
        # The container's length is that of its longest stream, which may be the picture.
        hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
        minutes, _, seconds = rest.partition(":")
        with contextlib.suppress(ValueError):
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if "asf" in formats and len(container.streams) == 1 and container.duration:
        return container.duration / 1e6
    return 0.0


def _promised_bytes(stream: IO[bytes], size: int) -> int:
    """The length that a container says it has, 0 if it says none."""
    head = stream.read(1 << 12)
    if head[4:8] in _ISO_FIRST:
        return _end_of_boxes(stream, size)
    if head[:4] == _EBML:
        return _end_of_segment(head)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return int.from_bytes(head[4:8], "little") + 8
    if head[:16] == _ASF:
        place = head.find(_ASF_FILE_PROPERTIES)
        # A broadcast, which knows no length, has the first flag set.
        if place >= 0 and not head[place + 88] & 1:
            return int.from_bytes(head[place + 40 : place + 48], "little")
    return 0


def _end_of_boxes(stream: IO[bytes], size: int) -> int:
    """Where the last box of the top level ends (ISO/IEC 14496-12, 4.2)."""
    place = 0
    while place + 8 <= size:
        stream.seek(place)
        head = stream.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0 or not head[4:8].isascii():
            return size
        if length < 8:
            return 0
        place += length
    return place if place > size else 0


def _end_of_segment(head: bytes) -> int:
    """Where a Matroska file's segment ends (RFC 8794, 4), 0 if it is of unknown length."""
    place = head.find(_SEGMENT)
    if place < 0 or len(head) < place + 12:
        return 0
    place += 4
    width = 9 - head[place].bit_length()
    length = int.from_bytes(head[place : place + width], "big") & ((1 << 7 * width) - 1)
    return 0 if length == (1 << 7 * width) - 1 else place + width + length


def _is_encrypted_asf(head: bytes) -> bool:
    return head[:16] == _ASF and any(guid in head for guid in _ASF_ENCRYPTION)


def _undecodable(path: Path, reason: str) -> AudioError:
    return AudioError(f"{path}: cannot be decoded ({reason}); give a sound audio file")
