"""``tfkey compare``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scripts.stopping import STARTS_OVER, if_stopped
from scripts.streams import check_stdout

_SHOWN = 5


@click.command("compare")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="The correct keys: a CSV file with the columns track,key, or a predictions.csv (default: the "
    "references in A or B).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@if_stopped(STARTS_OVER)
def command(a: Path, b: Path, reference: Path | None, as_json: bool) -> None:
    """Compare two systems on the tracks that they share.

    A and B are predictions.csv files from tfkey evaluate, or CSV files from other systems with the columns
    track,key. Prints each figure for both systems and the difference B - A, with 95 % intervals from a
    paired bootstrap over tracks and the two-sided p-value of a paired randomisation test.
    """
    check_stdout()
    from tfkey.errors import UsageError
    from tfkey.scoring.comparison import MATCHES, compare, read_predictions, read_references
    from tfkey.scoring.mirex import FIGURE_TITLES

    for path in (a, b, *([reference] if reference else [])):
        if not path.is_file():
            raise UsageError(f"{path}: no such file; give a CSV file")
    truth = read_references(reference) if reference else None
    found = compare(read_predictions(a), read_predictions(b), truth.keys if truth else None)
    if truth and truth.left_out:
        click.echo(f"{reference}: rows without a track or a key left out: {truth.left_out}", err=True)
    left_out = {
        f"only in {a}": found.only_a,
        f"only in {b}": found.only_b,
        "no reference": found.no_reference,
    }
    for reason, tracks in left_out.items():
        if tracks:
            more = f" and {len(tracks) - _SHOWN} more" if len(tracks) > _SHOWN else ""
            click.echo(f"{reason} ({len(tracks)}): {', '.join(tracks[:_SHOWN])}{more}", err=True)
    if found.by != MATCHES[0]:
        click.echo(f"tracks matched by {found.by}", err=True)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=1, ensure_ascii=False))
        return
    click.echo(f"A: {a}\nB: {b}\n{found.n_tracks} tracks, 95 % intervals from a paired bootstrap over tracks")
    click.echo(f"{'':<36}{'A':<22}{'B':<22}{'B - A':<24}p")
    for name, item in found.figures.items():
        cells = f"{item.a}", f"{item.b}", f"{item.difference:+.1%}"
        click.echo(f"{FIGURE_TITLES[name]:<36}{cells[0]:<22}{cells[1]:<22}{cells[2]:<24}{item.p_value:.4f}")
