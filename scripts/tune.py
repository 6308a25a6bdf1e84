"""``tfkey tune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.common import config_options, mode_option, resolve_config
from scripts.stopping import if_stopped

if TYPE_CHECKING:
    from pipelines.experiments.tune import Trial


@click.command("tune")
@mode_option
@click.option("--dataset", "datasets", multiple=True, help="A prepared dataset. Repeatable.")
@click.option("--space", default="tune", show_default=True, metavar="NAME|FILE", help="The search space.")
@click.option(
    "--algorithm",
    type=click.Choice(["random", "bayesian", "hyperband"]),
    default="bayesian",
    show_default=True,
    help="How the next trial is chosen.",
)
@click.option(
    "--trials", type=click.IntRange(1), help="Maximum number of trials (default: set by the space)."
)
@click.option("--name", default="search", show_default=True, help="Name of the search's folder.")
@config_options
@if_stopped("the same command continues the trial after its last finished epoch")
def command(
    mode: str | None,
    datasets: tuple[str, ...],
    space: str,
    algorithm: str,
    trials: int | None,
    name: str,
    config_name: str | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path | None,
) -> None:
    """Search for the settings that train best.

    Trains one network after another, each with settings drawn from a space (configs/tune.yaml is an
    example). Writes runs/NAME/: best.yaml for tfkey train --config, trials.csv, and one run per trial below
    trials/. After an interruption, the same command continues the search; with more --trials, it extends a
    finished one.
    """
    config = resolve_config(
        config_name, overrides, data_dir=data_dir, runs_dir=runs_dir, mode=mode, datasets=datasets
    )
    from pipelines.experiments.search_space import check_search, load_search

    search = load_search(space)
    if trials:
        search = search.model_copy(update={"trials": trials})
    check_search(search, config, sets_epochs=algorithm == "hyperband")
    from pipelines.experiments.tune import best_of, tune

    def report(trial: Trial, done: int, best: Trial | None) -> None:
        settings = "  ".join(f"{name}={_brief(value)}" for name, value in trial.settings.items())
        failed = trial.value is None
        outcome = f"failed: {trial.reason}" if failed else f"{search.objective} {trial.value:.3f}"
        so_far = f"  best {best.value:.3f} ({best.name})" if best else ""
        click.echo(f"trial {trial.name}  {done}/{search.trials}  {outcome}{so_far}  {settings}")

    folder, found = tune(config, search, algorithm, name, report)
    best = best_of(found, search)
    if best:
        click.echo(f"{folder / 'best.yaml'}: trial {best.name}, {search.objective} {best.value:.3f}")


def _brief(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
