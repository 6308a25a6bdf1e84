"""``tfkey evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.common import mode_option
from tfkey.settings import SPLITS


@click.command("evaluate")
@click.argument("run", type=click.Path(path_type=Path))
@mode_option
@click.option(
    "--dataset", "datasets", multiple=True, help="A prepared dataset (default: those of the run). Repeatable."
)
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Folder of the data (default: that of the run)."
)
def command(
    run: Path, mode: str | None, datasets: tuple[str, ...], split: str, data_dir: Path | None
) -> None:
    """Judge a trained RUN (a folder) on whole tracks.

    Prints the MIREX table, each figure with its 95 % bootstrap interval over tracks, and writes
    predictions.csv and metrics.json below RUN/evaluation/.
    """
    from tfkey.runs import open_run

    opened = open_run(run)
    named = {"mode": mode, "data_dir": data_dir}
    config = opened.config.model_copy(
        update={name: value for name, value in named.items() if value is not None}
    )
    from pipelines.judging import evaluate

    judgement, folder = evaluate(opened, config, datasets or tuple(config.datasets), split)
    summary = judgement.summary()
    names = ", ".join(datasets or config.datasets)
    click.echo(f"{run}: {names}, {split} split, {config.mode} mode, {summary.n_tracks} tracks")
    for name, figure in summary.figures.items():
        interval = f"[{100 * figure.low:5.1f}, {100 * figure.high:5.1f}]"
        click.echo(f"  {_TITLES[name]:<36} {100 * figure.value:5.1f}  {interval}")
    click.echo(f"  written to {folder}")


_TITLES = {
    "weighted": "MIREX weighted, fifths both ways",
    "weighted_ascending": "MIREX weighted, fifths upwards only",
    "correct": "correct",
    "fifth": "fifth, either way",
    "fifth_up": "  ascending (a fifth above)",
    "fifth_down": "  descending (a fifth below)",
    "relative": "relative",
    "parallel": "parallel",
    "other": "other",
}
