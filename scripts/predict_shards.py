"""Results of ``tfkey predict`` in many files of one folder: ``part-00000.csv`` and so on."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.predict_output import Form, existing_records
from scripts.predict_target import Results, unwritable
from tfkey.errors import TfkeyError, UsageError
from tfkey.files import atomic_path, csv_lines, lock
from tfkey.storage import is_remote, shown

FAILURES = "failures.csv"
"""The file beside the parts that lists what could not be analysed."""


class Shards:
    """A writer of records into parts of equal size, each of which is replaced as a whole.

    Args:
        form: how records are written.
        folder: where the parts are (see :func:`alone_in_shards`).
        size: the records of a part.
        is_continued: whether parts that are there are kept and continued.

    Raises:
        UsageError: there are parts that are not to be continued.
    """

    def __init__(self, form: Form, folder: Path, size: int, *, is_continued: bool) -> None:
        self.count = 0
        self._form = form
        self._folder = folder
        self._size = size
        self._part: Results | None = None
        self._numbers = self._found()
        if self._numbers and not is_continued:
            raise UsageError(
                f"--output {folder}: has parts of an earlier run; continue it with --skip-existing, or "
                "name another folder"
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
            for path, text in existing_records(self._path(number), self._form):
                count += 1
                self.count += 1
                if number == self._numbers[-1] and count < self._size:
                    texts.append(text)
                yield path
            if number == self._numbers[-1] and count < self._size:
                self._number = number
                self._part = Results(self._form, self._path(number))
                for text in texts:
                    self._part.add(text)

    def add(self, text: str) -> None:
        """Add a record as returned by :meth:`Form.text`."""
        if self._part is None:
            self._part = Results(self._form, self._path(self._number))
        self._part.add(text)
        self.count += 1
        if self._part.count >= self._size:
            self._part.save()
            self._part = None
            self._number += 1

    def save(self) -> None:
        """Write the part that is not full; a folder without any record gets a part with the heading."""
        if self._part is None and not self.count:
            self._part = Results(self._form, self._path(self._number))
        if self._part is not None:
            self._part.save()

    def _found(self) -> list[int]:
        name = re.compile(rf"part-(\d{{5,}})\.{self._form.format}")
        found = [name.fullmatch(path.name) for path in self._folder.iterdir()]
        return sorted(int(match[1]) for match in found if match)

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{number:05d}.{self._form.format}"


def write_failures(folder: Path, failures: Iterable[tuple[str, str]]) -> Path:
    """Write what failed, and why, beside the parts; return the file."""
    path = folder / FAILURES
    with (
        atomic_path(path) as partial,
        partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as out,
    ):
        out.write(csv_lines([["file", "reason"]]))
        for failure in failures:
            out.write(csv_lines([list(failure)]))
    return path


@contextlib.contextmanager
def alone_in_shards(folder: Path) -> Iterator[None]:
    """Make a folder of parts if it is not there, and hold its lock.

    Raises:
        UsageError: it is a file, or elsewhere.
        TfkeyError: another run writes there, or it cannot be written.
    """
    if is_remote(folder):
        raise UsageError(
            f"--output {shown(folder)}: parts are written to mounted storage only; name a local folder"
        )
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
        yield
