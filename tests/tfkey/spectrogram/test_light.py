from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfkey.audio.reading import read
from tfkey.settings import FeatureConfig
from tfkey.spectrogram.cqt import CQT
from tfkey.spectrogram.frontend import LogMagnitude, build_frontend
from tfkey.spectrogram.light import levels, lowest_level, spectrogram
from tfkey.spectrogram.parameters import Features

REAL = Path(__file__).parents[2] / "data" / "real"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"hop_length": 1260, "n_bins": 84, "bins_per_octave": 36, "filter_scale": 0.5},
        # A large prime: nothing is decimated.
        {"sample_rate": 22050, "hop_length": 1031, "fmin": 110.0, "n_bins": 30, "bins_per_octave": 12},
        {"db_min": -80.0, "db_max": 10.0, "n_bins": 7},
        {"floor": "soft", "db_min": 0.0, "db_max": 55.4},
        {"floor": "soft", "db_min": -40.0, "db_max": 40.0, "n_bins": 7},
    ],
)
def test_spectrogram_is_that_of_the_full_stack(changes) -> None:
    config = FeatureConfig(**changes)
    waveform = read(REAL / "naev_empire1.ogg", config.sample_rate)[: 3 * config.sample_rate]
    features = Features.of(config.model_dump())
    full = build_frontend(config)
    for samples in (waveform.size, 2 * config.hop_length, 2 * config.hop_length - 1, 1, 0):
        expected = full(waveform[np.newaxis, :samples]).numpy()[0, :, :, 0]
        got = spectrogram(waveform[:samples], features)
        assert (got.dtype, got.shape) == (np.float32, expected.shape)
        # Where there is next to nothing, rounding decides: half a decibel at the bottom of the range.
        np.testing.assert_allclose(got, expected, atol=5e-3)
        assert np.abs(got - expected).mean() < 1e-6
    assert np.ptp(spectrogram(waveform, features)) > 0.2, "the case has a content"


@pytest.mark.parametrize(("floor", "lowest"), [("hard", -10.0), ("soft", -50.0)])
def test_levels_are_decibels_again(floor: str, lowest: float) -> None:
    config = FeatureConfig(floor=floor, db_min=-10.0, db_max=50.0)
    features = Features.of(config.model_dump())
    assert lowest_level(features) == lowest
    decibels = np.linspace(-80, 50, 131)
    magnitude = (10 ** (decibels / 20)).astype(np.float32)[np.newaxis, np.newaxis]
    picture = LogMagnitude(-10.0, 50.0, floor)(magnitude).numpy()[0, ..., 0]
    found = levels(picture, features)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], np.maximum(decibels, lowest) - lowest, atol=0.01)


def test_old_metadata_means_a_hard_floor() -> None:
    values = FeatureConfig(floor="soft").model_dump()
    assert Features.of(values).floor == "soft"
    del values["floor"]
    assert Features.of(values).floor == "hard"
    with pytest.raises(ValueError, match="floor 'low' is not one of hard, soft"):
        Features.of({**values, "floor": "low"})


def test_cents_move_the_bins() -> None:
    features = Features.of(FeatureConfig().model_dump())
    waveform = read(REAL / "naev_empire1.ogg")[:100000]
    magnitude = CQT(fmin=65.41 * 2 ** (25 / 1200))(waveform[np.newaxis]).numpy()[0]
    decibels = 20 * np.log10(np.maximum(magnitude, 1e-10))
    expected = np.clip((decibels + 40) / 80, 0, 1)
    np.testing.assert_allclose(spectrogram(waveform, features, 25.0), expected, atol=5e-3)
    # A bin is 50 cents wide.
    np.testing.assert_allclose(
        spectrogram(waveform, features, 50.0)[:, :-1], spectrogram(waveform, features)[:, 1:], atol=5e-3
    )
