"""How a command ends when it is stopped by Ctrl-C or by a signal that asks it to end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, NoReturn

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
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        default = (signal.SIG_DFL, signal.default_int_handler)
        if number is not None and signal.getsignal(number) in default:
            signal.signal(number, _raise)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back signals that :func:`catch_signals` caught until the block ends.

    For steps that belong together, such as writing a result and counting it. The block must not wait for
    anything. (Masking signals would not do: with several threads, another one takes the signal, and Python
    still interrupts the main thread.)
    """
    _held.is_on = True
    try:
        yield
    finally:
        _held.is_on = False
        if (number := _held.waiting) is not None:
            _held.waiting = None
            raise Signalled(number)


class _Held:
    is_on = False
    waiting: int | None = None


_held = _Held()


class _Leaving:
    at_once = False


def leave_at_once() -> None:
    """From now on, let :func:`leave` end the process without what runs at the end of a Python program.

    JAX waits there for the processes that train with this one, which in turn wait for it.
    """
    _Leaving.at_once = True
    sys.excepthook = _leave_with_traceback


def leave(code: int) -> NoReturn:
    """End the process after an error that has been reported."""
    if _Leaving.at_once:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _leave_with_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    sys.__excepthook__(kind, error, trace)
    leave(1)


def _raise(number: int, _: FrameType | None) -> Any:
    if _held.is_on:
        _held.waiting = number
        return
    raise Signalled(number)
