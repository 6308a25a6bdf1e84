"""Audio files and playlists in storage elsewhere (see :mod:`tfkey.storage`)."""

from __future__ import annotations

import posixpath
import re
import urllib.parse
from pathlib import Path

from tfkey.audio.playlist_entries import Entry, text_of
from tfkey.audio.playlists import entry_lines
from tfkey.errors import UsageError
from tfkey.storage import LISTABLE, WEB, fetched, files_below, is_remote, located, scheme_of, shown, suffix_of

ADDRESS = "an address, not a file; save its audio to a file"
"""Why an entry of a playlist without a reason of its own has no file."""

_ROOTED = re.compile(r"file:|[A-Za-z]:[/\\]|/|\\", re.IGNORECASE)


def audio_below(folder: Path, extensions: frozenset[str]) -> list[Path]:
    """All audio files below a folder or prefix, sorted by path; hidden files and folders are left out.

    Raises:
        TfkeyError: the storage cannot be asked.
    """
    base = len(str(folder).rstrip("/"))
    return [
        path
        for path in files_below(folder)
        if suffix_of(path).lower() in extensions and "/." not in str(path)[base:]
    ]


def playlist_elsewhere(path: Path) -> list[Entry]:
    """Read the entries of a playlist that is elsewhere itself.

    Text is read as by :func:`tfkey.audio.playlists.read_playlist`. A relative entry starts from the folder of
    the playlist, whether or not it exists. Paths from a root mean nothing there: they have no file.

    Raises:
        DataError: the playlist is not text.
        TfkeyError: it cannot be fetched.
    """
    with fetched(path) as local:
        lines = [text_of(line.strip(b" \t")) for line in entry_lines(local.read_bytes(), path)]
    return [_entry(line, path) for line in lines]


def with_address(entry: Entry) -> Entry:
    """Return the entry of a playlist; if it is an address where files are stored, with its file.

    An address on the web may be a radio station, which never ends, and has no file.
    """
    text = entry.name
    if not is_remote(text):
        return entry
    if scheme_of(text) in LISTABLE:
        try:
            return Entry(text, located(text))
        except UsageError as error:
            return Entry(shown(text), None, str(error).removeprefix(f"{shown(text)}: "))
    return Entry(shown(text), None)


def _entry(line: str, playlist: Path) -> Entry:
    if scheme_of(line) is not None:
        return with_address(Entry(line, None))
    if _ROOTED.match(line):
        return Entry(line, None, "a path on some computer; write it relative to the playlist, or as a URL")
    name = line.replace("\\", "/")
    if scheme_of(playlist) in WEB:
        name = name if "%" in name else urllib.parse.quote(name)
        return Entry(line, located(urllib.parse.urljoin(str(playlist), name)))
    folder = str(playlist.parent)
    scheme = folder[: folder.index("://") + 3]
    return Entry(line, located(scheme + posixpath.normpath(folder.removeprefix(scheme) + "/" + name)))
