"""Figures in the handbook come from results files: ``python -m tests.figures --write`` puts them there.

A benchmark writes its results to ``docs/results/NAME.json`` (:mod:`tests.benchmarks.results`). A page shows
them between marks, which no reader sees, neither on a code host nor on the site::

    <!-- figure: predict.warm -->0.50<!-- / -->
    <!-- figure: predict.warm range -->0.50 (0.49 to 0.52)<!-- / -->
    <!-- figure: cqt.error .0e -->7e-6<!-- / -->
    <!-- table: memory.peaks -->
    ...
    <!-- / -->

``range`` adds the interval, and a last word is a format other than that of the results file. Without
``--write`` the script prints what is out of date, and figures without a mark. The tests do the same.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tests.figures_allowed import ALLOWED

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"

LEDGERS = {
    "docs/experiments.md": "a dated ledger: each entry is a record of its day",
    "docs/what-was-tried.md": "a dated ledger: each entry is a record of its day",
}
"""Pages that are exempt, with the reason. CHANGELOG.md is a ledger, too, and not a page of figures."""

OPEN = re.compile(r"<!-- (figure|table): ([\w-]+)\.([\w-]+)( range)?(?: (\S+))? -->")
CLOSE = "<!-- / -->"
_FENCE = re.compile(r"^ *```.*?^ *```[^\S\n]*$", re.MULTILINE | re.DOTALL)
_HIDDEN = re.compile(r"<!--.*?-->|`[^`\n]*`|\]\([^)\s]*\)|<(?:img|source)\b[^>]*>|https?://\S+", re.DOTALL)

_NUMBER = r"(?<![\w.,])[-+\u2212]?\d[\d,]*(?:\.\d+)?"
_UNITS = (
    "%|per cent|ms|s|seconds|minutes|hours|kB|MB|GB|MiB|GiB|files|tracks|recordings|requests|intervals|"
    "clips|times|packages|repositories"
)
MEASURED = re.compile(
    rf"{_NUMBER}e[-+]?\d+"  # 7e-6
    rf"|(?<![\w.]){_NUMBER} ?(?:{_UNITS})(?!\w)"  # 12 ms, 80 %, 11 times
    rf"|{_NUMBER} (?:of|in|to|and) (?:the )?{_NUMBER}(?: ?(?:{_UNITS})(?!\w))?"  # 3 of 25
    rf"|(?<![\w.,])[-+\u2212]?\d+\.\d+"  # 85.4
    rf"|(?<![\w.,])\d{{1,3}}(?:,\d{{3}})+"  # 96,422
    rf"|(?<=\|) *\**[-+\u2212]?\d[\d.,]*(?!\w)[^|\n]*(?=\|)"  # a cell of a table that begins with a number
)
"""What looks like a measurement. Numbers in words are not found."""


def pages() -> list[Path]:
    """Every page whose figures are checked."""
    outside = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "tests/benchmarks/README.md"]
    found = [ROOT / name for name in outside]
    found += sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "configs" / "cards").glob("*.md"))
    return [path for path in found if path.relative_to(ROOT).as_posix() not in LEDGERS]


def read_results(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """All results files by name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def shown(figure: dict[str, Any], form: str | None = None, *, with_range: bool = False) -> str:
    """A figure as text: ``0.50``, ``0.50 (0.49 to 0.52)``, ``85.4 [76.9, 92.8]``."""

    def one(value: float) -> str:
        return re.sub(
            r"e([-+])0*",
            lambda match: "e" + match[1].replace("+", ""),
            format(value, form or figure["format"]),
        )

    text = one(figure["value"])
    if not with_range:
        return text
    low, high = one(figure["low"]), one(figure["high"])
    return f"{text} [{low}, {high}]" if figure["spread"] == "interval" else f"{text} ({low} to {high})"


def table(content: dict[str, Any]) -> str:
    """A table as Markdown."""
    rows = [content["columns"], *content["rows"]]
    lines = [f"| {' | '.join(row)} |".replace("  ", " ") for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(content["columns"]), *lines[1:]])


