"""Writing files so that a kill at any moment leaves either the old file or the new one."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tfkey.errors import TfkeyError

PARTIAL_SUFFIX = ".partial"

_LONGEST_NAME = 255
_XATTRS = ("system.posix_acl_access", "system.posix_acl_default", "security.selinux", "user.")


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; put it in the place of ``path`` when the block ends well.

    The temporary name keeps the suffix of ``path`` (writers choose their format by it), starts with
    a dot and carries :data:`PARTIAL_SUFFIX`, so that :func:`remove_partial` finds what a kill left.
    It may become a file or a folder. A folder replaces an existing one whole, by two renames: a kill just
    between them leaves the old one aside, whole, under such a name.

    A symbolic link stays, and what it leads to is replaced. What is replaced hands on its permissions, its
    access control list and, as far as the system allows, its owner; if others must not read a file, they
    cannot read the temporary one either. What cannot be replaced is written in place, by a copy of the
    temporary file: a device or a FIFO, a file in a folder that is not writable, a mount point.

    Raises:
        TfkeyError: the folder cannot be made or written to.
    """
    scratch, partial = None, path.with_name(_partial_name(path.name))
    try:
        real = real_path(path)
        scratch = Path(tempfile.mkdtemp(prefix="tfkey-")) if is_in_place(real) else None
        partial = (scratch or real.parent) / _partial_name(real.name)
        real.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        _begin_private(partial, real)
        yield partial
        if scratch is not None:
            _copy_into(partial, real)
        elif partial.is_dir() and real.is_dir():
            _replace_folder(partial, real)
        else:
            _replace_file(partial, real)
    except OSError as error:
        _remove(partial)
        if isinstance(error, BrokenPipeError):
            raise
        reason = error.strerror or str(error)
        raise TfkeyError(
            f"{path}: cannot be written ({reason}); choose a folder with room and rights"
        ) from error
    except BaseException:
        _remove(partial)
        raise
    finally:
        if scratch is not None:
            _remove(scratch)


def real_path(path: Path) -> Path:
    """Where a path leads if it is a symbolic link, there or not; else the path itself.

    Raises:
        OSError: links that lead round in a circle.
    """
    if not path.is_symlink():
        return path
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return real


def is_stream(path: Path) -> bool:
    """Whether a path is there and is neither a file nor a folder, but a device, a FIFO or a socket."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_in_place(path: Path) -> bool:
    """Whether :func:`atomic_path` writes into what is there, since another file cannot take its place."""
    is_locked_in = path.is_file() and not os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)
    return is_stream(path) or is_locked_in


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with ``\\n`` line ends, atomically (see :func:`atomic_path`)."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as CSV (see :func:`csv_lines`) in UTF-8, atomically (see :func:`atomic_path`)."""
    write_text(path, csv_lines([header, *rows]))


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV with ``\\n`` line ends; ``csv.reader`` gives every text back, line breaks included.

    Args:
        rows: the fields of each line, the header among them; None becomes an empty field, a float all its
            digits.
    """
    lines: list[str] = []

    def add(line: str) -> None:
        lines.append(line.removesuffix("\r\n") + "\n")

    # Before Python 3.13 a writer quotes only the line breaks that its own line end contains: "\r\n" has both.
    # Each line still ends in "\n", so that files are alike on all systems.
    writer = csv.writer(SimpleNamespace(write=add), lineterminator="\r\n")
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
    stem, ending = os.fsencode(path.stem), os.fsencode(f"{PARTIAL_SUFFIX}{path.suffix}")
    # A name may be as long as names can be.
    return "." + os.fsdecode(stem[: max(1, _LONGEST_NAME - 1 - len(ending))] + ending)


def _aside_name(name: str) -> str:
    return f".{name}.old{PARTIAL_SUFFIX}"


def _begin_private(partial: Path, old: Path) -> None:
    """Create the temporary file if what it replaces is a file that others must not read."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        status = old.stat()
        if os.name == "posix" and stat.S_ISREG(status.st_mode) and status.st_mode & 0o044 != 0o044:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _replace_file(new: Path, old: Path) -> None:
    if old.is_file() and new.is_file():
        _hand_on(old, new)
    try:
        os.replace(new, old)
    except OSError as error:
        # A mount point; a file of somebody else's in a folder such as /tmp.
        is_theirs = error.errno in (errno.EBUSY, errno.EPERM, errno.EACCES)
        if not (is_theirs and old.is_file() and os.access(old, os.W_OK)):
            raise
        _copy_into(new, old)
        _remove(new)


def _hand_on(old: Path, new: Path) -> None:
    """Give a file or folder the owner, permissions and access control list of another."""
    status = old.stat()
    if hasattr(os, "chown"):
        # The group first: a user may change it among their own, but not the owner.
        for owner, group in ((-1, status.st_gid), (status.st_uid, -1)):
            with contextlib.suppress(OSError):
                os.chown(new, owner, group)
    with contextlib.suppress(OSError):
        os.chmod(new, status.st_mode & 0o777)
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            for name in os.listxattr(old):
                if name.startswith(_XATTRS):
                    with contextlib.suppress(OSError):
                        os.setxattr(new, name, os.getxattr(old, name))


def _copy_into(source: Path, target: Path) -> None:
    """Write the content of a file into what is there, without making anything new."""
    truncate = 0 if is_stream(target) else os.O_TRUNC
    with source.open("rb") as content, os.fdopen(os.open(target, os.O_WRONLY | truncate), "wb") as out:
        shutil.copyfileobj(content, out, 1 << 20)


def _replace_folder(new: Path, old: Path) -> None:
    aside = old.with_name(_aside_name(old.name))
    _remove(aside)
    _hand_on(old, new)
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
