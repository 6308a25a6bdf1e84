"""A request to ``tfkey predict``: its arguments and options, checked and interpreted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.cluster_options import cluster_of
from scripts.predict_output import SUFFIXES, Form
from scripts.predict_target import can_be_read_back
from tfkey.errors import UsageError
from tfkey.keys import Notation
from tfkey.storage import is_remote, located, shown

if TYPE_CHECKING:
    from tfkey.cluster.connection import Cluster
    from tfkey.inference.many_files import Judging, Model


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
    probabilities: bool
    over_time: bool
    min_confidence: float
    workers: int | None
    null: bool
    skip_existing: bool
    write_tags: bool
    overwrite: bool
    dry_run: bool
    reference: Path | None
    picture: str | None
    cluster_address: str | None = None
    cluster_timeout: float | None = None
    shard_size: int | None = None

    @property
    def is_streamed(self) -> bool:
        """Whether the files are never all in memory."""
        return self.cluster_address is not None or self.shard_size is not None

    @property
    def cluster(self) -> Cluster | None:
        """The cluster to work on."""
        return cluster_of(self.cluster_address, self.cluster_timeout)

    @property
    def target(self) -> Path | None:
        """The path for results; None for stdout."""
        return None if self.output in (None, "-") else located(self.output)

    @property
    def is_picture_folder(self) -> bool:
        """Whether ``--picture`` names a folder, in which each file gets a picture of its own."""
        assert self.picture is not None
        ends = (os.sep, os.altsep or os.sep)
        return self.picture.endswith(ends) or Path(self.picture).is_dir()


def check(request: Request) -> None:
    """Refuse combinations of options that make no sense.

    Raises:
        click.UsageError: names the options.
    """
    if sum(place is not None for place in (request.run, request.model, request.runs_dir)) > 1:
        raise click.UsageError("--run, --model and --runs-dir: give only one of them")
    for name, is_given in (("--overwrite", request.overwrite), ("--dry-run", request.dry_run)):
        if is_given and not request.write_tags:
            raise click.UsageError(f"{name}: needs --write-tags")
    if request.probabilities and form_of(request).format == "table":
        raise click.UsageError("--probabilities: needs --format csv, json or jsonl")
    if request.probabilities and request.over_time:
        raise click.UsageError("--probabilities: cannot be combined with --over-time")
    if request.null and "-" not in request.paths:
        raise click.UsageError("--null: needs a list on stdin; give - as a path")
    wants_files = request.write_tags or request.picture is not None
    if request.skip_existing and not wants_files and request.output is None:
        raise click.UsageError("--skip-existing: needs --output, --write-tags or --picture")
    is_given = request.output is not None
    if request.skip_existing and is_given and not (request.target and can_be_read_back(request.target)):
        raise click.UsageError(
            f"--skip-existing: --output {shown(request.output or '')} cannot be read back; name a file"
        )
    _check_streaming(request)
    if request.picture is not None and not is_remote(request.picture):
        _check_picture(request, request.picture)


def _check_streaming(request: Request) -> None:
    """Refuse what needs all files at once, or what workers elsewhere do not do."""
    if request.cluster is not None and request.workers is not None:
        raise click.UsageError("--workers: cannot be combined with --cluster, which has its own workers")
    if request.shard_size is not None:
        if request.target is None:
            raise click.UsageError("--shard-size: needs --output, the folder of the parts")
        if form_of(request).format == "table":
            raise click.UsageError("--shard-size: needs --format csv, json or jsonl")
    if request.is_streamed:
        option = "--cluster" if request.cluster_address is not None else "--shard-size"
        for name, value in (("--picture", request.picture), ("--reference", request.reference)):
            if value is not None:
                raise click.UsageError(f"{name}: cannot be combined with {option}")
        if request.skip_existing and request.write_tags and request.output is not None:
            raise click.UsageError(
                f"--skip-existing: with {option} and --output, cannot be combined with --write-tags"
            )


def _check_picture(request: Request, picture: str) -> None:
    from tfkey.inference.picture import check_drawing, check_suffix

    path = Path(picture)
    if not request.is_picture_folder:
        if not path.suffix and not path.exists():
            raise click.UsageError(
                f"--picture {picture}: no such folder; create it, or name a file in .png, .svg or .pdf"
            )
        try:
            check_suffix(path)
        except UsageError as error:
            raise click.UsageError(f"--picture {error}, or name a folder") from error
    folder = path if request.is_picture_folder else path.parent
    if not folder.is_dir():
        raise click.UsageError(f"--picture {picture}: no such folder; create it, or name another")
    check_drawing()


def form_of(request: Request) -> Form:
    """Return how results are written.

    Raises:
        click.UsageError: earlier results could not be read back in this format.
    """
    target = request.target
    guessed = "table" if target is None else SUFFIXES.get(target.suffix.lower(), "table")
    form = Form(
        format=request.format_ or guessed,
        notation=request.notation or Notation.LONG.value,
        top=request.top,
        over_time=request.over_time,
        has_tags=request.write_tags,
        probabilities=request.probabilities,
    )
    if request.skip_existing and target is not None and form.format == "table":
        raise click.UsageError(
            "--skip-existing: a table cannot be read back; give --format csv, json or jsonl"
        )
    return form


def judging_of(request: Request, pictures: Mapping[Path, Path]) -> Judging:
    """Return what is done with each file; ``pictures`` names the picture of each that gets one."""
    from tfkey.inference.key_over_time import STEP_SECONDS
    from tfkey.inference.many_files import Drawing, Judging, Tagging

    tagging = None
    if request.write_tags:
        notation = Notation(request.notation or Notation.SHORT)
        tagging = Tagging(notation, request.overwrite, request.dry_run)
    return Judging(
        _model(request),
        step_seconds=STEP_SECONDS if request.over_time or pictures else None,
        min_confidence=request.min_confidence,
        tagging=tagging,
        drawing=Drawing(pictures, Notation(request.notation or Notation.LONG)) if pictures else None,
        skip_done=request.skip_existing and request.target is None,
    )


def _model(request: Request) -> Model:
    from tfkey.inference.many_files import Model

    if request.model is not None:
        return exported_model(request.model)
    if request.runs_dir is not None:
        from tfkey.runs import latest_run

        return Model("run", latest_run(request.runs_dir).path)
    return Model("run", request.run) if request.run is not None else Model()


def exported_model(place: Path) -> Model:
    """Return the export in a folder or, if there is no such folder, the bundled network of that name."""
    from tfkey.inference.many_files import Model
    from tfkey.inference.pretrained import pretrained_names

    if place.exists() or place.is_symlink():
        return Model("export", place)
    names = pretrained_names()
    if str(place) in names:
        return Model("pretrained", name=str(place))
    raise UsageError(
        f"--model {place}: no such folder, and no network of that name comes with tfkey; available: "
        f"{', '.join(names)}"
    )
