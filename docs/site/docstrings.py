"""What the docstrings have of reStructuredText, as Markdown: literal blocks and simple tables."""

from __future__ import annotations

import re
from typing import Any

import griffe

_BORDER = re.compile(r"^(\s*)(=+(?: +=+)+)\s*$")


class Markdown(griffe.Extension):
    """An extension of griffe that rewrites every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Return a docstring with reStructuredText's literal blocks and simple tables as Markdown."""
    lines = re.sub(r"::$", ":", text, flags=re.MULTILINE).split("\n")
    result: list[str] = []
    while lines:
        borders = [index for index, line in enumerate(lines) if _BORDER.match(line)]
        if len(borders) < 3 or borders[0] > 0:
            result.append(lines.pop(0))
            continue
        start, head, end = borders[:3]
        result += _table(lines[start], lines[start + 1 : head], lines[head + 1 : end])
        lines = lines[end + 1 :]
    return "\n".join(result)


def _table(border: str, head: list[str], rows: list[str]) -> list[str]:
    """Return a simple table as Markdown; a row without a first cell continues the row above it."""
    starts = [match.start() for match in re.finditer("=+", border)]
    indent = " " * starts[0]
    merged: list[list[str]] = []
    for row in [*head, *rows]:
        ends = [*starts[1:], None]
        cells = [row[start:end].strip() for start, end in zip(starts, ends, strict=True)]
        if cells[0] or not merged:
            merged.append(cells)
        else:
            merged[-1] = [f"{above} {cell}".strip() for above, cell in zip(merged[-1], cells, strict=True)]
    lines = [f"{indent}| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in merged]
    return [lines[0], f"{indent}|{'---|' * len(starts)}", *lines[1:]]
