"""Reading audio files as mono waveforms at one sample rate."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr

from tfkey.audio.decoding import Decoding
from tfkey.audio.libsndfile import BLOCK
from tfkey.audio.memory import Memory
from tfkey.audio.opening import opened
from tfkey.errors import AudioError, TooLongError

SILENCE_DB = -80.0
"""A recording whose peak is below this level (dB re full scale) carries no music; 16-bit noise is at -90."""

OVERHANG_SECONDS = 0.5
"""How far a segment may reach beyond the end of its file."""

# More than in the densest lossy streams. Silence in FLAC may be denser; memory is then added as needed.
_MOST_SAMPLES_PER_BYTE = 64
# If less than this is left of a cut file, the file is refused.
_LEAST_SECONDS = 0.5


def read(path: Path | str, sample_rate: int = 44100) -> np.ndarray:
    """Read a whole audio file as a mono waveform.

    Channels are averaged; those that would cancel are inverted first (:mod:`tfkey.audio.mixing`). Any sample
    rate is converted to ``sample_rate`` by soxr's high-quality resampler. The format is recognised by its
    content, whatever the suffix. A file whose rate or channels change in the middle is read to its end.

    Args:
        path: a file in any format that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF), or else FFmpeg
            (AAC, ALAC, WMA, Opus, the audio of videos).
        sample_rate: the wanted rate in Hz.

    Returns:
        float32 ``[samples]``, in [-1, 1]: samples beyond full scale are clipped. Never empty, always finite.

    If nothing shows that a file is cut (an MP3 need not state its length), it is read up to the cut.

    Raises:
        AudioError: the file is missing, empty, truncated, protected, not audio, or holds no samples or
            samples that are not finite.
    """
    found = read_up_to(path, sample_rate, sys.maxsize)
    assert found.waveform is not None
    return found.waveform


@dataclass(frozen=True)
class Found:
    """What was read from a file.

    Attributes:
        waveform: float32 ``[samples]``; None if it is longer than the limit.
        samples: the length.
        warning: what is wrong with a file that can be read, such as that it is cut; None if nothing is wrong.
    """

    waveform: np.ndarray | None
    samples: int
    warning: str | None


def read_up_to(
    path: Path | str,
    sample_rate: int,
    most: int,
    *,
    cut: bool = False,
    longest: int | None = None,
    memory: Memory | None = None,
) -> Found:
    """Read a file of up to ``most`` samples as :func:`read` does; return only the length of a longer one.

    Args:
        path: the file.
        sample_rate: the wanted rate in Hz.
        most: the limit in samples at that rate; there are never more in memory.
        cut: whether a file that is cut is read up to the cut, with a warning.
        longest: the most samples that a file may have; None for any number.
        memory: where the waveform is placed; None for memory of its own.

    Raises:
        AudioError: as :func:`read` does.
        TooLongError: there are more than ``longest`` samples; they are decoded no further than that.
    """
    path = Path(path)
    with opened(path) as file:
        decoding = Decoding(file)
        # Headers may promise more than there is, so the size of the file limits the memory, too.
        limits = _Limits(most, _MOST_SAMPLES_PER_BYTE * file.size, longest)
        waveform, size = _read_mono(path, decoding, sample_rate, limits, memory or Memory(0))
        _check_whole(path, decoding, size, sample_rate, cut)
    return Found(waveform, size, decoding.warning)


def encode(waveform: np.ndarray, sample_rate: int, container: Literal["WAV", "FLAC"]) -> bytes:
    """A waveform as the bytes of a 16-bit file.

    It does not write to a path: if the disk is full, libsndfile reports only that something failed.

    Args:
        waveform: float ``[samples]`` or ``[samples, channels]`` in [-1, 1].
        sample_rate: the rate in Hz.
        container: the format.
    """
    stream = io.BytesIO()
    soundfile.write(stream, waveform, sample_rate, subtype="PCM_16", format=container)
    return stream.getvalue()


def blocks(
    path: Path | str, sample_rate: int = 44100, *, cut: bool = False
) -> Generator[np.ndarray, None, None]:
    """Read an audio file as :func:`read` does, but block by block: memory use does not grow with the file.

    Args:
        path: the file.
        sample_rate: the wanted rate in Hz.
        cut: whether a file that is cut is read up to the cut.

    Yields:
        float32 ``[n]``, in order what :func:`read` returns as a whole; usually less than a second each. The
        memory is reused: copy what you keep.

    Raises:
        AudioError: as :func:`read` does. Faults that show only at the end (a truncated file) are raised after
            the last block.
    """
    path = Path(path)
    size = 0
    with opened(path) as file:
        decoding = Decoding(file)
        for part in _resampled(decoding, sample_rate):
            _put(part, part, path)
            size += part.size
            if part.size:
                yield part
        _check_whole(path, decoding, size, sample_rate, cut)


def read_segment(path: Path | str, sample_rate: int, start: float, seconds: float) -> np.ndarray:
    """Read a segment of an audio file as :func:`read` reads the whole; what follows it is not decoded.

    Args:
        path: the file.
        sample_rate: the wanted rate in Hz.
        start: where the segment begins, in seconds.
        seconds: its length; it may exceed the file by :data:`OVERHANG_SECONDS`, because decoders differ, and
            starts and lengths are rounded.

    Returns:
        float32 ``[samples]``, as many as asked for; what the file lacks is silent.

    Raises:
        AudioError: as :func:`read` does, but for a truncated file only if the segment is affected; or the
            segment lies beyond the end of the file.
    """
    first, wanted = round(start * sample_rate), round(seconds * sample_rate)
    place, parts = 0, []
    reading = blocks(path, sample_rate)
    for block in reading:
        part = block[max(0, first - place) : max(0, first + wanted - place)]
        if part.size:
            parts.append(part.copy())
        place += block.size
        if place >= first + wanted:
            reading.close()
            break
    if place < first + wanted - OVERHANG_SECONDS * sample_rate or not parts:
        raise AudioError(
            f"{path}: the segment from {start:g} s to {start + seconds:g} s lies beyond its end at "
            f"{place / sample_rate:.2f} s; correct the segment"
        )
    found = np.concatenate(parts)
    return np.pad(found, (0, wanted - found.size)) if found.size < wanted else found


def is_silent(waveform: np.ndarray) -> bool:
    """Whether no sample of a waveform reaches :data:`SILENCE_DB`."""
    least = 10 ** (SILENCE_DB / 20)
    # Music usually shows in the first block. abs() would make another array of that length.
    return not any(
        part.max() >= least or part.min() <= -least
        for part in (waveform[start : start + BLOCK] for start in range(0, waveform.size, BLOCK))
    )


@dataclass(frozen=True)
class _Limits:
    """Numbers of samples.

    Attributes:
        most: the most samples to keep.
        densest: the most samples to allocate at first, whatever the file states.
        longest: the most samples that a file may have; None for any number.
    """

    most: int
    densest: int
    longest: int | None


def _read_mono(
    path: Path, decoding: Decoding, sample_rate: int, limits: _Limits, memory: Memory
) -> tuple[np.ndarray | None, int]:
    """Decode a file to ``sample_rate``; the result is the only array of its length.

    Args:
        path: its name, for errors.
        decoding: the file.
        sample_rate: the wanted rate in Hz.
        limits: how many samples are decoded, kept and allocated.
        memory: where the result is placed.

    Returns:
        float32 ``[samples]`` in [-1, 1], None if there are more than ``limits.most``; how many there are.
    """
    waveform: np.ndarray | None = None
    most, longest = limits.most, limits.longest
    size = 0
    for part in _resampled(decoding, sample_rate):
        end = size + part.size
        # By what is decoded, since headers state what they like.
        if longest is not None and end > longest:
            raise TooLongError(f"{path}: longer than {longest / sample_rate:g} s; give a shorter one")
        if end > most:
            waveform = None
        elif not size:
            likely = math.ceil(decoding.seconds * sample_rate) + 1
            waveform = memory.array(max(end, min(most, likely, limits.densest)))
        elif waveform is not None and end > waveform.size:
            waveform = memory.longer(waveform, min(most, end + waveform.size // 4))
        _put(part, part if waveform is None else waveform[size:end], path)
        size = end
    # Not resize(), which copies the whole array.
    return None if waveform is None else waveform[:size], size


def _resampled(decoding: Decoding, sample_rate: int) -> Iterator[np.ndarray]:
    """A file's blocks at another rate. Their memory is reused."""
    resampler, current = None, sample_rate
    for block, rate in decoding.blocks():
        if rate != current:
            if resampler is not None:
                yield resampler.resample_chunk(block[:0], last=True)
            current, resampler = rate, None
            if rate != sample_rate:
                resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32")
        yield block if resampler is None else resampler.resample_chunk(block)
    if resampler is not None:
        # The samples that it still holds.
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _check_whole(path: Path, decoding: Decoding, size: int, sample_rate: int, cut: bool) -> None:
    """Refuse a file that is cut (unless that is allowed) or holds nothing."""
    if decoding.cut is not None and not (cut and decoding.decoded >= _LEAST_SECONDS):
        raise AudioError(f"{path}: {decoding.cut}; copy it again from its source")
    if not decoding.decoded:
        raise AudioError(f"{path}: holds no samples; give a file with audio in it")
    if not size:
        raise AudioError(f"{path}: too short for one sample at {sample_rate} Hz; give a longer file")


def _put(part: np.ndarray, place: np.ndarray, path: Path) -> None:
    """Copy samples to their place, clipped to full scale."""
    if not part.size:
        return
    # If any sample is NaN, so is the sum. A sum of finite samples may overflow: check the samples only then.
    with np.errstate(over="ignore", invalid="ignore"):
        total = part.sum()
    if not np.isfinite(total) and not np.isfinite(part).all():
        raise AudioError(f"{path}: holds samples that are not finite; encode it again")
    # Loud lossy files and resampling overshoot. 16-bit intervals cannot hold this, and all modes must agree.
    np.clip(part, -1.0, 1.0, out=place)
