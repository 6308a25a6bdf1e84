"""Results of ``tfkey predict`` in many files of one folder: ``part-00000.csv`` and so on."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from scripts.predict_output import Form, existing_records
from scripts.predict_target import Results, unwritable
from tfkey.errors import TfkeyError, UsageError
from tfkey.files import atomic_path, csv_lines, lock
from tfkey.storage import Holder, alone_at, check_writable, fetched, files_below, is_remote, kind_of, shown

FAILURES = "failures.csv"
"""The file beside the parts that lists what could not be analysed."""


class Shards:
    """A writer of records into parts of equal size, each of which is replaced as a whole.

    Args:
        form: how records are written.
        folder: where the parts are (see :func:`alone_in_shards`).
        size: the records of a part.
        holder: the lock of the folder, if it is elsewhere.
        is_continued: whether parts that are there are kept and continued.

    Raises:
        UsageError: there are parts that are not to be continued.
    """

    def __init__(
        self, form: Form, folder: Path, size: int, holder: Holder | None, *, is_continued: bool
    ) -> None:
        self.count = 0
        self._form = form
        self._folder = folder
        self._size = size
        self._holder = holder
        self._part: Results | None = None
        self._numbers = self._found()
        if self._numbers and not is_continued:
            raise UsageError(
                f"--output {shown(folder)}: has parts of an earlier run; continue it with --skip-existing, "
                "or name another folder"
            )
        self._number = max(self._numbers, default=-1) + 1

    def existing(self) -> Iterator[Path | str]:
        """Read the parts that are there, once; yield the files in them; continue a last one that is short.

        Raises:
            UsageError: the columns differ.
            DataError: a part is damaged.
        """
        for number in self._numbers:
            # Only the last part may be short; no more of it than that is held.
            texts = []
            count = 0
            with fetched(self._path(number)) as copy:
                for path, text in existing_records(copy, self._form, self._path(number)):
                    count += 1
                    self.count += 1
                    if number == self._numbers[-1] and count < self._size:
                        texts.append(text)
                    yield path
            if number == self._numbers[-1] and count < self._size:
                self._number = number
                self._part = self._new_part()
                with self._part.taking_over():
                    for text in texts:
                        self._part.add(text)

    def add(self, text: str) -> None:
        """Add a record as returned by :meth:`Form.text`."""
        if self._part is None:
            self._part = self._new_part()
        self._part.add(text)
        self.count += 1
        if self._part.count >= self._size:
            self._part.save()
            self._part = None
            self._number += 1

    def save(self) -> None:
        """Write the part that is not full; a folder without any record gets a part with the heading."""
        if self._part is None and not self.count:
            self._part = self._new_part()
        if self._part is not None:
            self._part.save()

    def _found(self) -> list[int]:
        name = re.compile(rf"part-(\d{{5,}})\.{self._form.format}")
        found = map(name.fullmatch, self._names())
        return sorted(int(match[1]) for match in found if match)

    def _names(self) -> list[str]:
        """The files of the folder, by their paths relative to it."""
        if not is_remote(self._folder):
            return os.listdir(self._folder)
        if kind_of(self._folder) is None:
            return []
        top = str(self._folder).rstrip("/") + "/"
        return [str(path).removeprefix(top) for path in files_below(self._folder)]

    def _new_part(self) -> Results:
        return Results(self._form, self._path(self._number), self._holder)

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{number:05d}.{self._form.format}"


def write_failures(folder: Path, failures: Collection[tuple[str, str]]) -> None:
    """Write what failed, and why, beside the parts; if nothing did, only in the place of an earlier list."""
    path = folder / FAILURES
    is_there = kind_of(path) is not None if is_remote(path) else path.exists()
    if not failures and not is_there:
        return
    with (
        atomic_path(path) as partial,
        partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as out,
    ):
        out.write(csv_lines([["file", "reason"]]))
        for failure in failures:
            out.write(csv_lines([list(failure)]))


@contextlib.contextmanager
def alone_in_shards(folder: Path) -> Iterator[Holder | None]:
    """Make a folder of parts if it is not there, and hold its lock.

    Yields:
        The holder of the lock of a folder elsewhere, which can be lost; None for a local folder.

    Raises:
        UsageError: it is a file, or on the web.
        TfkeyError: another run writes there, or it cannot be written.
    """
    if is_remote(folder):
        check_writable(folder)
        if kind_of(folder) == "file":
            raise UsageError(f"--output {shown(folder)}: is a file; with --shard-size, name a folder")
        # Inside the folder, which may be a whole bucket.
        with alone_at(folder / "parts") as holder:
            yield holder
        return
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder}: is a file; with --shard-size, name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / ".lock").open("ab")
    except OSError as error:
        raise unwritable(folder, error) from error
    with stream:
        if not lock(stream):
            raise TfkeyError(f"{folder}: another run writes there; wait for it, or name another folder")
        yield None
