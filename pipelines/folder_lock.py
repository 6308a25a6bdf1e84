"""One call at a time in a folder, even across processes.

filelock does the same, but raises if a file system does not support locks (``ENOLCK`` or ``EOPNOTSUPP``, as
on some network mounts), and waits silently. Working around that would take as much code as this module.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from tfkey.files import lock


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other call works in a folder; the system's lock is also released by a kill.

    A folder that cannot be written needs no lock, because no call can change it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / ".lock").open("ab")
    except OSError:
        yield
        return
    with stream:
        if not lock(stream):
            logging.getLogger(__name__).warning("%s: another call is working in this folder; waiting", folder)
            while not lock(stream):
                time.sleep(0.1)
        yield
