"""``tfkey evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.common import Location, mode_option
from scripts.stopping import STARTS_OVER, if_stopped
from tfkey.settings import SPLITS

if TYPE_CHECKING:
    from tfkey.scoring.evaluation import Evaluation


@click.command("evaluate")
@click.argument("run", type=click.Path(path_type=Path))
@mode_option
@click.option(
    "--dataset", "datasets", multiple=True, help="A prepared dataset (default: the run's). Repeatable."
)
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option("--data-dir", type=Location(), help="Folder of the data, or its URL (default: the run's).")
@if_stopped(STARTS_OVER)
def command(
    run: Path, mode: str | None, datasets: tuple[str, ...], split: str, data_dir: Path | None
) -> None:
    """Evaluate a trained RUN (a folder) on whole tracks.

    Prints a table of MIREX figures for each dataset and, if there are several, for all of them together.
    Each figure has a 95 % bootstrap interval over tracks. Writes predictions.csv, intervals.csv,
    metrics.json, charts and report.html below RUN/evaluation/. A temperature that calibrates the confidences
    is fitted on the validation split and stored in the run.
    """
    from tfkey.runs import open_run

    opened = open_run(run)
    named = {"mode": mode, "data_dir": data_dir}
    config = opened.config.model_copy(
        update={name: value for name, value in named.items() if value is not None}
    )
    from pipelines.experiments.evaluate import evaluate

    judged = evaluate(
        opened, config, datasets or tuple(config.datasets), split, lambda line: click.echo(line, err=True)
    )
    for evaluation, folder in judged:
        _show(run, evaluation)
        click.echo(f"  written to {folder}")


def _show(run: Path, evaluation: Evaluation) -> None:
    from tfkey.scoring.mirex import FIGURE_TITLES

    whole, single = evaluation.summary, evaluation.interval_summary
    click.echo(
        f"{run}: {evaluation.title}, {evaluation.split} split, {evaluation.data_mode} mode, "
        f"{whole.n_tracks} tracks, {single.n_intervals} intervals"
    )
    if evaluation.note:
        click.echo(f"  {evaluation.note}")
    click.echo(f"  {'':<36} {'by track':<20} by interval")
    for name, figure in whole.figures.items():
        click.echo(f"  {FIGURE_TITLES[name]:<36} {figure:5.1%}  {single.figures[name]:5.1%}")
    for mode, summary in evaluation.by_key_mode.items():
        title = f"weighted, {mode} ({summary.n_tracks} tracks)"
        click.echo(f"  {title:<36} {summary.figures['weighted']:5.1%}")
    for title, found in (("calibration error", evaluation.before), ("  with temperature", evaluation.after)):
        if found is not None:
            click.echo(f"  {title:<36} {found.figures['ece']:5.1%}")
