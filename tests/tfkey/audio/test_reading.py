from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tfkey.audio.reading import (
    OVERHANG_SECONDS,
    SILENCE_DB,
    Found,
    is_silent,
    read,
    read_segment,
    read_up_to,
)
from tfkey.errors import AudioError

RATE = 44100


def tone(seconds: float = 1.0, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """A chord with a different level in every channel, ``[samples, channels]``."""
    time = np.arange(round(seconds * rate))[:, np.newaxis] / rate
    pitches = 220.0 * 2 ** (np.arange(channels) * 4 / 12)
    return (np.sin(2 * np.pi * pitches * time) / (2 + np.arange(channels))).astype(np.float32)


@pytest.mark.parametrize("rate", [RATE, 16000])
def test_what_is_too_long_is_measured_only(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(3.0), RATE)
    whole = read(tmp_path / "a.wav", rate)
    for most in (whole.size, whole.size + 1):
        found = read_up_to(tmp_path / "a.wav", rate, most)
        assert (found.samples, found.warning) == (whole.size, None)
        np.testing.assert_array_equal(found.waveform, whole)
    for most in (0, 1, whole.size - 1):
        assert read_up_to(tmp_path / "a.wav", rate, most) == Found(None, whole.size, None)


def test_numbers_beyond_all_sums_are_clipped(tmp_path: Path) -> None:
    sound = np.full(1000, 3e38, np.float32)
    sound[::3] = -3e38
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read(tmp_path / "a.wav"), np.sign(sound))


@pytest.mark.parametrize(
    ("suffix", "container", "coding", "tolerance"),
    [
        (".wav", "WAV", "PCM_16", 1e-4),
        (".wav", "WAV", "PCM_U8", 1e-2),
        (".wav", "WAV", "PCM_24", 1e-6),
        (".wav", "WAVEX", "FLOAT", 0),
        (".wav", "RF64", "DOUBLE", 0),
        (".flac", "FLAC", "PCM_16", 1e-4),
        (".FLAC", "FLAC", "PCM_24", 1e-6),
        (".aiff", "AIFF", "PCM_16", 1e-4),
        (".aif", "AIFF", "FLOAT", 0),
        (".ogg", "OGG", "VORBIS", 0.03),
        (".opus", "OGG", "OPUS", 0.03),
        (".mp3", "MP3", "MPEG_LAYER_III", 0.03),
    ],
)
def test_every_format(tmp_path: Path, suffix: str, container: str, coding: str, tolerance: float) -> None:
    path = tmp_path / f"clip{suffix}"
    rate = 48000 if coding == "OPUS" else RATE
    sound = tone(rate=rate, channels=2)
    soundfile.write(path, sound, rate, format=container, subtype=coding)
    waveform = read(path, rate)
    assert (waveform.dtype, waveform.shape) == (np.float32, (rate,))
    middle = slice(2000, -2000)  # lossy coders ring at the ends
    np.testing.assert_allclose(waveform[middle], sound.mean(axis=1)[middle], atol=tolerance + 1e-7)


@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000])
def test_any_rate_and_any_channels(tmp_path: Path, channels: int, rate: int) -> None:
    path = tmp_path / "clip.wav"
    sound = tone(0.3, rate, channels)
    soundfile.write(path, sound, rate, subtype="FLOAT")
    mono = sound.mean(axis=1)
    expected = mono if rate == RATE else soxr.resample(mono, rate, RATE)
    np.testing.assert_allclose(read(path), expected, atol=1e-6)
    assert read(path).shape == (round(0.3 * RATE),)


def test_long_file_is_joined_without_a_seam(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, 2**20 + 2**20 + 7).astype(np.float32)
    soundfile.write(tmp_path / "clip.wav", sound, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read(tmp_path / "clip.wav"), sound)


