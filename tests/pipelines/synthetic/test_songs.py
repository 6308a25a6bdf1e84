"""Synthetic songs: the groups, the clips and their keys, and the instruments and voices one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.signal import hilbert

from pipelines.synthetic import clip
from pipelines.synthetic.harmony import AEOLIAN, DORIAN, HARMONIC_MINOR, IONIAN, MIXOLYDIAN
from pipelines.synthetic.songs import (
    accompaniment,
    chords,
    lines,
    melody,
    melody_instruments,
    parts,
    recording,
    session,
    singing,
    strings,
    tunes,
    voices,
)
from pipelines.synthetic.songs.forms import FORMS
from pipelines.synthetic.songs.notes import Clock, Note, add
from pipelines.synthetic.songs.song import groups, song
from pipelines.synthetic.songs.stage import Stage
from tfkey.keys import Key

RATE = clip.SAMPLE_RATE
# Shares of the twelve pitch classes in melodies and basses of songs.
PROFILES = {
    "major": (0.26, 0.0, 0.13, 0.01, 0.15, 0.1, 0.01, 0.18, 0.01, 0.11, 0.03, 0.07),
    "minor": (0.25, 0.01, 0.1, 0.16, 0.01, 0.13, 0.01, 0.17, 0.06, 0.04, 0.12, 0.04),
}


def chosen(number: int) -> tuple[Key, str]:
    """The key and group of one of the clips that are tested; forms and keys all come up."""
    mode = ("major", "minor")[number % 2]
    names = groups(mode)
    return Key(number * 5 % 12, mode), names[(number * 13 + 3) % len(names)]


@pytest.fixture(scope="module")
def clips() -> list[tuple[Key, str, clip.Clip]]:
    out = []
    for number in range(24):
        key, group = chosen(number)
        out.append((key, group, song(np.random.default_rng(number), key, group)))
    return out


def amplitudes(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz, spaced by at most 0.1, and the amplitudes of a whole waveform."""
    length = 1 << 18
    window = np.hanning(len(samples))
    return np.fft.rfftfreq(length, 1 / RATE), np.abs(np.fft.rfft(samples * window, length))


def peak(samples: np.ndarray, low: float, high: float) -> float:
    """The frequency in Hz with the greatest amplitude between two."""
    hertz, level = amplitudes(samples)
    level = np.where((hertz >= low) & (hertz <= high), level, 0)
    best = int(level.argmax())
    left, here, right = np.log(level[best - 1 : best + 2] + 1e-12)
    return float(hertz[best] + (left - right) / (left - 2 * here + right) / 2 * hertz[1])


