"""Which files ``tfkey predict`` analyses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from scripts.predict_output import Form, existing_records
from scripts.streams import read_stdin
from tfkey.errors import DataError, UsageError

# Enough of stdin to distinguish audio from a list.
_HEAD_BYTES = 1 << 12


def named_paths(paths: Sequence[str], null: bool) -> list[Path]:
    """Return the paths, with ``-`` replaced by the paths on stdin.

    Args:
        paths: as the user gave them; ``./-`` is a file.
        null: whether NUL separates the paths on stdin.

    Raises:
        UsageError: stdin is not a list of paths.
    """
    named = []
    for path in paths:
        named += [Path(path)] if path != "-" else _listed(null)
    return named


def _listed(null: bool) -> list[Path]:
    """The paths on stdin."""
    from tfkey.audio.playlists import looks_like_audio, split_list

    content = read_stdin(_HEAD_BYTES)
    if looks_like_audio(content):
        raise UsageError(
            "-: stdin looks like audio, not like a list of paths; give the name of the file instead"
        )
    try:
        listed = split_list(content + read_stdin(), null=null)
    except DataError as error:
        reason = str(error).partition(";")[0]
        raise UsageError(
            f"-: stdin {reason}; give one path per line, or --null if NUL separates them (find -print0)"
        ) from error
    if not listed:
        click.echo("the list on stdin is empty", err=True)
    return listed


def check_output(output: Path | None, files: list[Path]) -> None:
    """Refuse an output that would replace one of the files to analyse."""
    from tfkey.audio.finding import identity

    if output is not None and output.is_file() and identity(output) in map(identity, files):
        raise UsageError(f"--output {output}: is one of the files to analyse; name another file")


def split_existing(files: list[Path], output: Path, form: Form) -> tuple[list[Path], list[str]]:
    """Return the files that an earlier output does not list, and the records of it to keep.

    If tags are written, too, a file is skipped only if it also has a key tag.
    """
    from tfkey.audio.finding import identity
    from tfkey.inference.many_files import has_key_tag

    existing = {identity(path) for path, _ in existing_records(output, form)}
    wanted = [
        path for path in files if identity(path) not in existing or (form.has_tags and not has_key_tag(path))
    ]
    again = {identity(path) for path in wanted}
    return wanted, [text for path, text in existing_records(output, form) if identity(path) not in again]
