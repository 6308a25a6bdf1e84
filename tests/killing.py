"""Running work in a process that is killed at a chosen moment, counted in touches of the data."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

# Folders made are not counted: threads race to make the same one, so that their number varies from run to
# run, and a kill between a folder and the file that opens next leaves nothing but an empty folder.
_TOUCHES = {"open", "os.rename", "os.remove"}


def in_fork(work: Callable[[], object], data: Path, moment: int | None, scratch: Path) -> int | None:
    """Do ``work`` in a fork that is killed (SIGKILL) at its ``moment``-th touch of ``data``; None: never.

    Returns:
        How often it touched the data (opened, renamed or removed something); None if it was killed.
    """
    count_file = scratch / "count"
    child = os.fork()
    if child == 0:
        count = 0

        def watch(event: str, arguments: tuple) -> None:
            nonlocal count
            if event in _TOUCHES and str(arguments[0]).startswith(str(data)):
                count += 1
                if count == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        status = 1
        try:
            work()
            count_file.write_text(str(count))
            status = 0
        finally:
            os._exit(status)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    assert moment is not None or status == 0
    return int(count_file.read_text()) if status == 0 else None
