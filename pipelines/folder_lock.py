"""One call at a time in a folder, even across processes.

filelock does the same, but raises if a file system does not support locks (``ENOLCK`` or ``EOPNOTSUPP``, as
on some network mounts), and waits silently. Working around that would take as much code as this module.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tfkey.files import lock
from tfkey.storage import alone_at, is_remote


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[Callable[[], None]]:
    """Wait until no other call works in a folder; the system's lock is also released by a kill.

    A folder that cannot be written needs no lock, because no call can change it. In a folder elsewhere, a
    second call is refused instead (see :mod:`tfkey.storage.locks`).

    Yields:
        A function to call before the work becomes final. It raises a TfkeyError if the lock was lost, which
        can happen only elsewhere.

    Raises:
        TfkeyError: another call works in the folder elsewhere.
    """
    if is_remote(folder):
        with alone_at(folder) as holder:
            yield holder.check
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / ".lock").open("ab")
    except OSError:
        yield _nothing
        return
    with stream:
        if not lock(stream):
            logging.getLogger(__name__).warning("%s: another call is working in this folder; waiting", folder)
            while not lock(stream):
                time.sleep(0.1)
        yield _nothing


def _nothing() -> None:
    """A lock of the system cannot be lost."""
