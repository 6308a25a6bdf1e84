"""Where the results of ``tfkey predict`` go: stdout, a device, a FIFO, or a file replaced as a whole."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from scripts.predict_output import Form
from scripts.stopping import undisturbed
from scripts.streams import AT_ONCE, NAMES, check_stdout, wait_until_writable, write_results
from tfkey.errors import TfkeyError, UsageError
from tfkey.files import atomic_path, is_in_place, is_stream, real_path
from tfkey.storage import Holder, alone_at, check_writable, is_remote, kind_of, shown

_SAVE_SECONDS = 60.0
# In characters, of at most 4 bytes.
_TAIL = AT_ONCE // 4
_DESCRIPTORS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_MAX_LINKS = 40


class Target(Protocol):
    """A place for text."""

    def wait(self) -> None:
        """Wait until a short text can be written without waiting."""

    def write(self, text: str) -> None:
        """Add text."""

    def save(self, end: str) -> None:
        """Complete what was written by adding ``end``; in a file, more can still be added before it."""


class Stdout:
    """Stdout, line by line."""

    def wait(self) -> None:
        """Wait for the reader."""
        wait_until_writable(sys.stdout)

    def write(self, text: str) -> None:
        """Add text."""
        write_results(text)

    def save(self, end: str) -> None:
        """Add the end."""
        write_results(end)


class Stream:
    """A device, a FIFO or an open descriptor, written line by line and never replaced.

    Opening a FIFO waits for a reader.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            number = open_descriptor(path)
            # Reopening /dev/fd/3 would start at the beginning of the file and overwrite its content.
            number = os.open(path, os.O_WRONLY) if number is None else os.dup(number)
            self._stream = os.fdopen(number, "wb", buffering=0)
        except OSError as error:
            raise unwritable(path, error) from error

    def wait(self) -> None:
        """Wait for the reader."""
        wait_until_writable(self._stream)

    def write(self, text: str) -> None:
        """Add text."""
        left = memoryview(text.encode("utf-8", NAMES))
        try:
            while left:
                left = left[self._stream.write(left) or 0 :]
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise TfkeyError(
                f"{self._path}: cannot be written ({reason}); check the device or the reader"
            ) from error

    def save(self, end: str) -> None:
        """Add the end."""
        self.write(end)


