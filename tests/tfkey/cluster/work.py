"""Functions that workers import."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tfkey.errors import UsageError


class Noting:
    """Doubles numbers; notes each call in a folder; some tasks kill their process or their worker."""

    description = "doubles"

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder = folder
        self.seconds = seconds

    def __call__(self, task: Any) -> Any:
        with (self.folder / "calls").open("a") as stream:
            stream.write(f"{task}\n")
        if task == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if task == "kill":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(10)
        if task == "refuse":
            raise UsageError("no such thing; ask for another")
        if task == "raise":
            raise KeyError("raised")
        time.sleep(self.seconds)
        return 2 * task


def noting(folder: Path, seconds: float = 0.0) -> Callable[[], Noting]:
    return partial(Noting, folder, seconds)
