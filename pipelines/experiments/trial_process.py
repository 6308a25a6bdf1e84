"""Training in a process of its own, whose memory goes when it ends."""

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
    """Train in a process of its own, which ends with this one however this one ends.

    Raises:
        TfkeyError: the training failed, or its process was killed.
    """
    (complaint,) = in_processes(_open_trainer, [(config, name)], workers=1)
    if isinstance(complaint, Crash):
        complaint = f"its process ended with {complaint.reason}; signal 9 most often means: out of memory"
    if complaint:
        raise TfkeyError(complaint)
    return read_history(config.runs_dir / name / "history.csv")


def _open_trainer() -> Callable[[tuple[Config, str]], str]:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return partial(_train, os.dup(2))


def _train(stderr: int, task: tuple[Config, str]) -> str:
    """What the process of a trial does; returns what went wrong, or nothing."""
    # Such processes are mute, but where TensorFlow aborts, what it prints is all there is to go by.
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
    """End this process when its parent ends; a training would notice only when it is done."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
