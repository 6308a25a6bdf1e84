"""``tfkey calibrate``."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.common import Location, ProgressBars, list_failures
from scripts.predict_files import named_paths, refuse_elsewhere
from scripts.reference import find_rows, read_reference
from scripts.stopping import STARTS_OVER, if_stopped
from scripts.streams import check_stdout
from scripts.tables import show_table

if TYPE_CHECKING:
    from tfkey.inference.calibrating import Network
    from tfkey.scoring.confidence import Confidence, SetFigures
    from tfkey.scoring.mirex import Figure

_SCORES = (
    "set", "files", "no key", "MIREX weighted", "correct", "top 3", "error before", "after", "by chance",
    "debiased",
)  # fmt: skip


@click.command("calibrate")
@click.argument("network", type=click.Path(path_type=Path))
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option(
    "--reference",
    required=True,
    type=Location(),
    help="The known keys: a CSV file with the columns file and key (or tonic and mode), and optionally set. "
    "Paths in it are relative to its folder or to the current one; a bare file name is enough if only one "
    "file has it.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 1000),
    default=10,
    show_default=True,
    help="Number of parts for cross-fitting.",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Number of processes."
)
@click.option("--dry-run", is_flag=True, help="Print the figures and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@if_stopped(STARTS_OVER)
def command(
    network: Path,
    paths: tuple[str, ...],
    reference: Path,
    folds: int,
    workers: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Fit the confidences of NETWORK on recordings whose keys are known.

    NETWORK is the folder of a run, or of an export as litert, onnx or keras. PATHS are files, folders or
    playlists, as for tfkey predict; files without a known key are left out.

    Names the keys of the recordings from audio, as tfkey predict does, and fits two temperatures: one for
    whole recordings, one for single intervals, which calibrates the segments of --over-time. They go into
    the export's tfkey.json, or into the run's calibration.json, from which later exports take them.

    Prints a table for each set of recordings (column set) and for all of them together: scores with 95 %
    bootstrap intervals; the share whose key is among the three most probable ones; the expected calibration
    error before and after, that of so many recordings if every confidence were right, and the root mean
    square error after, without what chance adds, with its interval; and, for several values of
    --min-confidence, the share of recordings that get an answer and the share of these answers
    that is right. The figures after calibration are by cross-fitting: the temperature of each recording was
    fitted on other recordings. Recordings that NETWORK finds to have no key count as wrong.

    Files that could not be analysed are listed at the end on stderr; the exit code is then 1.
    """
    if dry_run:
        check_stdout()
    from tfkey.errors import DataError, MissingExtraError
    from tfkey.inference.calibrating import find_network, judge_labelled, store

    found = find_network(network)
    table = read_reference(reference)
    if importlib.util.find_spec("scipy") is None:
        raise MissingExtraError("calibration", "scipy", "tfkey[train]")
    from tfkey.audio.finding import list_files

    listing = list_files(named_paths(paths, null=False))
    refuse_elsewhere(listing.files, "tfkey calibrate")
    failures = list(listing.failures)
    rows = find_rows(table, listing.files)
    left_out = len(listing.files) - len(rows)
    if left_out:
        click.echo(f"files without a known key left out: {left_out}", err=True)
    with ProgressBars("analysing", "files") as bars:
        answers, failed = judge_labelled(found, rows, workers, lambda done: bars.work(done, len(rows)))
    failures += failed
    if not len(answers.labels):
        list_failures(failures, "not analysed")
        raise DataError(f"{reference}: none of its recordings could be analysed; nothing was calibrated")
    from tfkey.scoring.confidence import assess

    assessed = assess(answers, found.temperature, found.interval_temperature, folds=folds)
    if as_json:
        click.echo(json.dumps(_as_dict(found, assessed, failures), indent=1, ensure_ascii=False))
    else:
        _show(found, assessed, reference)
    if not dry_run:
        store(found, assessed, reference.name)
        click.echo(f"written to {found.target}", err=True)
        if (network / "network.onnx").is_file():
            click.echo(
                f"{network / 'network.onnx'}: the copy of the metadata in it stays as it was", err=True
            )
    list_failures(failures, "not analysed")
    if failures:
        raise click.exceptions.Exit(1)


def _as_dict(network: Network, found: Confidence, failures: list[tuple[str, str]]) -> dict[str, object]:
    return {
        "network": str(network.path),
        "temperature_before": network.temperature,
        "interval_temperature_before": network.interval_temperature,
        **found.as_dict(),
        "not_analysed": [{"file": name, "reason": reason} for name, reason in failures],
    }


def _show(network: Network, found: Confidence, reference: Path) -> None:
    from tfkey.scoring.confidence import THRESHOLDS

    click.echo(f"{network.path}: {found.n_tracks} recordings of {reference} with an answer")
    click.echo(f"  temperature            {network.temperature:.3f} -> {found.temperature:.3f}")
    click.echo(
        f"  of single intervals    {network.interval_temperature:.3f} -> {found.interval_temperature:.3f} "
        f"(calibration error {_percent(found.interval_error_before)} -> "
        f"{_percent(found.interval_error_after)}, debiased {_with_interval(found.interval_error_debiased)})"
    )
    click.echo("")
    scores = [_scores(*item) for item in found.sets.items()]
    show_table(_SCORES, scores, numbers=(1, 2, 5, 6, 7, 8), indent="  ")
    click.echo("\nanswered / right with --min-confidence")
    header = ("set", *(f"{least:g}" for least in THRESHOLDS))
    rows = [
        [name, *(_answered(figures, least) for least in THRESHOLDS)] for name, figures in found.sets.items()
    ]
    show_table(header, rows, numbers=range(1, len(header)), indent="  ")


def _scores(name: str, figures: SetFigures) -> list[str]:
    return [
        name,
        str(figures.files),
        str(figures.without_key),
        f"{figures.weighted}",
        f"{figures.correct}",
        _percent(figures.top_3),
        _percent(figures.error_before),
        _percent(figures.error_after),
        _percent(figures.error_by_chance),
        _with_interval(figures.error_debiased),
    ]


def _answered(figures: SetFigures, least: float) -> str:
    found = figures.thresholds.get(least)
    return "-" if found is None else f"{_percent(found.answered)} / {_percent(found.right)}"


def _with_interval(figure: Figure | None) -> str:
    return "-" if figure is None else f"{figure}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
