"""Synthetic electronic music: the form of clips, their keys, their plans and notes."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from pipelines.synthetic import harmony
from pipelines.synthetic.clip import SAMPLE_RATE, SAMPLES, Clip
from pipelines.synthetic.electronic import bass, chords, lines
from pipelines.synthetic.electronic.generator import electronic, groups
from pipelines.synthetic.electronic.piece import CHORDS, SECTION_BEATS, draw_piece
from pipelines.synthetic.electronic.progressions import PROGRESSIONS, SCALES, fitting_scales, is_consonant
from pipelines.synthetic.electronic.styles import STYLES
from tfkey.errors import UsageError
from tfkey.keys import Key
from tfkey.spectrogram.light_cqt import ConstantQ
from tfkey.spectrogram.parameters import Parameters

# Krumhansl and Kessler's profiles of keys (1982).
PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


def clip(seed: int, key: Key, group: str | None = None) -> Clip:
    rng = np.random.default_rng(seed)
    return electronic(rng, key, group or groups(key.mode)[seed % len(groups(key.mode))])


@functools.cache
def many() -> list[tuple[Key, Clip]]:
    keys = [Key(7 * number % 12, "minor" if number % 2 else "major") for number in range(24)]
    return [(key, clip(number, key)) for number, key in enumerate(keys)]


@functools.cache
def transform(cents: float) -> ConstantQ:
    """Three bins a semitone, five octaves, of which the lowest note's middle bin is a C."""
    lowest = 65.406 * 2 ** (cents / 1200 - 1 / 36)
    return ConstantQ(Parameters(22050.0, 4096, lowest, 180, 36, 0.0, 1.0, 1, "hann", True))


def semitones(samples: np.ndarray, cents: float = 0.0) -> np.ndarray:
    """How far each note sticks out of what is between the notes, ``[60]`` from C2, averaged over time."""
    magnitudes = np.log1p(5 * np.asarray(transform(20 * round(cents / 20))(samples)))
    if magnitudes.shape[0] != 180:
        magnitudes = magnitudes.T
    below, at, above = magnitudes.reshape(60, 3, -1).transpose(1, 0, 2)
    return np.maximum(at - (below + above) / 2, 0).mean(axis=1)


@functools.cache
def chromas() -> list[np.ndarray]:
    """The chroma ``[12]`` of each of the many clips, from C3 up."""
    return [
        semitones(made.samples, float(made.settings["cents"]))[12:].reshape(4, 12).sum(axis=0)
        for _, made in many()
    ]


def heard_key(chroma: np.ndarray) -> Key:
    scores = [
        np.corrcoef(np.roll(PROFILES[key.mode], key.tonic), chroma)[0, 1]
        for key in map(Key.from_index, range(24))
    ]
    return Key.from_index(int(np.argmax(scores)))


# Clips.


def test_clips_have_the_form_that_all_kinds_share() -> None:
    for _, made in many():
        assert made.samples.shape == (SAMPLES,)
        assert made.samples.dtype == np.float32
        assert np.isfinite(made.samples).all()
        assert 0.29 < np.abs(made.samples).max() <= 1.0
        assert all(isinstance(value, (int, float, str)) for value in made.settings.values())
        assert {"tempo", "style", "progression", "scale", "cents", "layers"} <= made.settings.keys()


def test_no_clip_falls_silent() -> None:
    for _, made in many():
        seconds = made.samples.reshape(-1, 4 * SAMPLE_RATE)
        assert np.sqrt(np.square(seconds).mean(axis=1)).min() > 0.003


def test_a_seed_gives_the_same_bytes_whatever_was_made_before() -> None:
    key = Key(3, "minor")
    first = clip(5, key)
    for seed in (1, 2):
        clip(seed, Key(4, "major"))
        np.random.seed(seed)
    again = clip(5, key)
    assert first.samples.tobytes() == again.samples.tobytes()
    assert first.settings == again.settings
    assert clip(6, key).samples.tobytes() != first.samples.tobytes()


def test_the_key_is_heard() -> None:
    heard = [(key, heard_key(chroma)) for (key, _), chroma in zip(many(), chromas(), strict=True)]
    # By chance, one tonic in twelve is right and one key in 24. A profile is a poor judge of modes.
    assert sum(key.tonic == other.tonic for key, other in heard) >= 13
    assert sum(key == other for key, other in heard) >= 11


