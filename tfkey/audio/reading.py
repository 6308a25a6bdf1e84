"""Reading audio files as mono waveforms at one sample rate, by libsndfile (else PyAV) and soxr."""

from __future__ import annotations

import contextlib
import io
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

import numpy as np
import soundfile
import soxr

from tfkey.audio.containers import ContainerStream, open_container
from tfkey.errors import AudioError

SILENCE_DB = -80.0
"""A recording whose peak is below this level (dB re full scale) carries no music; 16-bit noise is at -90."""

_OGG_PAGE = 65307  # bytes of the longest page: a header, 255 lengths, 255 times 255 bytes
# libsndfile's code where, in a file that does exist, its MP3 reader finds no frame.
_NO_STREAM = 7
# Samples decoded at a time; a block of two channels stays in a processor's own cache. Between two blocks
# there are no matrix products, extremes and comparisons: for these BLAS and NumPy take the widest registers,
# after which many processors run slower for a while, and decoding MP3 takes a tenth longer.
_BLOCK = 1 << 16
# Beyond the densest of lossy streams; silence in FLAC may be denser, and room is then made as it comes.
_MOST_SAMPLES_PER_BYTE = 64


def read(path: Path | str, sample_rate: int = 44100) -> np.ndarray:
    """Read a whole audio file as a mono waveform.

    Channels are averaged; any sample rate is brought to ``sample_rate`` by soxr's high-quality resampler.

    Args:
        path: a file in any format that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF, Opus), or else FFmpeg
            (AAC, ALAC, WMA, the sound of videos).
        sample_rate: the wanted rate in Hz.

    Returns:
        float32 ``[samples]``, in [-1, 1]: what lies beyond full scale is clipped. Never empty, always finite.

    A cut MP3 without a Xing header, which few lack, says nothing of its length: it is read up to the cut.

    Raises:
        AudioError: the file is missing, empty, truncated, protected, not audio, or holds no sample or one
            that is not finite.
    """
    waveform, _ = read_up_to(path, sample_rate, sys.maxsize)
    assert waveform is not None
    return waveform


def read_up_to(path: Path | str, sample_rate: int, most: int) -> tuple[np.ndarray | None, int]:
    """Read as :func:`read` does what is no longer than ``most`` samples; of what is longer, tell how long.

    Args:
        path: the file.
        sample_rate: the wanted rate in Hz.
        most: samples at that rate; more are never in memory.

    Returns:
        float32 ``[samples]``, None if there are too many of them, and their number.

    Raises:
        AudioError: as :func:`read` does.
    """
    path = Path(path)
    with _opened(path) as stream:
        # What a header promises is not always there, and no header is worth more memory than its file.
        likely = min(stream.frames, _MOST_SAMPLES_PER_BYTE * path.stat().st_size)
        room = min(most, math.ceil(likely * sample_rate / stream.samplerate) + 1)
        waveform, size, decoded = _read_mono(path, stream, sample_rate, room, most)
        _check_whole(path, stream, decoded, size, sample_rate)
    return waveform, size


def encode(waveform: np.ndarray, sample_rate: int, container: Literal["WAV", "FLAC"]) -> bytes:
    """A waveform as the bytes of a 16-bit file.

    Not straight to a path: of a full disk libsndfile says only that something failed.

    Args:
        waveform: float ``[samples]`` or ``[samples, channels]`` in [-1, 1].
        sample_rate: in Hz.
        container: the format.
    """
    stream = io.BytesIO()
    soundfile.write(stream, waveform, sample_rate, subtype="PCM_16", format=container)
    return stream.getvalue()


def blocks(path: Path | str, sample_rate: int = 44100) -> Iterator[np.ndarray]:
    """Read an audio file as :func:`read` does, block by block: in memory that no length of a file exceeds.

    Args:
        path: the file.
        sample_rate: the wanted rate in Hz.

    Yields:
        float32 ``[n]``, one after the other what :func:`read` gives; less than a second each as a rule. The
        memory is used again: copy what is to be kept.

    Raises:
        AudioError: as :func:`read` does; what shows at the end only (a truncated file) after the last block.
    """
    path = Path(path)
    size = decoded = 0
    with _opened(path) as stream:
        for part, count in _resampled(stream, sample_rate):
            decoded += count
            _put(part, part, path)
            size += part.size
            if part.size:
                yield part
        _check_whole(path, stream, decoded, size, sample_rate)


