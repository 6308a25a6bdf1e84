"""Training in a process of its own, whose memory goes when it ends."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import traceback

from tfkey.config import Config
from tfkey.errors import TfkeyError
from tfkey.files import write_text
from tfkey.runs import read_history


def train_apart(config: Config, name: str) -> list[dict[str, float]]:
    """Train in a process of its own, which ends with this one however this one ends.

    Raises:
        TfkeyError: the training failed, or its process was killed.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_train_and_tell, args=(config, name, sender), daemon=True)
    process.start()
    sender.close()
    try:
        complaint = receiver.recv()
    except EOFError:
        process.join()
        complaint = f"its process ended with {process.exitcode}; -9 most often means: out of memory"
    finally:
        process.kill()
        process.join()
    if complaint:
        raise TfkeyError(complaint)
    return read_history(config.runs_dir / name / "history.csv")


def _train_and_tell(config: Config, name: str, sender: multiprocessing.connection.Connection) -> None:
    """What the process of a trial does."""
    # Ctrl-C reaches every process of a terminal; the parent is the one to act on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    complaint = ""
    try:
        from pipelines.experiments.train import train

        train(config, name)
    except TfkeyError as error:
        complaint = str(error)
    except Exception as error:
        complaint = f"{type(error).__name__}: {error}"
        write_text(config.runs_dir / name / "error.txt", traceback.format_exc())
    sender.send(complaint)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
