"""Licences of single files, from the copyright files of Debian packages.

A package states them in ``usr/share/doc/<package>/copyright``. Most of these are machine-readable ("DEP-5",
https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/): paragraphs with patterns of files, their
copyright holders and their licence. The patterns are paths in the source package (``data/music/*``); the path
of an installed file (``usr/share/games/supertux2/music/forest.ogg``) is only similar.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

_FORMAT = re.compile(r"\AFormat(?:-Specification)?:\s*\S*(?:copyright-format|dep-?5)", re.IGNORECASE)
_WILD = re.compile(r"[*?]")
_ZIP_FOLDER = re.compile(r"\.pk3\.d\Z")
_FEWEST_LETTERS = 3


@dataclass(frozen=True)
class Licence:
    """Under what a file may be used: a short name such as ``CC-BY-SA-3.0``, and the copyright holders."""

    name: str
    holders: tuple[str, ...]


@dataclass(frozen=True)
class _Paragraph:
    patterns: tuple[str, ...]
    licence: Licence


def licence_of(copyright_text: str, path: str) -> Licence | None:
    """Return the licence of one file of a package.

    A paragraph applies if one of its patterns matches the end of the installed path (``data/music/*`` and
    ``…/data/music/a.ogg``); of several the last, as the format has it. Failing that, the one whose pattern
    has the longest end that matches (``music/*`` of ``data/music/*``); failing that, the one for ``*``.

    Args:
        copyright_text: the content of the package's copyright file.
        path: the path of the file in the package; a folder ``<name>.pk3.d`` is the archive ``<name>.pk3``.

    Returns:
        The licence; None if the file is not machine-readable or has no paragraph for this path.
    """
    if not _FORMAT.match(copyright_text):
        return None
    paragraphs = list(_paragraphs(copyright_text))
    parts = tuple(part for part in PurePosixPath(path).parts if not _ZIP_FOLDER.search(part))
    ends = ["/".join(parts[start:]) for start in range(len(parts))]
    whole = [item for item in paragraphs if any(_matches(pattern, ends) for pattern in item.patterns)]
    if whole:
        return whole[-1].licence
    scored = [(max(_likeness(pattern, ends) for pattern in item.patterns), item) for item in paragraphs]
    best = max((score for score, _ in scored), default=0)
    if best:
        return next(item.licence for score, item in reversed(scored) if score == best)
    return next((item.licence for item in reversed(paragraphs) if "*" in item.patterns), None)


def _matches(pattern: str, ends: list[str]) -> bool:
    """Whether a pattern matches the end of a path; ``*`` alone says nothing about the file."""
    return not _is_vague(pattern) and any(fnmatch.fnmatchcase(end, pattern) for end in ends)


def _likeness(pattern: str, ends: list[str]) -> int:
    """Return the number of components of a pattern, from its end, that match the end of the path."""
    parts = pattern.split("/")
    for start in range(1, len(parts)):
        if _matches("/".join(parts[start:]), ends):
            return len(parts) - start
    return 0


def _is_vague(pattern: str) -> bool:
    """Whether a pattern has too few letters to distinguish files, such as ``*`` or ``*.ogg``."""
    before_suffix = pattern if "/" in pattern else pattern.rpartition(".")[0] or pattern
    return len(_WILD.sub("", before_suffix).strip("/.")) < _FEWEST_LETTERS


def _paragraphs(text: str) -> Iterator[_Paragraph]:
    for block in re.split(r"\n(?:[ \t]*\n)+", text.replace("\r\n", "\n")):
        fields = _fields(block)
        if "files" in fields:
            patterns = tuple(item.removeprefix("./") for item in " ".join(fields["files"]).split())
            holders = tuple(line for line in fields.get("copyright", []) if line and line != ".")
            name = " ".join((fields.get("license") or [""])[0].split())
            if patterns and name:
                yield _Paragraph(patterns, Licence(name, holders))


def _fields(block: str) -> dict[str, list[str]]:
    """Return the fields of a paragraph by their names in lower case: their lines, stripped."""
    fields: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in block.splitlines():
        if line.startswith("#"):
            continue
        if match := re.match(r"([A-Za-z][\w-]*):(.*)", line):
            lines = fields.setdefault(match[1].lower(), [])
            lines.append(match[2].strip())
        elif line[:1] in {" ", "\t"}:
            lines.append(line.strip())
    return fields
