"""Tunes of traditional dances: their players, what is behind them, and the clips."""

from __future__ import annotations

import io

import mido
import numpy as np
import pytest

from pipelines.synthetic.accompaniments import parts as midi
from pipelines.synthetic.accompaniments.generator import Tools
from pipelines.synthetic.accompaniments.midi import midi_bytes
from pipelines.synthetic.accompaniments.rendering import packaged_soundfont, render
from pipelines.synthetic.clip import SAMPLE_RATE, SAMPLES, SECONDS, Clip
from pipelines.synthetic.songs.chords import Span, chord
from pipelines.synthetic.songs.notes import Clock
from pipelines.synthetic.songs.stage import Stage
from pipelines.synthetic.tunes import backing
from pipelines.synthetic.tunes.composition import compose
from pipelines.synthetic.tunes.dances import DANCES
from pipelines.synthetic.tunes.generator import _unison, groups, tune
from pipelines.synthetic.tunes.heterophony import Habits, own_version
from pipelines.synthetic.tunes.modes import SCALES
from pipelines.synthetic.tunes.players import INSTRUMENTS, draw_players, within
from pipelines.synthetic.tunes.rounds import Round, go_round
from tests.pipelines.synthetic.test_accompaniments import chroma, key_of
from tests.pipelines.synthetic.test_tunes import MODES, rounded
from tfkey.errors import UsageError
from tfkey.keys import Key

TOOLS = Tools((packaged_soundfont(),))


@pytest.fixture(scope="module")
def clips() -> list[tuple[Key, str, Clip]]:
    """Eight clips of keys and groups from all over."""
    made = []
    for number in range(8):
        key = Key(number * 7 % 12, MODES[number % 2])
        group = groups(key.mode)[number * 5 % len(groups(key.mode))]
        made.append((key, group, tune(np.random.default_rng(number), key, group, TOOLS)))
    return made


# Players.


@pytest.mark.parametrize("scale_name", SCALES)
def test_own_versions_keep_to_the_scale_and_the_end(scale_name: str) -> None:
    scale = SCALES[scale_name]
    notes = rounded(5, "hornpipe", scale_name).notes
    habits = Habits(ornaments=0.3, trebles=0.3, varied=0.3, held=0.2)
    for seed in range(4):
        own = own_version(np.random.default_rng(seed), notes, scale.degrees, habits)
        assert {note.pitch % 12 for note in own} <= {*scale.degrees, *scale.altered}
        assert sum(note.end - note.start for note in own) == pytest.approx(
            sum(note.end - note.start for note in notes)
        )
        assert own[-1].pitch % 12 == notes[-1].pitch % 12
        assert [note.pitch for note in own] != [note.pitch for note in notes]


def test_without_habits_the_tune_is_played_as_written() -> None:
    notes = rounded(5).notes
    plain = Habits(ornaments=0, trebles=0, varied=0, held=0)
    assert own_version(np.random.default_rng(0), notes, SCALES["ionian"].degrees, plain) == list(notes)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_notes_are_within_the_compass_of_the_instrument(name: str) -> None:
    instrument = INSTRUMENTS[name]
    for pitch in range(30, 110):
        found = within(pitch, instrument)
        assert instrument.low <= found <= instrument.high
        assert found % 12 == pitch % 12


def test_parties_have_one_to_six_players_near_each_other() -> None:
    parties = [draw_players(np.random.default_rng(seed)) for seed in range(200)]
    assert {len(party) for party in parties} == {1, 2, 3, 4, 5, 6}
    players = [player for party in parties for player in party]
    assert max(abs(player.cents) for player in players) <= 30
    assert {player.name for player in players} == set(INSTRUMENTS)
    assert all(party[0].cents == 0 for party in parties if len(party) == 1)
    assert 0.4 < np.mean([player.program is None for player in players]) + 0.1 < 0.6


def test_another_key_is_the_same_tune_elsewhere() -> None:
    pitches = []
    for tonic in (2, 7):
        rng = np.random.default_rng(3)
        tune_round = go_round(
            rng, compose(rng, DANCES["jig"], "dorian", SCALES["dorian"].plans[0]), DANCES["jig"]
        )
        players = [player for player in draw_players(rng) if player.program is not None]
        stage = Stage(rng, tune_round.clock, tonic, 0.0, 2, tune_round.last)
        _, band = _unison(stage, tune_round, players, DANCES["jig"], "dorian")
        pitches.append([(note.pitch - tonic) % 12 for part in band for note in part.notes])
    assert pitches[0] == pitches[1]
    assert len(pitches[0]) > 50


