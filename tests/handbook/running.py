"""Running the blocks of a page in order, as a reader would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.handbook.blocks import Block, blocks
from tests.handbook.outputs import agrees
from tests.handbook.workspace import environment

HOME = "/home/you"
"""The home folder in the outputs of the pages."""

_LIMIT_SECONDS = 1800
_START_SECONDS = 120


@dataclass(frozen=True)
class Outcome:
    """A block that was run: how long it took, what it printed, what is wrong (empty if nothing is)."""

    block: Block
    seconds: float
    printed: str
    fault: str = ""
    output: Block | None = None


def run_page(page: str, checkout: Path, *, long: bool) -> Iterator[Outcome]:
    """Run the blocks of a page that are to be run, and yield what came of each.

    Args:
        page: its text.
        checkout: the folder of a workspace.
        long: whether long blocks are run, too.
    """
    found = blocks(page)
    with ExitStack() as stack:
        for number, block in enumerate(found, start=1):
            if not block.is_run(long=long):
                continue
            output = found[number] if number < len(found) and found[number].is_output else None
            if block.mark == "run: in the background":
                stack.enter_context(_server(block, checkout))
                continue
            yield _run(block, output, checkout)


def _run(block: Block, output: Block | None, checkout: Path) -> Outcome:
    begin = time.monotonic()
    done = subprocess.run(
        _command(block, checkout),
        cwd=checkout,
        env=environment(checkout.parents[1]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
        check=False,
    )
    # As on a reader's machine.
    printed = done.stdout.replace(str(checkout.parent), HOME)
    fault = ""
    if done.returncode:
        fault = f"exit code {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-2000:]}"
    elif output is not None and not agrees(printed, output.text, varies=output.mark == "output: varies"):
        fault = f"it prints\n{printed}\ninstead of\n{output.text}"
    return Outcome(block, time.monotonic() - begin, printed, fault, output)


def _command(block: Block, checkout: Path) -> list[str]:
    if block.language == "shell":
        return ["bash", "-euo", "pipefail", "-c", block.text]
    # From a file: what starts further processes cannot be read from standard input.
    script = checkout.parents[1] / "block.py"
    script.write_text(block.text, encoding="utf-8")
    return [sys.executable, str(script)]


@contextmanager
def _server(block: Block, checkout: Path) -> Iterator[None]:
    """Run a block until the page ends; it is ready when it has printed an address."""
    process = subprocess.Popen(
        _command(block, checkout),
        cwd=checkout,
        env=environment(checkout.parents[1]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        begin = time.monotonic()
        for line in process.stdout:
            if "http://" in line:
                break
            if time.monotonic() - begin > _START_SECONDS:
                raise RuntimeError(f"line {block.line}: the server does not start")
        else:
            raise RuntimeError(f"line {block.line}: the server ends at once: {block.text}")
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)
