"""Reading, writing and listing files elsewhere."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tfkey.errors import DataError, TfkeyError, UsageError
from tfkey.storage.addresses import OBJECT_STORES, WEB, is_remote, scheme_of, shown, suffix_of
from tfkey.storage.failures import is_no_bucket, retried, storage_errors

PARTIAL_MARK = ".partial"
_LONGEST_SUFFIX = 16


@contextlib.contextmanager
def fetched(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """Yield a local file with the content and suffix of a path: a local path itself, else a temporary copy.

    An error that the block raises for the copy (:class:`TfkeyError`) names the original instead.

    Args:
        path: a file.
        folder: where the copy is made; None for the system's temporary folder.

    Raises:
        TfkeyError: the file cannot be fetched.
    """
    if not is_remote(path):
        yield path
        return
    with _scratch(path, folder) as local:

        def get() -> None:
            # Some file systems make a folder of what is not a file.
            local.unlink(missing_ok=True)
            path.fs.get_file(_key(path), str(local), callback=_progress(path))  # type: ignore[attr-defined]

        with storage_errors(path):
            retried(get)
            if not local.is_file():
                raise IsADirectoryError(f"{shown(path)} is a folder")
        try:
            yield local
        except TfkeyError as error:
            error.args = tuple(str(part).replace(str(local), shown(path)) for part in error.args)
            raise


@contextlib.contextmanager
def committed(path: Path) -> Iterator[Path]:
    """Yield a temporary local file, which becomes the content of a path elsewhere when the block ends.

    If the block raises an error, nothing is written. Readers see the old content or the new. An object store
    replaces an object at the end of its upload; elsewhere the upload goes to a temporary name
    (:func:`partial_beside`), which then replaces the file.

    Raises:
        UsageError: storage of this kind cannot be written.
        TfkeyError: the file cannot be written.
    """
    check_writable(path)
    with _scratch(path) as local:
        yield local
        if local.is_dir():
            raise TfkeyError(f"{shown(path)}: a folder cannot be written as a whole there; write it locally")
        put(local, path)


def put(local: Path, path: Path) -> None:
    """Write a local file to a path elsewhere, so that readers see the old content or the new.

    Raises:
        UsageError: storage of this kind cannot be written.
        TfkeyError: the file cannot be written.
    """
    check_writable(path)
    with storage_errors(path):
        fs, key = path.fs, _key(path)  # type: ignore[attr-defined]
        if scheme_of(path) in OBJECT_STORES:
            retried(lambda: fs.put_file(str(local), key))
            return
        beside = partial_beside(path)
        partial = _key(beside)
        retried(lambda: fs.makedirs(_key(path.parent), exist_ok=True))
        try:
            retried(lambda: fs.put_file(str(local), partial))
            retried(lambda: _rename(fs, partial, key))
        except BaseException:
            with contextlib.suppress(Exception):
                fs.rm_file(partial)
            raise


def partial_beside(path: Path) -> Path:
    """Return the temporary name that :func:`put` uses beside a file where that is not an object store."""
    return path.with_name(f".{path.stem}{PARTIAL_MARK}{path.suffix}")


def remove_partials(folder: Path) -> None:
    """Remove what :func:`put` left below a folder when its process was killed; object stores keep nothing.

    Raises:
        TfkeyError: the storage cannot be asked, or a file cannot be removed.
    """
    if scheme_of(folder) not in OBJECT_STORES:
        for path in files_below(folder):
            if path.name.startswith(".") and PARTIAL_MARK in path.name:
                remove(path)


def check_writable(path: Path) -> None:
    """Refuse an address of a web server.

    Raises:
        UsageError: storage of this kind cannot be written.
    """
    if scheme_of(path) in WEB:
        raise UsageError(
            f"{shown(path)}: a web server cannot be written to; name a local path, or one in a bucket (s3://...)"
        )


def kind_of(path: Path) -> Literal["file", "folder"] | None:
    """Return what a path elsewhere is; None if there is nothing. A web address is always a file.

    Raises:
        TfkeyError: the storage cannot be asked.
    """
    if scheme_of(path) in WEB:
        return "file"
    with storage_errors(path):
        try:
            kind = retried(lambda: path.fs.info(_key(path))["type"])  # type: ignore[attr-defined]
        except FileNotFoundError as error:
            if is_no_bucket(error):
                raise
            return None
    return "folder" if kind == "directory" else "file"


def files_below(path: Path) -> list[Path]:
    """Return all files below a folder or prefix elsewhere, sorted by path.

    Raises:
        TfkeyError: the storage cannot be asked.
    """
    with storage_errors(path):
        found = retried(lambda: path.fs.find(_key(path)))  # type: ignore[attr-defined]
        base = _key(path).rstrip("/") + "/"
        return [path / name.removeprefix(base) for name in sorted(found) if name.startswith(base)]


def remove(path: Path) -> None:
    """Remove a file elsewhere, if it exists.

    Raises:
        TfkeyError: it cannot be removed.
    """
    with storage_errors(path), contextlib.suppress(FileNotFoundError):
        retried(lambda: path.fs.rm_file(_key(path)))  # type: ignore[attr-defined]


def _key(path: Path) -> str:
    """The name by which the file system knows a path."""
    return path.path  # type: ignore[attr-defined]


def _progress(path: Path) -> Any:
    """What refuses a web address without a length: it may be a radio station, which never ends."""
    from fsspec.callbacks import NoOpCallback

    class Bounded(NoOpCallback):
        length: int | None = None

        def set_size(self, size: int | None) -> None:
            self.length = size

        def relative_update(self, inc: int = 1) -> None:
            if self.length is None:
                raise DataError(f"{shown(path)}: a stream of unknown length; save its audio to a file")

    return Bounded() if scheme_of(path) in WEB else NoOpCallback()


def _rename(fs: Any, old: str, new: str) -> None:
    """Give a file another name, whose file it replaces."""
    # HDFS does not replace: there, the old file goes first.
    try:
        fs.mv(old, new)
    except OSError:
        if not (fs.exists(old) and fs.exists(new)):
            raise
        fs.rm_file(new)
        fs.mv(old, new)


@contextlib.contextmanager
def _scratch(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """Yield the name of a temporary file with the suffix of a path, in a folder of its own."""
    suffix = suffix_of(path)
    try:
        place = Path(tempfile.mkdtemp(prefix="tfkey-", dir=folder))
    except OSError as error:
        raise TfkeyError(
            f"{shown(path)}: no temporary file can be made ({error.strerror}); "
            "set TMPDIR to a folder with free space"
        ) from error
    try:
        yield place / f"content{suffix if len(suffix) <= _LONGEST_SUFFIX else ''}"
    finally:
        shutil.rmtree(place, ignore_errors=True)
