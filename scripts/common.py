"""Shared by the subcommands: options, progress bars, lists of failures."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.remedies import blame_options
from scripts.streams import printable
from tfkey.config import Config, load_config
from tfkey.errors import ConfigError
from tfkey.settings import MODES
from tfkey.storage import located, redacted, shown

if TYPE_CHECKING:
    from rich.progress import Progress

    from pipelines.download import DownloadState
    from tfkey.inference.many_files import Model


class Location(click.ParamType):
    """A path, local or elsewhere (``s3://bucket/folder``): see :func:`tfkey.storage.located`."""

    name = "path"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path that the user named."""
        return located(value)


def config_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--config``, ``-o``, ``--data-dir`` and ``--runs-dir``."""
    for option in (
        click.option("--runs-dir", type=Location(), help="Folder of the runs (default: runs)."),
        click.option(
            "--data-dir",
            type=Location(),
            help="Folder of the data, or URL for prepared data, such as s3://BUCKET/FOLDER (default: data).",
        ),
        click.option(
            "-o",
            "overrides",
            multiple=True,
            metavar="SETTING=VALUE",
            help="Override a setting: -o train.batch_size=32. Repeatable.",
        ),
        click.option(
            "--config",
            "config_name",
            metavar="NAME|FILE",
            help="A YAML file, or the name of one in configs/.",
        ),
    ):
        function = option(function)
    return function


mode_option = click.option("--mode", type=click.Choice(MODES), help="Where spectrograms come from.")


def resolve_config(
    config_name: str | None,
    overrides: Sequence[str],
    *,
    data_dir: Path | None = None,
    runs_dir: Path | None = None,
    mode: str | None = None,
    datasets: Sequence[str] = (),
) -> Config:
    """Build the configuration. Options take precedence over overrides, and overrides over the file."""
    named = {"data_dir": data_dir, "runs_dir": runs_dir, "mode": mode, "datasets": list(datasets) or None}
    options = {name: value for name, value in named.items() if value is not None}
    try:
        return load_config(config_name, overrides, options)
    except ConfigError as error:
        message = blame_options(str(error), overrides)
        raise ConfigError(message, remedy=error.remedy, details=error.details) from error


class ProgressBars:
    """Bars for work (units done) and for fetching (bytes and rate), each shown once it begins.

    They appear on stderr, and only if stderr is a terminal.
    """

    def __init__(self, description: str, unit: str | None = None) -> None:
        """Set up the display; use as a context manager.

        Args:
            description: what is being done.
            unit: the unit of work, for showing its rate; None shows no rate.
        """
        self._bars = _rich_bars() if sys.stderr.isatty() else None
        self._description, self._unit = description, unit
        self._start = time.monotonic()
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> ProgressBars:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Remove the bars from the terminal while something else is printed there."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def work(self, done: int, total: int | None) -> None:
        """Show that ``done`` of ``total`` units are done; None if nobody knows how many there are."""
        amount = f"{done}" if total is None else f"{done}/{total}"
        if self._unit:
            amount += f", {done / max(time.monotonic() - self._start, 1e-3):.1f} {self._unit}/s"
        self._update(self._description, done, total, amount)

    def fetch(self, state: DownloadState) -> None:
        """Show the progress of a download."""
        if not self._bars:
            return
        from rich.filesize import decimal

        amount = f"{state.files_done}/{state.files_total} files, {decimal(state.done_bytes)}"
        if state.total_bytes:
            amount += f" of {decimal(state.total_bytes)}"
        # The number of files is known from the start; some servers do not report sizes.
        done, total = state.files_done, state.files_total
        if state.total_bytes:
            done, total = state.done_bytes, state.total_bytes
        rate = decimal(int(state.bytes_per_second))
        self._update(f"{self._description}: fetching", done, total, f"{amount}, {rate}/s")

    def _update(self, name: str, done: int, total: int | None, amount: str) -> None:
        if not self._bars:
            return
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=None, amount="")
        self._bars.update(self._tasks[name], completed=done, total=total, amount=amount)


def _rich_bars() -> Progress:
    # Imported only for a terminal: the import would delay every start of tfkey predict.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"))
    # Leave results on stdout untouched.
    return Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True, redirect_stdout=False
    )


def list_failures(
    failures: Collection[tuple[str, str]], what: str, *, written_to: Path | None = None, most: int = 20
) -> None:
    """Print failures to stderr, one per line under a heading.

    Args:
        failures: what failed, and why.
        what: the heading.
        written_to: a file that lists them all; if given, at most ``most`` are printed.
        most: see ``written_to``.
    """
    if failures:
        click.echo(f"{what} ({len(failures)}):", err=True)
        for source, reason in itertools.islice(failures, None if written_to is None else most):
            line = printable(redacted(" ".join(reason.splitlines())))
            click.echo(f"  {printable(source)}: {line}", err=True)
        if written_to is not None and len(failures) > most:
            click.echo(f"  and {len(failures) - most} more, all in {shown(written_to)}", err=True)


def print_network(model: Model, description: str) -> None:
    """Print to stderr which network answers, and what its weights are."""
    from tfkey.inference.pretrained import DEFAULT

    name = model.path if model.kind == "export" else model.name or DEFAULT
    click.echo(f"network: {printable(str(name))}. {description}", err=True)
