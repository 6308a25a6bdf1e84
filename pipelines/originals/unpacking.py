"""Archives: whatever was fetched is unpacked safely (:mod:`pipelines.publishing.packing` writes archives)."""

from __future__ import annotations

import bisect
import contextlib
import io
import itertools
import json
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pipelines.folder_lock import alone_in
from pipelines.text import printable
from tfkey.errors import DataError, KeyParseError
from tfkey.files import atomic_path, sha256
from tfkey.keys import parse_folder_name
from tfkey.settings import SPLITS

MAX_FILES = 2_000_000
MAX_BYTES = 100 * 1000**3
_MAX_FILLING = 1 << 30
_MARK = ".unpacked-from.json"
_DISTRUST = "get it from a source you trust"
# The endings that ``split`` gives to the first of several parts, numbered from 0 or 1, or lettered.
_PART = re.compile(r"(.+)\.(0+[01]|aa+)", re.DOTALL)
# What the readers of tar, zip and their compressions raise; RuntimeError: a zip that is encrypted, or
# compressed in a way that Python does not know.
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, ArithmeticError,
    RuntimeError,
)  # fmt: skip


def is_archive(path: Path) -> bool:
    """Whether a file's name is that of an archive, or of the first part of one."""
    name = path.name.lower()
    if parted := _PART.fullmatch(name):
        name = parted[1]
    return name.endswith((".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz"))


def archive_parts(archive: Path) -> list[Path]:
    """The files that an archive consists of: it alone, or all parts of one that was split, in their order.

    Args:
        archive: a file; of parts (``x.tar.xz.001`` ..., ``x.zip.aa`` ...: plain pieces, as ``split`` makes
            them) the first.
    """
    parted = _PART.fullmatch(archive.name)
    if parted is None:
        return [archive]
    stem, ending = parted[1], parted[2]
    if ending.isdecimal():
        endings: Iterator[str] = (f"{number:0{len(ending)}}" for number in itertools.count(int(ending)))
    else:
        endings = map("".join, itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=len(ending)))
    parts = (archive.with_name(f"{stem}.{ending}") for ending in endings)
    return list(itertools.takewhile(Path.is_file, parts)) or [archive]


def unpack_once(archive: Path, folder: Path) -> Path:
    """Unpack an archive (see :func:`unpack`) to ``<folder>/<its name>``, unless that has been done.

    Two modes may be prepared at once: the second call waits and finds what the first unpacked.

    Returns:
        Where it was unpacked to. An archive that has changed (size, time of change) is unpacked anew.
    """
    target = folder / archive.name
    states = [[part.name, part.stat().st_size, part.stat().st_mtime_ns] for part in archive_parts(archive)]
    mark = json.dumps(states)
    if not _has_mark(target, mark):
        with alone_in(folder):
            if not _has_mark(target, mark):
                unpack(archive, target, mark=mark)
    return target


def _has_mark(folder: Path, mark: str) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return (folder / _MARK).read_text(encoding="utf-8") == mark
    return False


def content_root(folder: Path) -> Path:
    """Go down through lone folders that are neither a split nor a key, such as the dataset's name."""
    while True:
        folders = [item for item in folder.iterdir() if item.is_dir() and not item.name.startswith(".")]
        if len(folders) != 1 or folders[0].name in SPLITS:
            return folder
        try:
            parse_folder_name(folders[0].name)
        except KeyParseError:
            folder = folders[0]
        else:
            return folder


