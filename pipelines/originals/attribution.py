"""Who made the recordings of a dataset, and under which licence they may be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipelines.catalogue.parts import RecordingAudio
from pipelines.catalogue.votes import Work
from pipelines.originals.copyright_files import licence_of
from tfkey.files import write_csv

HEADER = ("origin", "version", "path", "title", "artist", "licence", "copyright", "url")


def write_attribution(
    path: Path, audio: RecordingAudio, works: Iterable[Work], versions: Mapping[str, str], packages: Path
) -> None:
    """Write one line per recording (:data:`HEADER`); licences such as CC BY require to name the author.

    Args:
        path: the CSV file.
        audio: the description of the audio, for addresses.
        works: the recordings.
        versions: the versions of fetched packages. If one is not that of the list, its licences are read
            again, from its own copyright file.
        packages: the folder of the fetched packages.
    """
    rows = []
    for work in works:
        version = versions.get(work.origin, work.version)
        licence, holders = work.licence, work.holders
        if version != work.version:
            licence, holders = _licence_now(packages / work.origin, work)
        url = _address(audio, work)
        rows.append((work.origin, version, work.path, work.title, work.artist, licence, holders, url))
    write_csv(path, HEADER, rows)


def _licence_now(package: Path, work: Work) -> tuple[str, str]:
    """Return the licence and the copyright holders as the unpacked package states them."""
    try:
        text = (package / copyright_path(work.origin)).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = licence_of(text, work.path)
    if found is None:
        return f"see {work.origin} copyright", ""
    return found.name, "; ".join(found.holders)


def copyright_path(package: str) -> str:
    """Return the path of the copyright file in a package."""
    return f"usr/share/doc/{package}/copyright"


def _address(audio: RecordingAudio, work: Work) -> str:
    if work.kind == "git":
        return audio.repository_url(work.origin).removesuffix(".git")
    return f"https://packages.debian.org/{work.origin}"
