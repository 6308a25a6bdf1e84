"""The standard streams of the command: closed ones, full ones, and file names of arbitrary bytes.

File names on POSIX are bytes. Python's text streams refuse some of them, depending on the locale and on
``PYTHONIOENCODING``. Writing through this module never fails because of a character: the bytes of a name are
written unchanged.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
import select
import sys
from pathlib import Path
from typing import IO, Any

from tfkey.errors import TfkeyError, UsageError
from tfkey.storage import is_remote, shown

NAMES = "tfkey.names"
"""Name of the encoding error handler: keeps bytes of a name unchanged, escapes any other character."""

AT_ONCE = 4096
"""The bytes that a pipe which takes any takes at once (POSIX demands 512 and more; Linux has 4,096)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# In characters; their bytes fit into one of Python's buffers.
_PART = io.DEFAULT_BUFFER_SIZE // 16
_closed: set[int] = set()


def prepare_streams() -> None:
    """Make stdin, stdout and stderr safe to use, whatever state the caller left them in.

    Closed streams and their descriptors become ``/dev/null``: otherwise the next file opened would get
    number 1 or 2, and the output of libraries would be written into it. An error while writing to stdout
    raises :class:`OutputError`, after which nothing more is written there. Errors while writing to stderr
    are ignored: a message that nobody can read is no reason to stop.
    """
    _closed.update(
        number for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)) if stream is None
    )
    _fill_descriptors()
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    if os.name != "posix":
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
    # A stream that replaces Python's own (as tests do) is kept.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    elif os.name == "posix" and sys.stdout is sys.__stdout__:
        sys.stdout = _Stdout(1)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    elif os.name == "posix" and sys.stderr is sys.__stderr__:
        sys.stderr = _Stderr(2)


def check_stdout() -> None:
    """Refuse work whose only result goes to a closed stdout.

    Raises:
        OutputError: stdout was closed when the process began.
    """
    if 1 in _closed:
        raise OutputError("stdout is closed; redirect it to a file or to /dev/null")


def read_stdin(limit: int = -1) -> bytes:
    """Read at most ``limit`` bytes from stdin; all of them if ``limit`` is negative.

    Raises:
        UsageError: stdin is closed, or cannot be read.
    """
    if 0 in _closed:
        raise _closed_stdin()
    try:
        return sys.stdin.buffer.read(limit)
    except OSError as error:
        raise _unreadable_stdin(error) from error


def read_stdin_part(limit: int) -> bytes:
    """Read what has come on stdin, at least a byte and at most ``limit``; nothing at the end.

    Raises:
        UsageError: stdin is closed, or cannot be read.
    """
    if 0 in _closed:
        raise _closed_stdin()
    try:
        read = getattr(sys.stdin.buffer, "read1", sys.stdin.buffer.read)
        return read(limit)
    except OSError as error:
        raise _unreadable_stdin(error) from error


def _closed_stdin() -> UsageError:
    return UsageError("-: stdin is closed; give the list on stdin, or the paths as arguments")


def _unreadable_stdin(error: OSError) -> UsageError:
    return UsageError(f"-: stdin cannot be read ({error.strerror}); give a list of paths on stdin")


def text_of_name(path: Path) -> str:
    """Return a file name as used in results: the same in every locale, with non-UTF-8 bytes escaped.

    For a file elsewhere, it is the URL, without credentials.
    """
    if is_remote(path):
        return shown(path)
    return os.fsencode(path).decode("utf-8", "surrogateescape") if os.name == "posix" else str(path)


def path_of_name(text: str) -> Path:
    """Return the file whose name :func:`text_of_name` returned.

    Raises:
        UnicodeEncodeError: no file can have this name.
    """
    return Path(os.fsdecode(text.encode("utf-8", "surrogateescape")) if os.name == "posix" else text)


def printable(text: str) -> str:
    r"""Return text for one line of a terminal, with control characters escaped as ``\n``, ``\x1b``."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class OutputError(TfkeyError):
    """Results could not be written to stdout."""


def write_results(text: str) -> None:
    """Write to stdout without delay, in UTF-8 whatever the locale; bytes of file names stay unchanged.

    Args:
        text: bytes in it that are not UTF-8 are escaped as by ``surrogateescape``.

    Raises:
        OutputError: stdout is full or broken.
        BrokenPipeError: the reader of stdout has closed it.
    """
    sys.stdout.flush()
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(text)
        return
    data = text.encode("utf-8", NAMES)
    for start in range(0, len(data), io.DEFAULT_BUFFER_SIZE):
        binary.write(data[start : start + io.DEFAULT_BUFFER_SIZE])
        sys.stdout.flush()


def wait_until_writable(stream: IO[Any]) -> None:
    """Wait until a stream takes :data:`AT_ONCE` bytes without waiting.

    It returns at once where that cannot be found out: on Windows, and for streams without a descriptor.
    """
    if os.name == "posix":
        with contextlib.suppress(OSError, ValueError):
            # Not select.select, which refuses descriptors above 1023.
            poll = select.poll()
            poll.register(stream.fileno(), select.POLLOUT)
            poll.poll()


class _Stream(io.TextIOWrapper):
    """A standard stream that can encode any text and writes without delay.

    The writing is done by Python's own C code. If a signal stopped Python code between it and the system at
    the wrong moment, that code would lose track of what was written and write it twice.
    """

    def __init__(self, number: int) -> None:
        encoding = codecs.lookup(sys.getfilesystemencoding()).name
        super().__init__(
            io.BufferedWriter(io.FileIO(number, "w", closefd=False)),
            # Python uses ASCII if the locale is not installed; names are still UTF-8.
            encoding="utf-8" if encoding == "ascii" else encoding,
            errors=NAMES,
        )

    def write(self, text: str) -> int:
        # Also writes an empty text: click uses one to find out whether a stream takes text or bytes.
        for start in range(0, max(1, len(text)), _PART):
            super().write(text[start : start + _PART])
            self.flush()
        return len(text)

    def flush(self) -> None:
        while True:
            try:
                super().flush()
                return
            except BlockingIOError:
                # Another process has made the shared terminal or pipe non-blocking.
                select.select([], [self.fileno()], [])
            except OSError as error:
                # Redirect after the first error, so Python does not complain about unwritten text at exit.
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.fileno())
                os.close(nowhere)
                self.fail(error)

    def fail(self, error: OSError) -> None:
        """React to the first error."""
        raise NotImplementedError


class _Stdout(_Stream):
    def fail(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise error
        raise OutputError(
            f"stdout cannot be written ({error.strerror}); check where it is redirected"
        ) from error


class _Stderr(_Stream):
    def fail(self, error: OSError) -> None:
        """A message that nobody can read is no reason to stop."""


def _fill_descriptors() -> None:
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number > 2:
            os.close(number)
            return
        # Child processes need these descriptors, too.
        os.set_inheritable(number, True)


def _encode_name(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = b""
    for letter in error.object[error.start : error.end]:
        escaped = 0xDC80 <= ord(letter) <= 0xDCFF
        found += bytes([ord(letter) - 0xDC00]) if escaped else letter.encode("ascii", "backslashreplace")
    return found, error.end


codecs.register_error(NAMES, _encode_name)
