"""``tfkey train``."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.common import config_options, mode_option, resolve_config


@click.command("train")
@mode_option
@click.option("--dataset", "datasets", multiple=True, help="A prepared dataset. Repeatable.")
@click.option("--name", help="Name of the run's folder (default: the mode).")
@config_options
def command(
    mode: str | None,
    datasets: tuple[str, ...],
    name: str | None,
    config_name: str | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path | None,
) -> None:
    """Train a network on prepared data.

    Writes runs/NAME/: the resolved configuration, the best network by the MIREX score on the validation
    split, history.csv, TensorBoard logs. A run that was interrupted goes on after its last finished epoch.
    """
    config = resolve_config(
        config_name, overrides, data_dir=data_dir, runs_dir=runs_dir, mode=mode, datasets=datasets
    )
    from pipelines.experiments import train

    def report(epoch: int, epochs: int, figures: dict[str, float]) -> None:
        click.echo(
            f"epoch {epoch:3d}/{epochs}  loss {figures['loss']:.3f}  accuracy {figures['accuracy']:.3f}  "
            f"validation: loss {figures['val_loss']:.3f}  accuracy {figures['val_accuracy']:.3f}  "
            f"MIREX {100 * figures['val_mirex']:.1f}"
        )

    run, history = train(config, name or config.mode, report)
    best = max(history, key=lambda figures: figures["val_mirex"])
    click.echo(
        f"{run.path}: best is epoch {best['epoch']:.0f}, MIREX {100 * best['val_mirex']:.1f} on validation"
    )
