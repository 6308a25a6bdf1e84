"""The key in the tags of audio files: reading it, and writing it without damage to anything else.

=====================  ==========================================================================
files                  where the key is written
=====================  ==========================================================================
MP3, WAV, AIFF, TTA    the ID3v2 frame ``TKEY`` (ID3v2.4.0-frames, 4.2.3)
FLAC, Ogg, Opus        the Vorbis comment ``INITIALKEY``
MP4 (M4A, M4V)         the item ``----:com.apple.iTunes:initialkey``
WMA                    the attribute ``WM/InitialKey``
=====================  ==========================================================================

The format is recognised by content, whatever the suffix. The case of names does not matter; ``KEY``, and
``TXXX`` frames with these names, also count. A change is a list of patches (:mod:`tfkey.tags.patches`): what
other programs store under such a name (:mod:`tfkey.tags.fields`), and everything else in the file, keeps its
bytes.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tfkey.errors import TagError
from tfkey.tags import formats
from tfkey.tags.fields import OFF_KEY, is_key_name, other_texts, packed_keys
from tfkey.tags.fields import key_texts as plain_keys
from tfkey.tags.patches import Source, UntaggableError, apply
from tfkey.tags.replacing import check_writable, replacing

__all__ = [
    "OFF_KEY",
    "TAGGED_EXTENSIONS",
    "TagChange",
    "is_key_name",
    "key_texts",
    "stated_keys",
    "write_key",
]

TAGGED_EXTENSIONS = frozenset(
    [
        ".mp3",
        ".mp2",
        ".wav",
        ".wave",
        ".aiff",
        ".aif",
        ".aifc",
        ".tta",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".m4a",
        ".m4b",
        ".m4p",
        ".mp4",
        ".m4v",
        ".wma",
        ".wmv",
    ]
)
"""Suffixes (lower case) of the files whose tags are read."""


@dataclass(frozen=True)
class TagChange:
    """What happened to a file's key tag.

    Attributes:
        state: ``written``; ``kept``: the file already has a key tag, or there is no key and the format cannot
            state that; ``would write``: in a dry run.
        before: the key that the file stated before; None if it stated no key.
        text: the key that it states now, or would state.
    """

    state: Literal["written", "kept", "would write"]
    before: str | None
    text: str | None


def key_texts(path: Path) -> list[tuple[str, str]]:
    """Read the key tags of a file: names and texts; empty texts are left out.

    Raises:
        TagError: the file cannot be read, its format is not supported, or its tags are damaged.
    """
    with _opened(path, path) as source:
        return plain_keys(formats.plan(source, None).fields)


def stated_keys(path: Path) -> list[tuple[str, str]]:
    """Read what a file states as its key: its key tags, or without a key tag the key of Mixed In Key.

    Mixed In Key's own tag (``KEY``, JSON in base64) is not a key tag: other programs do not read it, and
    :func:`write_key` adds a key tag beside it. A key tag comes first, as the user may have corrected it. A
    ``KEY`` that is not a key comes last, only for an error to name it.

    Raises:
        TagError: as for :func:`key_texts`.
    """
    with _opened(path, path) as source:
        fields = formats.plan(source, None).fields
    return plain_keys(fields) or packed_keys(fields) or other_texts(fields)


def write_key(path: Path, text: str | None, *, overwrite: bool = False, dry_run: bool = False) -> TagChange:
    """Write the key into a file's tags.

    The change is made in a copy beside the file, which replaces the file when it is complete on disk:
    whatever happens, either the old file or the new one is there. Permissions stay, links are followed, hard
    links are separated. Other tags and the audio keep their bytes.

    Args:
        path: the file.
        text: the key; None for a recording without a key, which only ID3 can state (``o``).
        overwrite: replace an existing key, in all tags that state one.
        dry_run: do not write.

    Raises:
        TagError: the file is read-only, damaged, or changed by another program meanwhile; its format has no
            place for the key; or there is no space. The file is unchanged.
    """
    real = Path(os.path.realpath(path))
    with _opened(path, real) as source:
        stated = plain_keys(formats.plan(source, None).fields)
        before = stated[0][1] if stated else None
        if text is None and formats.has_off_key(source):
            text = OFF_KEY
        if text is None or (stated and (not overwrite or {old for _, old in stated} == {text})):
            return TagChange("kept", before, before)
        check_writable(path, real)
        patches = formats.plan(source, text).patches
    if dry_run:
        return TagChange("would write", before, text)
    with replacing(path, real) as copy:
        try:
            apply(real, copy, patches)
        except UntaggableError as problem:
            raise TagError(f"{path}: {problem}") from problem
        with _opened(path, copy) as source:
            if {new for _, new in plain_keys(formats.plan(source, None).fields)} != {text}:
                raise TagError(
                    f"{path}: states another key beside the new one; remove it in a tag editor first"
                )
    return TagChange("written", before, text)


@contextlib.contextmanager
def _opened(path: Path, place: Path) -> Iterator[Source]:
    """Open ``path``, which is really at ``place``; a problem with its tags becomes an error that names it."""
    try:
        if not stat.S_ISREG(os.stat(place).st_mode):
            raise UntaggableError("is not a file; give an audio file")
        with place.open("rb") as stream:
            yield Source(stream)
    except UntaggableError as problem:
        raise TagError(f"{path}: {problem}") from problem
    except OSError as error:
        raise TagError(
            f"{path}: cannot be read ({error.strerror}); check that it exists and is readable"
        ) from error
