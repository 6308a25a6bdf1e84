"""Where a job's journal keeps its lines: one file to append to, or, elsewhere, one object after another.

Object stores cannot append. There, every line is an object of its own, ``.journal/<number>.jsonl``, and as
soon as :data:`ROLL` of them have come together, the last one is replaced by one with the lines of all, and
the others are removed. A kill between the two leaves some lines twice, which changes nothing. A job of a
million units therefore has at most some two thousand such objects, and writes each line twice.
"""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tfkey.errors import TfkeyError
from tfkey.files import write_text
from tfkey.storage import is_remote, retried, storage_errors

ROLL = 1000


class JournalLines(Protocol):
    """The lines of a journal."""

    def read(self) -> list[str]:
        """Return all lines, the oldest first. Some may be cut short, and some may occur twice."""
        ...

    def append(self, line: str) -> None:
        """Add a line; it is stored when this returns.

        Raises:
            TfkeyError: it cannot be written.
        """
        ...


def journal_lines(folder: Path) -> JournalLines:
    """Return the lines of the journal of a folder."""
    return _Objects(folder / ".journal") if is_remote(folder) else _File(folder / ".journal.jsonl")


class _File:
    """A file on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[str]:
        if not self._path.is_file():
            return []
        return self._path.read_text(encoding="utf-8", errors="replace").splitlines()

    def append(self, line: str) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # A kill may have left half a line; starting a new line keeps it from corrupting this entry.
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(("\n" if stream.tell() else "") + line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise TfkeyError(
                f"{self._path}: cannot be written ({error.strerror}); choose another data_dir"
            ) from error


class _Objects:
    """Objects in a folder elsewhere; only one process at a time may use it."""

    def __init__(self, folder: Any) -> None:
        self._folder = folder
        self._next = 0
        self._single: dict[str, str] = {}

    def read(self) -> list[str]:
        fs, top = self._folder.fs, self._folder.path
        with storage_errors(self._folder):
            fs.invalidate_cache(top)
            names = sorted(name for name in retried(lambda: fs.find(top)) if name.endswith(".jsonl"))
            # Several at a time, if the storage can; one name alone would give its content alone.
            found = fs.cat(names, on_error="return") if len(names) > 1 else {}
        contents: dict[str, str] = {}
        for name in names:
            content = found.get(name)
            if not isinstance(content, bytes):
                with storage_errors(self._folder):
                    content = retried(partial(fs.cat_file, name))
            contents[name.rpartition("/")[2]] = content.decode("utf-8", "replace")
        self._next = 1 + max((int(name.partition(".")[0]) for name in contents), default=-1)
        self._single = {name: text for name, text in contents.items() if "\n" not in text.strip()}
        return [line for text in contents.values() for line in text.splitlines()]

    def append(self, line: str) -> None:
        name = f"{self._next:010d}.jsonl"
        write_text(self._folder / name, line + "\n")
        self._next += 1
        self._single[name] = line + "\n"
        if len(self._single) >= ROLL:
            self._roll(name)

    def _roll(self, last: str) -> None:
        write_text(self._folder / last, "".join(self._single.values()))
        old = [f"{self._folder.path}/{name}" for name in self._single if name != last]
        self._single = {}
        with storage_errors(self._folder), contextlib.suppress(FileNotFoundError):
            self._folder.fs.rm(old)