def test_notes_of_the_scale_are_louder_than_the_others() -> None:
    shares = []
    for (key, made), chroma in zip(many(), chromas(), strict=True):
        scale = SCALES[key.mode][str(made.settings["scale"])].scale
        inside = np.isin((np.arange(12) - key.tonic) % 12, scale)
        shares.append(chroma[inside].mean() / chroma[~inside].mean())
    assert np.median(shares) > 2


def test_the_same_seed_in_another_key_is_transposed() -> None:
    for seed in (3, 4):
        low, high = (clip(seed, Key(tonic, "minor")) for tonic in (4, 6))
        shift = int(high.settings["tonic pitch"]) - int(low.settings["tonic pitch"])
        assert shift in (2, -10)
        cents = float(low.settings["cents"])
        one, other = semitones(low.samples, cents), semitones(high.samples, cents)
        matches = [np.corrcoef(np.roll(one, step)[12:-12], other[12:-12])[0, 1] for step in range(-12, 13)]
        assert np.argmax(matches) - 12 == shift
        different = {name for name in low.settings if low.settings[name] != high.settings[name]}
        assert different == {"tonic pitch"}


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_groups_are_stable_names_of_progressions(mode: str) -> None:
    names = groups(mode)
    assert len(names) >= 20
    assert len(set(names)) == len(names)
    assert all(name.split()[0] == mode for name in names)
    assert all(tuple(map(int, name.split()[1:])) == PROGRESSIONS[mode][name] for name in names)


def test_an_unknown_group_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(UsageError, match=r"'minor 9' is no minor progression.*minor 0 5 2 6"):
        clip(0, Key(0, "minor"), "minor 9")
    with pytest.raises(UsageError, match="'major 0' is no minor progression"):
        clip(0, Key(0, "minor"), "major 0")


def test_tuning_is_in_the_settings() -> None:
    cents = np.array([float(made.settings["cents"]) for _, made in many()])
    assert (np.abs(cents) <= 50).all()
    assert len(set(cents)) == len(cents)


# Plans.


def pieces(count: int, mode: str = "minor"):
    for seed in range(count):
        rng = np.random.default_rng([seed, 1])
        group = groups(mode)[seed % len(groups(mode))]
        yield rng, group, draw_piece(rng, Key(seed % 12, mode), group)


def test_the_progression_is_that_of_the_group() -> None:
    for _, group, piece in pieces(40):
        degrees = [piece.root_at(beat) for beat in range(0, piece.beats, piece.chord_beats)]
        expected = [int(number) for number in group.split()[1:]]
        assert degrees[: len(expected)] == expected
        assert degrees[len(expected) : 2 * len(expected)] == expected[: len(degrees) - len(expected)]
        assert piece.chord_beats * len(expected) <= 32


def test_progressions_dwell_on_the_tonic() -> None:
    for cycles in PROGRESSIONS.values():
        for degrees in cycles.values():
            assert 0 in (degrees[0], degrees[-1])
            assert degrees.count(0) >= len(degrees) / 4


def test_scales_suit_progressions() -> None:
    for mode, cycles in PROGRESSIONS.items():
        for degrees in cycles.values():
            names, shares = fitting_scales(mode, degrees)
            assert names
            assert sum(shares) == pytest.approx(1)
            assert all(is_consonant(SCALES[mode][name].scale, root) for name in names for root in degrees)
    assert fitting_scales("minor", (0, 1))[0] == ("dorian", "phrygian")
    assert fitting_scales("major", (0, 6))[0] == ("mixolydian",)


def test_tempo_is_that_of_the_style_and_the_key_is_always_heard() -> None:
    for _, _, piece in pieces(150):
        low, high = STYLES[piece.style_name].tempo
        assert low <= piece.tempo <= high
        assert any(name in piece.layers for name in (*CHORDS, "riff"))
        sections = piece.beats // SECTION_BEATS
        tonal = [
            any(piece.layers[name][number] for name in (*CHORDS, "riff") if name in piece.layers)
            for number in range(sections)
        ]
        assert np.mean(tonal) >= 0.7
        assert tonal[-1]


