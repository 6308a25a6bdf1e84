"""Targets: Debian packages, their copyright files, and lists of votes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.catalogue.votes import read_votes
from pipelines.originals.copyright_files import licence_of
from pipelines.originals.deb_archives import deb_members, deb_version
from pipelines.originals.unpacking import naming_damage
from tests.corpora import line, write_deb, write_list
from tfkey.errors import DataError


@contextlib.contextmanager
def _file(data: bytes, suffix: str) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(suffix)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        yield Path(name)
    finally:
        os.unlink(name)


def check_deb(data: bytes) -> None:
    """A version and files, or an error that names the package."""
    with _file(data, ".deb") as path:
        try:
            deb_version(path)
            with naming_damage(path):
                for member in deb_members(path):
                    assert len(member.content.read()) <= member.size
        except DataError as error:
            _names_file(error, path)


def check_votes(data: bytes) -> None:
    """Probabilities, or an error that names the list."""
    with _file(data, ".csv") as path:
        try:
            votes, _ = read_votes(path, ["one"])
        except DataError as error:
            _names_file(error, path)
            return
        for item in votes:
            assert abs(sum(item.votes["one"]) - 1) < 1e-9


def check_copyright(data: bytes) -> None:
    """A licence with a name, or none."""
    found = licence_of(data.decode("utf-8", "replace"), "usr/share/games/g/data/music/a.ogg")
    assert found is None or found.name


def _names_file(error: DataError, path: Path) -> None:
    assert str(path) in str(error)


def deb_seeds() -> list[bytes]:
    """Small packages in each compression."""
    files = {"usr/a.ogg": b"abc", "usr/link": b"->a.ogg"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a_1_all.deb")
        return [write_deb(path, files, compression=kind).read_bytes() for kind in ("xz", "gz", "")]


def votes_seeds() -> list[bytes]:
    """A short list."""
    with tempfile.TemporaryDirectory() as folder:
        return [write_list(Path(folder, "v.csv"), [line(), line(start="1.5", title='"A"\n')]).read_bytes()]


def copyright_seeds() -> list[bytes]:
    """Beginnings of copyright files."""
    start = b"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
    return [
        start
        + b"Files: *\nCopyright: A\nLicense: MIT\n\nFiles: data/[music]/*.ogg\n b?\nLicense: CC0\n text\n",
        b"This package was debianized by A.\n",
    ]