def is_silent(waveform: np.ndarray) -> bool:
    """Whether no sample of a waveform reaches :data:`SILENCE_DB`."""
    least = 10 ** (SILENCE_DB / 20)
    # Music shows in its first block. Not by abs(), which is another array of that length.
    return not any(
        part.max() >= least or part.min() <= -least
        for part in (waveform[start : start + _BLOCK] for start in range(0, waveform.size, _BLOCK))
    )


class _OneWay(soundfile.SoundFile):
    """A file that is read from start to end only: soundfile's seek after every read costs MP3 a fifth."""

    def seekable(self) -> bool:
        return False


_Stream = _OneWay | ContainerStream


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Stream]:
    """Open a file, by libsndfile if that can; what fails in here is an AudioError that names it."""
    _check_file(path)
    try:
        try:
            # soundfile takes a name in text for UTF-8, which file names need not be.
            stream = _OneWay(os.fsencode(path) if os.name == "posix" else path)
        except soundfile.LibsndfileError as error:
            with open_container(path, _reason(error)) as other:
                yield other
            return
        with stream:
            yield stream
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: cannot be decoded ({_reason(error)}); give a sound audio file") from error
    except OSError as error:
        raise AudioError(
            f"{path}: cannot be read ({error.strerror}); check that it is still there"
        ) from error


