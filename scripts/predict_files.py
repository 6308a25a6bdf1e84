"""Which files ``tfkey predict`` analyses."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click

from scripts.predict_output import Form, existing_records
from scripts.predict_request import Request
from scripts.streams import read_stdin
from tfkey.errors import DataError, UsageError
from tfkey.storage import fetched, is_remote, kind_of, located, name_of, shown

# Enough of stdin to distinguish audio from a list.
_HEAD_BYTES = 1 << 12


def named_paths(paths: Sequence[str], null: bool) -> list[Path | str]:
    """Return the paths, with ``-`` replaced by the paths on stdin, of which URLs are texts.

    Args:
        paths: as the user gave them; ``./-`` is a file.
        null: whether NUL separates the paths on stdin.

    Raises:
        UsageError: stdin is not a list of paths, or a path has a scheme that cannot be used.
    """
    named: list[Path | str] = []
    for path in paths:
        named += [located(path)] if path != "-" else _listed(null)
    return named


def refuse_elsewhere(files: Iterable[Path], what: str) -> None:
    """Refuse files elsewhere for work that needs local ones.

    Args:
        files: the files.
        what: an option or command, for the message.

    Raises:
        UsageError: a file is elsewhere.
    """
    for file in files:
        if is_remote(file):
            raise UsageError(
                f"{what}: {shown(file)} is not on this computer; copy the files to a local folder first"
            )


def _listed(null: bool) -> list[Path | str]:
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

    if output is None or not (is_remote(output) or output.is_file()):
        return
    if identity(output) in map(identity, files):
        raise UsageError(f"--output {shown(output)}: is one of the files to analyse; name another file")


def pictures_of(request: Request, files: list[Path]) -> dict[Path, Path]:
    """Return the picture of each file; empty without ``--picture``.

    Raises:
        UsageError: one picture is named for several files, or a picture would replace one of the files to
            analyse or the output.
    """
    from tfkey.audio.finding import identity
    from tfkey.inference.picture import picture_names

    if request.picture is None:
        return {}
    if is_remote(request.picture):
        raise UsageError(
            f"--picture {shown(request.picture)}: pictures are written to this computer; name a local path"
        )
    place = Path(request.picture)
    if request.is_picture_folder:
        names = [Path(name_of(file)) if is_remote(file) else file for file in files]
        pictures = {file: place / name for file, name in zip(files, picture_names(names), strict=True)}
    elif len(files) > 1:
        raise UsageError(
            f"--picture {place}: is a single picture, but there are {len(files)} files; "
            "name a folder that exists"
        )
    else:
        pictures = dict.fromkeys(files, place)
    used = {identity(file): "one of the files to analyse" for file in files}
    if request.target is not None:
        used[identity(request.target)] = "the file of --output, too"
    for picture in pictures.values():
        if identity(picture) in used:
            raise UsageError(f"--picture {picture}: is {used[identity(picture)]}; name another")
    return pictures


def split_existing(
    files: list[Path], output: Path, form: Form, is_done: Callable[[Path], bool]
) -> tuple[list[Path], list[str]]:
    """Return the files that an earlier output does not list, and the records of it to keep.

    A file is skipped only if ``is_done`` says that it also has what else is wanted: a key tag, a picture.
    """
    from tfkey.audio.finding import identity

    with earlier_output(output) as copy:
        existing = {identity(path) for path, _ in existing_records(copy, form, output)}
        wanted = [path for path in files if identity(path) not in existing or not is_done(path)]
        again = {identity(path) for path in wanted}
        return wanted, [
            text for path, text in existing_records(copy, form, output) if identity(path) not in again
        ]


@contextlib.contextmanager
def earlier_output(output: Path) -> Iterator[Path]:
    """Yield a local file with the content of an earlier output; it does not exist if there was no output."""
    if is_remote(output) and kind_of(output) is None:
        yield Path(os.devnull, "none")
        return
    with fetched(output) as copy:
        yield copy
