"""One call at a time in a folder, even across processes.

filelock does the same, but raises if a file system does not support locks (``ENOLCK`` or ``EOPNOTSUPP``, as
on some network mounts), and waits silently. Working around that would take as much code as this module.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO


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
        if not _lock(stream):
            logging.getLogger(__name__).warning("%s: another call is working in this folder; waiting", folder)
            while not _lock(stream):
                time.sleep(0.1)
        yield


def _lock(stream: IO[bytes]) -> bool:
    """Lock an open file until it is closed; False if another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except PermissionError:
        return sys.platform != "win32"
    except OSError:
        # The file system has no locks; checksums still detect damage done by two simultaneous downloads.
        pass
    return True
