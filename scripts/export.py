"""``tfkey export``."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.stopping import STARTS_OVER, if_stopped
from tfkey.export import FORMATS


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="What is written; litert is what tfkey predict runs without TensorFlow.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="The export's folder (default: RUN/export/FORMAT)."
)
@click.option("--description", help="What the weights are, in words, for their users.")
@if_stopped(STARTS_OVER)
def command(run: Path, kind: str, output: Path | None, description: str | None) -> None:
    """Write the best network of RUN (a folder) for use elsewhere.

    tfkey.json goes with each format: labels, feature parameters, temperature and licences. A SavedModel is
    put into a folder of its own per version (OUTPUT/1, OUTPUT/2), as TensorFlow Serving expects it: from mono
    waveforms of any length and any batch, or from spectrograms, to the probabilities of the 24 keys. The
    other formats judge one interval's spectrogram.
    """
    from tfkey.export.target import check_target
    from tfkey.runs import open_run

    opened = open_run(run)
    target = output or opened.path / "export" / kind
    # Again before it writes; here it is refused before TensorFlow has been loaded.
    check_target(target, kind)
    from pipelines.catalogue.specs import find_spec
    from tfkey.export.formats import export_run

    specs = {name: find_spec(name, opened.config.catalogue) for name in opened.config.datasets}
    licences = {name: spec.licence if spec else "unknown (of one's own)" for name, spec in specs.items()}
    written = export_run(opened, kind, target, description=description, licences=licences)
    click.echo(f"{written}: {kind} written")
