"""What the subcommands share: options, progress bars, lists of failures."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from tfkey.config import MODES, Config, load_config

Progress = Callable[[int, int], None]


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


@contextlib.contextmanager
def progress_bar(description: str) -> Iterator[Progress]:
    """A bar on stderr with count and remaining time; yields what to call with done and total."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def list_failures(failures: Sequence[tuple[str, str]], what: str) -> None:
    """Print failures to stderr, a line each under one heading."""
    if failures:
        click.echo(f"{what} ({len(failures)}):", err=True)
        for source, reason in failures:
            line = " ".join(f"{source}: {reason}".splitlines())
            click.echo(f"  {line}", err=True)