class File:
    """A file that is replaced as a whole.

    The file is written every minute and at the end, also after an error or Ctrl-C (but not after a kill);
    less often than every minute if writing takes more than a twentieth of the time. What is written each time
    is complete.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved = time.monotonic()
        self._pause = _SAVE_SECONDS
        try:
            real = real_path(path)
            real.parent.mkdir(parents=True, exist_ok=True)
            # An unnamed file, which leaves nothing behind.
            folder = None if is_in_place(real) else real.parent
            self._spool: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        except OSError as error:
            raise unwritable(path, error) from error

    @property
    def is_due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved > self._pause

    def postpone(self) -> bool:
        """After a failed attempt to save before the end: whether the next is soon enough."""
        return False

    def wait(self) -> None:
        """Return: a file has no reader to wait for."""

    def write(self, text: str) -> None:
        """Add text."""
        try:
            self._spool.write(text.encode("utf-8", NAMES))
        except OSError as error:
            raise unwritable(self._path, error) from error

    def save(self, end: str) -> None:
        """Replace the file."""
        start = time.monotonic()
        try:
            self._spool.flush()
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._spool.seek(0)
        with atomic_path(self._path) as partial, partial.open("wb") as out:
            shutil.copyfileobj(self._spool, out, 1 << 20)
            out.write(end.encode())
        self._spool.seek(0, io.SEEK_END)
        self._saved = time.monotonic()
        self._pause = max(_SAVE_SECONDS, 20 * (self._saved - start))


class Elsewhere(File):
    """A file elsewhere (``s3://bucket/keys.csv``), written as :class:`File` is.

    Nothing is written once another run has taken over the place.
    """

    def __init__(self, path: Path, holder: Holder) -> None:
        self._path = path
        self._holder = holder
        self._saved = time.monotonic()
        self._pause = _SAVE_SECONDS
        try:
            self._spool = tempfile.TemporaryFile()  # noqa: SIM115
        except OSError as error:
            raise unwritable(path, error) from error

    def postpone(self) -> bool:
        """The storage may be back by the next time, unless another run has taken over."""
        self._saved = time.monotonic()
        return not self._holder.is_lost

    def save(self, end: str) -> None:
        """Replace the file."""
        self._holder.check()
        super().save(end)


class Results:
    """A writer of records.

    Args:
        form: how they are written.
        path: where they are written; None for stdout.
        holder: the lock of the path, if it is elsewhere.

    Raises:
        UsageError: the path is a folder.
        TfkeyError: the path cannot be written, or stdout is closed and results go nowhere else.
    """

    def __init__(self, form: Form, path: Path | None, holder: Holder | None = None) -> None:
        self.count = 0
        self._form = form
        self._is_whole = True
        self._target = _target(path) if holder is None or path is None else Elsewhere(path, holder)
        # With tags, the work is useful even without stdout.
        if isinstance(self._target, Stdout) and not form.has_tags:
            check_stdout()

    @contextlib.contextmanager
    def taking_over(self) -> Iterator[None]:
        """Add the records of an earlier output in this block; nothing replaces it before all are there."""
        self._is_whole = False
        yield
        self._is_whole = True

    def add(self, text: str) -> None:
        """Add a record as returned by :meth:`Form.text`."""
        if not self.count:
            self._target.write(self._form.heading())
        if self._form.format == "json":
            text = ("[\n" if not self.count else ",\n") + text
        if text[:-_TAIL]:
            self._target.write(text[:-_TAIL])
        self._target.wait()
        # A stop in between would make the number of results that it reports wrong.
        with undisturbed():
            self._target.write(text[-_TAIL:])
            self.count += 1
        if isinstance(self._target, File) and self._target.is_due:
            try:
                self.save()
            except TfkeyError:
                if not self._target.postpone():
                    raise

    def save(self) -> None:
        """Write the file; for other targets, write the end.

        If :meth:`taking_over` was interrupted, the earlier output stays.
        """
        if not self._is_whole:
            return
        if not self.count:
            self._target.write(self._form.heading())
        end = ("\n]\n" if self.count else "[]\n") if self._form.format == "json" else ""
        self._target.save(end)


def open_descriptor(path: Path) -> int | None:
    """Return the descriptor named by a path such as ``/dev/stdout`` or a link to it; None for other paths."""
    for _ in range(_MAX_LINKS):
        name = os.path.abspath(path)
        if name in _DESCRIPTORS:
            return _DESCRIPTORS[name]
        folder, number = os.path.split(name)
        if folder in ("/dev/fd", "/proc/self/fd") and number.isdecimal():
            return int(number)
        if not path.is_symlink():
            return None
        path = path.parent / os.readlink(path)
    return None


def can_be_read_back(path: Path) -> bool:
    """Whether an output is, or will be, a file in which a later call finds the results."""
    return is_remote(path) or (open_descriptor(path) is None and not is_stream(path))


@contextlib.contextmanager
def alone_with(path: Path | None) -> Iterator[Holder | None]:
    """Hold the lock of an output elsewhere; None for others, which need none.

    Raises:
        UsageError: the path is a folder, or on the web.
        TfkeyError: another run writes there, or the storage cannot be written.
    """
    if path is None or not is_remote(path):
        yield None
        return
    check_writable(path)
    if kind_of(path) == "folder":
        raise UsageError(f"--output {shown(path)}: is a folder; name a file")
    with alone_at(path) as holder:
        yield holder


def unwritable(path: Path, error: OSError) -> TfkeyError:
    """Return the error for an output that cannot be written."""
    reason = error.strerror or str(error)
    return TfkeyError(
        f"{path}: cannot be written ({reason}); choose a folder with free space and write permission"
    )


def _target(path: Path | None) -> Target:
    if path is None or open_descriptor(path) == 1:
        return Stdout()
    if path.is_dir():
        raise UsageError(f"--output {path}: is a folder; name a file")
    return File(path) if can_be_read_back(path) else Stream(path)
