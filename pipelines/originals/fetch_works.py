"""Fetching the recordings of a list of votes, package by package and repository by repository."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.catalogue.parts import RecordingAudio
from pipelines.catalogue.votes import Work
from pipelines.download.half_files import Item
from pipelines.download.verified import Verified
from pipelines.originals.debian import StatedPackage, check_apt, debian_files, needs_apt
from pipelines.originals.reach import UnreachableError
from pipelines.originals.repositories import check_git, needs_git, repository_files
from pipelines.tracks import LeftOut
from pipelines.work import Progress
from tfkey.errors import DataError

PACKAGES = "packages"
REPOSITORIES = "repositories"

_MOST_UNREACHABLE = 3


@dataclass(frozen=True)
class FetchedWorks:
    """What came of fetching recordings.

    Attributes:
        paths: the files whose MD5 is right.
        left_out: the other recordings, with the reason.
        versions: the version of each package that was fetched.
        notes: a line about each package of another version than that of the list.
    """

    paths: dict[Work, Path] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def fetch_works(
    audio: RecordingAudio,
    works: Sequence[Work],
    folder: Path,
    verified: Verified,
    progress: Progress | None = None,
) -> FetchedWorks:
    """Fetch recordings from their packages and repositories.

    Args:
        audio: the description of the audio.
        works: the recordings.
        folder: the folder of the originals.
        verified: the record of verified files.
        progress: called with the number of finished packages and repositories, and the total.

    Returns:
        The recordings whose MD5 is right, and the others.

    Raises:
        DataError: something has to be fetched, and apt-get or git is not installed.
    """
    by_origin: dict[str, list[Work]] = defaultdict(list)
    for work in works:
        by_origin[work.origin].append(work)
    _check_programs(by_origin, folder)
    fetched = FetchedWorks()
    unreachable = {"debian": 0, "git": 0}
    for done, (origin, group) in enumerate(by_origin.items()):
        if progress:
            progress(done, len(by_origin))
        kind = group[0].kind
        try:
            if unreachable[kind] >= _MOST_UNREACHABLE:
                raise DataError(f"{origin}: not tried, as the network is down")
            if kind == "git":
                files, version = _of_repository(audio, group, folder), group[0].version
            else:
                files, version = _of_package(audio, group, folder)
                fetched.versions[origin] = version
            unreachable[kind] = 0
        except DataError as error:
            unreachable[kind] += isinstance(error, UnreachableError)
            fetched.left_out.extend(LeftOut(work.source, str(error)) for work in group)
        else:
            _sort(fetched, group, files, version, verified)
    if progress:
        progress(len(by_origin), len(by_origin))
    return fetched


def _sort(
    fetched: FetchedWorks, group: Sequence[Work], files: dict[str, Path], version: str, verified: Verified
) -> None:
    """Add the recordings of a package or repository to what was found or to what was left out."""
    listed = group[0].version
    other = f"package {group[0].origin} is version {version}, the votes are on version {listed}"
    if version != listed:
        fetched.notes.append(other)
    for work in group:
        path = files.get(work.path)
        if path is not None and verified.holds(Item(str(path), (), f"md5:{work.md5}"), path, _ignore):
            fetched.paths[work] = path
            continue
        reason = f"is not in {work.origin}" if path is None else "is another recording (its MD5 differs)"
        fetched.left_out.append(LeftOut(work.source, f"{reason}; {other}" if version != listed else reason))


def _ignore(count: int) -> None:
    """Progress of the verification, which is short."""


def _check_programs(by_origin: dict[str, list[Work]], folder: Path) -> None:
    """Check at once what would otherwise fail after an hour."""
    for origin, group in by_origin.items():
        paths = [work.path for work in group]
        if group[0].kind == "debian" and needs_apt(origin, paths, folder / PACKAGES):
            check_apt(f"recording {group[0].source}")
        elif group[0].kind == "git" and needs_git(origin, paths, folder / REPOSITORIES):
            check_git(f"recording {group[0].source}")


def _of_package(audio: RecordingAudio, group: list[Work], folder: Path) -> tuple[dict[str, Path], str]:
    """Return the files of a package and its version."""
    first = group[0]
    known = audio.packages.get(first.origin)
    stated = StatedPackage(first.version, known.sha256) if known else None
    got = debian_files(first.origin, [work.path for work in group], folder / PACKAGES, stated=stated)
    return got.files, got.version


def _of_repository(audio: RecordingAudio, group: list[Work], folder: Path) -> dict[str, Path]:
    first = group[0]
    url = audio.repository_url(first.origin)
    paths = [work.path for work in group]
    return repository_files(first.origin, first.version, paths, folder / REPOSITORIES, url)
