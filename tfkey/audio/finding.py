"""Finding the audio files that paths stand for: files, folders, playlists."""

from __future__ import annotations

import functools
import os
import re
import unicodedata
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

AUDIO_EXTENSIONS = frozenset({
    ".wav", ".wave", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aiff", ".aif",
    ".aifc", ".au", ".caf", ".m4a", ".m4b", ".m4p", ".aac", ".ac3", ".wma", ".mka", ".weba", ".ape", ".wv",
    ".mpc", ".tta",
})  # fmt: skip
VIDEO_EXTENSIONS = frozenset({
    ".mp4", ".m4v", ".mkv", ".mov", ".webm", ".avi", ".wmv", ".mpg", ".mpeg", ".flv",
})  # fmt: skip
EXTENSIONS = AUDIO_EXTENSIONS | VIDEO_EXTENSIONS
"""Suffixes (lower case) of the files that are taken when a folder is searched."""

PLAYLISTS = frozenset({".m3u", ".m3u8"})
"""Suffixes (lower case) of playlists."""

# A drive on Windows has one letter. What pathlib makes of "http://host" has one slash.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


@dataclass(frozen=True)
class Listing:
    """What paths stand for.

    Attributes:
        files: in order, each once.
        failures: paths that stand for nothing, and why.
    """

    files: list[Path] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)


def find_audio(folder: Path, on_error: Callable[[OSError], None] | None = None) -> list[Path]:
    """All audio and video files below a folder, sorted by path.

    What is hidden is left out, below the folder itself. Links are followed; a folder that links lead to twice
    is searched once.

    Args:
        folder: the folder.
        on_error: is told of folders that cannot be opened.
    """
    return [Path(path) for path in _search(os.fspath(folder), on_error or (lambda error: None), set())]


def list_files(paths: Iterable[Path]) -> Listing:
    """Find the files that paths stand for.

    A folder stands for what :func:`find_audio` finds, a playlist (:data:`PLAYLISTS`) for its entries,
    whatever else for itself, be it there or not. A file that is met again, through a link, too, is left out.

    Args:
        paths: of files, folders and playlists.
    """
    listing = Listing()
    met: set[str] = set()
    for path in paths:
        _add(path, listing, met, frozenset())
    return listing


def identity(path: Path) -> str:
    """An absolute name that is the same for all ways in which links lead to one file."""
    folder, name = os.path.split(os.fspath(path))
    # The folder that a relative name begins in may change while a process lives.
    real = os.path.join(_real_folder(os.path.join(os.getcwd(), folder)), name)
    return os.path.realpath(real) if name in ("..", ".") or os.path.islink(real) else real


def read_playlist(path: Path) -> list[Path]:
    """Read the entries of an M3U playlist: paths, relative ones from its folder on.

    Its text is UTF-8, or Windows-1252 if it is not that. An entry is taken in the spelling
    that is there: bytes as they are, text in either form of Unicode, backslashes as slashes; ``file:`` URLs
    are understood.

    Raises:
        OSError: it cannot be read.
    """
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    lines = (line.strip(b" \t\r\0") for line in content.splitlines())
    return [_entry(line, path.parent) for line in lines if line and not line.startswith(b"#")]


def _add(path: Path, listing: Listing, met: set[str], above: frozenset[str]) -> None:
    def refuse(error: OSError) -> None:
        listing.failures.append(
            (str(error.filename or path), f"cannot be opened ({error.strerror}); check name and rights")
        )

    try:
        is_folder = path.is_dir()
    except OSError as error:  # a name that is too long
        refuse(error)
        return
    name = identity(path)
    if is_folder:
        before = len(listing.failures)
        found = find_audio(path, refuse)
        if not found and len(listing.failures) == before:
            listing.failures.append((str(path), "holds no audio files; give one with some, or the files"))
        for file in found:
            _add_file(file, listing, met)
    elif path.suffix.lower() in PLAYLISTS:
        if name in above:
            return
        try:
            entries = read_playlist(path)
        except OSError as error:
            refuse(error)
            return
        if not entries:
            listing.failures.append((str(path), "an empty playlist; give one with entries"))
        for entry in entries:
            if _URL.match(str(entry)):
                listing.failures.append((str(entry), f"in {path}: not a file; save what it plays to one"))
            else:
                _add(entry, listing, met, above | {name})
    else:
        _add_file(path, listing, met)


def _add_file(path: Path, listing: Listing, met: set[str]) -> None:
    name = identity(path)
    if name not in met:
        met.add(name)
        listing.files.append(path)


@functools.lru_cache(maxsize=4096)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def _search(folder: str, on_error: Callable[[OSError], None], met: set[tuple[int, int]]) -> Iterator[str]:
    """Names of the files, in the order of sorted paths; ``met`` are the folders searched so far."""
    try:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in met:
            return
        met.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            visible = sorted(
                (item for item in entries if not item.name.startswith(".")), key=lambda e: e.name
            )
    except OSError as error:
        on_error(error)
        return
    for item in visible:
        try:
            is_folder = item.is_dir()
            is_wanted = not is_folder and Path(item.name).suffix.lower() in EXTENSIONS and item.is_file()
        except OSError:  # a link that leads round in a circle
            continue
        if is_folder:
            yield from _search(item.path, on_error, met)
        elif is_wanted:
            yield item.path


def _entry(line: bytes, folder: Path) -> Path:
    texts = [os.fsdecode(line)]
    for coding in ("utf-8", "cp1252", "latin-1"):
        try:
            text = line.decode(coding)
        except UnicodeDecodeError:
            continue
        texts += [text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFD"))]
        texts.append(text.replace("\\", "/"))
    if texts[0].lower().startswith("file:"):
        url = urllib.parse.urlsplit(os.fsdecode(line))
        texts = [os.fsdecode(urllib.parse.unquote_to_bytes(url.path))]
    elif "://" in texts[0]:
        return Path(texts[0])
    candidates = [folder / text for text in dict.fromkeys(texts) if "\0" not in text]
    for candidate in candidates:
        if os.path.exists(candidate):
            return candidate
    # By text: the second is the first coding that fits.
    return candidates[min(1, len(candidates) - 1)]
