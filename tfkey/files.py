"""Writing files so that a kill at any moment leaves either the old file or the new one."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from tfkey.errors import TfkeyError
from tfkey.storage import committed, is_remote, remove_partials

PARTIAL_SUFFIX = ".partial"

_LONGEST_NAME = 255
_XATTRS = ("system.posix_acl_access", "system.posix_acl_default", "security.selinux", "user.")


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which replaces ``path`` when the block ends without an error.

    The temporary name keeps the suffix of ``path`` (writers choose their format by it), starts with
    a dot and contains :data:`PARTIAL_SUFFIX`, so that :func:`remove_partial` finds what a kill left behind.
    It may become a file or a folder. A folder replaces an existing one as a whole, by two renames; a kill
    between the two leaves the old folder complete under such a temporary name.

    A symbolic link stays, and its target is replaced. The new file takes over the permissions, the access
    control list and, if the system allows it, the owner of the old one; if others may not read the old file,
    they cannot read the temporary one either. A device, a FIFO, a file in a folder that is not writable, or
    a mount point cannot be replaced; its content is overwritten with a copy of the temporary file.

    For a path elsewhere, the temporary file is in the system's temporary folder, and must not become a folder
    (see :func:`tfkey.storage.committed`).

    Raises:
        TfkeyError: the folder cannot be created or written to.
    """
    if is_remote(path):
        with committed(path) as partial:
            yield partial
        return
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
            f"{path}: cannot be written ({reason}); choose a folder with free space and write permission"
        ) from error
    except BaseException:
        _remove(partial)
        raise
    finally:
        if scratch is not None:
            _remove(scratch)


def real_path(path: Path) -> Path:
    """Return the target of a symbolic link, whether it exists or not; any other path is returned unchanged.

    Raises:
        OSError: the links form a loop.
    """
    if not path.is_symlink():
        return path
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return real


def is_stream(path: Path) -> bool:
    """Whether a path exists and is a device, a FIFO or a socket instead of a file or a folder."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_in_place(path: Path) -> bool:
    """Whether :func:`atomic_path` overwrites the existing file because another cannot replace it."""
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
    """Return rows as CSV with ``\\n`` line ends; ``csv.reader`` restores every text, line breaks included.

    Args:
        rows: the fields of each line, including the header; None becomes an empty field, and a float keeps
            all its digits.
    """
    lines: list[str] = []

    def add(line: str) -> None:
        lines.append(line.removesuffix("\r\n") + "\n")

    # Before Python 3.13, a writer quotes only line breaks that its own line end contains: "\r\n" has both.
    # Each line still ends in "\n", so that files are the same on all systems.
    writer = csv.writer(SimpleNamespace(write=add), lineterminator="\r\n")
    writer.writerows(rows)
    return "".join(lines)


def remove_partial(folder: Path) -> None:
    """Remove everything below ``folder`` that :func:`atomic_path` left behind when its process was killed.

    For a folder elsewhere, see :func:`tfkey.storage.remove_partials`.
    """
    if is_remote(folder):
        remove_partials(folder)
        return
    for path in list(folder.rglob(f".*{PARTIAL_SUFFIX}*")):
        _remove(path)


def is_partial_of(name: str, of: str) -> bool:
    """Whether ``name`` is a temporary name that :func:`atomic_path` uses beside a file or folder ``of``."""
    return name in (_partial_name(of), _aside_name(of))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    return _digest(path, hashlib.sha256())


def md5(path: Path) -> str:
    """Return the MD5 of a file's bytes as 32 hexadecimal digits."""
    return _digest(path, hashlib.md5(usedforsecurity=False))


def _digest(path: Path, digest: Any) -> str:
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _partial_name(name: str) -> str:
    path = Path(name)
    stem, ending = os.fsencode(path.stem), os.fsencode(f"{PARTIAL_SUFFIX}{path.suffix}")
    # The name itself may already have the greatest possible length.
    return "." + os.fsdecode(stem[: max(1, _LONGEST_NAME - 1 - len(ending))] + ending)


def _aside_name(name: str) -> str:
    return f".{name}.old{PARTIAL_SUFFIX}"


def _begin_private(partial: Path, old: Path) -> None:
    """Create the temporary file in advance if it replaces a file that others may not read."""
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
        # A mount point, or somebody else's file in a folder such as /tmp.
        is_theirs = error.errno in (errno.EBUSY, errno.EPERM, errno.EACCES)
        if not (is_theirs and old.is_file() and os.access(old, os.W_OK)):
            raise
        _copy_into(new, old)
        _remove(new)


def _hand_on(old: Path, new: Path) -> None:
    """Give a file or folder the owner, permissions and access control list of another."""
    status = old.stat()
    if hasattr(os, "chown"):
        # The group comes first: users may choose among their own groups, but cannot change the owner.
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
    """Overwrite an existing file with the content of another, without creating a new file."""
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


def lock(stream: IO[bytes]) -> bool:
    """Lock an open file until it is closed, or the process ends; False if another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except PermissionError:
        return sys.platform != "win32"
    except OSError:
        # The file system has no locks; two processes then get the lock.
        pass
    return True
