"""Memory that is used again: the same bytes come back, and nobody sees what was there before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tfkey.audio.memory import Memory
from tfkey.audio.reading import read
from tfkey.audio.recordings import LongFile, Waveform, open_recording

RATE = 16000


@pytest.mark.parametrize(
    ("before", "samples", "is_kept"),
    [(100, 100, True), (100, 60, True), (60, 100, False), (100, 0, True), (100, 101, False)],
)
def test_memory_is_given_out_again_if_it_is_large_enough(before: int, samples: int, is_kept: bool) -> None:
    memory = Memory(most=100)
    first = memory.array(before)
    second = memory.array(samples)
    assert second.shape == (samples,)
    assert second.dtype == np.float32
    if samples:
        assert np.shares_memory(first, second) == is_kept


@pytest.mark.parametrize(("most", "before", "samples"), [(100, 10, 20), (100, 100, 300), (0, 10, 20)])
def test_longer_arrays_begin_with_what_was_there(most: int, before: int, samples: int) -> None:
    memory = Memory(most)
    array = memory.array(before)
    array[:] = np.arange(before)
    longer = memory.longer(array, samples)
    assert longer.shape == (samples,)
    assert longer[:before].tolist() == list(range(before))
    assert np.shares_memory(longer, memory.array(samples)) == (samples <= most)


@pytest.mark.parametrize("most", [0, RATE, 1 << 20])
def test_recordings_are_the_same_in_any_memory(tmp_path: Path, most: int) -> None:
    """Long and short ones in turns: nothing of one is in the next."""
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * RATE)
    memory = Memory(most)
    for number, seconds in enumerate((1.0, 3.0, 0.5, 2.0)):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, noise[: round(seconds * RATE)], RATE)
        recording = open_recording(path, RATE, memory=memory)
        assert isinstance(recording, Waveform)
        assert np.array_equal(recording.waveform, read(path, RATE))
        assert isinstance(open_recording(path, RATE, whole_seconds=0.1, memory=memory), LongFile)


def test_a_length_that_is_not_stated_is_found_in_any_memory(tmp_path: Path) -> None:
    """Two files joined into one: the first header states half the length."""
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE)
    soundfile.write(tmp_path / "a.mp3", noise, RATE)
    whole = tmp_path / "joined.mp3"
    whole.write_bytes((tmp_path / "a.mp3").read_bytes() * 3)
    memory = Memory()
    for _ in range(2):
        recording = open_recording(whole, RATE, memory=memory)
        assert isinstance(recording, Waveform)
        assert recording.samples > 5 * RATE
        assert np.array_equal(recording.waveform, read(whole, RATE))
