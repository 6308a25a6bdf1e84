from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tfkey.audio.reading import blocks, read
from tfkey.audio.recordings import LongFile, Waveform, open_recording
from tfkey.errors import AudioError
from tfkey.inference.covering import covering_starts


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    random = np.random.default_rng(0)
    stereo = np.clip(random.normal(0, 0.4, (100_001, 2)), -1.3, 1.3)
    for name, rate, subtype in (
        ("a.wav", 44100, "FLOAT"),
        ("b.flac", 48000, "PCM_16"),
        ("c.mp3", 32000, None),
    ):
        soundfile.write(folder / name, stereo, rate, subtype=subtype)
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["a.wav", "b.flac", "c.mp3"])
def test_long_file_gives_the_windows_of_a_short_one(files, name: str) -> None:
    whole = read(files[name], 16000)
    np.testing.assert_array_equal(
        np.concatenate([block.copy() for block in blocks(files[name], 16000)]), whole
    )
    short = open_recording(files[name], 16000)
    long = open_recording(files[name], 16000, whole_seconds=0.5)
    assert isinstance(short, Waveform)
    assert isinstance(long, LongFile)
    assert short.samples == long.samples == whole.size
    for length, step in ((9000, None), (9000, 2500), (50, 7000), (whole.size, None), (whole.size + 5, None)):
        starts = covering_starts(whole.size, length, step) if step != 7000 else [3, 7003, 29_990]
        # Twice: each call reads from the start.
        for _ in range(2):
            windows = list(long.windows(starts, length))
            assert len(windows) == len(starts)
            for window, expected in zip(windows, short.windows(starts, length), strict=True):
                np.testing.assert_array_equal(window, expected)


def test_memory_does_not_grow_with_a_long_file(tmp_path: Path) -> None:
    minute = (0.1 * np.random.default_rng(0).standard_normal(44100 * 60)).astype(np.float32)
    peaks = []
    for minutes in (2, 6):
        with soundfile.SoundFile(tmp_path / "long.flac", "w", 44100, 1) as stream:
            for _ in range(minutes):
                stream.write(minute)
        tracemalloc.start()
        recording = open_recording(tmp_path / "long.flac", 44100, whole_seconds=30)
        assert recording.samples == minutes * minute.size
        total = sum(
            window.size for window in recording.windows(covering_starts(recording.samples, 441000), 441000)
        )
        assert total == recording.samples
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0] < 44100 * 4 * 60


def test_what_is_no_audio_is_refused_as_by_read(tmp_path: Path) -> None:
    (tmp_path / "cover.mp3").write_bytes(b"\xff\xd8\xff\xe0" * 500)
    soundfile.write(tmp_path / "cut.wav", np.zeros(9000), 16000)
    content = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[:9000])
    (tmp_path / "empty.flac").touch()
    for name in ("cover.mp3", "cut.wav", "empty.flac", "absent.ogg"):
        with pytest.raises(AudioError) as by_read:
            read(tmp_path / name, 16000)
        with pytest.raises(AudioError) as by_blocks:
            open_recording(tmp_path / name, 16000)
        assert str(by_blocks.value) == str(by_read.value)
