"""The fenced blocks of a page, and the marks that say what happens to them.

A mark is an HTML comment above the block, with a blank line between. No reader sees it:

=========================  ========================================================================
mark                       meaning
=========================  ========================================================================
none                       shell or Python that the test suite runs
``run: long``              shell or Python that ``make docs-test`` runs
``run: in the background`` the same, for a server, which runs to the end of the page
``not run: REASON``        shell or Python that cannot be run here
``output``                 what the block above prints on standard output; numbers may differ slightly
``output: varies``         the same; numbers may differ at will, words may not
``example``                any other text
``given: trained``         anywhere in a page: its commands find a small run and its data
=========================  ========================================================================

A line ``...`` in an output is any number of lines, and ``...`` at the end of a line is any rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CODE = ("shell", "python")
TEXT = ("text", "json", "yaml", "csv")

_BLOCK = re.compile(
    r"(?:^[ ]*<!-- *(?P<mark>[^\n]*?) *-->[ ]*\n\s*?)?"
    r"^(?P<indent>[ ]*)```(?P<language>[^\n`]*)\n(?P<text>.*?)^[ ]*```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_GIVEN = re.compile(r"^<!-- *given: (.*?) *-->$", re.MULTILINE)
# What a page takes for granted, and the figures of tests/figures.py.
_OTHER_COMMENTS = ("given:", "figure:", "table:", "/")
_MARKS = {
    **dict.fromkeys(CODE, re.compile(r"|run: long|run: in the background|not run: .*\w.*")),
    **dict.fromkeys(TEXT, re.compile(r"output|output: varies|example")),
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its line in the page (from 1), language, mark (may be empty), text without indent."""

    line: int
    language: str
    mark: str
    text: str
    start: int
    end: int
    indent: str

    @property
    def is_code(self) -> bool:
        """Whether it is a program."""
        return self.language in CODE

    @property
    def is_output(self) -> bool:
        """Whether it is what the block above prints."""
        return self.mark.startswith("output")

    def is_run(self, *, long: bool) -> bool:
        """Whether it is run: always, or only among the long ones."""
        return self.is_code and (self.mark == "" or (long and self.mark.startswith("run:")))


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page, in order. ``start`` and ``end`` are offsets of the text in the page."""
    found = []
    for match in _BLOCK.finditer(page):
        mark, indent = match["mark"] or "", match["indent"]
        if mark.startswith(_OTHER_COMMENTS):
            mark = ""
        text = re.sub(rf"^{indent}", "", match["text"], flags=re.MULTILINE)
        line = page.count("\n", 0, match.start("indent")) + 1
        found.append(
            Block(line, match["language"].strip(), mark, text, match.start("text"), match.end("text"), indent)
        )
    return found


def given(page: str) -> set[str]:
    """Return what a page takes for granted."""
    return set(_GIVEN.findall(page))


def faults(page: str) -> list[str]:
    """Return what is wrong with the marks of a page, a line each."""
    found = []
    above: Block | None = None
    for block in blocks(page):
        allowed = _MARKS.get(block.language)
        if allowed is None:
            known = ", ".join((*CODE, *TEXT))
            found.append(f"line {block.line}: the language {block.language!r} is not one of {known}")
        elif not allowed.fullmatch(block.mark):
            found.append(f"line {block.line}: {block.language} with the mark {block.mark!r}")
        elif block.is_output and (above is None or not above.is_run(long=True)):
            found.append(f"line {block.line}: output of a block that is not run")
        above = block if block.is_code else None
    return found


def pages(root: Path) -> list[Path]:
    """Return the pages whose code is run."""
    return sorted((root / "docs").rglob("*.md"))
