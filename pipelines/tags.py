"""The key that an audio file states in its own tags."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.tracks import printable
from tfkey.audio import EXTENSIONS
from tfkey.errors import DataError, KeyParseError
from tfkey.keys import Key

TAGGED_EXTENSIONS = EXTENSIONS | {".m4a", ".mp4"}
"""Suffixes (lower case) of the files whose tags are read."""

SPELLING = "write it like 'Ab minor', 'F# major', 'Abm', '1A' or '6m'"
"""The mend for a key that is not understood."""


def read_key_tag(path: Path) -> Key:
    """Read the key that an audio file states in its tags.

    Looked at: in ID3 (MP3, WAV, AIFF) the frame ``TKEY`` and ``TXXX`` frames; in Vorbis comments (FLAC, Ogg)
    and in MP4 (``----:com.apple.iTunes``) ``INITIALKEY`` and ``KEY``, whatever their case.

    Raises:
        DataError: the tags are unreadable, there is none of these, or they state no key or two; the message
            is a reason for a list of what was left out.
    """
    import mutagen

    try:
        tags = getattr(mutagen.File(path), "tags", None)
        stated = list(_key_tags(tags)) if tags else []
    except Exception as error:
        # On damaged files mutagen raises more than its own errors (struct.error, KeyError ...).
        raise DataError(f"its tags cannot be read ({printable(str(error))}); write them again") from error
    keys: dict[Key, str] = {}
    for name, text in stated:
        if text.strip():
            try:
                keys.setdefault(Key.parse(text), name)
            except KeyParseError:
                raise DataError(f"its tag {name} {printable(text)!r} is no key; {SPELLING}") from None
    if not keys:
        raise DataError("no key in its tags (TKEY, INITIALKEY, KEY); tag it, or name it in a CSV file")
    if len(keys) > 1:
        stands = ", ".join(f"{name}: {key}" for key, name in keys.items())
        raise DataError(f"its tags state more than one key ({stands}); delete the wrong one")
    return next(iter(keys))


def _key_tags(tags: Any) -> Iterator[tuple[str, str]]:
    """Names and texts of the tags that may hold a key."""
    if hasattr(tags, "getall"):
        frames = [("TKEY", frame) for frame in tags.getall("TKEY")]
        frames += [(frame.desc, frame) for frame in tags.getall("TXXX") if _is_key_tag(frame.desc)]
        yield from ((name, str(text)) for name, frame in frames for text in frame.text)
        return
    for name, values in tags.items():
        plain = name.rpartition(":")[2]
        if _is_key_tag(plain):
            for value in values:
                yield plain, value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _is_key_tag(name: str) -> bool:
    return name.upper().replace(" ", "").replace("_", "") in {"TKEY", "INITIALKEY", "KEY"}