def rendered(text: str, results: dict[str, dict[str, Any]]) -> str:
    """A page with the figures of the results files between its marks.

    Raises:
        ValueError: a mark is not closed, is at the start of a line (where Markdown would end the
            paragraph), or names a figure that no results file has.
    """
    if wrong := re.search(r"^ *(<!-- figure: .*? -->)", text, re.MULTILINE):
        raise ValueError(f"{wrong[1]} is at the start of a line; put a word before it")
    done, position = [], 0
    for mark in OPEN.finditer(text):
        end = text.find(CLOSE, mark.end())
        following = OPEN.search(text, mark.end())
        if end < 0 or (following and following.start() < end):
            raise ValueError(f"{mark[0]} is not closed by {CLOSE}")
        kind, name, part, with_range, form = mark.groups()
        try:
            content = results[name][f"{kind}s"][part]
        except KeyError:
            raise ValueError(f"{mark[0]}: docs/results/{name}.json has no such {kind}") from None
        inner = (
            f"\n\n{table(content)}\n\n"
            if kind == "table"
            else shown(content, form, with_range=bool(with_range))
        )
        done += [text[position : mark.end()], inner]
        position = end
    return "".join([*done, text[position:]])


def unmarked(page: str, text: str, used: set[int] | None = None) -> Iterator[tuple[int, str]]:
    """Yield line and text of figures outside of marks; ``used`` collects the allowances that apply."""

    def blank(match: re.Match[str]) -> str:
        # Lines keep their numbers.
        return " " + "\n" * match[0].count("\n")

    text = _FENCE.sub(blank, text)
    text = re.sub(OPEN.pattern + ".*?" + re.escape(CLOSE), blank, text, flags=re.DOTALL)
    for number, (place, expression, _) in enumerate(ALLOWED):
        if fnmatch(page, place):
            text, count = re.subn(expression, blank, text)
            if count and used is not None:
                used.add(number)
    text = _HIDDEN.sub(blank, text)
    for match in MEASURED.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[0].strip()


def results_page(results: dict[str, dict[str, Any]]) -> str:
    """Every figure with its command, as Markdown: a page of the site."""
    lines = [
        "# Every figure with its command\n",
        "Each section is a results file in `docs/results/`, which the command wrote. *Transcribed* means "
        "that a figure was copied from an earlier record of the same command.\n",
    ]
    for name, result in results.items():
        lines += [f"## {result['title']}\n", f"```text\n{result['command']}\n```\n", "".join(_facts(result))]
        if result["figures"]:
            lines += ["| figure | value |\n|---|---|", *_rows(result["figures"].values()), ""]
        for content in result["tables"].values():
            lines += [f"{content['what']}:\n" if content.get("what") else "", table(content), ""]
        lines.append(f"[{name}.json]({name}.json)\n")
    return "\n".join(lines)


def _facts(result: dict[str, Any]) -> Iterator[str]:
    origin = result["origin"]
    yield f"{origin[:1].upper()}{origin[1:]}, {result['date']}."
    if result["machine"]:
        yield f" {result['machine']}."
    if result["versions"]:
        yield " " + ", ".join(f"{package} {version}" for package, version in result["versions"].items()) + "."
    if recordings := result.get("recordings"):
        sets = ", ".join(f"{name} ({count})" for name, count in recordings["sets"].items())
        yield f" Recordings: {sets}; SHA-256 of the list `{recordings['digest'][:16]}…`."
    yield "\n"


def _rows(figures: Iterable[dict[str, Any]]) -> Iterator[str]:
    for figure in figures:
        unit = f" {figure['unit']}" if figure.get("unit") else ""
        yield f"| {figure['what']} | {shown(figure, with_range='low' in figure)}{unit} |"


def main() -> int:
    """Check the pages, or write them."""
    parser = argparse.ArgumentParser(description="Put figures from docs/results/ into the pages.")
    parser.add_argument("--write", action="store_true", help="write pages that are out of date")
    options = parser.parse_args()
    results, failed = read_results(), False
    for path in pages():
        name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        new = rendered(text, results)
        if new != text and options.write:
            path.write_text(new, encoding="utf-8")
            print(f"{name}: written")
        elif new != text:
            print(f"{name}: figures are out of date")
            failed = True
        for line, figure in unmarked(name, new):
            print(f"{name}:{line}: {figure}: has no mark")
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
