"""Which file an entry of a playlist is: its name, as various programs write it, looked up on the disk.

File names are bytes and need not be in the encoding of the list. Everything here works on bytes, and an entry
takes the first reading for which a file exists.
"""

from __future__ import annotations

import os
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Encodings of names and lists before UTF-8; the first that decodes is shown if no file is found.
_LEGACY = (
    "cp1252", "latin-1", "iso8859-15", "cp1250", "cp1251", "koi8-r", "cp850", "mac-roman",
    "cp932", "euc-jp", "gbk", "big5", "cp949",
)  # fmt: skip
ADDRESS = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]+://")
"""How an address (``s3://``, ``http://``) begins."""

_WINDOWS_ROOT = re.compile(rb"[A-Za-z]:[/\\]|\\(?!\\)")
_ROOTED = re.compile(rb"(?:([A-Za-z]):)?/+([^\\]+)", re.DOTALL)
# No system opens a longer path. Each part of a path may be looked up below each folder.
_LONGEST_PATH = 4096


@dataclass(frozen=True)
class Entry:
    """An entry of a playlist.

    Attributes:
        name: the entry as it is in the list, for messages.
        path: the file, whether or not it exists; None for an address, such as that of a radio station.
        reason: why there is no path, if not because it is such an address.
    """

    name: str
    path: Path | None
    reason: str | None = None


def entry_of(line: bytes, folders: list[bytes]) -> Entry:
    """Find the file of an entry.

    Args:
        line: the entry, as it is in the playlist.
        folders: where relative names start; the first that has the file counts.
    """
    stripped = line.strip(b" \t")
    shown = text_of(stripped)
    if stripped[:5].lower() == b"file:":
        names = _of_url(stripped[5:])
    elif ADDRESS.match(stripped):
        return Entry(shown, None)
    else:
        names = list(dict.fromkeys([line, stripped]))
        if b"%" in stripped:
            names.append(urllib.parse.unquote_to_bytes(stripped))
    names = [name for name in names if b"\0" not in name]
    if not names:
        return Entry(shown, None)
    for name in names if len(line) <= _LONGEST_PATH else ():
        is_rooted = _WINDOWS_ROOT.match(name) is not None
        for spelling in _spellings(name):
            for place in _places(spelling, folders, is_rooted):
                if os.path.exists(place):
                    return Entry(shown, Path(os.fsdecode(place)))
    missing = text_of(names[0].strip(b" \t")).encode("utf-8", "surrogateescape")
    if not _WINDOWS_ROOT.match(missing):
        missing = os.path.join(folders[0], missing)
    return Entry(shown, Path(os.fsdecode(missing)))


def _of_url(rest: bytes) -> list[bytes]:
    """The paths that a ``file:`` URL may mean, given what follows its scheme."""
    if rest.startswith(b"//"):
        host, slash, path = rest[2:].partition(b"/")
        if _WINDOWS_ROOT.match(rest[2:]):
            rest = rest[2:]
        elif host.lower() in (b"", b"localhost", b"127.0.0.1"):
            rest = slash + path
    drive = re.match(rb"/+([A-Za-z])[:|](?=[/\\])", rest)
    if drive:
        rest = drive[1] + b":" + rest[drive.end() :]
    # Programs forget to escape ? and #, which end the path in a URL.
    found = [urllib.parse.unquote_to_bytes(rest), rest]
    found.append(urllib.parse.unquote_to_bytes(re.split(rb"[?#]", rest)[0]))
    return [path for path in dict.fromkeys(found) if path]


def text_of(name: bytes) -> str:
    """A name for people: UTF-8, or the first legacy encoding that fits."""
    for coding in ("utf-8", *_LEGACY):
        try:
            return name.decode(coding)
        except UnicodeDecodeError:
            continue
    return name.decode("utf-8", "surrogateescape")


def _spellings(name: bytes) -> list[bytes]:
    """The possible names of a file, as bytes, if a list holds this name; the likeliest first."""
    found = [name]
    if not name.isascii():
        try:
            text = name.decode()
        except UnicodeDecodeError:
            texts = [old for coding in _LEGACY if (old := _decoded(name, coding)) is not None]
        else:
            texts = [text]
        for text in texts:
            found += [unicodedata.normalize(form, text).encode("utf-8") for form in ("NFC", "NFD")]
        for text in texts[:1]:
            composed = unicodedata.normalize("NFC", text)
            found += [code for coding in _LEGACY if (code := _encoded(composed, coding)) is not None]
    return list(dict.fromkeys(found + [spelling.replace(b"\\", b"/") for spelling in found]))


def _decoded(name: bytes, coding: str) -> str | None:
    try:
        return name.decode(coding)
    except UnicodeDecodeError:
        return None


def _encoded(text: str, coding: str) -> bytes | None:
    try:
        return text.encode(coding)
    except UnicodeEncodeError:
        return None


def _places(name: bytes, folders: list[bytes], is_rooted: bool) -> Iterator[bytes]:
    """Where a file of this name may be; ``is_rooted``: the name starts at the root of a Windows drive."""
    for folder in folders:
        yield os.path.join(folder, name)
    rooted = _ROOTED.fullmatch(name) if is_rooted else None
    if rooted is None:
        return
    drive, rest = rooted[1], rooted[2]
    if drive is not None:
        # Where WSL mounts it.
        yield b"/mnt/" + drive.lower() + b"/" + rest
    parts = rest.split(b"/")
    above = os.path.abspath(folders[0])
    while True:
        yield os.path.join(above, rest)
        own = os.path.basename(above).lower()
        for number, part in enumerate(parts[:-1], 1):
            if own and part.lower() == own:
                yield os.path.join(above, *parts[number:])
        parent = os.path.dirname(above)
        if parent == above:
            return
        above = parent
