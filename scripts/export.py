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
    help="The format to write; tfkey predict runs litert without TensorFlow.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder of the export (default: RUN/export/FORMAT)."
)
@click.option(
    "--quantize",
    is_flag=True,
    help="Store and compute the weights of litert in 8 bits: a quarter of the size, two to three times as "
    "fast.",
)
@click.option(
    "--level",
    "level_db",
    type=click.FloatRange(-60, 0),
    help="Bring every recording to this level, in dB re full scale, before it is analysed (default: analyse "
    "recordings as loud as they are).",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Write a model card (card.md) from this template, in which {data} and {recordings} are filled in.",
)
@click.option("--description", help="A description of the weights for their users.")
@if_stopped(STARTS_OVER)
def command(
    run: Path,
    kind: str,
    output: Path | None,
    quantize: bool,
    level_db: float | None,
    card: Path | None,
    description: str | None,
) -> None:
    """Write the best network of RUN (a folder) for use elsewhere.

    Each format includes tfkey.json, which holds labels, feature parameters, temperature and licences, and
    where the network comes from: seed, digests of the settings and of the data, versions of packages. Each
    version of a SavedModel gets its own folder (OUTPUT/1, OUTPUT/2), as TensorFlow Serving expects. It takes
    mono waveforms of any length in any batch size, or spectrograms, and returns the probabilities of the 24
    keys. The other formats take the spectrogram of one interval.
    """
    from tfkey.export.target import check_target
    from tfkey.runs import open_run

    if quantize and kind != "litert":
        raise click.UsageError("--quantize: needs --format litert")
    opened = open_run(run)
    target = output or opened.path / "export" / kind
    # export_run checks this again before it writes; checking here saves loading TensorFlow for nothing.
    check_target(target, kind)
    from pipelines.catalogue.specs import find_spec
    from pipelines.experiments.learned import data_digests
    from pipelines.publishing.model_card import fill_card
    from tfkey.export.formats import export_run

    specs = {name: find_spec(name, opened.config.catalogue) for name in opened.config.datasets}
    licences = {name: spec.licence if spec else "unknown (your own data)" for name, spec in specs.items()}
    data = data_digests(opened)
    text = None
    if card is not None:
        template = card.read_text(encoding="utf-8")
        text = fill_card(template, opened.config.datasets, catalogue=opened.config.catalogue)
    written = export_run(
        opened,
        kind,
        target,
        description=description,
        licences=licences,
        data=data,
        quantize=quantize,
        level_db=level_db,
        card=text,
    )
    click.echo(f"{written}: {kind} written")