@pytest.mark.parametrize("cents", [-37.0, 0.0, 45.0])
def test_players_of_a_soundfont_are_tuned_one_by_one(cents: float) -> None:
    parts = [
        midi.Part("lead", 19, (midi.Note(0, 4, 69, 100),), 100, cents),
        midi.Part("lead", 19, (midi.Note(0, 4, 62, 100),), 100),
    ]
    content = midi_bytes(parts, 60, 4, np.random.default_rng(0))
    tone = render(content, packaged_soundfont(), 0.0)[SAMPLE_RATE // 2 : 3 * SAMPLE_RATE]
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), 1 << 19))
    hertz = np.fft.rfftfreq(1 << 19, 1 / SAMPLE_RATE)
    near = (hertz > 425) & (hertz < 455)
    found = 1200 * np.log2(hertz[near][np.argmax(spectrum[near])] / 440)
    # The soundfont itself is a few cents off.
    assert found == pytest.approx(cents, abs=8)
    bends = [m for m in mido.MidiFile(file=io.BytesIO(content)) if m.type == "pitchwheel"]
    assert [bend.channel for bend in bends] == ([0] if cents else [])


# What is behind the tune.


@pytest.mark.parametrize(("kind", "classes"), [("tonic", {4}), ("tonic and fifth", {4, 11}), ("fifth", {11})])
def test_drones_sound_all_through(kind: str, classes: set[int]) -> None:
    for seed in range(10):
        part = backing.drone_part(np.random.default_rng(seed), kind, 4, 12.0)
        assert {note.pitch % 12 for note in part.notes} == classes
        assert max(note.start + note.duration for note in part.notes) >= SECONDS
        assert part.cents == 12.0


@pytest.mark.parametrize("kind", ["vamp", "fifths", "bass"])
def test_chords_behind_a_tune_are_those_of_the_plan(kind: str) -> None:
    rng = np.random.default_rng(1)
    spans = [Span(4.0 * bar, 4.0 * bar + 4, chord(name)) for bar, name in enumerate(["I", "IV", "V", "I"])]
    tune_round = Round(Clock(0.3), (), tuple(spans), 16.0, False)
    stage = Stage(rng, tune_round.clock, 2, 0.0, 4, 16.0)
    behind = backing.harmonised(rng, spans, open_fifths=kind == "fifths")
    _, parts = backing.played(stage, tune_round, kind, behind)
    for note in parts[0].notes:
        bar = min(3, int((note.start + 0.05) / 1.2))
        assert (note.pitch - 2) % 12 in behind[bar].chord.pitch_classes
    if kind == "fifths":
        assert all(span.chord.intervals == (0, 7) for span in behind)


def test_airs_have_no_beat_behind_them_and_most_tunes_no_chords() -> None:
    rng = np.random.default_rng(0)
    free = [backing.draw_backing(rng, drones=0.5, free=True) for _ in range(50)]
    assert {(behind.kind, behind.pulse) for behind in free} == {("none", "none")}
    drawn = [backing.draw_backing(rng, drones=0.0, free=False) for _ in range(600)]
    assert np.mean([behind.kind == "none" for behind in drawn]) == pytest.approx(backing.WITHOUT, abs=0.06)
    assert {behind.drone for behind in drawn} == {"none"}


# Clips.


def test_clips_have_the_form_of_clips(clips: list[tuple[Key, str, Clip]]) -> None:
    for _, group, made in clips:
        assert made.samples.shape == (SAMPLES,)
        assert made.samples.dtype == np.float32
        assert np.isfinite(made.samples).all()
        assert 0.29 < np.abs(made.samples).max() <= 1.0001
        settings = made.settings
        assert {"dance", "scale", "tempo", "cents", "instruments", "backing", "drone", "recording"} <= set(
            settings
        )
        assert settings["dance"] in DANCES
        assert group.startswith(f"{settings['scale']} - ")
        assert -50 <= float(settings["cents"]) <= 50


def test_a_clip_is_the_same_for_the_same_numbers(clips: list[tuple[Key, str, Clip]]) -> None:
    key, group, made = clips[3]
    again = tune(np.random.default_rng(3), key, group, TOOLS)
    assert np.array_equal(again.samples, made.samples)
    assert again.settings == made.settings


def test_the_key_is_heard(clips: list[tuple[Key, str, Clip]]) -> None:
    heard = [key_of(chroma(made.samples, float(made.settings["cents"]))) for _, _, made in clips]
    # By chance, one tonic in 12 is right; tunes without chords are harder than songs.
    right = sum(answer.tonic == key.tonic for answer, (key, _, _) in zip(heard, clips, strict=True))
    assert right >= 4


def test_the_spectrum_moves_with_the_key() -> None:
    group = groups("major")[0]
    low, high = (tune(np.random.default_rng(11), Key(tonic, "major"), group, TOOLS) for tonic in (2, 5))
    here, there = (chroma(made.samples, float(made.settings["cents"])) for made in (low, high))
    fits = [np.corrcoef(np.roll(here, shift), there)[0, 1] for shift in range(12)]
    assert int(np.argmax(fits)) == 3


@pytest.mark.parametrize(
    ("key", "group"), [(Key(0, "major"), "dorian - i"), (Key(0, "minor"), groups("major")[0])]
)
def test_groups_that_are_not_of_the_mode_are_refused(key: Key, group: str) -> None:
    with pytest.raises(UsageError, match="is not a group of tunes"):
        tune(np.random.default_rng(0), key, group, TOOLS)


def test_no_soundfont() -> None:
    with pytest.raises(UsageError, match="soundfont"):
        tune(np.random.default_rng(0), Key(0, "major"), groups("major")[0], Tools(()))
