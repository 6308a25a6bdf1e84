from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tfkey.errors import AudioError
from tfkey.estimator import KeyEstimator, whole_track_function
from tfkey.evaluation import softmax
from tfkey.features import build_frontend
from tfkey.runs import create_run

INTERVAL = 15600
LEAST = 7 * 1024
LENGTHS = [1, 999, LEAST - 1, LEAST, INTERVAL - 1, INTERVAL, INTERVAL + 1, 2 * INTERVAL, 47017]


@pytest.fixture(scope="module")
def config(small_config):
    return small_config()


@pytest.fixture(scope="module")
def network(config, decided_network):
    return decided_network(config, 1)


@pytest.fixture(scope="module")
def judge(config, network):
    return whole_track_function(config, network)


@pytest.fixture(scope="module")
def by_the_rule(config, network):
    """The documented rule in Python: the mean over the fewest intervals that cover the track evenly."""
    frontend = build_frontend(config.features)

    def estimate(waveform: np.ndarray) -> np.ndarray:
        if waveform.size < INTERVAL:
            parts = [np.pad(waveform, (0, max(0, LEAST - waveform.size)))]
        else:
            count = math.ceil(waveform.size / INTERVAL)
            step = (waveform.size - INTERVAL) / max(count - 1, 1)
            starts = [math.floor(number * step + 1e-9) for number in range(count)]
            assert (starts[0], starts[-1] + INTERVAL) == (0, waveform.size)
            assert all(later <= earlier + INTERVAL for earlier, later in itertools.pairwise(starts))
            parts = [waveform[start : start + INTERVAL] for start in starts]
        pictures = [frontend(part[np.newaxis]) for part in parts]
        logits = [network(picture, training=False).numpy() for picture in pictures]
        return np.mean([softmax(row)[0] for row in logits], axis=0)

    return estimate


@pytest.mark.parametrize("samples", LENGTHS)
def test_whole_track_is_judged_by_the_rule(judge, by_the_rule, music, samples: int) -> None:
    batch = np.stack([music(samples, seed) for seed in range(3)])
    probabilities = judge(batch).numpy()
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (3, 24))
    np.testing.assert_allclose(probabilities, [by_the_rule(row) for row in batch], atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    # What stands beside a track has no part in its key.
    np.testing.assert_allclose(judge(batch[1:2]), probabilities[1:2], atol=1e-5)
    if samples > 999:
        assert np.ptp(probabilities, axis=0).max() > 0.01, "the case tells the rows apart"


@pytest.mark.parametrize("samples", [1000, INTERVAL, 47017])
def test_empty_batch(judge, samples: int) -> None:
    assert judge(np.zeros((0, samples), np.float32)).shape == (0, 24)


def test_both_ends_of_a_track_count(judge, music) -> None:
    waveform = music(47017, 4)
    plain = judge(waveform[np.newaxis]).numpy()
    for part in (slice(0, 300), slice(-300, None)):
        changed = waveform.copy()
        changed[part] = 0.9 * np.sign(np.sin(np.arange(300)))
        assert np.abs(judge(changed[np.newaxis]).numpy() - plain).max() > 1e-4


def test_estimate_of_a_file_and_of_its_waveform(config, network, music, tmp_path: Path) -> None:
    run = create_run(config.model_copy(update={"runs_dir": tmp_path}), "run")
    network.save(run.best)
    sound = soxr.resample(music(20000, 7), 8000, 44100)
    soundfile.write(tmp_path / "clip.wav", np.stack([sound, sound], axis=1), 44100, subtype="FLOAT")
    estimator = KeyEstimator.from_run(str(run.path))
    of_file = estimator.estimate(tmp_path / "clip.wav")
    expected = KeyEstimator(config, network).probabilities(soxr.resample(sound, 44100, 8000)[np.newaxis])[0]
    np.testing.assert_allclose(of_file.probabilities, expected, atol=1e-5)
    assert of_file.key.index == int(np.argmax(expected))
    assert of_file.confidence == of_file.probabilities.max()
    for recording in (sound, sound.astype(np.float64)):
        of_waveform = estimator.estimate(recording, 44100)
        np.testing.assert_allclose(of_waveform.probabilities, of_file.probabilities, atol=1e-5)
    # Dropout would make every answer another.
    again = estimator.estimate(str(tmp_path / "clip.wav"))
    np.testing.assert_array_equal(again.probabilities, of_file.probabilities)


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(20000, np.float32), "silent"),
        (np.zeros(0, np.float32), "no samples"),
        (np.ones((2, 100), np.float32), r"\(2, 100\)"),
        (np.array([0.1, np.nan]), "finite"),
        (np.array([1000, -1000], np.int16), "int16"),
    ],
)
def test_waveform_that_has_no_key(config, network, waveform: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        KeyEstimator(config, network).estimate(waveform)


def test_silent_file_is_named(config, network, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "quiet.flac", np.zeros(20000), 8000)
    with pytest.raises(AudioError, match=r"quiet\.flac: silent; silence has no key"):
        KeyEstimator(config, network).estimate(tmp_path / "quiet.flac")
