"""Playlists, and plain lists of paths, as various programs write them.

M3U and PLS files come in UTF-8, UTF-16 and the 8-bit encodings of old systems, with Windows paths, ``file:``
URLs and addresses of streams. Everything here works on bytes; :mod:`tfkey.audio.playlist_entries` finds the
file that an entry means.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from pathlib import Path

from tfkey.audio.playlist_entries import ADDRESS, Entry, entry_of
from tfkey.errors import DataError

PLAYLISTS = frozenset({".m3u", ".m3u8", ".pls"})
"""Suffixes (lower case) of playlists."""

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_AUDIO = re.compile(
    rb"ID3[\x02-\x04]\x00|fLaC[\x00\x80]|OggS\x00|RIFF....WAVE|RF64....WAVE|FORM....AIF[FC]|\x00\x00..ftyp|"
    rb"\xff[\xe2-\xfd]|\x1aE\xdf\xa3|0&\xb2u|MAC .[\x0c-\x10]|wvPk...\x00|\.snd\x00|caff\x00",
    re.DOTALL,
)
_PLS_ENTRY = re.compile(rb"\s*file(\d+)\s*=\s*(.*)", re.IGNORECASE | re.DOTALL)
_MAX_LINKS = 40


def read_playlist(path: Path) -> list[Entry]:
    """Read the entries of a playlist in M3U or PLS, in order.

    Text is UTF-8, UTF-16 or UTF-32 according to its byte order mark, UTF-16 also if that is evident,
    otherwise 8-bit. An entry stands for the first of these files that exists: its bytes as they are; its text
    in either normal form of UTF-8; its text as older encodings read or write it; with backslashes as slashes;
    without percent-escapes. Relative entries start from the folder of the playlist. If the playlist is a
    symbolic link, they start from the folder of its target, then from the folder of the link. A path from the
    root of a Windows drive is looked up below each folder above the playlist, since the drive may be mounted
    at any of them, and in the folders that both have in common.

    Raises:
        OSError: the playlist cannot be read.
        DataError: the playlist is not text.
    """
    return parse_playlist(path.read_bytes(), path)


def iter_playlist(path: Path) -> Iterator[Entry]:
    """Read the entries of a long M3U in an 8-bit encoding one after the other, as :func:`read_playlist` does.

    Raises:
        OSError: the playlist cannot be read.
    """
    folders = [os.fsencode(folder) for folder in _folders(path)]
    with path.open("rb") as stream:
        for number, text in enumerate(stream):
            marked = text.removeprefix(codecs.BOM_UTF8) if number == 0 else text
            # Old systems end lines in CR alone.
            for line in re.split(rb"[\r\n]+", marked):
                entry = line.rstrip(b"\0")
                if entry.strip(b" \t") and not entry.lstrip().startswith(b"#"):
                    yield entry_of(entry, folders)


def parse_playlist(content: bytes, path: Path) -> list[Entry]:
    """The entries of a playlist whose content has been read; see :func:`read_playlist`.

    Raises:
        DataError: the content is not text.
    """
    folders = [os.fsencode(folder) for folder in _folders(path)]
    return [entry_of(line, folders) for line in entry_lines(content, path)]


def entry_lines(content: bytes, path: Path) -> list[bytes]:
    """The lines of a playlist that are entries, in order, without the numbers of PLS.

    Args:
        content: the playlist.
        path: its name, for messages.

    Raises:
        DataError: the content is not text.
    """
    lines = [line.rstrip(b"\0") for line in re.split(rb"[\r\n]+", _as_text(content, path))]
    numbered = [found for line in lines if (found := _PLS_ENTRY.fullmatch(line))]
    if any(line.strip().lower() == b"[playlist]" for line in lines) and numbered:
        entries = [found[2] for found in sorted(numbered, key=_number)]
    else:
        entries = [line for line in lines if not line.lstrip().startswith(b"#")]
    return [line for line in entries if line.strip(b" \t")]


def looks_like_audio(head: bytes) -> bool:
    """Whether bytes begin like an audio file and not like a list of paths."""
    return not _marked(head) and _AUDIO.match(head) is not None and b"\0" in head


def split_list(content: bytes, *, null: bool = False) -> list[Path | str]:
    """Split a list of paths, one per line; URLs (``s3://bucket/a.flac``) are texts.

    Lines end in LF or CR LF. The list may be UTF-16 or UTF-32, and may begin with a byte order mark.

    Args:
        content: the list.
        null: whether paths end in NUL instead; only the byte order mark of UTF-8 is recognised then.

    Raises:
        DataError: the list holds NUL characters but is not UTF-16, or it is binary data.
    """
    if null:
        names = content.split(b"\0")
    else:
        text = _as_utf8(content)
        names = text.split(b"\n")
        if _CONTROL.search(text[:4096].decode("latin-1")) and not any(map(os.path.lexists, names)):
            raise DataError("is binary data, not a list of paths; give a path on each line")
    found: list[Path | str] = []
    for number, name in enumerate(names):
        readings = [name]
        if number == 0 and name.startswith(codecs.BOM_UTF8):
            readings.append(name.removeprefix(codecs.BOM_UTF8))
        if not null and name.endswith(b"\r"):
            readings.append(readings[-1].removesuffix(b"\r"))
        # The name as it is, if that file exists: these bytes may be part of a name.
        best = name
        if len(readings) > 1:
            best = next((reading for reading in readings if os.path.lexists(reading)), readings[-1])
        if ADDRESS.match(best) and best[:5].lower() != b"file:":
            found.append(os.fsdecode(best))
        elif best:
            found.append(Path(os.fsdecode(best)))
    return found


def _marked(content: bytes) -> str | None:
    return next((coding for mark, coding in _MARKS if content.startswith(mark)), None)


def _as_utf8(content: bytes) -> bytes:
    """Convert UTF-16 or UTF-32 to UTF-8; return other bytes as they are.

    Raises:
        DataError: the bytes hold NUL characters but are neither UTF-16 nor UTF-32.
    """
    coding = _marked(content)
    if coding is not None:
        text = content.decode(coding, "replace").removeprefix("\ufeff").rstrip("\0\ufffd")
        if not _CONTROL.search(text):
            return text.encode("utf-8", "replace")
    elif b"\0" not in content:
        return content
    readings = []
    for guess in ("utf-16-le", "utf-16-be"):
        text = content.decode(guess, "replace").rstrip("\0")
        if "\ufffd" not in text and "\n" in text and not _CONTROL.search(text):
            readings.append(text)
    if not readings:
        raise DataError("holds NUL characters, and is not UTF-16")
    # In the wrong byte order, line ends and full stops become letters of other scripts.
    return max(readings, key=lambda text: sum(letter.isascii() for letter in text)).encode("utf-8", "replace")


def _as_text(content: bytes, path: Path) -> bytes:
    if looks_like_audio(content[:4096]):
        raise DataError(f"{path}: is audio, not a playlist; give it its own suffix")
    # Some programs pad lines with NUL.
    padded = re.sub(rb"\0+(?=[\r\n]|\Z)", b"", content)
    try:
        text = padded if b"\0" not in padded and not _marked(content) else _as_utf8(content)
    except DataError as error:
        raise DataError(f"{path}: is binary data, not a playlist; save the playlist as text") from error
    return text.removeprefix(codecs.BOM_UTF8)


def _folders(path: Path) -> list[Path]:
    """The folders from which the entries of a playlist start."""
    real = path
    for _ in range(_MAX_LINKS):
        if not real.is_symlink():
            break
        real = real.parent / os.readlink(real)
    return list(dict.fromkeys([real.parent, path.parent]))


def _number(entry: re.Match[bytes]) -> tuple[int, bytes]:
    """The number of a PLS entry, for sorting. It may be longer than the 4300 digits that ``int`` takes."""
    digits = entry[1].lstrip(b"0")
    return len(digits), digits
