"""What the subcommands share: options, progress bars, lists of failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfkey.config import Config, load_config
from tfkey.settings import MODES

if TYPE_CHECKING:
    from pipelines.download import DownloadProgress


def config_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--config``, ``-o``, ``--data-dir`` and ``--runs-dir``."""
    for option in (
        click.option(
            "--runs-dir", type=click.Path(path_type=Path), help="Folder of the runs (default: runs)."
        ),
        click.option(
            "--data-dir", type=click.Path(path_type=Path), help="Folder of the data (default: data)."
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
    """Build the configuration from the options; options beat overrides, overrides beat the file."""
    named = {"data_dir": data_dir, "runs_dir": runs_dir, "mode": mode, "datasets": list(datasets) or None}
    config = load_config(config_name, overrides)
    return config.model_copy(update={name: value for name, value in named.items() if value is not None})


class ProgressBars:
    """Bars on stderr for work (units done) and for fetching (bytes and rate), each shown once it begins."""

    def __init__(self, description: str) -> None:
        """Set up the display; use as a context manager."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"))
        self._bars = Progress(
            *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
        )
        self._description = description
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> ProgressBars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def work(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` units are done."""
        self._update(self._description, done, total, f"{done}/{total}")

    def fetch(self, state: DownloadProgress) -> None:
        """Show how far a download is."""
        from rich.filesize import decimal

        amount = f"{state.files_done}/{state.files_total} files, {decimal(state.done_bytes)}"
        if state.total_bytes:
            amount += f" of {decimal(state.total_bytes)}"
        # Files are what is known from the start; of their sizes some servers tell nothing.
        done, total = state.files_done, state.files_total
        if state.total_bytes:
            done, total = state.done_bytes, state.total_bytes
        rate = decimal(int(state.bytes_per_second))
        self._update(f"{self._description}: fetching", done, total, f"{amount}, {rate}/s")

    def _update(self, name: str, done: int, total: int, amount: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=None, amount="")
        self._bars.update(self._tasks[name], completed=done, total=total, amount=amount)


def list_failures(
    failures: Sequence[tuple[str, str]], what: str, *, written_to: Path | None = None, most: int = 20
) -> None:
    """Print failures to stderr, a line each under one heading.

    Args:
        failures: what failed, and why.
        what: the heading.
        written_to: a file that has them all; with it, no more than ``most`` are printed.
        most: see ``written_to``.
    """
    if failures:
        shown = failures if written_to is None else failures[:most]
        click.echo(f"{what} ({len(failures)}):", err=True)
        for source, reason in shown:
            line = " ".join(f"{source}: {reason}".splitlines())
            click.echo(f"  {line}", err=True)
        if len(shown) < len(failures):
            click.echo(f"  and {len(failures) - len(shown)} more, all in {written_to}", err=True)
