"""Tunes of traditional dances: their scales, how they are composed, and how they go round."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pipelines.synthetic.clip import SECONDS
from pipelines.synthetic.corpus import is_held_out
from pipelines.synthetic.songs.chords import chord
from pipelines.synthetic.songs.notes import Note
from pipelines.synthetic.tunes.composition import BARS, CIRCULAR, compose, weighted
from pipelines.synthetic.tunes.dances import DANCES
from pipelines.synthetic.tunes.generator import groups
from pipelines.synthetic.tunes.modes import SCALES, chords_of, inflected
from pipelines.synthetic.tunes.rounds import Round, go_round, swayed
from tests.pipelines.synthetic.test_accompaniments import key_of
from tfkey.keys import Key, Mode

MODES: tuple[Mode, ...] = ("major", "minor")
PLANS = [(name, plan) for name, scale in SCALES.items() for plan in scale.plans]


def rounded(seed: int, dance: str = "reel", scale: str = "ionian") -> Round:
    """A tune that goes round."""
    rng = np.random.default_rng(seed)
    parts = compose(rng, DANCES[dance], scale, SCALES[scale].plans[0])
    return go_round(rng, parts, DANCES[dance])


def shares_of(scale_name: str, seeds: int) -> np.ndarray:
    """How long each pitch class sounds in tunes on a scale, as shares."""
    weights = np.zeros(12)
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        plan = SCALES[scale_name].plans[seed % len(SCALES[scale_name].plans)]
        for part in compose(rng, DANCES["reel"], scale_name, plan):
            for note in part.notes:
                weights[round(note.pitch) % 12] += note.end - note.start
    return weights / weights.sum()


# Scales, plans and groups.


def test_groups_are_many_and_their_scales_have_the_shares_of_sessions() -> None:
    counts = {mode: Counter(name.split(" - ")[0] for name in groups(mode)) for mode in MODES}
    assert len(set(groups("major"))) == len(groups("major")) >= 24
    assert len(set(groups("minor"))) == len(groups("minor")) >= 20
    assert not set(groups("major")) & set(groups("minor"))
    assert counts["major"]["ionian"] / counts["major"].total() == pytest.approx(0.7, abs=0.02)
    assert counts["major"]["mixolydian"] / counts["major"].total() == pytest.approx(0.22, abs=0.02)
    assert counts["minor"]["dorian"] / counts["minor"].total() == pytest.approx(0.5, abs=0.02)
    assert counts["minor"]["aeolian"] / counts["minor"].total() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(("scale_name", "plan"), PLANS)
def test_plans_are_eight_chords_whose_roots_are_in_the_scale(scale_name: str, plan: str) -> None:
    scale = SCALES[scale_name]
    assert (scale.degrees[2] if len(scale.degrees) > 2 else 0) == (4 if scale.mode == "major" else 3)
    assert len(plan.split()) == 8
    for names in chords_of(plan, scale.dominant):
        assert len(names) == BARS
        assert chord(names[-1]).root == 0
        assert all(chord(name).root in {*scale.degrees, 5} for name in names)


@pytest.mark.parametrize(
    ("scale_name", "pitches", "expected"),
    [
        ("melodic minor", [7, 8, 10, 12, 10, 8], [7, 9, 11, 12, 10, 8]),
        ("melodic minor", [-2, 0, 3], [-1, 0, 3]),
        ("dorian", [9, 10, 12], [9, 10, 12]),
        ("ionian", [9, 11, 12], [9, 11, 12]),
    ],
)
def test_sevenths_that_lead_to_the_tonic(scale_name: str, pitches: list[int], expected: list[int]) -> None:
    notes = [Note(beat, beat + 1, pitch) for beat, pitch in enumerate(pitches)]
    raised = inflected(notes, scale_name, np.random.default_rng(0))
    assert [note.pitch for note in raised] == expected


def test_some_mixolydian_tunes_have_both_sevenths() -> None:
    notes = [Note(beat, beat + 1, (10, 12)[beat % 2]) for beat in range(40)]
    heard = [
        {note.pitch for note in inflected(notes, "mixolydian", np.random.default_rng(seed))}
        for seed in range(40)
    ]
    assert 5 < sum(pitches == {10, 11, 12} for pitches in heard) < 25
    assert all(10 in pitches for pitches in heard)


def test_both_modes_have_groups_for_validation() -> None:
    for mode in MODES:
        assert {is_held_out("tunes", group) for group in groups(mode)} == {True, False}


# Composition.


@pytest.mark.parametrize("scale_name", SCALES)
@pytest.mark.parametrize("dance_name", DANCES)
def test_parts_fill_eight_bars_on_the_scale(dance_name: str, scale_name: str) -> None:
    dance, scale = DANCES[dance_name], SCALES[scale_name]
    for seed in range(3):
        rng = np.random.default_rng(seed)
        parts = compose(rng, dance, scale_name, scale.plans[-1])
        assert len(parts) in (2, 3)
        for part in parts:
            assert {note.pitch % 12 for note in part.notes} <= {*scale.degrees, *scale.altered}
            assert part.notes[0].start == 0
            assert part.notes[-1].end == pytest.approx(BARS * dance.beats)
            ends = [note.end for note in part.notes[:-1]]
            assert ends == pytest.approx([note.start for note in part.notes[1:]])
            assert min(note.end - note.start for note in part.notes) > 0.1
            # About the compass of a flute: the fiddle has a fifth more.
            assert min(note.pitch for note in part.notes) >= -8
            assert max(note.pitch for note in part.notes) <= 23
            assert [span.start for span in part.harmony] == [bar * dance.beats for bar in range(BARS)]


@pytest.mark.parametrize("mode", MODES)
def test_most_parts_end_on_the_tonic_and_every_tune_has_one_that_does(mode: Mode) -> None:
    on_tonic = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        scale_name, plan = groups(mode)[seed % len(groups(mode))].split(" - ")
        dance = DANCES[weighted(rng, {name: dance.share for name, dance in DANCES.items()})]
        home = [part.final.pitch % 12 == 0 for part in compose(rng, dance, scale_name, plan)]
        assert any(home)
        on_tonic += home
    # A tune whose parts would all run on ends at home all the same.
    assert np.mean(on_tonic) == pytest.approx(1 - CIRCULAR, abs=0.08)


@pytest.mark.parametrize(
    ("scale_name", "own", "relative"),
    [("ionian", 0, 9), ("aeolian", 0, 3), ("dorian", 0, 10), ("mixolydian", 0, 10)],
)
def test_the_tonic_sounds_longer_than_that_of_the_key_next_to_it(
    scale_name: str, own: int, relative: int
) -> None:
    shares = shares_of(scale_name, 60)
    assert shares[own] > shares[relative]
    assert shares[own] == max(shares[own], *(shares[pitch] for pitch in range(12) if pitch != 7))


def test_the_profile_of_major_tunes_mostly_names_their_key() -> None:
    named = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        plan = SCALES["ionian"].plans[seed % len(SCALES["ionian"].plans)]
        weights = np.zeros(12)
        for part in compose(rng, DANCES["jig"], "ionian", plan):
            for note in part.notes:
                weights[round(note.pitch) % 12] += note.end - note.start
        named.append(key_of(weights))
    # Not in all: tunes that dwell on fifth and sixth are known by their cadences alone.
    assert 0.7 < np.mean([key == Key(0, "major") for key in named]) < 1


def test_bars_come_again() -> None:
    for seed in range(20):
        tune_round = rounded(seed)
        bars = Counter(
            tuple(
                (note.start % 4, note.pitch)
                for note in tune_round.notes
                if bar * 4 <= note.start < bar * 4 + 4
            )
            for bar in range(16)
        )
        assert max(bars.values()) >= 2


# Rounds.


@pytest.mark.parametrize("dance_name", DANCES)
def test_tunes_fill_the_clip_or_end_on_the_tonic(dance_name: str) -> None:
    ended = 0
    for seed in range(25):
        tune_round = rounded(seed, dance_name, "dorian")
        first = tune_round.clock.seconds(tune_round.notes[0].start)
        end = tune_round.clock.seconds(tune_round.notes[-1].end)
        assert first < 0.9
        if tune_round.ends:
            ended += 1
            assert tune_round.notes[-1].pitch % 12 == 0
            assert SECONDS - 4.01 < end < SECONDS
        else:
            assert end >= SECONDS - 1e-6
    assert 0 <= ended < 12


def test_swaying_keeps_the_order() -> None:
    notes = [Note(0.3 * number, 0.3 * number + 0.3, 0) for number in range(100)]
    for seed in range(10):
        moved = swayed(notes, np.random.default_rng(seed), depth=0.9)
        starts = np.array([note.start for note in moved])
        assert (np.diff(starts) > 0).all()
        assert 0.05 < np.abs(starts - [note.start for note in notes]).max() <= 0.9
