"""Comparing what a command prints with what a page says that it prints."""

from __future__ import annotations

import math
import re

# Trained networks and their probabilities differ a little by processor.
ABSOLUTE = 0.02
RELATIVE = 0.02

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?")


def agrees(printed: str, page: str, *, varies: bool = False) -> bool:
    """Whether an output is what a page says.

    Args:
        printed: what was printed.
        page: the block in the page: the same up to blanks and small differences of numbers. A line ``...``
            is any number of lines, and ``...`` at the end of a line is any rest.
        varies: numbers may differ at will.
    """
    return _lines_agree(_lines(printed), _lines(page), varies)


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _lines_agree(printed: list[str], page: list[str], varies: bool) -> bool:
    if not page:
        return not printed
    if page[0] == "...":
        return any(_lines_agree(printed[start:], page[1:], varies) for start in range(len(printed) + 1))
    return (
        bool(printed)
        and _line_agrees(printed[0], page[0], varies)
        and _lines_agree(printed[1:], page[1:], varies)
    )


def _line_agrees(printed: str, page: str, varies: bool) -> bool:
    if page.endswith("..."):
        # Up to the last number or word that is complete.
        page = page[:-3].rstrip()
        found = _NUMBER.findall(page)
        words = _NUMBER.split(page)
        pattern = r"[-+]?[\d,.]*\d".join(map(re.escape, words))
        start = re.match(pattern, printed)
        return start is not None and (varies or _close(_NUMBER.findall(start[0]), found))
    if varies:
        return _shape(printed) == _shape(page)
    return _shape(printed) == _shape(page) and _close(_NUMBER.findall(printed), _NUMBER.findall(page))


def _shape(line: str) -> str:
    """A line without its numbers, and without the blanks and borders that move with them."""
    return re.sub(r"[\s─━-]+", "", _NUMBER.sub("0", line))


def _close(printed: list[str], page: list[str]) -> bool:
    return len(printed) == len(page) and all(
        math.isclose(_value(one), _value(other), abs_tol=ABSOLUTE, rel_tol=RELATIVE)
        for one, other in zip(printed, page, strict=True)
    )


def _value(number: str) -> float:
    return float(number.replace(",", ""))
