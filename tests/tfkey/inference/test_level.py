from __future__ import annotations

import numpy as np
import pytest

from tfkey.audio.recordings import Waveform
from tfkey.inference.level import QUIET_DB, USUAL_DB, Conditioning, conditioning

RATE = 8000


def music(seconds: float = 20.0) -> np.ndarray:
    """A tone whose loudness wanders, float32 ``[samples]``, with a peak of 1.0."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * 440 * time) * (0.6 + 0.4 * np.sin(time))).astype(np.float32)


def of(waveform: np.ndarray) -> Conditioning:
    return conditioning(Waveform(np.asarray(waveform, np.float32)), RATE)


@pytest.mark.parametrize("peak", [1.0, 0.5, 0.1])
def test_usual_levels_are_left_alone(peak: float) -> None:
    waveform = peak * music()
    assert of(waveform) == Conditioning()
    assert of(waveform)(waveform) is waveform
    # So is what has pauses, begins late, or has a little direct current, and what is short.
    silence = np.zeros(30 * RATE, np.float32)
    for case in (np.concatenate([silence, waveform, silence]), waveform + 0.5 * peak, waveform[: RATE // 2]):
        assert of(case) == Conditioning()


@pytest.mark.parametrize("decibels", [-30, -50, -75, -120])
@pytest.mark.parametrize("seconds", [0.3, 2.0, 20.0, 300.0])
def test_quiet_recordings_come_to_the_usual_level(decibels: float, seconds: float) -> None:
    waveform = np.float32(10 ** (decibels / 20)) * music(seconds)
    found = of(waveform)(waveform)
    assert found.dtype == np.float32
    loudest = np.sort(np.abs(found))[-RATE // 20]
    assert 20 * np.log10(loudest) == pytest.approx(USUAL_DB, abs=2)


def test_clicks_are_no_level() -> None:
    quiet = np.float32(0.001) * music()
    plain = of(quiet)
    for seconds in (2, 20):
        clicked = quiet[: seconds * RATE].copy()
        clicked[9000:9040] = 0.9
        assert of(clicked).gain == pytest.approx(of(quiet[: seconds * RATE]).gain, rel=0.2)
        assert np.abs(of(clicked)(clicked)).max() <= 1.0
    assert plain.gain > 100
    # Some loud seconds are.
    loud = np.concatenate([quiet] * 10)
    loud[9000 : 9000 + 6 * RATE] = music(6)
    assert of(loud) == Conditioning()


@pytest.mark.parametrize("offset", [-0.9, 0.02, 0.7])
@pytest.mark.parametrize("peak", [0.005, 0.0002])
def test_direct_current_is_taken_off(offset: float, peak: float) -> None:
    waveform = (np.float64(peak) * music() + offset).astype(np.float32)
    found = of(waveform)(waveform)
    expected = peak * music()
    expected *= of(expected).gain
    assert np.std(found - expected) < 0.02
    assert of((0.1 * music() + offset).astype(np.float32)) == (
        Conditioning(pytest.approx(offset, abs=1e-3)) if abs(offset) > 0.1 else Conditioning()
    )


def test_nothing_to_go_by() -> None:
    for waveform in (np.zeros(0), np.zeros(1), np.zeros(20 * RATE), np.full(20 * RATE, 0.5)):
        assert of(waveform) == Conditioning()


def test_a_long_recording_is_read_no_further_than_needed() -> None:
    read = []

    class Counted(Waveform):
        def windows(self, starts, length):
            for window in super().windows(starts, length):
                read.append(window.size)
                yield window

    assert conditioning(Counted(np.tile(music(), 30)), RATE) == Conditioning()
    assert sum(read) == 2.5 * RATE
    read.clear()
    assert conditioning(Counted(np.tile(0.01 * music(), 30)), RATE).gain > 1
    assert sum(read) == 600 * RATE
    assert 10 ** (QUIET_DB / 20) > 0.01
