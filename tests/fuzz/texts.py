"""Targets: playlists, lists of paths, tables of keys, and spellings of keys."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tfkey.audio.finding import identity
from tfkey.audio.playlists import parse_playlist, split_list
from tfkey.errors import DataError, KeyParseError
from tfkey.key_tables import parse_key, read_rows
from tfkey.keys import Key, Notation, parse_folder_name, states_mode
from tfkey.known_keys import find_known, read_known_keys

FOLDER = Path("/nowhere/music/lists")
NAMES = ("path", "file", "track")


class InMemory(type(Path())):  # type: ignore[misc]
    """The path of a file whose content is in memory."""

    content = b""

    def read_bytes(self) -> bytes:
        return self.content


def check_playlist(data: bytes) -> None:
    """Entries that can be asked for, or an error that names the playlist."""
    path = FOLDER / "list.m3u"
    try:
        entries = parse_playlist(data, path)
    except DataError as error:
        _names_file(error, path)
        return
    for entry in entries:
        assert entry.name
        if entry.path is not None:
            _ask_for(entry.path)


def _ask_for(path: Path) -> None:
    """As whoever lists files does."""
    try:
        path.is_dir()
    except OSError:  # a name that is too long
        return
    identity(path)


def check_list(data: bytes) -> None:
    """Paths that can be asked for."""
    for null in (False, True):
        with contextlib.suppress(DataError):
            for path in split_list(data, null=null):
                _ask_for(path)
                os.fsencode(path)


def check_table(data: bytes) -> None:
    """Rows with names and keys, or an error that names the table."""
    path = InMemory("keys.csv")
    path.content = data
    try:
        rows = read_rows(path, NAMES, ("key",))
    except DataError as error:
        _names_file(error, path)
        return
    for row in rows:
        assert row.line > 0
        with contextlib.suppress(DataError):
            parse_key(path, row.line, row.key_text)


def check_known(data: bytes) -> None:
    """Keys of files, or an error that names the table."""
    path = InMemory("keys.csv")
    path.content = data
    try:
        known = read_known_keys(path, NAMES)
        assert known.rows
        files = [Path("music/song.wav"), Path("music/other/song.wav"), Path("b.mp3")]
        found = find_known(known, files)
    except DataError as error:
        _names_file(error, path)
        return
    assert set(found.keys) <= set(files)


def _names_file(error: DataError, path: Path) -> None:
    assert str(error).startswith(str(path))


def check_key(data: bytes) -> None:
    """A key that is read again from all that is written of it, or the one error."""
    text = data.decode("utf-8", "surrogateescape")
    states_mode(text)
    try:
        key = Key.parse(text)
    except KeyParseError:
        key = None
    with contextlib.suppress(KeyParseError):
        assert parse_folder_name(text) == key
    if key is not None:
        assert Key.parse(f"  {text}\t\n") == key
        for notation in Notation:
            for sharps in (False, True):
                assert Key.parse(key.write(notation, sharps=sharps)) == key


def playlist_seeds() -> list[bytes]:
    """Playlists of several programs."""
    plain = "#EXTM3U\n#EXTINF:1,A\nsong é.mp3\nC:\\Music\\lists\\b.mp3\n"
    return [
        plain.encode(), plain.encode("cp1252"), plain.encode("utf-16"), plain.encode("utf-8-sig"),
        b"[playlist]\r\nFile1=a.mp3\r\nTitle1=A\r\nFile2=http://radio.example/x\r\nNumberOfEntries=2\r\n",
        b"file:///C:/Music/a%20b.mp3\nfile://localhost/tmp/a%C3%A9.mp3?x#y\n\\Music\\a.mp3\n",
        b"a.mp3\0\0\r\nb.mp3\0\n",
    ]  # fmt: skip


def list_seeds() -> list[bytes]:
    """Lists, one path a line or NUL behind each."""
    return [b"a.mp3\nb c.mp3\r\n", "é.mp3\n".encode("utf-16"), b"a\0b\0", b"\xef\xbb\xbfa.mp3\n\n\xff.mp3"]


def table_seeds() -> list[bytes]:
    """Tables of several programs."""
    return [
        b"path,key\nsong.wav,A minor\nother/song.wav,8B\n", b'sep=;\r\nfile;key\r\n"a;b";Am\r\n',
        b'file, key\n"b.mp3", "C"\n', "track\tkey\nmusic/song.wav\tAm\n".encode("utf-16"),
        b"file,tonic,mode\nb.mp3,A,minor\n\n,,\n", b"file,estimate,reference\nb,Am,C\n",
        b'"a\nb",file,key\n1,b,o\n',
    ]  # fmt: skip


def key_seeds() -> list[bytes]:
    """Keys in many spellings."""
    spellings = (
        "Am", "Ab minor", "F# major", "8A (Am)", "C#/Db minor", "A#m +50", "la mineur", "Fis-Dur",
        "a-moll", "H",
        "Sib minore", "6m", "Key: Am - Energy 7", "イ短調", "降B大调", "ля минор", "E♭ minor",
        "Do# mayor", "Am | 8A",
    )  # fmt: skip
    return [text.encode() for text in spellings]
