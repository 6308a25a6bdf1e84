"""Replacing a user's file safely: whatever happens, either the old file or the new one is there, complete."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tfkey.errors import TagError

_LEFTOVER = ".tfkey-"
_STALE_SECONDS = 3600.0
_REMEDIES = {
    errno.ENOSPC: "make room on its disk for a copy of it",
    errno.EDQUOT: "make room within your quota for a copy of it",
    errno.EFBIG: "its file system or a process limit does not allow a copy of it",
    errno.EROFS: "its file system is mounted read-only",
    errno.EACCES: "allow writing to its folder, where a copy is made first",
    errno.EPERM: "allow writing to its folder and replacing the file (it may be marked as immutable)",
}


def check_writable(path: Path, real: Path) -> None:
    """Refuse to change a file that is read-only through its permissions or its file system.

    Args:
        path: its name, for the error.
        real: where it really is.

    Raises:
        TagError: the file is read-only.
    """
    if hasattr(os, "statvfs") and os.statvfs(real).f_flag & os.ST_RDONLY:
        raise TagError(f"{path}: read-only, like its whole file system; copy it elsewhere first")
    # Permissions do not stop an administrator, but whoever removed them did so on purpose.
    if not os.access(real, os.W_OK) or not real.stat().st_mode & 0o222:
        raise TagError(f"{path}: read-only; allow writing to it, or leave its tags as they are")


@contextlib.contextmanager
def replacing(path: Path, real: Path) -> Iterator[Path]:
    """Yield a copy of a file; if the block succeeds, the copy replaces the file, with its permissions.

    Args:
        path: its name, for errors.
        real: where it really is; not a link.

    Raises:
        TagError: the copy cannot be written, or the file was changed meanwhile.
    """
    before = real.stat()
    copy = None
    try:
        _remove_leftovers(real.parent)
        # A short name of its own: the file's name may already have the greatest possible length.
        handle, name = tempfile.mkstemp(prefix=_LEFTOVER, suffix=f".partial{real.suffix}", dir=real.parent)
        os.close(handle)
        copy = Path(name)
        shutil.copyfile(real, copy)
        yield copy
        shutil.copystat(real, copy)
        os.utime(copy)
        with contextlib.suppress(OSError, AttributeError):
            os.chown(copy, before.st_uid, before.st_gid)
        _sync(copy, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
        now = real.stat()
        if (now.st_ino, now.st_size, now.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
            raise TagError(f"{path}: was changed by someone else meanwhile; tag it again")
        os.replace(copy, real)
        if os.name == "posix":
            _sync(real.parent, os.O_RDONLY)
    except TagError:
        _remove(copy)
        raise
    except Exception as error:
        _remove(copy)
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        remedy = _REMEDIES.get(getattr(error, "errno", None) or 0, "check its disk and its folder")
        raise TagError(f"{path}: cannot be tagged ({reason}); {remedy}") from error
    except BaseException:
        _remove(copy)
        raise


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path | None) -> None:
    if path is not None:
        with contextlib.suppress(OSError):
            path.unlink()


_cleaned: set[Path] = set()


def _remove_leftovers(folder: Path) -> None:
    """Remove the copies of killed processes from a folder, once per process."""
    if folder in _cleaned:
        return
    _cleaned.add(folder)
    for path in folder.glob(f"{_LEFTOVER}*.partial*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()
