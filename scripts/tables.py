"""Tables on stdout: drawn by rich on a terminal, plain columns elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

import click

from scripts.streams import printable


def show_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Collection[int] = (), indent: str = ""
) -> None:
    """Print a table.

    Args:
        header: the names of the columns.
        rows: the cells, as many per row as there are columns.
        numbers: the columns that are aligned to the right.
        indent: what begins each line, if the table is plain.
    """
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    if sys.stdout.isatty():
        _draw(cells, numbers)
        return
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        fields = [
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo((indent + "  ".join(fields)).rstrip())


def _draw(cells: Sequence[Sequence[str]], numbers: Collection[int]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column, name in enumerate(cells[0]):
        table.add_column(Text(name), justify="right" if column in numbers else "left")
    for row in cells[1:]:
        table.add_row(*map(Text, row))
    Console().print(table)
