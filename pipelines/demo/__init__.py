"""The demo dataset: public-domain compositions in all 24 keys, arranged and rendered on this machine.

Needs no network and no system package. Pieces come from the corpus of music21, sound from the soundfont
that pretty_midi carries, played by midirenderer. What is in it: ``pieces.csv`` (compositions and their
keys), :mod:`pipelines.demo.instruments`, :mod:`pipelines.demo.recipes`. How it is made:
:mod:`pipelines.demo.scores`, :mod:`pipelines.demo.passages`, :mod:`pipelines.demo.arrange`,
:mod:`pipelines.demo.render`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from pipelines.demo.recipes import Recipe, Size, recipes
from tfkey.errors import TfkeyError, UsageError
from tfkey.files import csv_lines, remove_partial, write_text
from tfkey.processes import Crash, in_processes

TRACKS_CSV = "tracks.csv"

_Job = tuple[str, list[Recipe], Path]  # a score, its tracks, the folder for them


def render_demo(
    folder: Path,
    *,
    size: Size = "default",
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Render the demo's audio, mono 16-bit FLAC at 44.1 kHz, unless it is there already.

    Tracks lie at ``<split>/<key folder>/<track>.flac``; ``tracks.csv`` lists them and is written last. All
    24 keys have equally many tracks in each split. Pieces are apart between splits, and the test tracks'
    instruments appear nowhere else. What a run leaves unfinished, the next one finishes with the same bytes;
    tracks that ``tracks.csv`` lists with other properties than they have now are rendered anew.

    Rendering takes minutes. The processes are spawned, so a script that calls this needs the usual
    ``if __name__ == "__main__":``.

    Args:
        folder: where to write; made if missing.
        size: ``default`` (552 tracks of 15 s) or ``tiny`` (72 tracks of 10 s).
        workers: how many processes render.
        progress: called with the number of tracks that are ready and of all tracks.

    Returns:
        The path of ``tracks.csv``.

    Raises:
        UsageError: there is no such size.
        DataError: scores or soundfont are missing from their packages.
        TfkeyError: the folder cannot be written to; a process that renders was killed.
    """
    if size not in ("default", "tiny"):
        raise UsageError(f"demo size {size!r} is unknown: choose 'default' or 'tiny'")
    planned = recipes(size)
    listing, text = folder / TRACKS_CSV, _listing(planned)
    outdated = _outdated(listing, planned)
    missing = [r for r in planned if r.path in outdated or not (folder / r.path).is_file()]
    if missing:
        remove_partial(folder)
        _render_all(missing, folder, workers, len(planned), progress)
    if missing or not listing.is_file() or listing.read_text(encoding="utf-8") != text:
        write_text(listing, text)
    return listing


def _outdated(listing: Path, planned: list[Recipe]) -> set[str]:
    """The paths of the tracks that an existing list describes otherwise than planned."""
    if not listing.is_file():
        return set()
    with listing.open(encoding="utf-8", newline="") as stream:
        listed = {row.get("path"): row for row in csv.DictReader(stream)}
    return {recipe.path for recipe in planned if listed.get(recipe.path, recipe.row()) != recipe.row()}


def _listing(planned: list[Recipe]) -> str:
    rows = [recipe.row() for recipe in planned]
    return csv_lines([list(rows[0]), *(list(row.values()) for row in rows)])


def _render_all(
    missing: list[Recipe], folder: Path, workers: int, total: int, progress: Callable[[int, int], None] | None
) -> None:
    by_score: dict[str, list[Recipe]] = defaultdict(list)
    for recipe in missing:
        by_score[recipe.piece.file].append(recipe)
    ready = total - len(missing)
    jobs = [(file, own, folder) for file, own in by_score.items()]
    for outcome in in_processes(_open_renderer, jobs, max(1, min(workers, len(jobs)))):
        if isinstance(outcome, Crash):
            raise TfkeyError(
                f"{folder}: a process that renders ended with {outcome.reason}; there may be too little "
                "memory: ask for fewer workers, and what is missing is rendered again"
            )
        if isinstance(outcome, TfkeyError):
            raise outcome
        ready += outcome
        if progress is not None:
            progress(ready, total)


def _open_renderer() -> Callable[[_Job], int | TfkeyError]:
    return _render_piece


def _render_piece(job: _Job) -> int | TfkeyError:
    # Listing the tracks needs no numpy; a call that finds everything ready imports none.
    from pipelines.demo.render import render_piece

    try:
        return render_piece(*job)
    except TfkeyError as error:
        return error
