"""``tfkey train``."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.common import config_options, mode_option, resolve_config
from scripts.stopping import STARTS_OVER, if_stopped, leave_at_once
from tfkey.config import Config
from tfkey.runs import MONITOR
from tfkey.training.backend import check_backend, launch
from tfkey.training.heap import use_one_heap


@click.command("train")
@mode_option
@click.option("--dataset", "datasets", multiple=True, help="A prepared dataset. Repeatable.")
@click.option("--name", help="Name of the run's folder (default: the mode).")
@click.option(
    "--check",
    type=click.Choice(["overfit", "fdr", "limit"]),
    help="Test the set-up and write nothing: overfit one batch, run one step of everything (fdr: fast dev "
    "run), or train on 1 % of the data (limit).",
)
@click.option(
    "--find-learning-rate",
    is_flag=True,
    help="Try a range of learning rates and suggest one; writes learning-rate.csv and .png to "
    "RUNS/NAME-learning-rate/.",
)
@config_options
def command(
    mode: str | None,
    datasets: tuple[str, ...],
    name: str | None,
    check: str | None,
    find_learning_rate: bool,
    config_name: str | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path | None,
) -> None:
    """Train a network on prepared data.

    Writes runs/NAME/: the resolved configuration, the network with the best MIREX score on the validation
    split, history.csv and TensorBoard logs. After an interruption, the same command continues after the last
    finished epoch.
    """
    use_one_heap()
    config = resolve_config(
        config_name, overrides, data_dir=data_dir, runs_dir=runs_dir, mode=mode, datasets=datasets
    )
    name = config.mode if name is None else name
    check_backend(config)
    alone = launch().processes == 1
    if check and find_learning_rate:
        raise click.UsageError("--check and --find-learning-rate: give only one of them")
    if check or find_learning_rate:
        if not alone:
            raise click.UsageError("--check and --find-learning-rate: start them in a single process")
        with if_stopped(STARTS_OVER):
            if check:
                _check(config, check)
            else:
                _find_learning_rate(config, config.runs_dir / f"{name}-learning-rate")
        return
    if not alone:
        leave_at_once()
    with if_stopped("the same command continues after the last finished epoch"):
        _train(config, name)


def _train(config: Config, name: str) -> None:
    from pipelines.experiments.train import train

    def report(epoch: int, epochs: int, figures: dict[str, float]) -> None:
        click.echo(
            f"epoch {epoch:3d}/{epochs}  loss {figures['loss']:.3f}  accuracy {figures['accuracy']:.3f}  "
            f"validation: loss {figures['val_loss']:.3f}  accuracy {figures['val_accuracy']:.3f}  "
            f"MIREX {100 * figures[MONITOR]:.1f}"
        )

    run, history = train(config, name, report)
    if not launch().is_first:
        return
    best = max(history, key=lambda figures: figures[MONITOR])
    click.echo(f"{run.path}: best epoch {best['epoch']:.0f}, validation MIREX {100 * best[MONITOR]:.1f}")


def _check(config: Config, kind: str) -> None:
    from pipelines.experiments import self_checks

    if kind == "overfit":
        steps, loss = self_checks.overfit(config)
        click.echo(f"overfit: loss {loss:.4f} after {steps} steps on one batch")
        return
    figures = self_checks.one_step(config) if kind == "fdr" else self_checks.one_percent(config)
    click.echo(f"{kind}: loss {figures['loss']:.3f}, validation loss {figures['val_loss']:.3f}")


def _find_learning_rate(config: Config, folder: Path) -> None:
    from pipelines.experiments.train import find_learning_rate

    found = find_learning_rate(config)
    found.write(folder)
    click.echo(
        f"train.learning_rate={found.suggestion:.2g}  (a tenth of the rate with the lowest loss; {folder})"
    )
