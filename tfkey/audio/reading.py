"""Reading audio files as mono waveforms at one sample rate."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr

from tfkey.audio.decoding import Decoding
from tfkey.audio.libsndfile import BLOCK
from tfkey.audio.opening import opened
from tfkey.errors import AudioError

SILENCE_DB = -80.0
"""A recording whose peak is below this level (dB re full scale) carries no music; 16-bit noise is at -90."""

# Beyond the densest of lossy streams; silence in FLAC may be denser, and room is then made as it comes.
_MOST_SAMPLES_PER_BYTE = 64
# Less than this of a cut file is not worth an answer.
_LEAST_SECONDS = 0.5


def read(path: Path | str, sample_rate: int = 44100) -> np.ndarray:
    """Read a whole audio file as a mono waveform.

    Channels are averaged; those that would cancel are turned first (:mod:`tfkey.audio.mixing`). Any sample
    rate is brought to ``sample_rate`` by soxr's high-quality resampler. The format is recognised by content,
    whatever the suffix. What changes its rate or channels on the way is read to its end.

    Args:
        path: a file in any format that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF), or else FFmpeg
            (AAC, ALAC, WMA, Opus, the sound of videos).
        sample_rate: the wanted rate in Hz.

    Returns:
        float32 ``[samples]``, in [-1, 1]: what lies beyond full scale is clipped. Never empty, always finite.

    A file that is cut without a trace (an MP3 that does not state its length) is read up to the cut.

    Raises:
        AudioError: the file is missing, empty, truncated, protected, not audio, or holds no sample or one
            that is not finite.
    """
    found = read_up_to(path, sample_rate, sys.maxsize)
    assert found.waveform is not None
    return found.waveform


@dataclass(frozen=True)
class Found:
    """What was read of a file.

    Attributes:
        waveform: float32 ``[samples]``; None if it is longer than was asked for.
        samples: the length.
        warning: what is wrong with the file though it can be read, such as that it is cut; None if nothing.
    """

    waveform: np.ndarray | None
    samples: int
    warning: str | None


def read_up_to(path: Path | str, sample_rate: int, most: int, *, cut: bool = False) -> Found:
    """Read as :func:`read` does what is no longer than ``most`` samples; of what is longer, tell how long.

    Args:
        path: the file.
        sample_rate: the wanted rate in Hz.
        most: samples at that rate; more are never in memory.
        cut: whether a file that is cut is read up to the cut, with a warning.

    Raises:
        AudioError: as :func:`read` does.
    """
    path = Path(path)
    with opened(path) as file:
        decoding = Decoding(file)
        # What a header promises is not always there, and no header is worth more memory than its file.
        densest = _MOST_SAMPLES_PER_BYTE * file.size
        waveform, size = _read_mono(path, decoding, sample_rate, most, densest)
        _check_whole(path, decoding, size, sample_rate, cut)
    return Found(waveform, size, decoding.warning)


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


def blocks(path: Path | str, sample_rate: int = 44100, *, cut: bool = False) -> Iterator[np.ndarray]:
    """Read an audio file as :func:`read` does, block by block: in memory that no length of a file exceeds.

    Args:
        path: the file.
        sample_rate: the wanted rate in Hz.
        cut: whether a file that is cut is read up to the cut.

    Yields:
        float32 ``[n]``, one after the other what :func:`read` gives; less than a second each as a rule. The
        memory is used again: copy what is to be kept.

    Raises:
        AudioError: as :func:`read` does; what shows at the end only (a truncated file) after the last block.
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


def is_silent(waveform: np.ndarray) -> bool:
    """Whether no sample of a waveform reaches :data:`SILENCE_DB`."""
    least = 10 ** (SILENCE_DB / 20)
    # Music shows in its first block. Not by abs(), which is another array of that length.
    return not any(
        part.max() >= least or part.min() <= -least
        for part in (waveform[start : start + BLOCK] for start in range(0, waveform.size, BLOCK))
    )


def _read_mono(
    path: Path, decoding: Decoding, sample_rate: int, most: int, densest: int
) -> tuple[np.ndarray | None, int]:
    """Decode a file to ``sample_rate``; the result is the only array of its length.

    Args:
        path: its name for errors.
        decoding: the file.
        sample_rate: the wanted rate in Hz.
        most: samples to keep.
        densest: samples to make room for at most, whatever the file states.

    Returns:
        float32 ``[samples]`` in [-1, 1], None if there are more than ``most``; how many there are.
    """
    waveform: np.ndarray | None = None
    size = 0
    for part in _resampled(decoding, sample_rate):
        end = size + part.size
        if end > most:
            waveform = None
        elif not size:
            likely = math.ceil(decoding.seconds * sample_rate) + 1
            waveform = np.empty(max(end, min(most, likely, densest)), np.float32)
        elif waveform is not None and end > waveform.size:
            waveform.resize(min(most, end + waveform.size // 4), refcheck=False)
        _put(part, part if waveform is None else waveform[size:end], path)
        size = end
    # Not resize(), which copies all of it.
    return None if waveform is None else waveform[:size], size


def _resampled(decoding: Decoding, sample_rate: int) -> Iterator[np.ndarray]:
    """A file's blocks at another rate. Not to be kept."""
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
        # What it has held back.
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _check_whole(path: Path, decoding: Decoding, size: int, sample_rate: int, cut: bool) -> None:
    """Refuse what is cut, if that is not wanted, or holds nothing."""
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
    # Of what is no number, no sum is one; that of numbers may go beyond all, so they are then looked at.
    with np.errstate(over="ignore", invalid="ignore"):
        total = part.sum()
    if not np.isfinite(total) and not np.isfinite(part).all():
        raise AudioError(f"{path}: holds samples that are no numbers; encode it again")
    # Loud lossy files and resampling overshoot; 16-bit intervals cannot hold it, and all modes are to agree.
    np.clip(part, -1.0, 1.0, out=place)