def _read_mono(
    path: Path, stream: _Stream, sample_rate: int, room: int, most: int
) -> tuple[np.ndarray | None, int, int]:
    """Decode a stream to ``sample_rate``; the result is the only array of its length.

    Args:
        path: its name for errors.
        stream: at its start.
        sample_rate: the wanted rate in Hz.
        room: the samples to make room for at first.
        most: samples to keep.

    Returns:
        float32 ``[samples]`` in [-1, 1], None if there are more than ``most``; how many there are; and how
        many samples were decoded (at the stream's rate).
    """
    waveform: np.ndarray | None = np.empty(room, np.float32)
    size = decoded = 0
    for part, count in _resampled(stream, sample_rate):
        decoded += count
        end = size + part.size
        if end > most:
            waveform = None
        elif waveform is not None and end > waveform.size:
            waveform.resize(min(most, end + waveform.size // 4), refcheck=False)
        _put(part, part if waveform is None else waveform[size:end], path)
        size = end
    # Not resize(), which copies all of it.
    return None if waveform is None else waveform[:size], size, decoded


def _resampled(stream: _Stream, sample_rate: int) -> Iterator[tuple[np.ndarray, int]]:
    """A stream's blocks at another rate, each with the number of samples it was made from. Not to be kept."""
    resampler = None
    if stream.samplerate != sample_rate:
        resampler = soxr.ResampleStream(stream.samplerate, sample_rate, 1, dtype="float32")
    for block in stream.mono_blocks() if isinstance(stream, ContainerStream) else _mono_blocks(stream):
        # After its last block, of no samples, a stream gives what the resampler has held back.
        yield resampler.resample_chunk(block, last=not block.size) if resampler else block, block.size


def _check_whole(path: Path, stream: _Stream, decoded: int, size: int, sample_rate: int) -> None:
    """Refuse what ended before its announced length, or holds nothing."""
    promised = stream.frames
    if 0 < promised < 1 << 40 and decoded < promised - _spare_samples(path, stream):
        raise AudioError(
            f"{path}: truncated ({decoded} of {promised} samples); copy it again from its source"
        )
    if not decoded:
        raise AudioError(f"{path}: holds no samples; give a file with sound in it")
    if not size:
        raise AudioError(f"{path}: too short for one sample at {sample_rate} Hz; give a longer file")


def _put(part: np.ndarray, place: np.ndarray, path: Path) -> None:
    """Copy samples to their place, clipped to full scale."""
    if not part.size:
        return
    # Of what is no number, no sum is one; that of numbers may go beyond all, so they are then looked at.
    with np.errstate(over="ignore", invalid="ignore"):
        total = part.sum()
    if not np.isfinite(total) and not np.isfinite(part).all():
        raise AudioError(f"{path}: holds samples that are no numbers; encode it again")
    # Loud lossy files and resampling overshoot; 16-bit intervals cannot hold it, and all modes are to agree.
    np.clip(part, -1.0, 1.0, out=place)


def _mono_blocks(stream: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """The mean over channels block by block, at last a block of no samples. The memory is used again."""
    buffer = np.empty((_BLOCK, stream.channels), np.float32)
    mono = np.empty(_BLOCK, np.float32)
    size = _BLOCK
    while size:
        # Not stream.blocks(): where a stream ends before its announced length, that fills up with old memory.
        size = stream.buffer_read_into(buffer, "float32")
        block = buffer[:size]
        # NumPy's own mean over a short last axis takes as long as decoding MP3.
        if stream.channels == 2:
            np.add(block[:, 0], block[:, 1], out=mono[:size])
            mono[:size] *= np.float32(0.5)
        else:
            np.copyto(mono[:size], block[:, 0])
            for channel in range(1, stream.channels):
                mono[:size] += block[:, channel]
            mono[:size] /= stream.channels
        yield mono[:size]


def _check_file(path: Path) -> None:
    try:
        if not path.exists():
            raise AudioError(f"{path}: no such file; check the path")
        if path.is_dir():
            raise AudioError(f"{path}: a folder, not a file; give an audio file")
        size = path.stat().st_size
        if size == 0:
            raise AudioError(f"{path}: empty (0 bytes); copy it again from its source")
        with path.open("rb") as stream:
            head = stream.read(28)
            is_cut_ogg = head[:4] == b"OggS" and not _ends_ogg(stream, size)
            promised = _promised_bytes(head)
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened ({error.strerror}); check name and rights") from error
    if is_cut_ogg:
        raise AudioError(f"{path}: truncated (an Ogg stream without its end); copy it again from its source")
    # A pad byte at the end may be counted and yet not written.
    if size < promised - 1:
        raise AudioError(f"{path}: truncated ({size} of {promised} bytes); copy it again from its source")


def _promised_bytes(head: bytes) -> int:
    """The length that the header of a WAV or AIFF file promises, 0 if none; libsndfile ignores it."""
    if head[:4] == b"RF64" and head[12:16] == b"ds64":  # EBU Tech 3306
        return int.from_bytes(head[20:28], "little") + 8
    orders: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"FORM": "big"}
    if head[:4] not in orders or head[8:12] not in (b"WAVE", b"AIFF", b"AIFC"):
        return 0
    promised = int.from_bytes(head[4:8], orders[head[:4]]) + 8
    # Writers to a pipe, which know no length, leave the greatest number there, signed or not.
    return promised if promised < 0x7FFFF000 else 0


def _ends_ogg(stream: IO[bytes], size: int) -> bool:
    """Whether an Ogg file's last page is whole and marked as the end of its stream (RFC 3533, section 6)."""
    stream.seek(max(0, size - _OGG_PAGE))
    tail = stream.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    return bool(page[5] & 4) and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])


def _spare_samples(path: Path, stream: _Stream) -> int:
    """By how many samples a sound stream may fall short of the length that was announced for it."""
    if isinstance(stream, ContainerStream):
        return stream.spare
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if head[:4] in (b"RIFF", b"RF64", b"fLaC", b"FORM"):
        return 0
    # For MP3 the announced length is that of the Xing header, with the encoder's padding; else it is a guess.
    return 44100 if b"Xing" in head or b"Info" in head else stream.frames


def _reason(error: soundfile.LibsndfileError) -> str:
    if error.code == _NO_STREAM:
        return "no audio stream found in it"
    return error.error_string.strip().rstrip(".") or f"libsndfile error {error.code}"