def unpack(
    archive: Path,
    folder: Path,
    *,
    max_files: int = MAX_FILES,
    max_bytes: int = MAX_BYTES,
    mark: str | None = None,
) -> None:
    """Unpack a tar (plain, gz, bz2, xz) or zip archive; ``folder`` appears only once it is complete.

    What macOS adds of its own to archives (``__MACOSX``) is left out.

    Args:
        archive: the archive; of one in parts the first (see :func:`archive_parts`).
        folder: what to unpack to.
        max_files: the most entries to take.
        max_bytes: the most bytes to take.
        mark: a text to leave in the folder, as a hidden file.

    Raises:
        DataError: not an archive or damaged; an entry that is a link or a device, or that leads out of the
            folder; two entries of one name and different content; more than ``max_files`` entries or
            ``max_bytes`` bytes. Nothing is left behind then.
    """
    parts = archive_parts(archive)
    mend = f"a part after {parts[-1].name} may be missing; " if len(parts) > 1 else ""
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        count = total = 0
        try:
            for name, stream in _entries(archive, parts):
                target = temporary / _safe_relative(archive, name)
                if target.relative_to(temporary).parts[0] == "__MACOSX":
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                # Also where the file system takes names that differ in case for one.
                before = sha256(target) if target.exists() else None
                with target.open("wb") as output:
                    while block := stream.read(1 << 20):
                        total += len(block)
                        if total > max_bytes:
                            raise DataError(f"{archive}: unpacks to more than {max_bytes} bytes; {_DISTRUST}")
                        output.write(block)
                if before is not None and before != sha256(target):
                    raise DataError(
                        f"{archive}: holds two different files named {printable(name)!r}; {_DISTRUST}"
                    )
                count += 1
                if count > max_files:
                    raise DataError(f"{archive}: holds more than {max_files} files; {_DISTRUST}")
        except _DAMAGE as error:
            raise DataError(f"{archive}: damaged ({error}); {mend}fetch it again") from error
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            raise DataError(f"{archive}: holds a file and a folder of one name; {_DISTRUST}") from error
        except OSError as error:
            # A decompressor's complaint has no file name; a full disk or a missing right has an errno.
            if error.errno is None:
                raise DataError(f"{archive}: damaged ({error}); {mend}fetch it again") from error
            raise
        if mark is not None:
            (temporary / _MARK).write_text(mark, encoding="utf-8")


def _entries(archive: Path, parts: Sequence[Path]) -> Iterator[tuple[str, IO[bytes]]]:
    """The regular files of an archive."""
    with parts[0].open("rb") if len(parts) == 1 else io.BufferedReader(_Joined(parts)) as whole:
        yield from _zip_entries(whole) if zipfile.is_zipfile(whole) else _tar_entries(archive, whole)


def _zip_entries(whole: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(whole) as container:
        for info in container.infolist():
            if not info.is_dir():
                with container.open(info) as stream:
                    yield info.filename, stream


def _tar_entries(archive: Path, whole: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    whole.seek(0)
    with tarfile.open(fileobj=whole, mode="r:*") as tar:
        for member in tar:
            if member.isfile():
                content = tar.extractfile(member)
                if content is not None:
                    yield member.name, content
            elif not member.isdir():
                raise DataError(f"{archive}: entry {member.name!r} is a link or a device; {_DISTRUST}")
        # After the last entry comes filling, and behind that the checksum of the compression.
        while tar.fileobj is not None and tar.fileobj.tell() < _MAX_FILLING + tar.offset:
            if not tar.fileobj.read(1 << 20):
                break


class _Joined(io.RawIOBase):
    """Files one after the other, read as one; only one of them is open at a time."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._parts = parts
        self._ends = list(itertools.accumulate(part.stat().st_size for part in parts))
        self._position = 0
        self._number = 0
        self._stream = parts[0].open("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + (0, self._position, self._ends[-1])[whence]
        return self._position

    def readinto(self, buffer: Any) -> int:
        number = bisect.bisect_right(self._ends, self._position)
        if number == len(self._parts):
            return 0
        if number != self._number:
            self._stream.close()
            self._number, self._stream = number, self._parts[number].open("rb", buffering=0)
        self._stream.seek(self._position - (self._ends[number - 1] if number else 0))
        count = self._stream.readinto(buffer) or 0
        self._position += count
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


def _safe_relative(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0]:
        raise DataError(f"{archive}: entry {name!r} leads out of its folder; {_DISTRUST}")
    return path
