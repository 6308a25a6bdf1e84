"""Soft labels: 24 probabilities for the key of a recording, usually *votes* of other networks.

A vote trains a network, and says more than a key: how sure the voter is, and what else is likely
(distillation: Hinton, Vinyals and Dean 2015, arXiv 1503.02531). It is no reference to score against.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from tfkey.errors import DataError, KeyParseError
from tfkey.keys import KEYS, N_CLASSES, Key

Vote = tuple[float, ...]
"""24 probabilities by class index, sum 1."""

TOLERANCE = 0.02
"""How far from 1 the sum of a written vote may be: 24 roundings to three digits come to half of it."""

_UNITS = 10_000
# A column of so many numbers is a voter's, even if some are missing; remarks hold fewer.
_LEAST_NUMBERS = N_CLASSES // 2


def checked(values: Sequence[float]) -> Vote:
    """Return values as a vote whose sum is exactly 1, up to rounding.

    Raises:
        DataError: they are not 24, not finite or negative, or their sum is not within :data:`TOLERANCE` of 1;
            the message is the reason alone.
    """
    if len(values) != N_CLASSES:
        raise DataError(f"a vote has {N_CLASSES} probabilities, not {len(values)}")
    for key, value in zip(KEYS, values, strict=True):
        if not math.isfinite(value) or value < 0:
            raise DataError(f"the probability of {key.long} is {value:g}; probabilities are 0 or more")
    total = math.fsum(values)
    if abs(total - 1) > TOLERANCE:
        raise DataError(f"the probabilities sum to {total:.3f}, not 1")
    return tuple(value / total for value in values)


def parse_vote(text: str) -> Vote:
    """Read 24 probabilities separated by blanks.

    Raises:
        DataError: see :func:`checked`; or a word is not a number.
    """
    return checked([_number(word) for word in text.split()])


def write_vote(vote: Vote) -> str:
    """Return a vote as text for :func:`parse_vote`, with four digits.

    The written probabilities sum to exactly 1, so that a vote that is read and written again stays the same.
    """
    exact = [value * _UNITS for value in vote]
    units = [math.floor(value) for value in exact]
    # What rounding down has left over goes to the largest remainders.
    order = sorted(range(N_CLASSES), key=lambda index: units[index] - exact[index])
    for index in order[: _UNITS - sum(units)]:
        units[index] += 1
    return " ".join(f"{unit / _UNITS:.4f}" for unit in units)


def mixed(votes: Mapping[str, Vote], weights: Mapping[str, float]) -> Vote:
    """Return the weighted mean of the votes of several voters.

    Args:
        votes: the votes by the name of the voter; at least one.
        weights: the weight of each voter that counts; empty if all count equally.

    Raises:
        DataError: a voter with a weight has no vote.
    """
    missing = sorted(set(weights) - set(votes))
    if missing:
        raise DataError(f"there is no vote of {', '.join(missing)}")
    used = dict(weights) or dict.fromkeys(votes, 1.0)
    total = math.fsum(used.values())
    return tuple(
        math.fsum(weight * votes[name][index] for name, weight in used.items()) / total
        for index in range(N_CLASSES)
    )


def key_of(vote: Vote) -> Key:
    """Return the most probable key; of equals, the first by class index."""
    return KEYS[max(range(N_CLASSES), key=lambda index: vote[index])]


def voters(rows: Iterable[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """Find the votes in a table.

    There are two forms: 24 columns, each named by a key (``C major`` to ``B minor``); or columns of any name
    whose cells contain 24 numbers separated by blanks, one column for each voter.

    Args:
        rows: the texts of each row by column. Any of them may lack votes.

    Returns:
        The columns by voter; 24 columns named by keys are the voter ``""``, in class order. Empty if the
        table has no votes.

    Raises:
        DataError: most of the 24 keys have a column, but not all; the message is the reason alone.
    """
    by_key: dict[Key, str] = {}
    found: dict[str, tuple[str, ...]] = {}
    for cells in rows:
        for column, text in cells.items():
            words = text.split() if column not in found else ()
            if len(words) >= _LEAST_NUMBERS and all(_is_number(word) for word in words):
                found[column] = (column,)
            elif (key := _key_or_none(column)) is not None:
                by_key.setdefault(key, column)
    if len(by_key) == N_CLASSES:
        found[""] = tuple(by_key[key] for key in KEYS)
    elif len(by_key) >= _LEAST_NUMBERS:
        missing = ", ".join(key.long for key in KEYS if key not in by_key)
        raise DataError(f"there is no column for {missing}; a vote needs one for each of the 24 keys")
    return found


def vote_in(cells: Mapping[str, str], columns: Sequence[str]) -> Vote:
    """Read the vote in columns of a row that :func:`voters` found in this row or in another one.

    Raises:
        DataError: see :func:`parse_vote`.
    """
    return parse_vote(" ".join(cells.get(column, "") for column in columns))


def _key_or_none(column: str) -> Key | None:
    if not column.endswith(("major", "minor")):
        return None
    try:
        return Key.parse(column)
    except KeyParseError:
        return None


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise DataError(f"{word!r} is not a number") from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
