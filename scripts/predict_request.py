"""What the user asks of ``tfkey predict``: its arguments and options, checked, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.predict_output import SUFFIXES, Form
from scripts.predict_target import can_be_read_back
from tfkey.keys import Notation

if TYPE_CHECKING:
    from tfkey.inference.many_files import Judging, Model

# How far apart the intervals are from which key over time is read.
_STEP_SECONDS = 10.0


@dataclass(frozen=True)
class Request:
    """What the user asks for: the arguments and options of :func:`scripts.predict.command`."""

    paths: tuple[str, ...]
    run: Path | None
    model: Path | None
    runs_dir: Path | None
    format_: str | None
    output: str | None
    notation: str | None
    top: int
    over_time: bool
    min_confidence: float
    workers: int | None
    null: bool
    skip_existing: bool
    write_tags: bool
    overwrite: bool
    dry_run: bool
    reference: Path | None

    @property
    def target(self) -> Path | None:
        """Where results go; None for stdout."""
        return None if self.output in (None, "-") else Path(self.output)


def check(request: Request) -> None:
    """Refuse combinations of options that make no sense.

    Raises:
        UsageError: of click, which names them.
    """
    if sum(place is not None for place in (request.run, request.model, request.runs_dir)) > 1:
        raise click.UsageError("--run, --model and --runs-dir: give one of them")
    for name, is_given in (("--overwrite", request.overwrite), ("--dry-run", request.dry_run)):
        if is_given and not request.write_tags:
            raise click.UsageError(f"{name}: is about tags; give --write-tags, too")
    if request.null and "-" not in request.paths:
        raise click.UsageError("--null: is about a list on stdin; give - as a path")
    if request.skip_existing and not request.write_tags and request.output is None:
        raise click.UsageError("--skip-existing: give --output or --write-tags")
    is_given = request.output is not None
    if request.skip_existing and is_given and not (request.target and can_be_read_back(request.target)):
        raise click.UsageError(f"--skip-existing: --output {request.output} cannot be read back; name a file")


def form_of(request: Request) -> Form:
    """How results are written.

    Raises:
        UsageError: of click; earlier results could not be read in this form.
    """
    target = request.target
    guessed = "table" if target is None else SUFFIXES.get(target.suffix.lower(), "table")
    form = Form(
        format=request.format_ or guessed,
        notation=request.notation or Notation.LONG.value,
        top=request.top,
        over_time=request.over_time,
        has_tags=request.write_tags,
    )
    if request.skip_existing and target is not None and form.format == "table":
        raise click.UsageError("--skip-existing: a table is not read back; give --format csv, json or jsonl")
    return form


def judging_of(request: Request) -> Judging:
    """What is done with each file."""
    from tfkey.inference.many_files import Judging, Tagging

    tagging = None
    if request.write_tags:
        notation = Notation(request.notation or Notation.SHORT)
        tagging = Tagging(notation, request.overwrite, request.dry_run)
    return Judging(
        _model(request),
        step_seconds=_STEP_SECONDS if request.over_time else None,
        min_confidence=request.min_confidence,
        tagging=tagging,
        skip_tagged=request.skip_existing and request.target is None,
    )


def _model(request: Request) -> Model:
    from tfkey.inference.many_files import Model

    if request.model is not None:
        return Model("export", request.model)
    if request.runs_dir is not None:
        from tfkey.runs import latest_run

        return Model("run", latest_run(request.runs_dir).path)
    return Model("run", request.run) if request.run is not None else Model()
