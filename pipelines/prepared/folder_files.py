"""Which files a folder contains: asked one by one on this machine, listed at once elsewhere.

Elsewhere, every question is a request of some 20 to 100 ms, but one request lists a thousand files.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfkey.storage import is_remote, remove, retried, storage_errors

_VERSION_NAMES = (
    "ETag", "etag", "md5Hash", "generation", "LastModified", "last_modified", "mtime", "updated", "created",
)  # fmt: skip


@dataclass(frozen=True)
class FileState:
    """What a storage states about a file.

    Attributes:
        size: its size in bytes.
        version: a text that changes with its content: a checksum, or else the time of its last change;
            empty if the storage states neither.
    """

    size: int
    version: str

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> FileState:
        """Return the state in what ``fsspec`` returns about a file."""
        version = next((info[name] for name in _VERSION_NAMES if info.get(name)), "")
        return cls(int(info.get("size") or 0), str(version).strip('"'))


def present_files(folder: Path) -> Container[str]:
    """Return what tells whether the folder contains a file, named by its relative path with ``/``."""
    return remote_files(folder).keys() if is_remote(folder) else _Local(folder)


def file_states(folder: Path, names: Iterable[str]) -> dict[str, FileState]:
    """Return the states of files by relative path; those that do not exist are left out."""
    if is_remote(folder):
        found = remote_files(folder)
        return {name: found[name] for name in names if name in found}
    states = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            status = (folder / name).stat()
            if stat.S_ISREG(status.st_mode):
                states[name] = FileState(status.st_size, str(status.st_mtime_ns))
    return states


def remote_files(folder: Any) -> dict[str, FileState]:
    """List the files below a folder elsewhere: their states by relative path, sorted by path.

    Raises:
        TfkeyError: the storage cannot be read.
    """
    fs, top = folder.fs, folder.path.rstrip("/")
    with storage_errors(folder):
        # Other processes write there, too.
        fs.invalidate_cache(top)
        found = retried(lambda: fs.find(top, detail=True))
    # Names have the form of the folder's path: most storages leave out the scheme.
    return {
        name[len(top) + 1 :]: FileState.of(info)
        for name, info in sorted(found.items())
        if name.startswith(f"{top}/") and not name.endswith("/")
    }


def remove_file(path: Path) -> None:
    """Remove a file here or elsewhere, if it exists."""
    if is_remote(path):
        remove(path)
    else:
        path.unlink(missing_ok=True)


def read_text(path: Path) -> str:
    """Return the text of a file here or elsewhere.

    Raises:
        TfkeyError: the storage elsewhere cannot be read.
        OSError: the file is missing, or cannot be read on this machine.
    """
    if not is_remote(path):
        return path.read_text(encoding="utf-8")
    with storage_errors(path):
        try:
            return retried(path.read_bytes).decode("utf-8")
        except FileNotFoundError:
            # Not an error of the storage: the caller knows what is missing.
            pass
    raise FileNotFoundError(str(path))


@dataclass(frozen=True)
class _Local:
    """The files of a folder on this machine."""

    folder: Path

    def __contains__(self, name: object) -> bool:
        return (self.folder / str(name)).is_file()
