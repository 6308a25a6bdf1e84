"""Copies on this machine of prepared files elsewhere: of bounded size, shared by all runs, fetched ahead.

| below the folder | content |
|---|---|
| ``files/<2 digits>/<digest><suffix>`` | copies, named by the URL and the state of the original |
| ``locks/<number>`` | locks of the system; who fetches a file holds the one of its name |
| ``open/<process>-<random>/`` | what a process is fetching, and links to the copies that it is reading |

A copy that is used gets the present time; those with the oldest times are removed first. Whoever reads a
copy has a link to it, so that its content stays until the process has gone on to :data:`OPEN_AT_ONCE` other
files, even if another run removes the copy. The size may exceed its bound by those files, and by what the
runs fetch between two looks at the folder.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import itertools
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pipelines.prepared.folder_files import FileState
from tfkey.errors import DataError, TfkeyError
from tfkey.files import lock
from tfkey.storage import fetched, located, shown

OPEN_AT_ONCE = 256
"""Files of which a process may hold links; more than any reader has open or is about to open."""

_LOCKS = 64
_AHEAD = 4  # connections
_SHARE_BETWEEN_LOOKS = 0.02
_SHARE_AFTER_REMOVAL = 0.9


class Copies:
    """Local copies of files elsewhere.

    All methods may be called from several threads. Several processes may use one folder.
    """

    def __init__(self, folder: Path, most_bytes: float) -> None:
        """Use a folder of copies, which need not exist.

        Args:
            folder: the folder.
            most_bytes: the greatest size of all copies in the folder, in bytes.
        """
        self.folder, self._most = folder, most_bytes
        self._states: dict[str, FileState] = {}
        self._mine = threading.Lock()
        self._ahead: dict[str, Future[Path]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._own: Path | None = None
        self._slots = itertools.count()
        # More than any folder holds: the first copy is a reason to look.
        self._unseen = float("inf")
        self._failure: TfkeyError | None = None

    def know(self, states: Mapping[str, FileState]) -> None:
        """Add what the storage states about files, by URL; only such files can be opened."""
        self._states.update(states)

    def open(self, url: str, upcoming: Sequence[str] = ()) -> Path:
        """Return a file on this machine with the content of a URL; fetch it if there is no copy.

        The path is valid until :data:`OPEN_AT_ONCE` other files have been opened.

        Args:
            url: the file.
            upcoming: the files that will be opened next, which are fetched in the background.

        Raises:
            TfkeyError: the file cannot be fetched. It is kept for :meth:`take_failure`, too, because
                TensorFlow does not hand it on.
        """
        try:
            waiting = self._ahead.pop(url, None)
            copy = waiting.result() if waiting else self._path(url)
            link = self._own_folder() / f"{next(self._slots) % OPEN_AT_ONCE}{copy.suffix}"
            # A copy fetched ahead may have been removed again.
            if not (_use(copy) and _link(copy, link)):
                self._fetch(url, link)
        except OSError as error:
            self._failure = TfkeyError(
                f"{self.folder}: no copy of {shown(located(url))} can be made ({error.strerror or error}); "
                "free space, or choose another cache_dir"
            )
            raise self._failure from error
        except TfkeyError as error:
            self._failure = error
            raise
        for name in upcoming:
            self._fetch_ahead(name)
        return link

    def take_failure(self) -> TfkeyError | None:
        """Return the last failure of :meth:`open`, if any, and forget it."""
        failure, self._failure = self._failure, None
        return failure

    def discard(self, url: str) -> None:
        """Remove the copy of a URL: it turned out to be damaged."""
        self._path(url).unlink(missing_ok=True)

    def _fetch_ahead(self, url: str) -> None:
        with self._mine:
            if url in self._ahead or self._path(url).is_file():
                return
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix="tfkey-copies")
            self._ahead[url] = self._pool.submit(self._fetch, url)

    def _path(self, url: str) -> Path:
        state = self._states[url]
        name = hashlib.sha256(f"{url}\n{state.size}\n{state.version}".encode()).hexdigest()
        return self.folder / "files" / name[:2] / f"{name}{Path(url).suffix}"

    def _fetch(self, url: str, link: Path | None = None) -> Path:
        """Make a copy, unless there is one, and a link to it, which stays if the copy is removed at once."""
        path, size = self._path(url), self._states[url].size
        if link is None and _use(path):
            return path
        with self._locked(int(path.stem[:8], 16) % _LOCKS):
            # Another run, or thread, may have fetched it in the meantime.
            if _use(path) and (link is None or _link(path, link)):
                return path
            path.parent.mkdir(parents=True, exist_ok=True)
            with fetched(located(url), self._own_folder()) as temporary:
                found = temporary.stat().st_size
                if found != size:
                    raise DataError(
                        f"{shown(located(url))}: has {found} bytes instead of {size}; it has changed since "
                        "the data was opened, start again"
                    )
                if link is not None:
                    _link(temporary, link)
                os.replace(temporary, path)
        self._make_room(size)
        return path

    def _own_folder(self) -> Path:
        """Return the folder of links and of what is being fetched, which ends with this process."""
        with self._mine:
            if self._own is None:
                # Another process may not take a new folder for one that a kill has left.
                with self._locked(_LOCKS + 1):
                    self._own = _folder_of_process(self.folder / "open")
            return self._own

    @contextlib.contextmanager
    def _locked(self, number: int) -> Iterator[None]:
        folder = self.folder / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / str(number)).open("ab") as stream:
            while not lock(stream):
                time.sleep(0.02)
            yield

    def _make_room(self, added: int) -> None:
        """Remove the least recently used copies if all of them may be too large."""
        with self._mine:
            self._unseen += added
            if self._unseen < _SHARE_BETWEEN_LOOKS * self._most:
                return
            self._unseen = 0.0
        with self._locked(_LOCKS):
            found = []
            for path in (self.folder / "files").glob("*/*"):
                with contextlib.suppress(OSError):
                    status = path.stat()
                    found.append((status.st_mtime_ns, status.st_size, path))
            total = sum(size for _, size, _ in found)
            if total <= self._most:
                return
            for _, size, path in sorted(found):
                if total <= _SHARE_AFTER_REMOVAL * self._most:
                    break
                with contextlib.suppress(OSError):
                    path.unlink()
                    total -= size


@functools.cache
def copies_in(folder: Path, most_bytes: float) -> Copies:
    """Return the copies in a folder: one object per process, which shares its connections."""
    return Copies(folder, most_bytes)


def _use(path: Path) -> bool:
    """Whether there is a copy; it is then the most recently used one."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True


def _link(copy: Path, link: Path) -> bool:
    """Put a link to a copy in the place of an older one; False if there is no such copy any more."""
    link.unlink(missing_ok=True)
    try:
        os.link(copy, link)
    except FileNotFoundError:
        return False
    except OSError:
        # The file system has no links.
        try:
            shutil.copyfile(copy, link)
        except FileNotFoundError:
            return False
    return True


def _folder_of_process(top: Path) -> Path:
    """Create a folder for this process, which removes it at its end; remove those of killed processes."""
    top.mkdir(parents=True, exist_ok=True)
    for old in top.iterdir():
        with contextlib.suppress(OSError), (old / ".lock").open("ab") as stream:
            if lock(stream):
                shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=top))
    stream = (folder / ".lock").open("ab")
    lock(stream)

    def remove(process: int = os.getpid()) -> None:
        if os.getpid() == process:
            stream.close()
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder
