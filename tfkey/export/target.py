"""Where an export may be written: it may only replace an older export."""

from __future__ import annotations

import os
from pathlib import Path

from tfkey.errors import UsageError
from tfkey.files import is_partial_of
from tfkey.inference.bundle import CARD, METADATA, NETWORK_FILES

SAVED_MODEL_FILE = "saved_model.pb"
"""The file that makes a folder a SavedModel."""


def check_target(folder: Path, kind: str) -> None:
    """Refuse a folder for an export if it contains anything but older exports of the format.

    The folder is replaced as a whole and must therefore not contain anybody else's files. Every entry must
    be one that an export writes or keeps: ``tfkey.json``, the network's file and a model card, or, for a
    SavedModel, numbered folders that contain a ``saved_model.pb`` each. Hidden files count as foreign, too,
    except those that a killed export left behind.

    Args:
        folder: the folder for the export; it need not exist. A link is followed.
        kind: one of :data:`tfkey.export.FORMATS`.

    Raises:
        UsageError: names the first foreign entry.
    """
    advice = "choose a new or empty folder, or one with nothing but an older export of this format"
    if not folder.is_dir():
        if folder.exists():
            raise UsageError(f"{folder}: is not a folder; {advice}", remedy="output")
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read ({error.strerror}); {advice}", remedy="output") from error
    foreign = [path for path in entries if not _is_own(path, kind)]
    if foreign:
        raise UsageError(
            f"{folder}: contains {foreign[0].name!r}, which is not part of a {kind} export; {advice}",
            remedy="output",
        )
    shown = [path for path in entries if not path.name.startswith(".")]
    if kind != "saved_model" and shown and folder / METADATA not in shown:
        raise UsageError(f"{folder}: is not an export (it has no {METADATA}); {advice}", remedy="output")


def real_target(folder: Path) -> Path:
    """Return the real path of a folder: the export replaces the target of a link, not the link."""
    return Path(os.path.realpath(folder))


def _is_own(path: Path, kind: str) -> bool:
    if kind == "saved_model":
        number = path.name
        if path.name.startswith("."):
            number = path.name.removeprefix(".").partition(".")[0]
            return number.isdecimal() and is_partial_of(path.name, number)
        return number.isdecimal() and (path / SAVED_MODEL_FILE).is_file()
    names = (METADATA, NETWORK_FILES[kind], CARD)
    is_known = path.name in names or any(is_partial_of(path.name, name) for name in names)
    return is_known and path.is_file() and not path.is_symlink()
