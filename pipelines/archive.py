"""Archives: spectrogram PNGs are packed to be published; whatever was fetched is unpacked safely.

An archive of pictures is laid out as ``<dataset>/[<split>/]<key>/<track>-<part>.png``: 8-bit grey, one row a
bin, the lowest first. Those made here also carry ``<dataset>/dataset.json`` with their parameters.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from PIL import Image

from pipelines.manifest import PreparedDataset
from pipelines.spectrograms import iter_pictures
from pipelines.work import Progress
from tfkey.errors import DataError
from tfkey.features import to_pixels
from tfkey.files import atomic_path, sha256, write_text
from tfkey.keys import Key

MAX_FILES = 2_000_000
MAX_BYTES = 100 * 1000**3
_MAX_FILLING = 1 << 30
_DISTRUST = "get it from a source you trust"
# What the readers of tar, zip and their compressions raise; RuntimeError: a zip that is encrypted, or
# compressed in a way that Python does not know.
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, ArithmeticError,
    RuntimeError,
)  # fmt: skip


def pack(prepared: PreparedDataset, archive: Path, progress: Progress | None = None) -> str:
    """Write the PNG archive (``.tar.xz``) of a dataset prepared in spectrograms mode.

    The same spectrograms give the same bytes: entries are sorted and carry no time and no owner. Beside it
    goes ``<archive>.sha256``, in the form that ``sha256sum --check`` reads.

    Returns:
        The SHA-256 of the archive.
    """
    # PNG is compressed already; the container's preset only costs time.
    with atomic_path(archive) as temporary:
        with tarfile.open(temporary, "w:xz", preset=0) as tar:
            _add(tar, f"{prepared.name}/dataset.json", (prepared.folder / "dataset.json").read_bytes())
            for done, (row, picture) in enumerate(iter_pictures(prepared), 1):
                stream = io.BytesIO()
                Image.fromarray(to_pixels(picture)).save(stream, format="PNG")
                folder = f"{prepared.name}/{row.split}/{Key.parse(row.key).folder}"
                _add(tar, f"{folder}/{row.track}-{row.part:03d}.png", stream.getvalue())
                if progress:
                    progress(done, len(prepared.rows))
        checksum = sha256(temporary)
    write_text(checksum_file(archive), f"{checksum}  {archive.name}\n")
    return checksum


def checksum_file(archive: Path) -> Path:
    """The file that states an archive's checksum."""
    return archive.with_name(f"{archive.name}.sha256")


def read_checksum(archive: Path) -> str | None:
    """The SHA-256 that :func:`pack` wrote beside an archive; None if either of them is not there."""
    stated = checksum_file(archive)
    if not (archive.is_file() and stated.is_file()):
        return None
    return stated.read_text(encoding="utf-8").partition(" ")[0]


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o644
    tar.addfile(member, io.BytesIO(content))


def unpack(archive: Path, folder: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> None:
    """Unpack a tar (plain, gz, bz2, xz) or zip archive; ``folder`` appears only once it is complete.

    Raises:
        DataError: not an archive or damaged; an entry that is a link or a device, or that leads out of the
            folder; more than ``max_files`` entries or ``max_bytes`` bytes. Nothing is left behind then.
    """
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        count = total = 0
        try:
            for name, stream in _entries(archive):
                target = temporary / _safe_relative(archive, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as output:
                    while block := stream.read(1 << 20):
                        total += len(block)
                        if total > max_bytes:
                            raise DataError(f"{archive}: unpacks to more than {max_bytes} bytes; {_DISTRUST}")
                        output.write(block)
                count += 1
                if count > max_files:
                    raise DataError(f"{archive}: holds more than {max_files} files; {_DISTRUST}")
        except _DAMAGE as error:
            raise DataError(f"{archive}: damaged ({error}); fetch it again") from error
        except OSError as error:
            # A decompressor's complaint has no file name; a full disk or a missing right has an errno.
            if error.errno is None:
                raise DataError(f"{archive}: damaged ({error}); fetch it again") from error
            raise


def _entries(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The regular files of an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as container:
            for info in container.infolist():
                if not info.is_dir():
                    with container.open(info) as stream:
                        yield info.filename, stream
        return
    with tarfile.open(archive, "r:*") as tar:
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


def _safe_relative(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0]:
        raise DataError(f"{archive}: entry {name!r} leads out of its folder; {_DISTRUST}")
    return path
