"""The sounds of synthetic electronic music: wavetables, patches, drums, speech, delays that move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import hilbert

from pipelines.synthetic.clip import SAMPLE_RATE
from pipelines.synthetic.electronic import drums, modulation, presets, speech, wavetables
from pipelines.synthetic.electronic.patches import Note, Patch, envelope, play, tone
from pipelines.synthetic.electronic.piece import Piece, draw_piece
from pipelines.synthetic.electronic.wavetables import SPECTRA, VOWELS, Spectrum
from tfkey.keys import Key

STARTS = (0.0,) * 7


@pytest.fixture
def piece() -> Piece:
    return draw_piece(np.random.default_rng(0), Key(0, "minor"), "minor 0 5 2 6")


def loudest_hertz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 20))
    return float(np.argmax(spectrum) * SAMPLE_RATE / (1 << 20))


# Tones.


@pytest.mark.parametrize("name", [*SPECTRA, *(f"vowel {vowel}" for vowel in VOWELS)])
@pytest.mark.parametrize("hertz", [41.2, 220.0, 3520.0])
def test_tables_hold_no_harmonic_above_the_limit(name: str, hertz: float) -> None:
    spectrum = Spectrum(name, width=0.2, factors=(1.0, 0.5, 0.8), slope=0.7)
    table = wavetables.bank(spectrum, hertz, np.array([np.inf]))[0]
    levels = np.abs(np.fft.rfft(table))
    last = int(wavetables.HIGHEST / hertz)
    assert levels[1 : last + 1].max() > 0
    assert levels[last + 1 :].max(initial=0) < 1e-5 * levels.max()
    assert np.square(table).mean() == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("hertz", [55.0, 440.0, 1975.5])
def test_played_tones_have_no_aliases(hertz: float) -> None:
    samples = 1 << 16
    hertz = round(hertz / SAMPLE_RATE * samples) * SAMPLE_RATE / samples  # whole periods: no leakage
    table = wavetables.bank(Spectrum("saw"), hertz, np.array([np.inf]))
    levels = np.abs(np.fft.rfft(wavetables.look_up(table, wavetables.phases(hertz, samples, 0)))) ** 2
    step = round(hertz * samples / SAMPLE_RATE)
    harmonic = np.zeros(len(levels), bool)
    harmonic[step::step] = True
    assert levels[~harmonic].sum() < 1e-5 * levels[harmonic].sum()


def test_an_unknown_spectrum_is_an_error() -> None:
    with pytest.raises(ValueError, match="no spectrum named 'vowel y'"):
        Spectrum("vowel y").harmonics(100)


def test_formants_stay_where_they_are() -> None:
    for hertz in (110.0, 150.0):
        levels = Spectrum("vowel i").harmonics(hertz)
        upper = levels[int(1500 / hertz) :]
        assert (np.argmax(upper) + int(1500 / hertz) + 1) * hertz == pytest.approx(2290, abs=hertz)


def test_the_filter_takes_what_is_above_its_cutoff_and_lifts_what_is_there() -> None:
    assert wavetables.low_pass_response(np.array([10.0]), 1000, 0.5)[0] == pytest.approx(1, abs=1e-3)
    octaves = wavetables.low_pass_response(np.array([8000.0, 16000.0]), 1000, 0.5)
    assert 20 * np.log10(octaves[0] / octaves[1]) == pytest.approx(24, abs=0.5)
    flat, peak = (wavetables.low_pass_response(np.array([1000.0]), 1000, q)[0] for q in (0.5, 5))
    assert peak == pytest.approx(10 * flat)


@pytest.mark.parametrize("cents", [0.0, 37.0, -50.0])
def test_tuning_is_in_the_pitch_of_a_tone(piece: Piece, cents: float) -> None:
    patch = Patch(Spectrum("triangle"), STARTS, sustain=1.0)
    line = play([Note(0, 8, 69)], patch, replace(piece, cents=cents))
    assert loudest_hertz(line) == pytest.approx(440 * 2 ** (cents / 1200), rel=2e-4)


def test_a_sweep_makes_the_beginning_brighter() -> None:
    patch = Patch(Spectrum("saw"), STARTS, cutoff=300, sweep=4, sweep_seconds=0.1, sustain=1.0)
    sound = tone(patch, 110, SAMPLE_RATE)
    early, late = (
        np.abs(np.fft.rfft(part * np.hanning(4096))) ** 2 for part in (sound[200:4296], sound[-5000:-904])
    )
    above = np.fft.rfftfreq(4096, 1 / SAMPLE_RATE) > 1000
    assert early[above].sum() / early.sum() > 20 * late[above].sum() / late.sum()


def test_unison_is_wider_and_centred() -> None:
    one, many_voices = (
        tone(
            Patch(Spectrum("sine"), tuple(np.linspace(0, 0.9, 7)), voices=voices, detune=20, sustain=1),
            880,
            4 * SAMPLE_RATE,
        )
        for voices in (1, 5)
    )

    def spread(sound: np.ndarray) -> tuple[float, float]:
        power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
        hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
        mean = float((power * hertz).sum() / power.sum())
        return mean, float(np.sqrt((power * (hertz - mean) ** 2).sum() / power.sum()))

    assert spread(many_voices)[1] > 4 * spread(one)[1]
    assert spread(many_voices)[0] == pytest.approx(880, rel=0.005)


def test_a_slide_begins_at_the_other_pitch() -> None:
    patch = Patch(Spectrum("sine"), STARTS, attack=0.001, sustain=1.0)
    sound = tone(patch, 880, SAMPLE_RATE, slide=12)
    crossings = np.flatnonzero((sound[:-1] < 0) & (sound[1:] >= 0))
    periods = SAMPLE_RATE / np.diff(crossings)
    assert periods[0] < 600
    assert np.median(periods) == pytest.approx(880, rel=0.02)


def test_envelopes_rise_fall_and_end() -> None:
    patch = Patch(Spectrum("sine"), STARTS, attack=0.1, decay=0.1, sustain=0.4, release=0.2)
    level = envelope(patch, SAMPLE_RATE)
    assert len(level) == pytest.approx(1.2 * SAMPLE_RATE, abs=2)
    assert np.argmax(level) == pytest.approx(0.1 * SAMPLE_RATE, abs=2)
    assert level[SAMPLE_RATE - 1] == pytest.approx(0.4, abs=0.01)
    assert level[-1] == 0


def test_frequency_modulation_stays_below_the_limit() -> None:
    patch = Patch(Spectrum("sine"), STARTS, fm_index=4, fm_ratio=3.53, fm_decay=10, sustain=1.0)
    sound = tone(patch, 1500, SAMPLE_RATE)
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    assert (
        power[np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE) > 1.03 * wavetables.HIGHEST].sum()
        < 0.02 * power.sum()
    )


@pytest.mark.parametrize(
    "make",
    [presets.pad_patch, presets.plucked_patch, presets.acid_patch, presets.lead_patch, presets.vocal_patch],
)
def test_every_patch_plays(make) -> None:
    for seed in range(12):
        sound = tone(make(np.random.default_rng(seed)), 233.1, 4000)
        assert np.isfinite(sound).all()
        assert 0.01 < np.abs(sound).max() < 30


def test_drums_are_tuned_or_not(piece: Piece) -> None:
    for hertz in (50.0, 200.0):
        sound = drums.swept_drum(hertz, 100, 0.02, 0.4)
        assert loudest_hertz(sound[4000:]) == pytest.approx(hertz, rel=0.02)
    rng = np.random.default_rng(0)
    tuned = [drums._pitch(rng, piece, 40, 64, tuned=1) for _ in range(10)]
    octaves = np.log2(np.array(tuned) / piece.hertz(piece.tonic))
    assert np.allclose(octaves, np.rint(octaves))
    assert len({drums._pitch(rng, piece, 40, 64, tuned=0) for _ in range(10)}) == 10


def test_speech_does_not_know_the_key(piece: Piece) -> None:
    full = replace(piece, layers={"speech": (True,)})
    other = replace(full, tonic=full.tonic + 3, key=Key((full.key.tonic + 3) % 12, "minor"))
    one, two = (speech.speech_line(np.random.default_rng(4), each) for each in (full, other))
    assert np.abs(one).max() > 0.1
    assert one.tobytes() == two.tobytes()


# Delays that move.


def test_a_constant_delay_only_delays() -> None:
    samples = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    late = modulation.delayed(samples, np.full(500, 3.0))
    assert np.array_equal(late, np.concatenate([np.zeros(3, np.float32), samples[:-3]]))
    between = modulation.delayed(samples, np.full(500, 0.5))
    assert between[1:] == pytest.approx((samples[1:] + samples[:-1]) / 2, abs=1e-6)


def test_wow_swings_the_pitch_as_far_as_it_says_and_leaves_its_mean() -> None:
    steady = np.sin(2 * np.pi * 1000 * np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    worn = modulation.wow(steady, cents=30, hertz=0.5)
    phase = np.unwrap(np.angle(hilbert(worn)))[2000:-2000]
    periods = (phase[1000:] - phase[:-1000]) / (2 * np.pi)
    cents = 1200 * np.log2(periods * SAMPLE_RATE / 1000 / 1000)
    assert np.percentile(cents, 99) == pytest.approx(30, abs=2)
    assert np.percentile(cents, 1) == pytest.approx(-30, abs=2)
    assert np.mean(cents) == pytest.approx(0, abs=2)


def test_a_chorus_adds_a_late_copy() -> None:
    click = np.zeros(4000, np.float32)
    click[100] = 1
    heard = modulation.chorus(click, seconds=0.02, depth=0.0, hertz=1, wet=0.5)
    assert heard[100] == 1
    assert heard[
        100 + round(0.02 * SAMPLE_RATE) - 1 : 103 + round(0.02 * SAMPLE_RATE)
    ].sum() == pytest.approx(0.5)
