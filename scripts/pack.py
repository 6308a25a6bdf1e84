"""``tfkey pack``."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.common import ProgressBars, config_options, resolve_config


@click.command("pack")
@click.argument("dataset")
@click.option("--output", type=click.Path(path_type=Path), help="The archive (default: DATASET.tar.xz).")
@config_options
def command(
    dataset: str,
    output: Path | None,
    config_name: str | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path | None,
) -> None:
    """Write an archive of spectrogram PNGs of DATASET, for others to fetch.

    The dataset has to be prepared in spectrograms mode. Beside the archive goes its SHA-256; inside, with the
    pictures, dataset.json with their parameters, licence and citation. tfkey prepare --mode images --source
    takes it.
    """
    archive = output or Path(f"{dataset}.tar.xz")
    if not archive.name.endswith(".tar.xz"):
        raise click.UsageError(f"--output {archive}: give a name that ends in .tar.xz")
    config = resolve_config(config_name, overrides, data_dir=data_dir, runs_dir=runs_dir)
    from pipelines.archive import pack
    from pipelines.manifest import open_prepared

    prepared = open_prepared(config, "spectrograms", dataset)
    with ProgressBars(f"{dataset}: packing") as bars:
        checksum = pack(prepared, archive, bars.work)
    click.echo(f"{archive}: {len(prepared.rows)} spectrograms, sha256 {checksum}")
