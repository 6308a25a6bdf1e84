"""Run the code of the handbook, the long blocks, too: ``make docs-test``, or ``python -m tests.handbook``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.handbook.blocks import faults, given, pages
from tests.handbook.running import Outcome, run_page
from tests.handbook.workspace import make_workspace, train_small


def main() -> None:
    """Run the pages that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.handbook")
    parser.add_argument("pages", nargs="*", type=Path, help="files in docs/ (default: all)")
    parser.add_argument("--fast", action="store_true", help="leave the long blocks out")
    parser.add_argument("--write", action="store_true", help="put the outputs that differ into the pages")
    arguments = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="tfkey-handbook-") as name:
        folder = Path(name)
        trained: Path | None = None
        for number, path in enumerate(arguments.pages or pages(ROOT)):
            page = path.read_text(encoding="utf-8")
            for fault in faults(page):
                print(f"{path}, {fault}")
                bad += 1
            needs = given(page)
            if "trained" in needs and trained is None:
                trained = train_small(folder / "trained")
            checkout = make_workspace(folder / str(number), needs, trained)
            outcomes = []
            for outcome in run_page(page, checkout, long=not arguments.fast):
                outcomes.append(outcome)
                _report(path, outcome)
            bad += sum(bool(outcome.fault) for outcome in outcomes)
            if arguments.write:
                path.write_text(with_outputs(page, outcomes), encoding="utf-8")
    print(f"{bad} faults" if bad else "no faults")
    sys.exit(bad > 0)


def with_outputs(page: str, outcomes: list[Outcome]) -> str:
    """Return a page with the outputs that were printed in place of those that differ and are not abridged."""
    for outcome in reversed(outcomes):
        block = outcome.output
        if block is not None and outcome.fault.startswith("it prints") and "..." not in block.text:
            lines = (line.rstrip() for line in outcome.printed.strip("\n").splitlines())
            text = "".join(f"{block.indent}{line}".rstrip() + "\n" for line in lines)
            page = page[: block.start] + text + page[block.end :]
    return page


def _report(path: Path, outcome: Outcome) -> None:
    state = "differs" if outcome.fault else "ok"
    command = outcome.block.text.strip().splitlines()
    print(f"{state:8} {outcome.seconds:6.1f} s  {path.name}:{outcome.block.line}  {command[0]}", flush=True)
    if outcome.fault:
        print(outcome.fault, flush=True)


if __name__ == "__main__":
    main()
