"""``tfkey models``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from scripts.stopping import STARTS_OVER, if_stopped
from scripts.streams import check_stdout
from scripts.tables import show_table

if TYPE_CHECKING:
    from tfkey.inference.pretrained import Pretrained

_HEADER = ("name", "size", "parameters", "licence", "MIREX weighted", "description")


@click.command("models")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@if_stopped(STARTS_OVER)
def command(name: str | None, as_json: bool) -> None:
    """List the networks that come with tfkey, or print the model card of one (NAME).

    Shows the size of each network's file, the number of its parameters, its licence, and its MIREX weighted
    score on each set of recordings that it was tested on. The default network is the one that tfkey predict
    uses unless another one is named: tfkey predict --model NAME.
    """
    check_stdout()
    from tfkey.inference.pretrained import find_pretrained, pretrained_names

    found = [find_pretrained(item) for item in ([name] if name is not None else pretrained_names())]
    if as_json and name is not None:
        click.echo(json.dumps({**found[0].as_dict(), "card": found[0].card}, indent=1, ensure_ascii=False))
    elif as_json:
        click.echo(json.dumps([item.as_dict() for item in found], indent=1, ensure_ascii=False))
    elif name is not None:
        click.echo(found[0].card.rstrip("\n") or f"{name}: has no model card")
    else:
        show_table(_HEADER, [_row(item) for item in found], numbers=(1, 2))


def _row(item: Pretrained) -> list[str]:
    from rich.filesize import decimal

    scores = [f"{name} {100 * score.weighted:.1f}" for name, score in item.scores.items()]
    return [
        f"{item.name} (default)" if item.is_default else item.name,
        decimal(item.size),
        "not stated" if item.parameters is None else f"{item.parameters:,}",
        item.licence,
        ", ".join(scores) or "not stated",
        item.description,
    ]
