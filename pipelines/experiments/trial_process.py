"""Training in a separate process, which frees its memory when it ends."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
import traceback
from collections.abc import Callable
from functools import partial

from tfkey.config import Config
from tfkey.errors import TfkeyError
from tfkey.files import write_text
from tfkey.processes import Crash, in_processes
from tfkey.runs import read_history


def train_apart(config: Config, name: str) -> list[dict[str, float]]:
    """Train in a separate process, which ends when this one ends, for whatever reason.

    Raises:
        TfkeyError: the training failed, or its process was killed.
    """
    (complaint,) = in_processes(_open_trainer, [(config, name)], workers=1)
    if isinstance(complaint, Crash):
        complaint = f"its process ended with {complaint.reason}; signal 9 usually means that memory ran out"
    if complaint:
        raise TfkeyError(complaint)
    return read_history(config.runs_dir / name / "history.csv")


def _open_trainer() -> Callable[[tuple[Config, str]], str]:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return partial(_train, os.dup(2))


def _train(stderr: int, task: tuple[Config, str]) -> str:
    """Train in the process of a trial; return an error message, or an empty text."""
    # Worker processes write nothing to stderr, but if TensorFlow aborts, its output is the only clue.
    os.dup2(stderr, 2)
    config, name = task
    try:
        from pipelines.experiments.train import train

        train(config, name)
    except TfkeyError as error:
        return str(error)
    except Exception as error:
        write_text(config.runs_dir / name / "error.txt", traceback.format_exc())
        return f"{type(error).__name__}: {error}"
    return ""


def _end_with_parent() -> None:
    """End this process when its parent ends; a training would not notice until it is finished."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
