"""The ``--reference`` option of ``tfkey predict`` and ``tfkey calibrate``."""

from __future__ import annotations

from pathlib import Path

import click

from tfkey.errors import DataError, UsageError
from tfkey.keys import Key
from tfkey.known_keys import KnownKey, KnownKeys, find_known, read_known_keys
from tfkey.storage import is_remote, shown

_NAME_COLUMNS = ("file", "path", "track")


def read_reference(path: Path) -> KnownKeys:
    """Read the table.

    Raises:
        UsageError: the file cannot be read, is elsewhere, or is not a table of files and keys.
    """
    if is_remote(path):
        raise UsageError(f"--reference {shown(path)}: is not on this computer; copy it to a local file first")
    try:
        return read_known_keys(path, _NAME_COLUMNS)
    except DataError as error:
        raise UsageError(f"--reference {error}") from error


def find_reference(reference: KnownKeys | None, files: list[Path]) -> dict[Path, Key] | None:
    """Return the known keys of the files; None without a table. See :func:`find_rows`."""
    if reference is None:
        return None
    return {path: row.key for path, row in find_rows(reference, files).items()}


def find_rows(reference: KnownKeys, files: list[Path]) -> dict[Path, KnownKey]:
    """Return the row of the table for each file that it names, in the order of the files.

    The number of unusable rows goes to stderr.

    Raises:
        UsageError: see :func:`tfkey.known_keys.find_known`.
    """
    if not files:
        return {}
    try:
        found = find_known(reference, files)
    except DataError as error:
        raise UsageError(f"--reference {error}") from error
    if reference.left_out:
        click.echo(f"{reference.path}: rows without a file or a key left out: {reference.left_out}", err=True)
    if found.unused:
        click.echo(f"{reference.path}: rows that match none of these files: {found.unused}", err=True)
    return {path: found.rows[path] for path in files if path in found.rows}
