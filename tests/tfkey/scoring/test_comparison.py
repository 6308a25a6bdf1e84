from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfkey.errors import DataError
from tfkey.keys import KEYS, Key
from tfkey.scoring.comparison import compare, read_predictions, read_references
from tfkey.scoring.mirex import weighted_score

TRACKS = [f"track {number}" for number in range(200)]
RNG = np.random.default_rng(0)
TRUTH = [KEYS[index] for index in RNG.integers(0, 24, len(TRACKS))]


def written(path: Path, keys: list[str], references: list[Key] | None = None, tracks=TRACKS) -> Path:
    header = "track,key" + (",reference" if references else "")
    lines = [
        ",".join([track, key, *([references[number].long] if references else [])])
        for number, (track, key) in enumerate(zip(tracks, keys, strict=True))
    ]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def guesses(right: float, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [(key if rng.random() < right else KEYS[int(rng.integers(24))]).write("camelot") for key in TRUTH]


def test_figures_are_those_of_each_alone_and_the_pairing_narrows_the_difference(tmp_path: Path) -> None:
    first = guesses(0.6, 1)
    # The same mistakes but for twenty tracks.
    second = [TRUTH[number].short if number < 20 else key for number, key in enumerate(first)]
    a = read_predictions(written(tmp_path / "a.csv", first, TRUTH))
    b = read_predictions(written(tmp_path / "b.csv", second))
    found = compare(a, b)
    assert found.n_tracks == 200
    for name, both in (("weighted", True), ("weighted_ascending", False)):
        for side, keys in (("a", first), ("b", second)):
            expected = weighted_score(TRUTH, [Key.parse(key) for key in keys], both_fifths=both)
            assert getattr(found.figures[name], side).value == pytest.approx(expected, abs=1e-12)
    change = found.figures["correct"].difference
    alone = found.figures["correct"].a
    assert change.value == pytest.approx(found.figures["correct"].b.value - alone.value)
    assert 0 < change.low < change.value < change.high
    assert change.high - change.low < 0.6 * (alone.high - alone.low)
    # Six tracks differ, all for the better.
    assert change.value == pytest.approx(6 / 200)
    assert found.figures["correct"].p_value == pytest.approx(2 / 2**6, abs=0.006)
    turned = compare(b, a).figures["correct"].difference
    assert turned.value == pytest.approx(-change.value)


def test_the_same_twice_is_no_difference(tmp_path: Path) -> None:
    a = read_predictions(written(tmp_path / "a.csv", guesses(0.5, 1), TRUTH))
    item = compare(a, a).figures["weighted"]
    assert item.difference == (0, 0, 0)
    assert item.p_value == 1


def test_p_values_of_equal_systems_are_even(tmp_path: Path) -> None:
    values = []
    for seed in range(60):
        a = read_predictions(written(tmp_path / "a.csv", guesses(0.6, 2 * seed), TRUTH))
        b = read_predictions(written(tmp_path / "b.csv", guesses(0.6, 2 * seed + 1)))
        values.append(compare(a, b).figures["correct"].p_value)
    assert 0.35 < np.mean(values) < 0.65
    assert np.mean(np.array(values) < 0.05) <= 0.15


def test_no_answer_is_wrong_and_strangers_are_named(tmp_path: Path) -> None:
    right = [key.long for key in TRUTH]
    silent = ["-" if number % 4 == 0 else key for number, key in enumerate(right)]
    a = read_predictions(written(tmp_path / "a.csv", right, TRUTH))
    b = read_predictions(written(tmp_path / "b.csv", silent))
    assert compare(a, b).figures["correct"].b.value == 0.75
    c = read_predictions(written(tmp_path / "c.csv", [*right[:50], "Am"], tracks=[*TRACKS[:50], "stranger"]))
    found = compare(a, c)
    assert (found.n_tracks, found.only_b) == (50, ["stranger"])
    assert found.only_a == sorted(TRACKS[50:])
    truth = {"stranger": Key.parse("A minor")}
    with pytest.raises(DataError, match="no track is in both"):
        compare(a, c, truth)
    assert compare(c, c, truth).figures["correct"].a.value == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("track,key\nx,H flat major\n", "line 2: "),
        ("track,key\nx,Am\nx,C\n", "line 3: track 'x' is listed twice"),
        ("name,value\nx,Am\n", "columns track (or file or path) and estimate (or key or tonic and mode)"),
        ("track,key\n", "has no tracks"),
    ],
)
def test_bad_files_are_named(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read_predictions(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


def test_a_few_tracks_show_nothing_and_p_values_are_those_of_every_toss(tmp_path: Path) -> None:
    from itertools import product

    truth = [Key.parse("C major")] * 9
    # Differences of 1, .5, .3, .2 and 0 in the weighted score.
    first, second = ["C"] * 5 + ["G", "C", "Am", "C"], ["E", "G", "Am", "Cm", "C", "C", "E", "C", "C"]
    a = read_predictions(written(tmp_path / "a.csv", first, truth, TRACKS[:9]))
    b = read_predictions(written(tmp_path / "b.csv", second, tracks=TRACKS[:9]))
    change = np.array([0.0, 0.5, 0.3, 0.2, 1, 1, 0, 1, 1]) - [1, 1, 1, 1, 1, 0.5, 1, 0.3, 1]
    tosses = [abs(change @ signs) for signs in product((-1, 1), repeat=9)]
    exact = np.mean(np.array(tosses) >= abs(change.sum()) - 1e-9)
    assert compare(a, b).figures["weighted"].p_value == pytest.approx(exact, abs=0.02)
    alone = read_predictions(written(tmp_path / "c.csv", ["C"], tracks=TRACKS[:1]))
    assert compare(b, alone, {TRACKS[0]: truth[0]}).figures["correct"].p_value == 1


def test_references_of_a_predictions_file_are_its_references(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("track,reference,estimate\na,C major,G major\n")
    assert read_references(path).keys == {"a": Key.parse("C major")}
    path.write_text("track,reference,estimate\na,,G major\n")
    with pytest.raises(DataError, match="none of its 1 rows has both a track and a key"):
        read_references(path)


def test_references_without_a_key_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "keys.csv"
    path.write_text("track,key\na,C major\nb,-\nc,\n,A minor\n")
    found = read_references(path)
    assert (found.keys, found.left_out) == ({"a": Key.parse("C major")}, 3)
    path.write_text("track,key\na,C major\na,C major\n")
    with pytest.raises(DataError, match="line 3: track 'a' is listed twice"):
        read_references(path)


@pytest.mark.parametrize(
    ("first", "second", "tracks", "by"),
    [
        (["d/1", "d/2"], ["d/1", "2"], 1, "name"),
        (["d/1", "d/a/2"], ["1", "a/2"], 2, "name without dataset"),
        (["d/1.LOFI", "d/2"], ["C:\\music\\1.LOFI.mp3", "2.wav"], 2, "file name without folder and suffix"),
    ],
)
def test_tracks_that_other_systems_name_otherwise(first, second, tracks, by, tmp_path: Path) -> None:
    a = read_predictions(written(tmp_path / "a.csv", ["Am", "C"], [KEYS[0], KEYS[0]], first))
    b = read_predictions(written(tmp_path / "b.csv", ["C", "C"], tracks=second))
    found = compare(a, b)
    assert (found.n_tracks, found.by) == (tracks, by)
    assert found.figures["correct"].b.value == 1


def test_names_that_fall_together_are_not_matched(tmp_path: Path) -> None:
    a = read_predictions(written(tmp_path / "a.csv", ["Am", "C"], [KEYS[0], KEYS[0]], ["d/x/1", "d/y/1"]))
    b = read_predictions(written(tmp_path / "b.csv", ["C"], tracks=["1.mp3"]))
    with pytest.raises(DataError, match="no track is in both"):
        compare(a, b)


def test_two_truths_are_refused(tmp_path: Path) -> None:
    a = read_predictions(written(tmp_path / "a.csv", guesses(0.5, 1), TRUTH))
    b = read_predictions(written(tmp_path / "b.csv", guesses(0.5, 1), TRUTH[1:] + TRUTH[:1]))
    with pytest.raises(DataError, match="has the reference"):
        compare(a, b)
