"""Tones are sought in one band, whatever the band of the network."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfkey.inference.tones import find_tones
from tfkey.spectrogram.light import spectrogram
from tfkey.spectrogram.parameters import Features

NARROW = Features(22050, 4096, 65.40639133, 120, 24, 1.0, 0.0, 55.4, "soft")
WIDE = dataclasses.replace(NARROW, fmin=32.70319566, n_bins=192)


def test_wide_band_finds_what_the_narrow_one_finds() -> None:
    time = np.arange(12 * 22050) / 22050
    music = sum(
        np.sin(2 * np.pi * pitch * (1 + (time // 2 % 2) / 8) * time) for pitch in (131.0, 165.0, 196.0)
    )
    # Outside of the band: a rumble below it and a whistle above it.
    other = np.sin(2 * np.pi * 41 * time) + np.sin(2 * np.pi * 4000 * time)
    sound = (0.1 * (music + other)).astype(np.float32)
    found, expected = (find_tones(spectrogram(sound, item), item) for item in (WIDE, NARROW))
    assert found.frames == expected.frames
    assert abs(found.peaks - expected.peaks) < 0.1 * expected.peaks
    assert abs(found.tonality - expected.tonality) < 0.02
    assert found.cents is not None
    assert expected.cents is not None
    assert abs(found.cents - expected.cents) < 1
