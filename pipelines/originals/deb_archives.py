"""Reading Debian packages (``.deb``) without dpkg: an ``ar`` archive with two tar archives in it.

The format: https://manpages.debian.org/deb.5. ``control.tar`` states the version; ``data.tar`` has the files.
Python reads the compressions gzip, xz and bzip2. Zstandard, which Ubuntu uses, is left to ``dpkg-deb``.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipelines.originals.unpacking import naming_damage
from tfkey.errors import DataError

_MAGIC = b"!<arch>\n"
_HEADER = 60
_READABLE = ("", ".gz", ".xz", ".bz2", ".lzma")


@dataclass(frozen=True)
class Member:
    """A file in a package: its path without a leading ``./``, its size in bytes, its content."""

    path: str
    size: int
    content: IO[bytes]


def deb_version(path: Path) -> str:
    """Return the version of a package.

    Raises:
        DataError: the file is not a package, is damaged, or needs dpkg-deb.
    """
    with _tar_of(path, "control.tar") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.name.removeprefix("./") == "control" else None
            if content is not None:
                for line in content.read().decode("utf-8", "replace").splitlines():
                    if line.lower().startswith("version:"):
                        return line.partition(":")[2].strip()
    raise DataError(f"{path}: is a package without a version; fetch it again")


def deb_members(path: Path) -> Iterator[Member]:
    """Yield the regular files of a package, each readable until the next one is asked for.

    Raises:
        DataError: the file is not a package, is damaged, or needs dpkg-deb.
    """
    with _tar_of(path, "data.tar") as tar:
        for member in tar:
            # Links are only to files of the same package, which are here themselves.
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None:
                yield Member(member.name.removeprefix("./"), member.size, content)


@contextlib.contextmanager
def _tar_of(path: Path, name: str) -> Iterator[tarfile.TarFile]:
    """Open one of the two tar archives."""
    with naming_damage(path), path.open("rb") as stream:
        suffix, start, size = _find(path, stream, name)
        if suffix in _READABLE:
            with tarfile.open(fileobj=io.BufferedReader(_Section(stream, start, size)), mode="r:*") as tar:
                yield tar
            return
    with _by_dpkg(path, name, suffix) as tar:
        yield tar


def _find(path: Path, stream: IO[bytes], name: str) -> tuple[str, int, int]:
    """Return the suffix of a tar archive in the package, its first byte, and its size."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise DataError(f"{path}: is not a Debian package; fetch it again")
    place = len(_MAGIC)
    while header := stream.read(_HEADER):
        if len(header) < _HEADER or header[58:] != b"`\n":
            raise DataError(f"{path}: is damaged (an entry of its archive); fetch it again")
        # A negative size would lead back, and again and again to the same place.
        size = abs(int(header[48:58]))
        entry = header[:16].decode("ascii", "replace").strip().removesuffix("/")
        place += _HEADER
        if entry.startswith(name):
            return entry.removeprefix(name), place, size
        place += size + size % 2
        stream.seek(place)
    raise DataError(f"{path}: is damaged (has no {name}); fetch it again")


@contextlib.contextmanager
def _by_dpkg(path: Path, name: str, suffix: str) -> Iterator[tarfile.TarFile]:
    program = shutil.which("dpkg-deb")
    if program is None:
        raise DataError(
            f"{path}: is compressed in a way that needs dpkg-deb ({suffix}), which is not installed; "
            "give a folder with the unpacked packages",
            remedy="source",
        )
    option = "--ctrl-tarfile" if name == "control.tar" else "--fsys-tarfile"
    with subprocess.Popen(
        [program, option, str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            with naming_damage(path), tarfile.open(fileobj=process.stdout, mode="r|") as tar:
                yield tar
        finally:
            process.kill()


class _Section(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, stream: IO[bytes], start: int, size: int) -> None:
        self._stream, self._start, self._size, self._place = stream, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._stream.seek(self._start + self._place)
        block = self._stream.read(max(0, min(len(buffer), self._size - self._place)))
        buffer[: len(block)] = block
        self._place += len(block)
        return len(block)
