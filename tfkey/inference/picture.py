"""Pictures of songs as files: their formats, their names, and writing them."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import os
import unicodedata
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfkey.errors import MissingExtraError, UsageError
from tfkey.files import atomic_path
from tfkey.keys import Notation

if TYPE_CHECKING:
    from tfkey.inference.estimate import Estimate
    from tfkey.inference.portrait import Portrait

SUFFIXES = (".png", ".svg", ".pdf")
"""The formats, by suffix."""

_DPI = 100
# In columns of a terminal, where Chinese letters take two.
_LONGEST_SHOWN = 84
_LONGEST_NAME = 255


def check_drawing() -> None:
    """Refuse to draw without matplotlib.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("drawing", "matplotlib", "tfkey[picture]")


def check_suffix(path: Path) -> None:
    """Refuse a file name that names no format of pictures.

    Raises:
        UsageError: names the formats.
    """
    if path.suffix.lower() not in SUFFIXES:
        given = path.suffix or "no suffix"
        raise UsageError(f"{path}: {given} is not a format of pictures; give {', '.join(SUFFIXES)}")


def write_picture(
    path: Path, estimate: Estimate, portrait: Portrait, name: str, notation: Notation = Notation.LONG
) -> None:
    """Draw a song into a file, atomically; the same song gives the same bytes.

    Args:
        path: the file, with one of :data:`SUFFIXES`.
        estimate: the song's key, with segments for key over time.
        portrait: the song's portrait.
        name: the song's name, with any characters; a long one is shortened in the middle.
        notation: how keys are written.

    Raises:
        UsageError: the suffix is another.
        MissingExtraError: matplotlib is not installed.
        TfkeyError: the file cannot be written.
    """
    check_suffix(path)
    check_drawing()
    # It logs that it builds its cache, and where.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib

    from tfkey.inference.drawing import fonts, song_figure

    kind = path.suffix.lower()[1:]
    if estimate.warning is not None:
        estimate = dataclasses.replace(estimate, warning=shown_name(estimate.warning))
    key = "no key" if estimate.key is None else estimate.key.write(notation)
    # A style of the user's could make the text as pale as the paper.
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"font.family": fonts(), "svg.hashsalt": "tfkey", "pdf.fonttype": 42})
        # Letters that no font has are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure = song_figure(estimate, portrait, shown_name(name), notation)
        with atomic_path(path) as partial:
            figure.savefig(partial, format=kind, dpi=_DPI, metadata=_metadata(kind, key))


def shown_name(name: str) -> str:
    """A name as one line of printable text that is not too long for a picture."""
    text = os.fsencode(name).decode("utf-8", "replace") if os.name == "posix" else name
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if _width(text) <= _LONGEST_SHOWN:
        return text
    head, tail = text, text
    while _width(head) > _LONGEST_SHOWN // 2:
        head = head[:-1]
    while _width(tail) > _LONGEST_SHOWN // 2 - 1:
        tail = tail[1:]
    return f"{head}\N{HORIZONTAL ELLIPSIS}{tail}"


def picture_names(files: Sequence[Path], suffix: str = ".png") -> list[str]:
    """Return names for the pictures of files in one folder: no two alike, on any file system.

    A picture is called like its file, with another suffix. If several files have that name, theirs keep
    their suffix (``a.mp3.png``), and further ones get a number (``a.mp3 2.png``), in the order of the files.
    """
    plain = [_named(file.stem, "", suffix) for file in files]
    counts = Counter(map(_folded, plain))
    taken = {name for name, count in counts.items() if count == 1}
    numbers: Counter[str] = Counter()
    names = []
    for file, name in zip(files, plain, strict=True):
        is_free = counts[_folded(name)] == 1
        while not is_free:
            numbers[file.name] += 1
            number = numbers[file.name]
            name = _named(file.name, f" {number}" if number > 1 else "", suffix)
            is_free = _folded(name) not in taken
        taken.add(_folded(name))
        names.append(name)
    return names


def _named(stem: str, number: str, suffix: str) -> str:
    """A name of at most 255 bytes."""
    room = _LONGEST_NAME - len(os.fsencode(number + suffix))
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return f"{stem}{number}{suffix}"


def _folded(name: str) -> str:
    """What is the same for names that some file system takes for one."""
    return unicodedata.normalize("NFC", name).casefold()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _metadata(kind: str, title: str) -> dict[str, str | None]:
    """The title, for readers that show it or read it out; no date and no versions."""
    if kind == "png":
        return {"Title": title, "Software": None}
    if kind == "svg":
        return {"Title": title, "Date": None, "Creator": "tfkey"}
    return {"Title": title, "CreationDate": None, "Creator": "tfkey", "Producer": None}
