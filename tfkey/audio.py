"""Reading audio files as mono waveforms at one sample rate, by libsndfile and soxr."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr

from tfkey.errors import AudioError

EXTENSIONS = frozenset({".wav", ".flac", ".ogg", ".oga", ".mp3", ".aiff", ".aif", ".opus"})
"""Suffixes (lower case) that are taken for audio when a folder is searched."""

SILENCE_DB = -80.0
"""A recording whose peak is below this level (dB re full scale) carries no music; 16-bit noise is at -90."""

# libsndfile's code where, in a file that does exist, its MP3 reader finds no frame.
_NO_STREAM = 7


def read(path: Path | str, sample_rate: int = 44100) -> np.ndarray:
    """Read a whole audio file as a mono waveform.

    Channels are averaged; any sample rate is brought to ``sample_rate`` by soxr's high-quality resampler.

    Args:
        path: a file in any format that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF, Opus).
        sample_rate: the wanted rate in Hz.

    Returns:
        float32 ``[samples]``, full scale at 1.0. Never empty, always finite.

    Lossy streams (MP3, Ogg) carry no length that could be relied on: a cut one is read up to the cut.

    Raises:
        AudioError: the file is missing, empty, truncated, not audio, or holds no sample or one that is
            not finite.
    """
    path = Path(path)
    _check_file(path)
    try:
        # soundfile takes a name in text for UTF-8, which file names need not be.
        with soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path) as stream:
            rate, promised = stream.samplerate, stream.frames
            blocks = list(_mono_blocks(stream))
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: cannot be decoded ({_reason(error)}); give a sound audio file") from error
    waveform = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if not waveform.size:
        raise AudioError(f"{path}: holds no samples; give a file with sound in it")
    # That of an MP3 is an estimate.
    if path.suffix.lower() in {".wav", ".flac"} and 0 < promised < 1 << 40 and waveform.size < promised:
        raise AudioError(
            f"{path}: truncated ({waveform.size} of {promised} samples); copy it again from its source"
        )
    if not np.isfinite(waveform).all():
        raise AudioError(f"{path}: holds samples that are no numbers; encode it again")
    if rate != sample_rate:
        waveform = soxr.resample(waveform, rate, sample_rate)
        if not waveform.size:
            raise AudioError(f"{path}: too short for one sample at {sample_rate} Hz; give a longer file")
    return np.ascontiguousarray(waveform, np.float32)


def is_silent(waveform: np.ndarray) -> bool:
    """Whether no sample of a waveform reaches :data:`SILENCE_DB`."""
    return float(np.max(np.abs(waveform), initial=0.0)) < 10 ** (SILENCE_DB / 20)


def find_audio(folder: Path) -> list[Path]:
    """All audio files below a folder, sorted by path; hidden ones and those in hidden folders left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in EXTENSIONS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def _mono_blocks(stream: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """The mean over channels, block by block, so that a many-channelled file never stands in memory whole."""
    # Not stream.blocks(): where a stream ends before its announced length, that fills up with old memory.
    while (block := stream.read(1 << 20, dtype="float32", always_2d=True)).size:
        yield block.mean(axis=1)


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
            promised = _promised_bytes(stream.read(28))
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened ({error.strerror}); check name and rights") from error
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


def _reason(error: soundfile.LibsndfileError) -> str:
    if error.code == _NO_STREAM:
        return "no audio stream found in it"
    return error.error_string.strip().rstrip(".") or f"libsndfile error {error.code}"
