from __future__ import annotations

import math

import numpy as np
import pytest

from tfkey.errors import DataError
from tfkey.keys import KEYS, Key
from tfkey.votes import checked, key_of, mixed, parse_vote, vote_in, voters, write_vote

UNIFORM = (1 / 24,) * 24


def random_votes(count: int, seed: int = 0) -> list[tuple[float, ...]]:
    """From nearly even to nearly certain."""
    rng = np.random.default_rng(seed)
    return [tuple(rng.dirichlet(np.full(24, 10.0 ** rng.uniform(-2, 2)))) for _ in range(count)]


def with_value(index: int, value: float) -> list[float]:
    return [value if place == index else 1 / 24 for place in range(24)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1 / 23] * 23, "a vote has 24 probabilities, not 23"),
        ([1 / 25] * 25, "a vote has 24 probabilities, not 25"),
        ([], "not 0"),
        (with_value(1, math.nan), "the probability of Db major is nan; probabilities are 0 or more"),
        (with_value(12, math.inf), "the probability of C minor is inf"),
        (with_value(23, -0.01), r"the probability of B minor is -0\.01"),
        ([0.0] * 24, r"the probabilities sum to 0\.000, not 1"),
        ([1.0] * 24, r"sum to 24\.000"),
        ([100 / 24] * 24, r"sum to 100\.000"),
        ([1.021] + [0.0] * 23, r"sum to 1\.021"),
        ([0.979] + [0.0] * 23, r"sum to 0\.979"),
    ],
)
def test_what_is_no_vote(values: list[float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        checked(values)
    with pytest.raises(DataError, match=words):
        parse_vote(" ".join(map(repr, values)))


@pytest.mark.parametrize("text", ["0,5 " * 24, "x " + "0 " * 22 + "1", "C major", "0.5;0.5"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(DataError, match="is not a number"):
        parse_vote(text)


def test_roundings_are_made_up_for() -> None:
    for digits in (3, 4, 6):
        for vote in random_votes(30):
            read = parse_vote("  ".join(f"{value:.{digits}f}" for value in vote) + "\n")
            assert math.fsum(read) == pytest.approx(1, abs=1e-15)
            np.testing.assert_allclose(read, vote, rtol=24 * 10.0**-digits, atol=10.0**-digits)


def test_a_vote_is_written_with_four_digits_and_stays_as_it_is() -> None:
    certain = tuple(float(index == 7) for index in range(24))
    for vote in [*random_votes(300), UNIFORM, certain]:
        text = write_vote(vote)
        assert all(len(word) == 6 for word in text.split())
        assert sum(round(10_000 * float(word)) for word in text.split()) == 10_000
        read = parse_vote(text)
        np.testing.assert_allclose(read, vote, rtol=0, atol=1e-4)
        assert write_vote(read) == text
    assert parse_vote(write_vote(certain)) == certain


def test_the_mixture_is_the_weighted_mean() -> None:
    one, other, third = random_votes(3)
    votes = {"one": one, "other": other, "third": third}
    np.testing.assert_allclose(mixed(votes, {}), np.mean([one, other, third], axis=0))
    expected = 0.4 * np.array(one) + 0.6 * np.array(other)
    for scale in (1.0, 10.0, 1e-3):
        found = mixed(votes, {"one": 0.4 * scale, "other": 0.6 * scale})
        np.testing.assert_allclose(found, expected)
        assert math.fsum(found) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(mixed({"": one}, {}), one)
    with pytest.raises(DataError, match="there is no vote of fourth, second"):
        mixed(votes, {"one": 1, "second": 1, "fourth": 2})


def test_the_key_of_a_vote_is_the_most_probable_one() -> None:
    vote = list(UNIFORM)
    vote[5] += 0.1
    assert key_of(tuple(vote)) == Key.parse("F major")
    vote[20] = vote[5]
    assert key_of(tuple(vote)) == Key.parse("F major")
    assert key_of(UNIFORM) == KEYS[0]


def test_columns_named_by_keys_in_any_order_and_spelling() -> None:
    (vote,) = random_votes(1)
    names = [key.long for key in KEYS]
    names[1], names[13], names[22] = "C# major", "c# minor", "a# minor"
    cells = {f"{name}".lower(): f"{value:.6f}" for name, value in zip(names, vote, strict=True)}
    rows = [{"file": "a.wav", **dict(reversed(cells.items())), "seconds": "12.5"}]
    found = voters(rows)
    assert found == {"": tuple(name.lower() for name in names)}
    np.testing.assert_allclose(vote_in(rows[0], found[""]), vote, atol=2e-6)
    with pytest.raises(DataError, match="24 probabilities, not 23"):
        vote_in({**rows[0], "c# major": " "}, found[""])
    with pytest.raises(DataError, match="'x' is not a number"):
        vote_in({**rows[0], "c# major": "x"}, found[""])
    del rows[0]["c# major"], rows[0]["a# minor"]
    with pytest.raises(DataError, match="there is no column for Db major, Bb minor; a vote needs one"):
        voters(rows)


def test_columns_of_voters() -> None:
    one, other = random_votes(2)
    rows = [
        {"path": "1 2 3", "openkeyscan": write_vote(one), "k10": "", "bpm": "120", "note": "takes 1 2 3 4"},
        {"path": "b.ogg", "openkeyscan": "", "k10": write_vote(other), "beats": "1 2 3 4 5 6 7 8"},
    ]
    # A voter may have no vote in the first row.
    assert voters(rows) == {"openkeyscan": ("openkeyscan",), "k10": ("k10",)}
    assert vote_in(rows[1], ("k10",)) == parse_vote(write_vote(other))
    # Of the wrong length, it is still a voter's: the vote is to be named, not to be overlooked.
    assert voters([{"path": "a", "mine": "0.1 " * 23}]) == {"mine": ("mine",)}
    assert voters([{"path": "a", "mine": "nan " * 24}]) == {"mine": ("mine",)}


@pytest.mark.parametrize(
    "cells",
    [
        {},
        {"path": "a.wav", "key": "C major", "tempo": "120 121 122"},
        {"path": "a.wav", "c major": "0.5", "a minor": "0.5"},
        {"path": "a.wav", "major": "1", "minor": "0", "relative minor": "x"},
    ],
)
def test_rows_without_votes(cells: dict[str, str]) -> None:
    assert voters([cells]) == {}
