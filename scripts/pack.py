"""``tfkey pack``."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.common import ProgressBars, config_options, resolve_config
from scripts.stopping import STARTS_OVER, if_stopped


@click.command("pack")
@click.argument("dataset")
@click.option("--output", type=click.Path(path_type=Path), help="The archive (default: DATASET.tar.xz).")
@click.option(
    "--licence", metavar="TEXT", help="The licence of the archive (default: that of the dataset, if known)."
)
@click.option("--citation", metavar="TEXT", help="How to cite it (default: as for the dataset, if known).")
@config_options
@if_stopped(STARTS_OVER)
def command(
    dataset: str,
    output: Path | None,
    licence: str | None,
    citation: str | None,
    config_name: str | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path | None,
) -> None:
    """Write an archive of spectrogram PNGs of DATASET, for others to fetch.

    The dataset must have been prepared in spectrograms mode; any parameters will do. The SHA-256 is written
    beside the archive. The archive includes dataset.json with the parameters, licence and citation. tfkey
    prepare --mode images --source accepts the archive.
    """
    archive = output or Path(f"{dataset}.tar.xz")
    if not archive.name.endswith(".tar.xz"):
        raise click.UsageError(f"--output {archive}: give a name that ends in .tar.xz")
    config = resolve_config(config_name, overrides, data_dir=data_dir, runs_dir=runs_dir)
    from pipelines.prepared.manifest import as_prepared, open_prepared
    from pipelines.publishing.packing import pack

    prepared = open_prepared(as_prepared(config, "spectrograms", dataset), "spectrograms", dataset)
    with ProgressBars(f"{dataset}: packing") as bars:
        checksum = pack(prepared, archive, bars.work, licence=licence, citation=citation)
    click.echo(f"{archive}: {len(prepared.rows)} spectrograms, sha256 {checksum}")
