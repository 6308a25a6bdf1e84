"""``tfkey prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.cluster_options import cluster_of, cluster_options, silence_dask
from scripts.common import Location, ProgressBars, config_options, list_failures, mode_option, resolve_config
from scripts.remedies import message_of
from scripts.stopping import if_stopped
from tfkey.config import Config
from tfkey.errors import TfkeyError, UsageError
from tfkey.storage import is_remote, shown

if TYPE_CHECKING:
    from tfkey.cluster.connection import Cluster


@click.command("prepare")
@mode_option
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    help="A dataset in the catalogue, or a name for your own data. Repeatable.",
)
@click.option(
    "--source",
    type=Location(),
    help="Your own data: a folder of audio, either sorted into [<split>/]<key>/ or with key tags, or a CSV "
    "file with the columns path,key; in images mode, a folder or archive of PNGs. For a dataset in the "
    "catalogue: its files, if you have them already. The folder of audio sorted by key, the CSV file and the "
    "paths in it may be URLs, such as s3://BUCKET/FOLDER.",
)
@click.option("--png", is_flag=True, help="In spectrograms mode, also write PNGs.")
@click.option("--replace", is_flag=True, help="Delete what was prepared with other settings.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Number of files processed in parallel (default: 2).",
)
@cluster_options
@config_options
@if_stopped("the same command continues from here")
def command(
    mode: str | None,
    datasets: tuple[str, ...],
    source: Path | None,
    png: bool,
    replace: bool,
    workers: int | None,
    cluster_address: str | None,
    cluster_timeout: float | None,
    config_name: str | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path | None,
) -> None:
    """Fetch a dataset and prepare it for training.

    There are three modes: audio (stores intervals of audio; spectrograms are computed during training),
    spectrograms (computes them now and stores TFRecords), and images (takes spectrogram PNGs from an
    archive). Finished work is not repeated: after an interruption, the same command continues where it
    stopped.

    With --cluster, the workers of a Dask cluster decode and transform; the result is the same. They must see
    the data folder and the audio under the same paths. This machine fetches the originals and keeps the
    journal.
    """
    cluster = cluster_of(cluster_address, cluster_timeout)
    if source is not None and len(datasets) != 1:
        raise click.UsageError("--source needs exactly one --dataset, which names the data")
    if source is not None and not is_remote(source) and not source.exists():
        raise click.UsageError(f"--source {source}: no such file or folder")
    # The datasets are not part of the configuration here: it may state shares or weights of others.
    config = resolve_config(config_name, overrides, data_dir=data_dir, runs_dir=runs_dir, mode=mode)
    names = tuple(dict.fromkeys(datasets)) or tuple(config.datasets)
    if png and config.mode != "spectrograms":
        raise click.UsageError("--png needs --mode spectrograms")
    from pipelines.catalogue.specs import check_request

    for dataset in names:
        check_request(config, dataset, source)
    if cluster is not None:
        if workers is not None:
            raise click.UsageError("--workers: cannot be combined with --cluster, which has its own workers")
        if config.mode == "images":
            click.echo("--cluster: pictures are only copied, which this machine does itself", err=True)
            cluster = None
        else:
            _check(cluster)
    wholly = [_prepare(config, dataset, source, workers or 2, png, replace, cluster) for dataset in names]
    if not all(wholly):
        raise click.exceptions.Exit(1)


def _check(cluster: Cluster) -> None:
    """Refuse a cluster that cannot be used before hours of fetching."""
    from tfkey.cluster.connection import check_cluster

    silence_dask()
    check_cluster(cluster.address, cluster.patience)
    silence_dask()


def _prepare(
    config: Config,
    dataset: str,
    source: Path | None,
    workers: int,
    png: bool,
    replace: bool,
    cluster: Cluster | None,
) -> bool:
    """Prepare one dataset and report the outcome; False if any part of it failed."""
    from pipelines.prepare.prepare import prepare

    try:
        with ProgressBars(f"{dataset}: {config.mode}") as bars:
            summary = prepare(
                config,
                dataset,
                source=source,
                workers=workers,
                png=png,
                replace=replace,
                progress=bars.work,
                fetching=bars.fetch,
                cluster=cluster,
            )
    except UsageError:
        raise
    except (TfkeyError, OSError) as error:
        # The other datasets can still be prepared.
        list_failures([(dataset, _reason(error))], "not prepared")
        return False
    done = "done" if summary.fresh else "nothing new to do"
    click.echo(f"{shown(summary.folder)}: {summary.intervals} intervals of {summary.tracks} tracks; {done}")
    left_out_csv = summary.folder / "left_out.csv"
    chosen = sum(item.by_choice for item in summary.left_out)
    if chosen:
        click.echo(f"  {chosen} tracks left out because of their labels: {shown(left_out_csv)}")
    failures = [(item.source, item.reason) for item in summary.left_out if not item.by_choice]
    list_failures(failures, f"{dataset}: left out", written_to=left_out_csv)
    return not failures


def _reason(error: TfkeyError | OSError) -> str:
    if isinstance(error, TfkeyError):
        return message_of(error, click.get_current_context().command)
    return f"{error.filename or 'disk'}: {error.strerror or error}; check your permissions"
