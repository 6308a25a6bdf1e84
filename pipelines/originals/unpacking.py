"""Safe unpacking of fetched archives (:mod:`pipelines.publishing.packing` writes archives)."""

from __future__ import annotations

import contextlib
import json
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from pipelines.folder_lock import alone_in
from pipelines.text import printable
from tfkey.errors import DataError, KeyParseError
from tfkey.files import atomic_path, sha256
from tfkey.keys import parse_folder_name
from tfkey.settings import SPLITS

MAX_FILES = 2_000_000
MAX_BYTES = 100 * 1000**3
_MAX_FILLING = 1 << 30
_PACKED = {".deb", ".pk3"}
_MARK = ".unpacked-from.json"
_DISTRUST = "get it from a source you trust"
# Exceptions of the readers of tar, zip and their compressions. RuntimeError: the zip is encrypted, or
# compressed with a method that Python does not support.
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, ArithmeticError,
    RuntimeError,
)  # fmt: skip


def is_archive(path: Path) -> bool:
    """Whether the name of a file has the suffix of an archive."""
    return path.name.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz"))


def unpack_once(archive: Path, folder: Path) -> Path:
    """Unpack an archive (see :func:`unpack`) to ``<folder>/<its name>``, unless that has been done.

    If two modes are prepared simultaneously, the second call waits and uses what the first unpacked.

    Returns:
        The folder of its content. An archive that has changed (size, modification time) is unpacked again.
    """
    target = folder / archive.name
    status = archive.stat()
    mark = json.dumps([[archive.name, status.st_size, status.st_mtime_ns]])
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
    """Descend through single folders that are neither a split nor a key, such as the dataset's name."""
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

    The entries that macOS adds to archives (``__MACOSX``) are left out.

    Args:
        archive: the archive.
        folder: the folder to unpack to.
        max_files: maximum number of entries.
        max_bytes: maximum number of bytes.
        mark: a text to leave in the folder, as a hidden file.

    Raises:
        DataError: the file is damaged or not an archive; an entry is a link or a device, or leads out of the
            folder; two entries have the same name and different content; or there are more than
            ``max_files`` entries or ``max_bytes`` bytes. Nothing is left behind in these cases.
    """
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        count, room = 0, max_bytes
        with naming_damage(archive), archive.open("rb") as whole:
            entries = _zip_entries(whole) if zipfile.is_zipfile(whole) else _tar_entries(archive, whole)
            for name, stream in entries:
                relative = safe_relative(archive, name)
                if relative.parts[0] == "__MACOSX":
                    continue
                count += 1
                if count > max_files:
                    raise DataError(f"{archive}: contains more than {max_files} files; {_DISTRUST}")
                room -= _write_entry(archive, name, stream, temporary / relative, room)
                if room < 0:
                    raise DataError(f"{archive}: unpacks to more than {max_bytes} bytes; {_DISTRUST}")
        if mark is not None:
            (temporary / _MARK).write_text(mark, encoding="utf-8")


def _write_entry(archive: Path, name: str, stream: IO[bytes], target: Path, most: int) -> int:
    """Write a file of an archive; return the number of bytes read, which stops just above ``most``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # The name may exist, too, because the file system ignores case.
    before = sha256(target) if target.exists() else None
    count = 0
    with target.open("wb") as output:
        while count <= most and (block := stream.read(1 << 20)):
            count += len(block)
            output.write(block)
    if count <= most and before is not None and before != sha256(target):
        raise DataError(f"{archive}: contains two different files named {printable(name)!r}; {_DISTRUST}")
    return count


@contextlib.contextmanager
def naming_damage(archive: Path) -> Iterator[None]:
    """Turn errors of the readers and the disk about an archive's content into one line that names it."""

    def damaged(error: Exception) -> DataError:
        if is_archive(archive) or archive.suffix in _PACKED:
            return DataError(f"{archive}: is damaged ({error}); fetch it again")
        return DataError(f"{archive}: is not a complete archive ({error}); give one, or join its parts")

    try:
        yield
    except _DAMAGE as error:
        raise damaged(error) from error
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"{archive}: contains a file and a folder of the same name; {_DISTRUST}") from error
    except OSError as error:
        # A decompressor's error has no errno; a full disk or a missing permission does.
        if error.errno is None:
            raise damaged(error) from error
        raise


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
        # The last entry is followed by padding, and then by the checksum of the compression.
        while tar.fileobj is not None and tar.fileobj.tell() < _MAX_FILLING + tar.offset:
            if not tar.fileobj.read(1 << 20):
                break


def safe_relative(archive: Path, name: str) -> PurePosixPath:
    """Return the path of an entry of an archive.

    Raises:
        DataError: it leads out of the folder that the archive is unpacked to.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0]:
        raise DataError(f"{archive}: entry {name!r} leads out of its folder; {_DISTRUST}")
    return path
