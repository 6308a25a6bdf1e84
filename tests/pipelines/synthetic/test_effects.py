"""Effects and harmony: each against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.synthetic import effects
from pipelines.synthetic.clip import DETUNED, SAMPLE_RATE, SAMPLES, draw_cents, finished
from pipelines.synthetic.harmony import AEOLIAN, IONIAN, degree, hertz, triad


def tone(frequency: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.sin(2 * np.pi * frequency * time).astype(np.float32)


@pytest.mark.parametrize(
    ("effect", "kept", "removed"),
    [
        (lambda x: effects.low_pass(x, 1000), 100, 8000),
        (lambda x: effects.high_pass(x, 1000), 8000, 100),
        (lambda x: effects.band_pass(x, 300, 3400), 1000, 40),
    ],
)
def test_filters_keep_a_band(effect, kept: float, removed: float) -> None:
    # The first tenth of a second holds the onset of the filter.
    begin = SAMPLE_RATE // 10
    assert effects.rms(effect(tone(kept))[begin:]) == pytest.approx(np.sqrt(0.5), rel=0.03)
    assert effects.rms(effect(tone(removed))[begin:]) < 0.03


def test_room_decays_in_the_time_asked_for() -> None:
    click = np.zeros(3 * SAMPLE_RATE, np.float32)
    click[0] = 1
    room = effects.reverberate(click, 1.0, 1.0, np.random.default_rng(1)) - click
    assert np.square(room).sum() == pytest.approx(1, rel=0.01)
    early, late = (effects.rms(room[int(at * SAMPLE_RATE) :][: SAMPLE_RATE // 10]) for at in (0.0, 0.8))
    assert 20 * np.log10(late / early) == pytest.approx(-0.8 * 43.4, abs=1)
    assert effects.rms(room[SAMPLE_RATE + 10 :]) < 1e-6


def test_echo_repeats_more_softly() -> None:
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[0] = 1
    heard = effects.echo(click, 0.25, 0.5, 2)
    places = np.flatnonzero(heard)
    assert places.tolist() == [0, round(0.25 * SAMPLE_RATE), 2 * round(0.25 * SAMPLE_RATE)]
    assert heard[places].tolist() == [1, 0.5, 0.25]
    assert np.array_equal(effects.echo(click, 2.0), click)


def test_saturation_keeps_the_peak_and_raises_the_rest() -> None:
    drawn = effects.saturate(tone(100), 4.0)
    assert np.abs(drawn).max() == pytest.approx(1, abs=1e-3)
    assert effects.rms(drawn) > effects.rms(tone(100))


def test_noise_has_the_level_asked_for() -> None:
    noisy = effects.add_noise(tone(100), -20, np.random.default_rng(1))
    assert effects.rms(noisy - tone(100)) == pytest.approx(0.1 * effects.rms(tone(100)), rel=0.02)


def test_layers_are_balanced_and_silence_stays_silent() -> None:
    mix = effects.balanced([tone(100), np.zeros(SAMPLE_RATE, np.float32)], [-6.0, 0.0])
    assert effects.rms(mix) == pytest.approx(10 ** (-6 / 20), rel=1e-3)


def test_finished_clip_has_its_length_and_a_peak_in_range() -> None:
    for samples in (tone(100), tone(100, 40)):
        clip = finished(samples, np.random.default_rng(2))
        assert clip.shape == (SAMPLES,)
        assert 0.3 <= np.abs(clip).max() <= 1
    assert not finished(np.zeros(5, np.float32), np.random.default_rng(2)).any()


def test_a_share_of_the_clips_is_far_from_concert_pitch() -> None:
    rng = np.random.default_rng(3)
    cents = np.array([draw_cents(rng) for _ in range(4000)])
    assert np.abs(cents).max() <= 50
    # Of the detuned ones, 30 in 100 are within the range of the others.
    assert np.mean(np.abs(cents) > 15) == pytest.approx(0.7 * DETUNED, abs=0.03)


def test_degrees_chords_and_frequencies() -> None:
    assert [degree(IONIAN, number) for number in (-1, 0, 4, 7, 9)] == [-1, 0, 7, 12, 16]
    assert triad(AEOLIAN, 0) == (0, 3, 7)
    assert triad(IONIAN, 6) == (11, 14, 17)
    assert hertz(69) == 440
    assert hertz(57, 100) == pytest.approx(220 * 2 ** (1 / 12))
