"""Finding audio files in bounded memory, however many there are: lists are read as they go."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tfkey.audio.elsewhere import ADDRESS, with_address
from tfkey.audio.finding import identity, iter_audio, list_files
from tfkey.audio.playlists import PLAYLISTS, iter_playlist, looks_like_audio, split_list
from tfkey.errors import DataError
from tfkey.storage import is_remote

OnFailure = Callable[[str, str], None]
"""Called with a path for which no file was found, and why."""

# Lists of this many bytes are read whole; so are those in UTF-16, and PLS.
_WHOLE_BYTES = 1 << 22
_CHUNK_BYTES = 1 << 16
_DIGEST_BYTES = 16
# In KiB, by SQLite's convention negative.
_CACHE = -(64 << 10)
_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Seen:
    """A set of names, of which a digest of 16 bytes each is kept in a temporary file.

    The file is in the folder of temporary files (``SQLITE_TMPDIR``, ``TMPDIR``), has no name, and takes about
    30 bytes for each name; memory is 64 MiB at most.
    """

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size={_CACHE}"):
            self._base.execute(f"PRAGMA {pragma}")
        self._base.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        # One transaction, never committed: nobody else reads it.
        self._base.execute("BEGIN")

    def add(self, name: str) -> bool:
        """Add a name; return whether it is new."""
        found = self._base.execute("INSERT OR IGNORE INTO seen VALUES (?)", (_digest(name),))
        return found.rowcount == 1

    def __contains__(self, name: str) -> bool:
        return (
            self._base.execute("SELECT 1 FROM seen WHERE digest = ?", (_digest(name),)).fetchone() is not None
        )

    def close(self) -> None:
        """Remove the file."""
        self._base.close()


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=_DIGEST_BYTES).digest()


def iter_files(paths: Iterable[Path | str], seen: Seen, on_failure: OnFailure) -> Iterator[Path]:
    """Find the files that paths name, as :func:`tfkey.audio.finding.list_files` does, one after the other.

    Args:
        paths: files, folders and playlists; they are taken as they are needed.
        seen: the identities of the files found so far; a file that is among them is left out.
        on_failure: called with what :attr:`tfkey.audio.finding.Listing.failures` would contain.
    """
    for path in paths:
        for file in _files_of(path, on_failure):
            if seen.add(identity(file)):
                yield file


def _files_of(path: Path | str, on_failure: OnFailure) -> Iterator[Path]:
    if not is_remote(path):
        local = Path(path)
        if _is_folder(local):
            yield from _files_below(local, on_failure)
            return
        if local.suffix.lower() in PLAYLISTS - {".pls"} and _is_long_text(local):
            for entry in map(with_address, iter_playlist(local)):
                if entry.path is None:
                    reason = entry.reason or ADDRESS
                    on_failure(entry.name, f"in {path}: {reason}")
                else:
                    yield from _listed(entry.path, on_failure)
            return
    yield from _listed(path, on_failure)


def _listed(path: Path | str, on_failure: OnFailure) -> Iterator[Path]:
    listing = list_files([path])
    for failure in listing.failures:
        on_failure(*failure)
    yield from listing.files


def _files_below(folder: Path, on_failure: OnFailure) -> Iterator[Path]:
    empty = True

    def refuse(error: OSError) -> None:
        nonlocal empty
        empty = False
        reason = f"cannot be opened ({error.strerror}); check its name and permissions"
        on_failure(str(error.filename or folder), reason)

    for file in iter_audio(folder, refuse):
        empty = False
        yield file
    if empty:
        on_failure(str(folder), "contains no audio files; give a folder with audio files, or the files")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long
        return False


def _is_long_text(path: Path) -> bool:
    try:
        if path.stat().st_size <= _WHOLE_BYTES:
            return False
        with path.open("rb") as stream:
            head = stream.read(_CHUNK_BYTES)
    except OSError:
        return False
    return b"\0" not in head and not head.startswith(_BOMS) and b"[playlist]" not in head.lower()


def iter_list(read: Callable[[int], bytes], *, null: bool = False) -> Iterator[Path | str]:
    """Split a list of paths as :func:`tfkey.audio.playlists.split_list` does, as it is read.

    Args:
        read: returns at most that many bytes, and nothing at the end.
        null: whether NUL separates the paths.

    Raises:
        DataError: see :func:`tfkey.audio.playlists.split_list`; or the list is audio.
    """
    end = b"\0" if null else b"\n"
    rest = b""
    is_first = True
    while chunk := read(_CHUNK_BYTES):
        rest += chunk
        if is_first and len(rest) < 4 and end not in rest:
            continue
        if is_first and looks_like_audio(rest):
            raise DataError("looks like audio, not like a list of paths")
        if is_first and not null and (b"\0" in rest or rest.startswith(_BOMS)):
            # Only the whole of it distinguishes UTF-16 from binary data.
            while chunk := read(_CHUNK_BYTES):
                rest += chunk
            break
        is_first = False
        whole, found, rest = rest.rpartition(end)
        if found:
            yield from split_list(whole, null=null)
    yield from split_list(rest, null=null)
