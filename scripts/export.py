"""``tfkey export``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--output", type=click.Path(path_type=Path), help="The SavedModel's folder (default: RUN/saved_model)."
)
def command(run: Path, output: Path | None) -> None:
    """Write the best network of RUN (a folder) as a SavedModel.

    It takes mono waveforms of any length and any batch, and gives the probabilities of the 24 keys. It
    loads with TensorFlow alone; tfkey.json in the same folder states labels, sample rate and parameters.
    """
    from tfkey.runs import open_run

    opened = open_run(run)
    target = output or opened.path / "saved_model"
    if target.exists() and not (target / "saved_model.pb").is_file():
        raise click.UsageError(
            f"--output {target}: exists and is no SavedModel; give a folder that may be replaced"
        )
    from tfkey.export import export_saved_model

    click.echo(f"{export_saved_model(opened, target)}: SavedModel written")
