"""One run at a time writes a file or folder elsewhere.

Storage elsewhere has no locks that a kill releases. A run that writes there keeps a small object beside its
output (``.name.lock``), which says who it is, and renews it. Another run that finds it fresh is refused. A
lock that has not been renewed for :data:`STALE_SECONDS`, or whose process on this host has ended, is taken
over.

Where the store can refuse to replace an object (S3, Google Cloud Storage), two runs cannot both create it.
Elsewhere, and if two runs take over the same lock, the last to write it holds it; the other finds out before
it writes its output.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfkey.errors import TfkeyError
from tfkey.storage.addresses import OBJECT_STORES, scheme_of, shown
from tfkey.storage.failures import retried, storage_errors
from tfkey.storage.transfer import check_writable

BEAT_SECONDS = 20.0
STALE_SECONDS = 120.0
"""How old a lock may be without being renewed; clocks of two hosts may differ by less than this."""

_HELD: set[object] = set()


class Holder:
    """The lock of this run on a place elsewhere; made by :func:`alone_at`."""

    def __init__(self, place: Path, lock: Path) -> None:
        import socket  # slow to import

        self._place = place
        self._lock = lock
        self._owner = {"host": socket.gethostname(), "process": os.getpid(), "token": os.urandom(16).hex()}
        self._lost: str | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_the_end, name="tfkey lock", daemon=True)

    @property
    def is_lost(self) -> bool:
        """Whether another run is known to have taken the lock over."""
        return self._lost is not None

    def check(self) -> None:
        """Make sure that this run still holds the lock; call it before the output is written.

        Raises:
            TfkeyError: another run holds it, or the storage cannot be asked.
        """
        if self._lost is None:
            with storage_errors(self._place):
                self._look()
        if self._lost is not None:
            raise TfkeyError(f"{shown(self._place)}: {self._lost}; let one of them end, then start again")

    def take(self) -> None:
        """Take the lock.

        Raises:
            TfkeyError: another run holds it, or the storage cannot be written.
        """
        with storage_errors(self._place):
            if scheme_of(self._place) not in OBJECT_STORES:
                retried(lambda: self._fs.makedirs(self._fs._parent(self._key), exist_ok=True))
            found = self._read()
            if found is not None:
                self._refuse_if_alive(found)
                with contextlib.suppress(FileNotFoundError):
                    self._fs.rm_file(self._key)
            if not self._create():
                found = self._read()
                # The answer to a creation that worked may have been lost.
                if found is not None and found.get("token") != self._owner["token"]:
                    self._refuse_if_alive(found)
                    self._write()
        _HELD.add(self._owner["token"])
        self._thread.start()

    def release(self) -> None:
        """End the renewal, and remove the lock if it is still that of this run."""
        self._end.set()
        _HELD.discard(self._owner["token"])
        if self._thread.is_alive():
            self._thread.join(BEAT_SECONDS)
        with contextlib.suppress(Exception):
            found = self._read()
            if found is not None and found.get("token") == self._owner["token"]:
                self._fs.rm_file(self._key)

    @property
    def _fs(self) -> Any:
        return self._lock.fs  # type: ignore[attr-defined]

    @property
    def _key(self) -> str:
        return self._lock.path  # type: ignore[attr-defined]

    def _content(self) -> bytes:
        return json.dumps({**self._owner, "time": time.time()}).encode()

    def _read(self) -> dict[str, Any] | None:
        """What the lock says; None if it does not exist."""
        try:
            content = retried(lambda: self._fs.cat_file(self._key))
        except FileNotFoundError:
            return None
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {}

    def _write(self) -> None:
        retried(lambda: self._fs.pipe_file(self._key, self._content()))

    def _create(self) -> bool:
        """Create the lock; False if there is one."""
        try:
            retried(lambda: self._fs.pipe_file(self._key, self._content(), mode="create"))
        except FileExistsError:
            return False
        except OSError as error:
            if "PreconditionFailed" not in f"{error!r} {error.__cause__!r}":
                raise
            return False
        except (TypeError, ValueError, NotImplementedError):
            # A file system without conditions.
            self._write()
        return True

    def _refuse_if_alive(self, found: dict[str, Any]) -> None:
        if found.get("token") in _HELD:
            raise TfkeyError(f"{shown(self._place)}: this process already writes there; wait until it ends")
        host, process, when = found.get("host"), found.get("process"), found.get("time")
        age = time.time() - when if isinstance(when, int | float) else STALE_SECONDS
        is_here = host == self._owner["host"]
        if abs(age) < STALE_SECONDS and not (is_here and not _is_running(process)):
            raise TfkeyError(
                f"{shown(self._place)}: another run (process {process} on {host}) writes there, last seen "
                f"{max(0, round(age))} s ago; wait until it ends, or name another place (after a kill, this "
                f"one is free within {round(STALE_SECONDS)} s)"
            )

    def _look(self) -> None:
        """Find out whether the lock is still that of this run."""
        found = self._read()
        if found is None:
            # Somebody has tidied up; it is held again.
            self._write()
        elif found.get("token") != self._owner["token"]:
            self._lost = (
                f"another run (process {found.get('process')} on {found.get('host')}) has taken it over"
            )

    def _renew_until_the_end(self) -> None:
        while not self._end.wait(BEAT_SECONDS) and self._lost is None:
            try:
                self._look()
                if self._lost is None:
                    self._write()
            except Exception as error:
                logging.getLogger(__name__).debug("%s: not renewed (%s)", shown(self._lock), error)


@contextlib.contextmanager
def alone_at(place: Path) -> Iterator[Holder]:
    """Hold the lock of a file or folder elsewhere while the block runs.

    Args:
        place: the file or folder.

    Yields:
        The holder; its ``check`` says whether another run has taken over.

    Raises:
        UsageError: storage of this kind cannot be written.
        TfkeyError: another run holds the lock, or it cannot be written.
    """
    check_writable(place)
    holder = Holder(place, place.with_name(f".{place.name}.lock"))
    try:
        holder.take()
        yield holder
    finally:
        holder.release()


def _is_running(process: object) -> bool:
    """Whether another process of this host runs."""
    if os.name != "posix" or not isinstance(process, int):
        return True
    if process == os.getpid():
        # An earlier process with this number, such as 1 in a container that was started again.
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