def write_bad(path: Path, case: str) -> None:
    suffix = path.suffix.lstrip(".")
    if case == "empty":
        path.write_bytes(b"")
    elif case == "text":
        path.write_text("This is a shopping list: eggs, milk, bread.\n" * 40)
    elif case == "folder":
        path.mkdir()
    elif case == "no samples":
        soundfile.write(path, np.zeros(0, np.float32), RATE)
    elif case == "one sample":
        soundfile.write(path, np.full(1, 0.5, np.float32), 192000)
    elif case == "2 Hz":
        soundfile.write(path, np.full(60000, 0.5, np.float32), 2)
    elif case == "not finite":
        sound = tone()
        sound[777] = np.nan if suffix == "wav" else np.inf
        soundfile.write(path, sound, RATE, subtype="FLOAT")
    elif case != "missing":
        container = "RF64" if case.startswith("rf64") else None
        soundfile.write(path, tone(3), RATE, format=container)
        content = path.read_bytes()
        path.write_bytes(content[:44] if case == "header" else content[: len(content) * 2 // 3])


@pytest.mark.parametrize(
    ("name", "case", "message"),
    [
        ("a.wav", "missing", "no such file"),
        ("a.wav", "folder", "a folder"),
        ("a.mp3", "empty", "empty"),
        ("a.wav", "empty", "empty"),
        ("a.wav", "no samples", "no samples"),
        ("a.wav", "one sample", "too short"),
        ("a.wav", "2 Hz", "cannot be decoded .it states a sample rate of 2 Hz"),
        ("a.mp3", "text", "cannot be decoded"),
        ("a.ogg", "text", "cannot be decoded"),
        ("a.wav", "text", "cannot be decoded"),
        ("a.wav", "header", "truncated"),
        ("a.flac", "header", "truncated"),
        ("a.mp3", "header", "truncated"),
        ("a.wav", "cut", "truncated"),
        ("a.wav", "rf64 cut", "truncated"),
        ("a.aiff", "cut", "truncated"),
        ("a.flac", "cut", "truncated|cannot be decoded"),
        ("a.wav", "not finite", "not finite"),
        ("a.aiff", "not finite", "not finite"),
        ("a" * 300 + ".wav", "missing", "cannot be opened"),
    ],
)
def test_bad_file_is_named_in_one_line(tmp_path: Path, name: str, case: str, message: str) -> None:
    path = tmp_path / name
    write_bad(path, case)
    with pytest.raises(AudioError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "; " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "opus"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.97])
def test_cut_lossy_file_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"clip.{suffix}"
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 40 * RATE)
    kind = {"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {}
    soundfile.write(path, noise, RATE if suffix != "opus" else 48000, **kind)
    read(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(AudioError, match="truncated"):
        read(path)


def test_cut_mp3_that_states_no_length_ends_at_the_cut(tmp_path: Path) -> None:
    """Only what was decoded comes back, and no memory that was never written."""
    path = tmp_path / "clip.mp3"
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 8 * RATE)
    soundfile.write(path, noise, RATE)
    content = path.read_bytes().replace(b"Xing", b"----").replace(b"Info", b"----")
    path.write_bytes(content)
    whole = read(path)
    path.write_bytes(content[: len(content) // 2])
    waveform = read(path)
    assert 0.45 * whole.size < waveform.size < 0.55 * whole.size
    np.testing.assert_allclose(waveform[:-4000], whole[: waveform.size - 4000], atol=1e-4)


@pytest.mark.parametrize("size", [0x7FFFF000, 0xFFFFFFFF])
def test_wav_of_a_writer_that_knew_no_length(tmp_path: Path, size: int) -> None:
    """What SoX and FFmpeg write to a pipe."""
    path = tmp_path / "clip.wav"
    soundfile.write(path, tone(), RATE)
    content = bytearray(path.read_bytes())
    content[4:8] = min(size + 36, 0xFFFFFFFF).to_bytes(4, "little")
    content[40:44] = size.to_bytes(4, "little")
    path.write_bytes(content)
    assert read(path).shape == (RATE,)


@pytest.mark.parametrize(
    ("waveform", "silent"),
    [
        (np.zeros(0), True),
        (np.zeros(9), True),
        (np.full(9, 2.0**-15), True),
        (np.array([0.0, -0.9 * 10 ** (SILENCE_DB / 20)]), True),
        (np.array([0.0, -1.1 * 10 ** (SILENCE_DB / 20)]), False),
    ],
)
def test_is_silent(waveform: np.ndarray, silent: bool) -> None:
    assert is_silent(waveform.astype(np.float32)) is silent


@pytest.mark.parametrize("rate", [RATE, 16000, 48000])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_a_segment_is_a_part_of_the_whole(tmp_path: Path, rate: int, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    sound = tone(4.0, channels=2) * np.linspace(0.2, 1, 4 * RATE)[:, np.newaxis].astype(np.float32)
    soundfile.write(path, sound, RATE)
    whole = read(path, rate)
    for start, seconds in ((0, 4.0), (0.0, 0.25), (1.234567, 1.5), (3.5, 0.5), (3.999, 0.001)):
        first, size = round(start * rate), round(seconds * rate)
        found = read_segment(path, rate, start, seconds)
        assert (found.dtype, found.shape) == (np.float32, (size,))
        np.testing.assert_array_equal(found, whole[first : first + size])


def test_a_segment_at_and_beyond_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(2.0, 8000), 8000)
    whole = read(path, 8000)
    # Decoders differ in the end of a file: what a segment lacks there is silent.
    found = read_segment(path, 8000, 1.5, 0.5 + OVERHANG_SECONDS)
    assert found.size == round(8000 * (0.5 + OVERHANG_SECONDS))
    np.testing.assert_array_equal(found[:4000], whole[12000:])
    assert not found[4000:].any()
    for start, seconds in ((1.5, 0.51 + OVERHANG_SECONDS), (2.0, 0.1), (2.5, 3.0), (1e6, 1.0), (0.0, 1e6)):
        with pytest.raises(AudioError, match=r"a\.wav: the segment from .* lies beyond its end at 2\.00 s"):
            read_segment(path, 8000, start, seconds)


def test_a_segment_before_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(2.0, 8000), 8000)
    whole = read(path, 8000)
    path.write_bytes(path.read_bytes()[:-16000])
    np.testing.assert_array_equal(read_segment(path, 8000, 0.25, 0.5), whole[2000:6000])
    with pytest.raises(AudioError, match="truncated"):
        read_segment(path, 8000, 0.5, 1.0)
    with pytest.raises(AudioError, match="no such file"):
        read_segment(tmp_path / "gone.wav", 8000, 0, 1.0)
