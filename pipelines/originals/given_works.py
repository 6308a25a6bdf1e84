"""Recordings of a list of votes in a folder of the user's, in place of the network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.catalogue.votes import VotedSegment, Work
from pipelines.download.half_files import Item
from pipelines.download.verified import Verified
from pipelines.originals.debian import take_from_zip, zip_and_member
from pipelines.tracks import LeftOut
from tfkey.errors import DataError

_CUT = re.compile(r"([0-9a-f]{12})-([0-9]+)\.ogg")


@dataclass(frozen=True)
class CutSegments:
    """Files that hold one segment each, named ``<first 12 digits of the MD5>-<whole start second>.ogg``.

    The recording that they were cut from cannot be verified.
    """

    files: dict[tuple[str, int], Path]

    @classmethod
    def below(cls, source: Path | None) -> CutSegments:
        """Find them in a folder and in its folders."""
        found: dict[tuple[str, int], Path] = {}
        for folder in _folders(source) if source is not None else ():
            for path in sorted(folder.glob("*.ogg")):
                if match := _CUT.fullmatch(path.name):
                    found.setdefault((match[1], int(match[2])), path)
        return cls(found)

    def find(self, segment: VotedSegment) -> Path | None:
        """Return the file of a segment."""
        return self.files.get((segment.work.md5[:12], int(segment.start)))

    def uncovered(self, listed: Iterable[VotedSegment]) -> list[Work]:
        """Return the recordings of which at least one segment is not here."""
        return list(dict.fromkeys(item.work for item in listed if self.find(item) is None))


def find_works(
    source: Path, works: Sequence[Work], folder: Path, verified: Verified
) -> tuple[dict[Work, Path], list[LeftOut]]:
    """Find recordings in a folder.

    A recording may be at ``<origin>/<path>`` or ``<path>``, in the folder or one of its folders: unpacked
    packages, cloned repositories, the root of a system where the packages are installed, or a folder with
    links to several of these.

    Args:
        source: the folder.
        works: the recordings.
        folder: where to put what has to be taken out of an archive (``<path>`` with ``.pk3.d``).
        verified: the record of verified files.

    Returns:
        The recordings whose MD5 is right, and the others.

    Raises:
        DataError: the source is not a folder.
    """
    if not source.is_dir():
        raise DataError(f"{source}: no such folder; give one with the recordings")
    roots = _folders(source)
    found: dict[Work, Path] = {}
    left_out: list[LeftOut] = []
    for work in works:
        reason = "is not in the source"
        for path in _candidates(roots, work, folder):
            if verified.holds(Item(str(path), (), f"md5:{work.md5}"), path, _ignore):
                found[work] = path
                break
            reason = "the file in the source has changed (another MD5)"
        else:
            left_out.append(LeftOut(work.source, reason))
    return found, left_out


def _folders(source: Path) -> list[Path]:
    """Return a folder and those in it that can be searched."""
    try:
        inner = sorted(item for item in source.iterdir() if item.is_dir() and not item.name.startswith("."))
    except OSError:
        return [source]
    return [source, *inner]


def _candidates(roots: Sequence[Path], work: Work, folder: Path) -> Iterator[Path]:
    archive = zip_and_member(work.path)
    for root in roots:
        for base in (root / work.origin, root):
            path = base / work.path
            if path.is_file():
                yield path
            elif archive is not None and (base / archive[0]).is_file():
                taken = folder / "packages" / work.origin / work.path
                if taken.is_file() or take_from_zip(base / archive[0], {archive[1]: taken}):
                    yield taken


def _ignore(count: int) -> None:
    """Progress of the verification, which is short."""
