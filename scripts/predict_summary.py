"""What ``tfkey predict`` says of its work as a whole: how many, and how to go on."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from typing import TYPE_CHECKING

import click

from scripts.predict_output import Form
from scripts.predict_request import Request
from scripts.predict_target import can_be_read_back
from tfkey.storage import shown

if TYPE_CHECKING:
    from tfkey.inference.many_files import Outcome


def how_to_go_on(new: int, tags: int, request: Request, form: Form) -> str:
    """Say what was done when the work was stopped (``new`` results and ``tags``) and how to do the rest."""
    output = request.target
    again = "the same command starts over"
    if not new:
        go_on = "the same command continues" if request.skip_existing else again
        return f"no new result was written; {go_on}"
    is_read_back = output is not None and can_be_read_back(output)
    where = shown(output) if output and is_read_back else f"--output {shown(output)}" if output else "stdout"
    done = f"{new} {'result was' if new == 1 else 'results were'} written to {where}"
    done += f", and {tags} tag{'s' * (tags != 1)}" if request.write_tags else ""
    if request.dry_run:
        return f"{done}; {again}"
    if is_read_back and form.format == "table":
        return f"{done}; {again}; with --format csv and --skip-existing it can continue"
    if not is_read_back and not request.write_tags and request.picture is None:
        return f"{done}; {again}; with --output FILE.csv and --skip-existing it can continue"
    return f"{done}; the same command {'' if request.skip_existing else 'with --skip-existing '}continues"


def default_workers(request: Request) -> int:
    """Return the number of processes."""
    return request.workers or (1 if request.run or request.runs_dir else min(4, _cores()))


def _cores() -> int:
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count(outcome: Outcome, form: Form, counts: Counter[str]) -> None:
    """Add an outcome to the counts."""
    counts["skipped"] += outcome.is_skipped
    if outcome.estimate is not None:
        counts["analysed"] += 1
        counts["without a key"] += outcome.estimate.key is None
        if form.known is not None and outcome.path in form.known:
            counts["known"] += 1
            counts["right"] += outcome.estimate.key == form.known[outcome.path]
    if outcome.change is not None:
        counts[outcome.change.state] += 1


def sum_up(counts: Counter[str], request: Request, form: Form) -> None:
    """Print the counts to stderr."""
    if counts["known"]:
        click.echo(f"{counts['right']} of {counts['known']} keys agree with {request.reference}", err=True)
    elif form.known:
        click.echo(f"none of the {len(form.known)} files in {request.reference} was analysed", err=True)
    if form.has_tags or request.skip_existing:
        states = ("analysed", "without a key", "skipped", "written", "kept", "would write")
        counted = [f"{counts[state]} {state}" for state in states if counts[state] or state == "analysed"]
        click.echo(", ".join(counted), err=True)
