"""Results files: what a benchmark or a judging command found, for the pages that show it.

A file of ``docs/results/`` contains the command, the date, the machine, the versions, and

- ``figures``: by name, what it is, the value, the ends of its interval, and how it is written;
- ``tables``: by name, columns and rows of text.

``tests/figures.py`` puts both into the pages. Of recordings, a file has the number in each set and a digest
of their names.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shlex
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.figures import shown

__all__ = ["add_option", "figure", "ratio", "recordings", "shown", "spread", "table", "write_results"]

_OF_NO_CONSEQUENCE = ("--results", "--answers", "--audio")


def add_option(parser: argparse.ArgumentParser) -> None:
    """Give a benchmark the option ``--results``."""
    parser.add_argument("--results", type=Path, help="file to write the figures to: docs/results/NAME.json")


def figure(
    what: str,
    value: float,
    ends: tuple[float, float] | None = None,
    *,
    form: str = ".2f",
    spread: str = "range",
    unit: str = "",
) -> dict[str, Any]:
    """One figure.

    Args:
        what: what it is, in the words of a table's row.
        value: the value.
        ends: the ends of its interval, if it has one.
        form: how it is written (a format of Python).
        spread: ``range`` (the least to the greatest) or ``interval`` (95 %).
        unit: its unit.
    """
    found: dict[str, Any] = {"what": what, "value": _short(value), "format": form}
    if unit:
        found["unit"] = unit
    if ends is not None:
        found |= {"low": _short(ends[0]), "high": _short(ends[1]), "spread": spread}
    return found


def ratio(what: str, values: Sequence[float], form: str = ".2f") -> dict[str, Any]:
    """The median of several rounds, with the least and the greatest."""
    return figure(what, statistics.median(values), (min(values), max(values)), form=form)


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """A cell of a table: median (least to greatest)."""
    low, middle, high = (
        format(value, form) for value in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} ({low} to {high})"


def table(what: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> dict[str, Any]:
    """One table; the cells are Markdown."""
    return {"what": what, "columns": list(columns), "rows": [list(row) for row in rows]}


def recordings(sets: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """The recordings that figures are of: how many are in each set, and a digest of their names."""
    listed = {name: sorted(members) for name, members in sets.items()}
    text = "\n".join(f"{name}/{member}" for name, members in listed.items() for member in members)
    return {
        "sets": {name: len(members) for name, members in listed.items()},
        "digest": hashlib.sha256(text.encode()).hexdigest(),
    }


def write_results(
    path: Path | None,
    title: str,
    *,
    figures: Mapping[str, Mapping[str, Any]] | None = None,
    tables: Mapping[str, Mapping[str, Any]] | None = None,
    packages: Sequence[str] = (),
    judged: Mapping[str, Any] | None = None,
    confusion: Sequence[Sequence[int]] = (),
    command: str | None = None,
) -> None:
    """Write a results file; nothing if there is no path.

    Args:
        path: the file, or None.
        title: what was measured.
        figures: by name, of :func:`figure`.
        tables: by name, of :func:`table`.
        packages: those whose versions matter, besides tfkey.
        judged: of :func:`recordings`.
        confusion: counts of class indices: reference, estimate, number of tracks.
        command: the command; by default, the one that is running.
    """
    if path is None:
        return
    content: dict[str, Any] = {
        "title": title,
        "command": command or _command(),
        "origin": "measured",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{platform.system()}, {os.cpu_count()} cores",
        "versions": {"Python": platform.python_version(), **_versions(("tfkey", *packages))},
    }
    if judged is not None:
        content["recordings"] = dict(judged)
    content |= {"figures": dict(figures or {}), "tables": dict(tables or {})}
    if confusion:
        content["confusion"] = [list(cell) for cell in confusion]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_text(content), encoding="utf-8")
    print(f"{path}: written")


def as_text(content: Mapping[str, Any]) -> str:
    """JSON with a row of a table on a line, so that changes are easy to see."""
    text = json.dumps(content, indent=1, ensure_ascii=False)

    def on_a_line(row: re.Match[str]) -> str:
        return "[" + re.sub(r",\n *", ", ", row[1]) + "]"

    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", on_a_line, text) + "\n"


def _command() -> str:
    """The command that is running: without what changes no figure, and without folders of this machine."""
    module = getattr(sys.modules["__main__"].__spec__, "name", None) or Path(sys.argv[0]).stem
    words, given = ["python", "-m", module.removesuffix(".__main__")], iter(sys.argv[1:])
    for word in given:
        if word.startswith(_OF_NO_CONSEQUENCE):
            if "=" not in word:
                next(given, None)
        else:
            words.append(Path(word).name if "/" in word and not word.startswith("-") else word)
    return shlex.join(words)


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _short(value: float) -> float:
    """A number without digits that nobody can measure."""
    return value if isinstance(value, int) else float(f"{value:.6g}")
