"""Finding the audio files that paths name: files, folders, playlists, here and elsewhere."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tfkey.audio.elsewhere import ADDRESS, audio_below, playlist_elsewhere, with_address
from tfkey.audio.playlist_entries import Entry
from tfkey.audio.playlists import PLAYLISTS, read_playlist
from tfkey.errors import TfkeyError
from tfkey.storage import is_remote, kind_of, located, shown, suffix_of

AUDIO_EXTENSIONS = frozenset({
    ".wav", ".wave", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aiff", ".aif",
    ".aifc", ".au", ".caf", ".m4a", ".m4b", ".m4p", ".aac", ".ac3", ".wma", ".mka", ".weba", ".ape", ".wv",
    ".mpc", ".tta",
})  # fmt: skip
VIDEO_EXTENSIONS = frozenset({
    ".mp4", ".m4v", ".mkv", ".mov", ".webm", ".avi", ".wmv", ".mpg", ".mpeg", ".flv",
})  # fmt: skip
EXTENSIONS = AUDIO_EXTENSIONS | VIDEO_EXTENSIONS
"""Suffixes (lower case) of the files that a search of a folder finds."""


@dataclass(frozen=True)
class Listing:
    """The result of a search.

    Attributes:
        files: in order, each listed once.
        failures: paths for which no file was found, and why.
    """

    files: list[Path] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)


def find_audio(folder: Path, on_error: Callable[[OSError], None] | None = None) -> list[Path]:
    """All audio and video files below a folder, sorted by path.

    Hidden files and folders below it are left out. Links are followed; a folder that several links lead to is
    searched once.

    Args:
        folder: the folder.
        on_error: called with the error of each folder that cannot be opened.
    """
    return list(iter_audio(folder, on_error))


def iter_audio(folder: Path, on_error: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """The files that :func:`find_audio` finds, one after the other."""
    return map(Path, _search(os.fspath(folder), on_error or (lambda error: None)))


def list_files(paths: Iterable[Path | str]) -> Listing:
    """Find the files that paths name.

    A folder means the files that :func:`find_audio` finds, a playlist its entries (see
    :func:`tfkey.audio.playlists.read_playlist`), and any other path itself, whether or not it exists. A
    file that was listed before, even through a link, is left out. A playlist that was read before, even one
    that contains itself, adds nothing.

    Elsewhere (``s3://bucket/folder``), storage is asked about a path only if its suffix is not one of
    :data:`EXTENSIONS` or of a playlist.

    Args:
        paths: files, folders and playlists; URLs may be texts.
    """
    finder = _Finder()
    for path in paths:
        finder.add(path)
    return finder.listing


def identity(path: Path | str) -> str:
    """An absolute name that is the same for all paths to one file, through whatever links.

    Elsewhere it is the URL, without credentials.
    """
    if is_remote(path):
        return shown(path)
    folder, name = os.path.split(os.fspath(path))
    # The working directory may change while a process runs.
    real = os.path.join(_real_folder(os.path.join(os.getcwd(), folder)), name)
    return os.path.realpath(real) if name in ("..", ".") or os.path.islink(real) else real


class _Finder:
    """Collects a listing."""

    def __init__(self) -> None:
        self.listing = Listing()
        self._met: set[str] = set()
        self._lists: set[str] = set()

    def add(self, named: Path | str) -> None:
        """Add the files that a path names, without recursion: playlists may be nested to any depth."""
        waiting = [named]
        while waiting:
            named = waiting.pop()
            if is_remote(named):
                waiting += reversed(self._add_elsewhere(named))
                continue
            path = Path(named)
            try:
                is_folder = path.is_dir()
            except OSError as error:  # a name that is too long
                self._refuse(path, error)
                continue
            if is_folder:
                self._add_folder(path)
            elif path.suffix.lower() in PLAYLISTS:
                waiting += reversed(self._entries(path))
            else:
                self._add_file(path)

    def _add_elsewhere(self, named: Path | str) -> list[Path]:
        """Add a file elsewhere, or those of a folder; return the files of a playlist."""
        try:
            path = located(named)
            suffix = suffix_of(path).lower()
            if suffix in PLAYLISTS:
                return self._entries(path)
            if suffix in EXTENSIONS or kind_of(path) != "folder":
                self._add_file(path)
                return []
            found = audio_below(path, EXTENSIONS)
        except TfkeyError as error:
            self._fail(named, str(error))
            return []
        for file in found:
            self._add_file(file)
        if not found:
            self._fail(path, "contains no audio files; give a folder with audio files, or the files")
        return []

    def _fail(self, path: Path | str, reason: str) -> None:
        self.listing.failures.append((shown(path), reason.removeprefix(f"{shown(path)}: ")))

    def _add_folder(self, path: Path) -> None:
        failures = self.listing.failures
        before = len(failures)
        found = find_audio(path, lambda error: self._refuse(path, error))
        if not found and len(failures) == before:
            failures.append(
                (str(path), "contains no audio files; give a folder with audio files, or the files")
            )
        for file in found:
            self._add_file(file)

    def _add_file(self, path: Path) -> None:
        name = identity(path)
        if name not in self._met:
            self._met.add(name)
            self.listing.files.append(path)

    def _entries(self, path: Path) -> list[Path]:
        name = identity(path)
        if name in self._lists:
            return []
        self._lists.add(name)
        failures = self.listing.failures
        try:
            entries = self._read(path)
        except OSError as error:
            self._refuse(path, error)
            return []
        except TfkeyError as error:
            self._fail(path, str(error))
            return []
        if not entries:
            self._fail(path, "an empty playlist; give one with entries")
        for entry in entries:
            if entry.path is None:
                reason = entry.reason or ADDRESS
                failures.append((entry.name, f"in {shown(path)}: {reason}"))
        return [entry.path for entry in entries if entry.path is not None]

    @staticmethod
    def _read(path: Path) -> list[Entry]:
        return playlist_elsewhere(path) if is_remote(path) else list(map(with_address, read_playlist(path)))

    def _refuse(self, path: Path, error: OSError) -> None:
        reason = f"cannot be opened ({error.strerror}); check its name and permissions"
        self.listing.failures.append((str(error.filename or path), reason))


@functools.lru_cache(maxsize=4096)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def _search(folder: str, on_error: Callable[[OSError], None]) -> Iterator[str]:
    """Names of the files, in the order of sorted paths; without recursion, since folders may be very deep."""
    met: set[tuple[int, int]] = set()
    waiting: list[tuple[str, bool]] = [(folder, True)]
    while waiting:
        path, is_folder = waiting.pop()
        if not is_folder:
            yield path
            continue
        try:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in met:
                continue
            met.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                visible = [item for item in entries if not item.name.startswith(".")]
        except OSError as error:
            on_error(error)
            continue
        for item in sorted(visible, key=lambda item: item.name, reverse=True):
            try:
                is_folder = item.is_dir()
                is_wanted = is_folder or (Path(item.name).suffix.lower() in EXTENSIONS and item.is_file())
            except OSError:  # a circular link
                continue
            if is_wanted:
                waiting.append((item.path, is_folder))
