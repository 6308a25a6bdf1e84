"""Reading audio files as mono waveforms at one sample rate, by libsndfile and soxr."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr

from tfkey.errors import AudioError

EXTENSIONS = frozenset({".wav", ".flac", ".ogg", ".oga", ".mp3", ".aiff", ".aif", ".opus"})
"""Suffixes (lower case) that are taken for audio when a folder is searched."""

SILENCE_DB = -80.0
"""A recording whose peak is below this level (dB re full scale) carries no music; 16-bit noise is at -90."""


def read(path: Path | str, sample_rate: int = 44100) -> np.ndarray:
    """Read a whole audio file as a mono waveform.

    Channels are averaged; any sample rate is brought to ``sample_rate`` by soxr's high-quality resampler.

    Args:
        path: a file in any format that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF, Opus).
        sample_rate: the wanted rate in Hz.

    Returns:
        float32 ``[samples]``, full scale at 1.0. Never empty, always finite.

    Raises:
        AudioError: the file is missing, empty, truncated, not audio, or holds no sample or no finite one.
    """
    path = Path(path)
    _check_file(path)
    try:
        with soundfile.SoundFile(path) as stream:
            rate, promised = stream.samplerate, stream.frames
            # Reading a block at a time keeps a many-channelled file from standing in memory whole.
            blocks = [block.mean(axis=1) for block in stream.blocks(1 << 20, dtype="float32", always_2d=True)]
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: cannot be decoded ({_reason(error)}); give a sound audio file") from error
    waveform = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if not waveform.size:
        raise AudioError(f"{path}: holds no samples; give a file with sound in it")
    # Only lossless containers promise an exact length; that of an MP3 is an estimate.
    if path.suffix.lower() in {".wav", ".flac"} and 0 < promised < 1 << 40 and waveform.size < promised:
        raise AudioError(
            f"{path}: truncated ({waveform.size} of {promised} samples); copy it again from its source"
        )
    if not np.isfinite(waveform).all():
        raise AudioError(f"{path}: holds samples that are no numbers; encode it again")
    if rate != sample_rate:
        waveform = soxr.resample(waveform, rate, sample_rate)
    return np.ascontiguousarray(waveform, np.float32)


def is_silent(waveform: np.ndarray) -> bool:
    """Whether no sample of a waveform reaches :data:`SILENCE_DB`."""
    return float(np.max(np.abs(waveform), initial=0.0)) < 10 ** (SILENCE_DB / 20)


def find_audio(folder: Path) -> list[Path]:
    """All audio files below a folder, hidden ones left out, sorted by path."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()
    )


def _check_file(path: Path) -> None:
    if not path.exists():
        raise AudioError(f"{path}: no such file; check the path")
    if path.is_dir():
        raise AudioError(f"{path}: a folder, not a file; give an audio file")
    size = path.stat().st_size
    if size == 0:
        raise AudioError(f"{path}: empty (0 bytes); copy it again from its source")
    with path.open("rb") as stream:
        head = stream.read(12)
    # libsndfile reads a cut WAV without a word, so the length that its header promises is checked here.
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        promised = int.from_bytes(head[4:8], "little") + 8
        # Writers to a pipe leave 0 or the greatest number there.
        if size < promised < 0xFFFFFF00:
            raise AudioError(f"{path}: truncated ({size} of {promised} bytes); copy it again from its source")


def _reason(error: soundfile.LibsndfileError) -> str:
    return error.error_string.strip().rstrip(".") or f"libsndfile error {error.code}"
