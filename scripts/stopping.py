"""How a command ends when it is stopped by Ctrl-C or by a signal that asks it to end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

STARTS_OVER = "no half-written file is left; the same command starts over"
"""For commands that cannot continue where they stopped."""


class Stopped(Exception):  # noqa: N818
    """Work was stopped from outside.

    Args:
        how_to_go_on: how the user can continue, in one line.
        cause: what stopped it.
    """

    def __init__(self, how_to_go_on: str, cause: KeyboardInterrupt) -> None:
        super().__init__(how_to_go_on)
        number = cause.number if isinstance(cause, Signalled) else signal.SIGINT
        self.exit_code = 128 + number
        """The exit code that shells report for a process ended by such a signal."""


class Signalled(KeyboardInterrupt):
    """A signal that asks the process to end; it is handled like Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def if_stopped(how_to_go_on: str | Callable[[], str]) -> Iterator[None]:
    """Say how to continue if the work inside is stopped. Also usable as a decorator.

    Args:
        how_to_go_on: one line, without a full stop, or a function that returns it, called after the stop.

    Raises:
        Stopped: the work was stopped.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise Stopped(how_to_go_on if isinstance(how_to_go_on, str) else how_to_go_on(), error) from error


def catch_signals() -> None:
    """Let SIGTERM and SIGHUP stop the work as Ctrl-C does, unless they are ignored (as under nohup)."""
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _raise)


def _raise(number: int, _: FrameType | None) -> Any:
    raise Signalled(number)
