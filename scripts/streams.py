"""The standard streams of the command: closed ones, full ones, and file names in any bytes.

POSIX has file names of bytes, and Python's text streams refuse some of them, depending on the locale and on
``PYTHONIOENCODING``. Here what is written never fails for the characters in it: the bytes of a name leave as
they came.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import select
import sys
from pathlib import Path

from tfkey.errors import TfkeyError, UsageError

NAMES = "tfkey.names"
"""Name of the error handler for encoding: bytes of a name as they are, any other character as an escape."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Characters; their bytes have room in a buffer of Python's.
_PART = io.DEFAULT_BUFFER_SIZE // 16
_closed: set[int] = set()


def prepare_streams() -> None:
    """Make stdin, stdout and stderr safe to use, whatever the caller has done with them.

    Streams that are closed become ``/dev/null``, and their descriptors, too: otherwise the next file opened
    would get the number 1 or 2, and what libraries print would be written into it. An error while writing to
    stdout is an :class:`OutputError`, and nothing more is written there. Errors while writing to stderr are
    ignored: a message that nobody can read is no reason to stop.
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
    # A stream that somebody, such as a test, has put in the place of Python's stays.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    elif os.name == "posix" and sys.stdout is sys.__stdout__:
        sys.stdout = _Stdout(1)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    elif os.name == "posix" and sys.stderr is sys.__stderr__:
        sys.stderr = _Stderr(2)


def check_stdout() -> None:
    """Refuse work whose only product goes to a stdout that is closed.

    Raises:
        OutputError: stdout was closed when the process began.
    """
    if 1 in _closed:
        raise OutputError("stdout: is closed; redirect it to a file or to /dev/null")


def read_stdin(limit: int = -1) -> bytes:
    """Read bytes from stdin, at most ``limit``; all of them if that is negative.

    Raises:
        UsageError: stdin is closed, or cannot be read.
    """
    if 0 in _closed:
        raise UsageError("-: stdin is closed; give the list on stdin, or the paths as arguments")
    try:
        return sys.stdin.buffer.read(limit)
    except OSError as error:
        raise UsageError(f"-: stdin cannot be read ({error.strerror}); give a list of paths there") from error


def text_of_name(path: Path) -> str:
    """A file's name as results have it: the same in every locale, bytes that are no UTF-8 as escapes."""
    return os.fsencode(path).decode("utf-8", "surrogateescape") if os.name == "posix" else str(path)


def path_of_name(text: str) -> Path:
    """The file whose name :func:`text_of_name` gave.

    Raises:
        UnicodeEncodeError: no file can have this name.
    """
    return Path(os.fsdecode(text.encode("utf-8", "surrogateescape")) if os.name == "posix" else text)


def printable(text: str) -> str:
    r"""Text for one line of a terminal: control characters, which names may hold, as ``\n``, ``\x1b``."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class OutputError(TfkeyError):
    """Results that cannot be written to stdout."""


def write_results(text: str) -> None:
    """Write to stdout, at once, in UTF-8 whatever the locale says; bytes of file names leave as they are.

    Args:
        text: in it, bytes that are no UTF-8 are escaped as by ``surrogateescape``.

    Raises:
        OutputError: stdout is full or broken.
        BrokenPipeError: the reader of stdout has ended.
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


class _Stream(io.TextIOWrapper):
    """A standard stream, in which nothing fails to be encoded, and which is written at once.

    What writes is Python's own code in C. Code in Python between it and the system would, when a signal stops
    it at the wrong moment, forget that it has written, and write twice.
    """

    def __init__(self, number: int) -> None:
        encoding = codecs.lookup(sys.getfilesystemencoding()).name
        super().__init__(
            io.BufferedWriter(io.FileIO(number, "w", closefd=False)),
            # ASCII is what Python makes of a locale that is not installed; names are UTF-8 all the same.
            encoding="utf-8" if encoding == "ascii" else encoding,
            errors=NAMES,
        )

    def write(self, text: str) -> int:
        # Once for an empty text, too: by that, click finds out whether a stream takes text or bytes.
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
                # Another process has made the terminal or pipe non-blocking, for all that share it.
                select.select([], [self.fileno()], [])
            except OSError as error:
                # The first error ends it, so that Python has nothing to complain about when it exits.
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
            f"stdout: cannot be written ({error.strerror}); check what it is redirected to"
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
        # Child processes need them as much.
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
