"""``tfkey prepare``."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.common import config_options, list_failures, mode_option, progress_bar, resolve_config


@click.command("prepare")
@mode_option
@click.option(
    "--dataset", "datasets", multiple=True, help="A dataset of the catalogue, or a name for --source."
)
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="Your own data: a folder of audio in [<split>/]<key>/; in images mode, of PNGs, or an archive.",
)
@click.option("--png", is_flag=True, help="In spectrograms mode, write PNGs, too.")
@click.option(
    "--workers", type=click.IntRange(1), default=2, show_default=True, help="Files worked on at a time."
)
@config_options
def command(
    mode: str | None,
    datasets: tuple[str, ...],
    source: Path | None,
    png: bool,
    workers: int,
    config_name: str | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path | None,
) -> None:
    """Get a dataset and prepare it for training.

    Three modes: audio (intervals of sound; spectrograms are computed in training), spectrograms (computed
    now, as TFRecords), images (spectrogram PNGs from an archive). Work that is done is not done again; a
    call that was stopped goes on where it was.
    """
    if source is not None and len(datasets) != 1:
        raise click.UsageError("--source needs exactly one --dataset, a name of your choice for it")
    if source is not None and not source.exists():
        raise click.UsageError(f"--source {source}: no such file or folder")
    config = resolve_config(
        config_name, overrides, data_dir=data_dir, runs_dir=runs_dir, mode=mode, datasets=datasets
    )
    if png and config.mode != "spectrograms":
        raise click.UsageError("--png goes with --mode spectrograms")
    from pipelines.prepare import prepare

    incomplete = False
    for dataset in config.datasets:
        with progress_bar(f"{dataset}: {config.mode}") as progress:
            summary = prepare(config, dataset, source=source, workers=workers, png=png, progress=progress)
        done = "nothing new to do" if not summary.fresh else "done"
        click.echo(f"{summary.folder}: {summary.intervals} intervals of {summary.tracks} tracks; {done}")
        list_failures([(item.source, item.reason) for item in summary.left_out], f"{dataset}: left out")
        incomplete = incomplete or bool(summary.left_out)
    if incomplete:
        raise click.exceptions.Exit(1)
