"""Files of Debian packages, without installing them and without being root (Debian, Ubuntu and relatives).

``apt-get download`` fetches a package in the version that the system would install, from the mirrors that the
system uses, and verifies it. Only the files that are needed are taken out of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.folder_lock import alone_in
from pipelines.originals.attribution import copyright_path
from pipelines.originals.deb_archives import deb_members, deb_version
from pipelines.originals.reach import failure
from pipelines.originals.scratch import scratch_folder
from pipelines.originals.unpacking import MAX_BYTES, naming_damage, safe_relative
from pipelines.text import printable
from tfkey.errors import DataError
from tfkey.files import atomic_path, sha256, write_text

_MARK = ".package.json"
_ZIP_FOLDER = ".pk3.d/"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class StatedPackage:
    """What is known about a package: its version, and the SHA-256 of its file in that version."""

    version: str
    sha256: str


@dataclass(frozen=True)
class PackageFiles:
    """The files taken out of a package: its version, and paths by the names in the package."""

    version: str
    files: dict[str, Path]


def debian_files(
    package: str, wanted: Collection[str], folder: Path, *, stated: StatedPackage | None = None
) -> PackageFiles:
    """Fetch a package and take files out of it, unless that has been done before.

    Args:
        package: its name.
        wanted: the files, as paths in the package such as ``usr/share/doc/mma/copyright``. A path that ends
            in ``/`` stands for everything below it, and a folder ``<name>.pk3.d`` for the ZIP archive
            ``<name>.pk3``.
        folder: the files are put to ``<folder>/<package>/<path>``.
        stated: the version and digest to expect. A package of this version must have this digest; the
            version itself may differ.

    Returns:
        The version and the files. Those that the package does not have are missing; so are links.

    Raises:
        DataError: apt-get is not installed, does not know the package, or cannot fetch it
                (:class:`pipelines.originals.reach.UnreachableError`); or the package is damaged.
    """
    target = folder / package
    wanted = sorted({*wanted, copyright_path(package)})
    before = _read_mark(target, wanted)
    if before is not None:
        return before
    with alone_in(folder):
        before = _read_mark(target, wanted)
        if before is not None:
            return before
        with scratch_folder(folder, package) as scratch:
            archive = _download(package, scratch)
            version = deb_version(archive)
            if stated is not None and version == stated.version and sha256(archive) != stated.sha256:
                raise DataError(
                    f"package {package}: version {version} has another SHA-256 than stated; fetch it again"
                )
            files = _take(archive, wanted, target)
        relative = {name: path.relative_to(target).as_posix() for name, path in files.items()}
        mark = {"package": package, "version": version, "wanted": wanted, "files": relative}
        write_text(target / _MARK, json.dumps(mark, indent=1, ensure_ascii=False) + "\n")
    return PackageFiles(version, files)


def needs_apt(package: str, wanted: Collection[str], folder: Path) -> bool:
    """Whether :func:`debian_files` would have to fetch the package."""
    return _read_mark(folder / package, wanted) is None


def check_apt(what: str) -> None:
    """Check that packages can be fetched.

    Raises:
        DataError: apt-get is not installed; ``what`` begins the message.
    """
    if shutil.which("apt-get") is None:
        raise DataError(
            f"{what}: is in Debian packages, and apt-get is not installed (it comes with Debian, Ubuntu and "
            "relatives); give a folder with the unpacked packages",
            remedy="source",
        )


def _read_mark(target: Path, wanted: Collection[str]) -> PackageFiles | None:
    """Return what an earlier call took out; None if it took out less, or files have been deleted."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        mark = json.loads((target / _MARK).read_text(encoding="utf-8"))
        files = {name: target / path for name, path in mark["files"].items()}
        if set(wanted) <= set(mark["wanted"]) and all(path.is_file() for path in files.values()):
            return PackageFiles(str(mark["version"]), files)
    return None


def _download(package: str, folder: Path) -> Path:
    """Fetch the package into a folder and return its path."""
    check_apt(f"package {package}")
    options = ["-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30"]
    try:
        done = subprocess.run(
            ["apt-get", "-q", *options, "download", package],
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise DataError(f"package {package}: apt-get cannot be run ({error.strerror})") from error
    found = sorted(folder.glob("*.deb"))
    if done.returncode == 0 and len(found) == 1:
        return found[0]
    lines = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
    reason = printable((lines or done.stderr.splitlines() or ["no package came"])[0].strip())
    remedy = "update the lists of packages, or leave it out"
    raise failure(f"package {package}", done.stderr, reason, remedy)


def _take(archive: Path, wanted: Collection[str], target: Path) -> dict[str, Path]:
    """Write the wanted files of a package, each whole or not at all."""
    zips: dict[str, dict[str, str]] = {}
    for name in wanted:
        if pair := zip_and_member(name):
            zips.setdefault(pair[0], {})[pair[1]] = name
    plain = {name for name in wanted if not name.endswith("/")}
    below = tuple(name for name in wanted if name.endswith("/"))
    files: dict[str, Path] = {}
    room = MAX_BYTES
    for member in deb_members(archive):
        if not (member.path in plain or member.path in zips or (below and member.path.startswith(below))):
            continue
        path = target / safe_relative(archive, member.path)
        room -= member.size
        if room < 0:
            raise DataError(f"{archive}: unpacks to more than {MAX_BYTES} bytes; leave it out")
        # Damage is recognised before atomic_path takes it for trouble with the disk.
        with atomic_path(path) as partial, partial.open("wb") as output, naming_damage(archive):
            shutil.copyfileobj(member.content, output, _BLOCK)
        if member.path in zips:
            members = zips[member.path]
            paths = {inner: target / name for inner, name in members.items()}
            taken = take_from_zip(path, paths)
            files.update({members[inner]: paths[inner] for inner in taken})
            path.unlink()
        else:
            files[member.path] = path
    return files


def zip_and_member(path: str) -> tuple[str, str] | None:
    """Split a path with a folder ``<name>.pk3.d`` into that of the ZIP archive and that of its member."""
    outer, sign, inner = path.partition(_ZIP_FOLDER)
    return (f"{outer}.pk3", inner) if sign and inner else None


def take_from_zip(archive: Path, members: Mapping[str, Path]) -> set[str]:
    """Write members of a ZIP archive to the given paths.

    Returns:
        The members that the archive has.

    Raises:
        DataError: the archive is damaged.
    """
    taken = set()
    with naming_damage(archive), zipfile.ZipFile(archive) as container:
        names = set(container.namelist())
        for name, path in members.items():
            if name in names:
                with (
                    container.open(name) as stream,
                    atomic_path(path) as partial,
                    partial.open("wb") as output,
                ):
                    shutil.copyfileobj(stream, output, _BLOCK)
                taken.add(name)
    return taken
