"""Writing files so that a kill at any moment leaves either the old file or the new one."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tfkey.errors import TfkeyError

PARTIAL_SUFFIX = ".partial"


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block ends well.

    The temporary name keeps the suffix of ``path`` (writers choose their format by it), starts with
    a dot and carries :data:`PARTIAL_SUFFIX`, so that :func:`remove_partial` finds what a kill left.
    It may become a file or a folder. A folder replaces an existing one whole, by two renames: a kill just
    between them leaves the old one aside, whole, under such a name.

    Raises:
        TfkeyError: the folder cannot be made or written to.
    """
    partial = path.with_name(_partial_name(path.name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        yield partial
        if partial.is_dir() and path.is_dir():
            _replace_folder(partial, path)
        else:
            os.replace(partial, path)
    except OSError as error:
        _remove(partial)
        reason = error.strerror or str(error)
        raise TfkeyError(
            f"{path}: cannot be written ({reason}); choose a folder with room and rights"
        ) from error
    except BaseException:
        _remove(partial)
        raise


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with ``\\n`` line ends, atomically (see :func:`atomic_path`)."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as CSV (see :func:`csv_text`) in UTF-8, atomically (see :func:`atomic_path`)."""
    write_text(path, csv_text(header, rows))


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV with ``\\n`` line ends; ``csv.reader`` gives every text back, line breaks included.

    Args:
        header: the names of the columns.
        rows: a value for each column; None becomes an empty field, a float all its digits.
    """
    lines: list[str] = []

    def add(line: str) -> None:
        lines.append(line.removesuffix("\r\n") + "\n")

    # Before Python 3.13 a writer quotes only the line breaks that its own line end contains: "\r\n" has both.
    # Each line still ends in "\n", so that files are alike on all systems.
    writer = csv.writer(SimpleNamespace(write=add), lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return "".join(lines)


def remove_partial(folder: Path) -> None:
    """Remove everything below ``folder`` that :func:`atomic_path` left when its process was killed."""
    for path in list(folder.rglob(f".*{PARTIAL_SUFFIX}*")):
        _remove(path)


def is_partial_of(name: str, of: str) -> bool:
    """Whether ``name`` is that of a file or folder that :func:`atomic_path` makes beside one named ``of``."""
    return name in (_partial_name(of), _aside_name(of))


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _partial_name(name: str) -> str:
    path = Path(name)
    return f".{path.stem}{PARTIAL_SUFFIX}{path.suffix}"


def _aside_name(name: str) -> str:
    return f".{name}.old{PARTIAL_SUFFIX}"


def _replace_folder(new: Path, old: Path) -> None:
    aside = old.with_name(_aside_name(old.name))
    _remove(aside)
    os.replace(old, aside)
    try:
        os.replace(new, old)
    except OSError:
        os.replace(aside, old)
        raise
    _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