def test_no_tonic_lies_lower_than_others() -> None:
    pitches = {tonic: [] for tonic in range(12)}
    for _, _, piece in pieces(600):
        assert piece.tonic % 12 == piece.key.tonic
        pitches[piece.key.tonic].append(piece.tonic)
    means = [np.mean(found) for found in pitches.values()]
    assert max(means) - min(means) < 7


def test_every_scale_style_and_layer_is_drawn() -> None:
    drawn = [piece for mode in ("major", "minor") for _, _, piece in pieces(400, mode)]
    assert {piece.style_name for piece in drawn} == set(STYLES)
    assert {piece.scale_name for piece in drawn} == {*SCALES["major"], *SCALES["minor"]}
    assert {name for piece in drawn for name in piece.layers} >= {"acid", "vocal", "risers", "arpeggio"}
    assert {piece.form for piece in drawn} == {"loop", "build", "breakdown", "intro"}


# Notes.


def everywhere(piece):
    """The piece with all layers in all sections."""
    return replace(
        piece, layers=dict.fromkeys([*piece.layers, *CHORDS, "bass", "riff", "acid", "lead"], (True,))
    )


def test_chords_are_those_of_the_progression() -> None:
    for rng, _, piece in pieces(60):
        full = everywhere(piece)
        _, voicing = chords.draw_voicing(rng, full, "pad")
        for note in chords.pad_notes(full, voicing):
            allowed = {tone % 12 for tone in full.chord_at(note.beat, 5)}
            assert (note.pitch - full.tonic) % 12 in allowed


def test_the_bass_plays_roots_and_stays_below_the_chords() -> None:
    for rng, _, piece in pieces(100):
        full = everywhere(piece)
        for figure in ("long", "offbeat", "rolling", "octaves", "stabs", "kick", "wobble"):
            notes = bass.bass_notes(rng, full, figure, (0.0, 2.5))
            roots = {harmony.degree(full.scale, degree) % 12 for degree in (0, *full.degrees)}
            assert {(note.pitch - full.tonic) % 12 for note in notes} <= roots
            assert all(full.tonic - 5 <= note.pitch <= full.tonic + 31 for note in notes)
        pedal = bass.bass_notes(rng, full, "pedal", ())
        assert {(note.pitch - full.tonic) % 12 for note in pedal} == {0}


def test_riffs_begin_on_the_tonic_contain_the_third_and_do_not_follow_the_chords() -> None:
    for rng, _, piece in pieces(60):
        full = everywhere(piece)
        notes = lines.riff_notes(rng, full)
        assert (notes[0].pitch - full.tonic) % 12 == 0
        assert {(note.pitch - full.tonic) % 12 for note in notes} >= {0, full.scale[2]}
        first = [note.pitch for note in notes if note.beat < 8]
        assert first == [note.pitch for note in notes if 8 <= note.beat < 16]


@pytest.mark.parametrize("write", [lines.riff_notes, lines.lead_notes])
def test_lines_stay_in_the_scale(write) -> None:
    for rng, _, piece in pieces(60):
        full = everywhere(piece)
        assert all((note.pitch - full.tonic) % 12 in full.scale for note in write(rng, full))


def test_acid_lines_leave_the_scale_only_in_passing() -> None:
    for rng, _, piece in pieces(60):
        full = everywhere(piece)
        notes = lines.acid_notes(rng, full)
        outside = [(note.pitch - full.tonic) % 12 not in full.scale for note in notes]
        assert np.mean(outside) < 0.35
        assert (notes[0].pitch - full.tonic) % 12 == 0


def test_parallel_stabs_keep_their_shape() -> None:
    found = 0
    for rng, _, piece in pieces(60):
        full = everywhere(piece)
        motion, notes = chords.stab_notes(rng, full, lambda beat: [60, 64, 67])
        if motion == "parallel":
            found += 1
            beats = sorted({note.beat for note in notes})
            shapes = {tuple(np.diff([note.pitch for note in notes if note.beat == beat])) for beat in beats}
            assert len(shapes) == 1
            assert (notes[0].pitch - full.tonic) % 12 == 0
    assert found