def heard(samples: np.ndarray, cents: float) -> Key:
    """The key whose profile fits the pitch classes between 60 and 600 Hz best."""
    frames = samples[: len(samples) // 8192 * 8192].reshape(-1, 8192) * np.hanning(8192)
    hertz, level = np.fft.rfftfreq(8192, 1 / RATE), np.abs(np.fft.rfft(frames))
    band = (hertz > 60) & (hertz < 600)
    classes = (np.round(12 * np.log2(hertz[band] / 440) - cents / 100).astype(int) + 9) % 12
    loud = np.log1p(20 * level[:, band] / level.max()).mean(0)
    chroma = np.bincount(classes, loud, 12) / np.bincount(classes, minlength=12)
    fits = {
        Key(tonic, mode): np.corrcoef(np.roll(profile, tonic), chroma)[0, 1]
        for mode, profile in PROFILES.items()
        for tonic in range(12)
    }
    return max(fits, key=fits.__getitem__)


def tone(seconds: float = 2.0, pitch: float = 57.0, **manner: float) -> np.ndarray:
    """A tone with a single harmonic, played in a manner."""
    tables = lines.wavetables([np.ones(1)] * 2, np.random.default_rng(0))
    note = [Note(0.0, seconds, pitch)]
    return lines.play(note, tables, lines.Manner(**manner), int(seconds * RATE), np.random.default_rng(1))[0]


def sung(vowel: str, pitch: float, singer: voices.Singer) -> np.ndarray:
    """A second of a vowel without consonants."""
    notes = [Note(0.0, 1.0, pitch)]
    return voices.sing(notes, singer, RATE, np.random.default_rng(2), words=[vowel])


PLAIN = {"breath": 0.0, "consonants": 0.0}


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_groups_are_many_and_in_one_mode(mode) -> None:
    names = groups(mode)
    assert len(names) == len(set(names)) >= 24
    assert not set(names) & set(groups("minor" if mode == "major" else "major"))
    assert {"strummed major I V vi IV", "session mixolydian reel"} <= set(groups("major"))
    assert {"session dorian reel", "session aeolian jig"} <= set(groups("minor"))


def test_clips_have_the_form_of_clips(clips) -> None:
    for key, group, made in clips:
        assert made.samples.shape == (clip.SAMPLES,), group
        assert made.samples.dtype == np.float32
        assert 0.29 < np.abs(made.samples).max() <= 1.0001, (key, group)
        assert {"form", "material", "tempo", "cents", "voices", "instruments", "recording"} <= set(
            made.settings
        )
        assert group.startswith(str(made.settings["form"]))
        assert -50 <= made.settings["cents"] <= 50


@pytest.mark.parametrize("number", [0, 7])
def test_a_clip_is_the_same_whatever_was_made_before(clips, number) -> None:
    again = song(np.random.default_rng(number), *chosen(number))
    assert np.array_equal(again.samples, clips[number][2].samples)
    assert again.settings == clips[number][2].settings


def test_the_key_is_heard(clips) -> None:
    answers = [(key, heard(made.samples, made.settings["cents"])) for key, _, made in clips]
    # By chance, one answer in 24 would be right, and one tonic in 12.
    assert sum(key == answer for key, answer in answers) >= 15
    assert sum(key.tonic == answer.tonic for key, answer in answers) >= 16


@pytest.mark.parametrize(
    ("key", "group"),
    [
        (Key(0, "major"), "strummed major nothing"),
        (Key(0, "major"), "session dorian reel"),
        (Key(0, "minor"), "strummed major I V vi IV"),
    ],
)
def test_groups_that_are_not_of_the_mode_are_refused(key, group) -> None:
    with pytest.raises(ValueError, match="is not a group of songs in"):
        song(np.random.default_rng(0), key, group)


@pytest.mark.parametrize(
    ("name", "root", "intervals"),
    [
        ("I", 0, (0, 4, 7)),
        ("vi", 9, (0, 3, 7)),
        ("bVII", 10, (0, 4, 7)),
        ("V7", 7, (0, 4, 7, 10)),
        ("IVmaj7", 5, (0, 4, 7, 11)),
        ("i5", 0, (0, 7)),
        ("viidim", 11, (0, 3, 6)),
        ("Isus4", 0, (0, 5, 7)),
    ],
)
def test_roman_numerals(name, root, intervals) -> None:
    assert chords.chord(name) == chords.Chord(root, intervals)


@pytest.mark.parametrize("name", ["", "H", "IVV", "iV", "VIII", "I9"])
def test_other_texts_are_not_chords(name) -> None:
    with pytest.raises(ValueError, match="not a chord"):
        chords.chord(name)


@pytest.mark.parametrize(
    ("names", "mode", "expected"),
    [
        ("I IV V", "major", IONIAN),
        ("I bVII IV", "major", MIXOLYDIAN),
        ("i bVII bVI", "minor", AEOLIAN),
        ("i IV bVII", "minor", DORIAN),
        ("i iv V", "minor", HARMONIC_MINOR),
    ],
)
def test_scale_of_a_progression(names, mode, expected) -> None:
    assert chords.scale(chords.progression(names), mode) == expected


@pytest.mark.parametrize(
    ("pitch", "name", "expected"),
    [(10, "V", 11), (22, "V", 23), (9, "iv", 8), (4, "IV", 4), (11, "bVII", 10), (7, "I", 7)],
)
def test_notes_bend_to_the_chord(pitch, name, expected) -> None:
    assert chords.fitted(pitch, chords.chord(name)) == expected


@pytest.mark.parametrize(
    ("tonic", "name", "fret", "grip"),
    [
        (7, "I", 0, [43, 47, 50, 55, 59, 67]),
        (0, "I", 0, [48, 52, 55, 60, 64]),
        (2, "I", 0, [50, 57, 62, 66]),
        (9, "i", 0, [45, 52, 57, 60, 64]),
        (9, "I", 2, [45, 49, 52, 57, 61, 69]),
    ],
)
def test_open_chords_are_those_of_the_books(tonic, name, fret, grip) -> None:
    assert accompaniment.voicing(chords.chord(name), tonic, fret) == grip


def test_melodies_keep_to_the_scale_and_come_home() -> None:
    spans = [
        chords.Span(4.0 * bar, 4.0 * bar + 4, chords.chord(name))
        for bar, name in enumerate(["I", "IV", "V", "I"] * 4)
    ]
    for seed in range(10):
        notes = melody.compose(np.random.default_rng(seed), spans, melody.Style(IONIAN, 4))
        assert {note.pitch % 12 for note in notes} <= set(IONIAN)
        answers = [note for note in notes if note.start // 4 % 4 == 3]
        assert answers[-1].pitch % 12 == 0
        assert all(before.end <= after.start + 1e-6 for before, after in itertools.pairwise(notes))


@pytest.mark.parametrize("dance", tunes.DANCES)
@pytest.mark.parametrize("scale_name", session.SCALES)
def test_tunes_end_on_the_tonic_and_fill_their_bars(dance, scale_name) -> None:
    rng, kind = np.random.default_rng(3), tunes.DANCES[dance]
    spans = tunes.harmony(rng, scale_name, 8, kind.beats)
    notes = tunes.part(rng, kind, session.SCALES[scale_name], spans, -5, 12)
    assert {note.pitch % 12 for note in notes} <= set(session.SCALES[scale_name])
    assert notes[-1].pitch % 12 == 0
    assert sum(note.end - note.start for note in notes) == pytest.approx(8 * kind.beats)
    ornamented = tunes.ornamented(rng, notes, session.SCALES[scale_name], 0.5)
    assert sum(note.end - note.start for note in ornamented) == pytest.approx(8 * kind.beats)


def test_parts_below_a_melody_are_in_the_chord() -> None:
    spans = [chords.Span(0, 4, chords.chord("I")), chords.Span(4, 8, chords.chord("V7"))]
    notes = [Note(beat, beat + 1, pitch) for beat, pitch in enumerate([0, 4, 7, 4, 2, -1, 5, 2])]
    lower = parts.below(notes, spans)
    for number, note in enumerate(notes):
        harmony = melody.chord_at(spans, note.start)
        pitches = [line[number].pitch for line in lower]
        assert sorted([note.pitch, *pitches], reverse=True)[:2] == [note.pitch, pitches[0]]
        assert all(pitch % 12 in harmony.pitch_classes for pitch in pitches)
        assert pitches[-1] % 12 == harmony.root


@pytest.mark.parametrize("frequency", [61.7, 82.41, 110.9, 196.0, 329.63, 987.77, 1318.5])
@pytest.mark.parametrize("kind", ["steel guitar", "nylon guitar", "banjo", "electric bass", "harp"])
def test_a_string_is_in_tune(frequency, kind) -> None:
    samples = strings.pluck(frequency, 1.5, strings.KINDS[kind], np.random.default_rng(0))
    found = peak(samples, 0.95 * frequency, 1.05 * frequency)
    assert abs(1200 * np.log2(found / frequency)) < 2


def test_a_string_decays_as_it_is_asked_to() -> None:
    samples = strings.pluck(
        200.0, 3.0, strings.Strings(sustain=2.0, damping=1e9, noise=0), np.random.default_rng(0)
    )
    early, late = (np.sqrt(np.mean(np.square(samples[int(t * RATE) :][:4410]))) for t in (0.2, 1.2))
    assert 20 * np.log10(early / late) == pytest.approx(30, abs=1)
    # Nothing sounds before the pluck, nor comes round from the end.
    assert np.abs(samples[-200:]).max() < 0.01


@pytest.mark.parametrize(("depth", "speed"), [(60.0, 5.0), (25.0, 6.5)])
def test_vibrato_has_the_depth_and_rate_that_were_asked_for(depth, speed) -> None:
    samples = tone(3.0, vibrato_depth=depth, vibrato_rate=speed, vibrato_delay=0.0)
    phase = np.unwrap(np.angle(hilbert(samples)))[RATE // 2 : -RATE // 4]
    cents = 1200 * np.log2(np.diff(phase) * RATE / (2 * np.pi) / 220)
    cents = np.convolve(cents, np.ones(200) / 200, "valid")
    assert (cents.max() - cents.min()) / 2 == pytest.approx(depth, rel=0.1)
    assert peak(cents - cents.mean(), 2, 10) == pytest.approx(speed, abs=0.1)


@pytest.mark.parametrize(("offset", "pitch"), [(0.0, 57.0), (40.0, 57.0), (-25.0, 69.0)])
def test_a_tone_is_as_far_out_of_tune_as_was_asked(offset, pitch) -> None:
    wanted = 440 * 2 ** ((pitch - 69 + offset / 100) / 12)
    assert abs(1200 * np.log2(peak(tone(2.0, pitch, offset=offset), 100, 1000) / wanted)) < 1


def test_a_scoop_starts_below_and_arrives() -> None:
    samples = tone(1.0, scoop=1.0, scoop_depth=200.0)
    start, end = samples[600:2200], samples[RATE // 2 :]
    assert peak(start, 100, 400) < 219 < peak(end, 100, 400) < 221


@pytest.mark.parametrize("vowel", ["i", "a", "u"])
@pytest.mark.parametrize("tract", [1.0, 1.15])
def test_vowels_have_their_formants(vowel, tract) -> None:
    samples = sung(vowel, 43.0, voices.Singer(tract=tract, **PLAIN))
    hertz, level = amplitudes(samples)
    fundamental = 440 * 2 ** ((43 - 69) / 12)
    numbers = np.arange(1, 35)
    # The slope of the source is taken out before the peaks of the envelope are sought.
    envelope = np.array(
        [level[np.abs(hertz - number * fundamental) < 15].max() * number**1.25 for number in numbers]
    )
    for formant in voices.VOWELS[vowel][:2]:
        near = np.abs(numbers * fundamental - tract * formant) < 250
        found = numbers[near][envelope[near].argmax()] * fundamental
        assert abs(found - tract * formant) < fundamental, formant


@pytest.mark.parametrize("pitch", [48.0, 69.0, 84.0])
def test_voices_do_not_alias(pitch) -> None:
    samples = sung("a", pitch, voices.Singer(effort=1.0, **PLAIN))
    hertz, level = amplitudes(samples[2000:-2000])
    away = np.abs(hertz / (440 * 2 ** ((pitch - 69) / 12)) % 1)
    between = (np.minimum(away, 1 - away) * 440 * 2 ** ((pitch - 69) / 12) > 25) & (hertz > 60)
    assert np.square(level[between]).sum() < 1e-6 * np.square(level).sum()
    # Even after a leap of a fifth the highest harmonic is below the Nyquist frequency.
    assert lines.HIGHEST * 2 ** (7 / 12) <= RATE / 2 * 1.02


@pytest.mark.parametrize("name", [*melody_instruments.SUSTAINED, *melody_instruments.PLUCKED])
def test_melody_instruments_play_what_is_written(name) -> None:
    notes = [Note(0.1, 0.9, 69.2), Note(1.0, 1.9, 64.2)]
    samples = melody_instruments.play(notes, name, 2 * RATE, np.random.default_rng(0))
    for note in notes:
        wanted = 440 * 2 ** ((note.pitch - 69) / 12)
        part = samples[int((note.start + 0.2) * RATE) : int((note.end - 0.1) * RATE)]
        assert abs(1200 * np.log2(peak(part, wanted * 0.9, wanted * 1.1) / wanted)) < 30


@pytest.mark.parametrize("cents", [-42.0, 0.0, 37.0])
def test_accompaniments_are_in_the_tuning_of_the_clip(cents) -> None:
    stage = Stage(np.random.default_rng(1), Clock(0.6), 9, cents, 4, 12.0)
    spans = [chords.Span(0, 12, chords.chord("I5"))]
    layer = accompaniment.keys(stage, spans, "electric piano")[: 7 * RATE]
    wanted = 440 * 2 ** (cents / 1200)
    found = peak(layer, 210 * 2 ** (cents / 1200), 230 * 2 ** (cents / 1200)) * 2
    assert abs(1200 * np.log2(found / wanted)) < 3


@pytest.mark.parametrize("cents", [-50.0, -5.0, 0.0, 50.0])
def test_choirs_drift_within_half_a_semitone(cents) -> None:
    for seed in range(20):
        drift = singing.drifting(np.random.default_rng(seed), cents)
        assert np.abs(cents + drift).max() <= 50 + 1e-9
        assert np.abs(np.diff(drift)).max() < 1


@pytest.mark.parametrize("kind", recording.KINDS)
def test_every_kind_of_recording_keeps_the_length_and_is_finite(kind) -> None:
    mix = tone(3.0)
    for seed in range(2):
        out, settings = recording.record(mix, kind, np.random.default_rng(seed))
        assert out.shape == mix.shape
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
        assert settings["recording"] == kind


def test_a_tape_wavers_around_the_right_pitch() -> None:
    samples = recording.tape(tone(8.0, 69.0), np.random.default_rng(0))
    phase = np.unwrap(np.angle(hilbert(samples)))[RATE:-RATE]
    cents = 1200 * np.log2(np.diff(phase)[::64] * RATE / (2 * np.pi) / 440)
    assert abs(cents.mean()) < 3
    assert 1 < np.median(np.abs(cents - cents.mean())) < 20


def test_swing_moves_the_second_half_of_a_beat() -> None:
    clock = Clock(0.6, 2 / 3, 1.0)
    assert [clock.seconds(beat) for beat in (0, 0.5, 1, 1.25)] == pytest.approx([1.0, 1.4, 1.6, 1.8])


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, [1, 2, 3, 0]), (2 / RATE, [0, 0, 1, 2]), (-1 / RATE, [2, 3, 0, 0]), (1.0, [0] * 4)],
)
def test_notes_are_cut_at_the_ends_of_the_clip(seconds, expected) -> None:
    buffer = np.zeros(4, np.float32)
    add(buffer, seconds, np.array([1, 2, 3], np.float32))
    assert buffer.tolist() == expected


def test_every_form_can_be_composed_in_all_its_groups() -> None:
    for form in FORMS.values():
        for mode, progressions in form.progressions.items():
            for names in progressions:
                tonic = 0
                harmony = chords.progression(names)
                assert any(chord.root == tonic for chord in harmony), names
                assert chords.scale(harmony, mode)[2] == (4 if mode == "major" else 3)
