"""The key in the tags of audio files: reading it, and writing it without harm to anything else.

=====================  ==========================================================================
files                  where the key stands
=====================  ==========================================================================
MP3, WAV, AIFF, TTA    the ID3v2 frame ``TKEY`` (ID3v2.4.0-frames, 4.2.3)
FLAC, Ogg, Opus        the Vorbis comment ``INITIALKEY``
MP4 (M4A, M4V)         the atom ``----:com.apple.iTunes:initialkey``
WMA                    the attribute ``WM/InitialKey``
=====================  ==========================================================================

When read, ``KEY`` counts, too, and ``TXXX`` frames of these names, whatever their case.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tfkey.errors import TagError
from tfkey.tags.id3 import VERSION_OF_NEW_TAGS, splice_key
from tfkey.tags.replacing import check_writable, replacing

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

OFF_KEY = "o"
"""What ID3 writes for a recording without a key."""

_VORBIS, _MP4, _ASF = "INITIALKEY", "----:com.apple.iTunes:initialkey", "WM/InitialKey"


@dataclass(frozen=True)
class TagChange:
    """What became of a file's key tag.

    Attributes:
        state: ``written``; ``kept``: the file has one already, or, without a key, nowhere to say so; ``would
            write``: on a dry run.
        before: what the file stated; None if nothing.
        text: what it states now, or would.
    """

    state: Literal["written", "kept", "would write"]
    before: str | None
    text: str | None


def key_texts(path: Path) -> list[tuple[str, str]]:
    """Read what a file's tags state as its key: names and texts, empty ones left out.

    Raises:
        TagError: the tags are damaged.
    """
    return _key_texts(_open(path))


def write_key(path: Path, text: str | None, *, overwrite: bool = False, dry_run: bool = False) -> TagChange:
    """Write the key into a file's tags.

    It is done on a copy beside the file, which takes its place when it is whole on disk: whatever happens,
    there is the old file or the new. Permissions stay, links are followed, hard links are parted. In other
    tags and in the sound no byte changes, but in rare ID3 tags (of version 2.2, which becomes 2.3;
    unsynchronised; with an extended header) and in WAV, AIFF and MP4 frames may be written anew, with the
    same content.

    Args:
        path: the file.
        text: the key; None for a recording without one, which only ID3 can say (``o``).
        overwrite: replace a key that is there, in all the tags that state one.
        dry_run: write nothing.

    Raises:
        TagError: the file is read-only, of a kind that has no tag for the key, or changed meanwhile; its
            tags are damaged or could not all be kept; there is no room. It is left as it was.
    """
    real = Path(os.path.realpath(path))
    file = _open(path, real)
    if not _kind(file):
        raise TagError(f"{path}: has no place for a key tag; convert it to FLAC, MP3 or M4A")
    stated = _key_texts(file)
    before = stated[0][1] if stated else None
    if text is None and _kind(file) == "id3":
        text = OFF_KEY
    if text is None or (stated and (not overwrite or {old for _, old in stated} == {text})):
        return TagChange("kept", before, before)
    check_writable(path, real)
    if dry_run:
        return TagChange("would write", before, text)
    kept = _other_tags(file)
    with replacing(path, real) as copy:
        _set_key(file, real, copy, text)
        changed = _open(path, copy)
        if _other_tags(changed) != kept or {new for _, new in _key_texts(changed)} != {text}:
            raise TagError(
                f"{path}: not all of its other tags could be kept as they are; save it in a tag editor first"
            )
    return TagChange("written", before, text)


def is_key_name(name: str) -> bool:
    """Whether a tag of this name states the key."""
    return name.upper().replace(" ", "").replace("_", "") in {"TKEY", "INITIALKEY", "KEY"}


def _open(path: Path, place: Path | None = None) -> Any:
    """Open the tags of ``path``, which lies at ``place``, as they are: mutagen would make ID3v2.4 of them."""
    import mutagen

    try:
        file = mutagen.File(place or path)
        if getattr(getattr(file, "tags", None), "version", (0,)) >= (2, 3):
            return type(file)(place or path, translate=False)
        return file
    except Exception as error:
        # On damaged files mutagen raises more than its own errors (struct.error, KeyError ...).
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TagError(f"{path}: its tags cannot be read ({reason}); write them again") from error


def _kind(file: Any) -> str:
    """How a file's tags are written; nothing if they cannot be."""
    from mutagen.aiff import AIFF
    from mutagen.asf import ASF
    from mutagen.flac import FLAC
    from mutagen.id3 import ID3FileType
    from mutagen.mp4 import MP4
    from mutagen.ogg import OggFileType
    from mutagen.wave import WAVE

    kinds: tuple[tuple[Any, str], ...] = (
        ((ID3FileType, AIFF, WAVE), "id3"), ((FLAC, OggFileType), "vorbis"), (MP4, "mp4"), (ASF, "asf"),
    )  # fmt: skip
    return next((kind for classes, kind in kinds if isinstance(file, classes)), "")


def _key_texts(file: Any) -> list[tuple[str, str]]:
    tags = getattr(file, "tags", None)
    if not tags:
        return []
    if hasattr(tags, "getall"):
        frames = [("TKEY", frame) for frame in tags.getall("TKEY")]
        frames += [(frame.desc, frame) for frame in tags.getall("TXXX") if is_key_name(frame.desc)]
        found = [(name, str(text)) for name, frame in frames for text in frame.text]
    else:
        pairs = (
            tags
            if isinstance(tags, list)
            else [(name, one) for name, values in tags.items() for one in _as_list(values)]
        )
        found = [
            (_plain(name), value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))
            for name, value in pairs
            if is_key_name(_plain(name))
        ]
    return [(name, text.strip()) for name, text in found if text.strip()]


def _as_list(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _plain(name: str) -> str:
    return name.rpartition(":")[2].rpartition("/")[2]


def _other_tags(file: Any) -> Any:
    """All tags but the key's, to be compared; None if there are none."""
    tags = getattr(file, "tags", None)
    if tags is None:
        return None
    if hasattr(tags, "getall"):
        others = {name: frame for name, frame in tags.items() if not _is_key_frame(frame)}
        return (others, tags.unknown_frames) if others or tags.unknown_frames else None
    if isinstance(tags, list):
        return [(name, value) for name, value in tags if not is_key_name(_plain(name))] or None
    return {name: values for name, values in tags.items() if not is_key_name(_plain(name))} or None


def _is_key_frame(frame: Any) -> bool:
    return frame.FrameID == "TKEY" or (frame.FrameID == "TXXX" and is_key_name(frame.desc))


def _set_key(file: Any, source: Path, copy: Path, text: str) -> None:
    """Set the key in a copy of a file.

    Args:
        file: the original, open.
        source: its place.
        copy: that of the copy.
        text: the key.
    """
    from mutagen.id3 import ID3FileType

    kind = _kind(file)
    if kind != "id3":
        _set_fields(file, kind, source, copy, text)
    elif not isinstance(file, ID3FileType) or not splice_key(source, copy, text, is_key_name):
        _set_frames(file, copy, text)


def _set_fields(file: Any, kind: str, source: Path, copy: Path, text: str) -> None:
    from mutagen.mp4 import AtomDataType, MP4FreeForm

    if file.tags is None:
        file.add_tags()
    # What is no UTF-8 mutagen reads so; written, it would be lost.
    if kind == "vorbis" and any("\ufffd" in value for _, value in file.tags):
        raise TagError(f"{source}: has comments that are no UTF-8; save it in a tag editor first")
    own = {"vorbis": _VORBIS, "mp4": _MP4, "asf": _ASF}[kind]
    names = {name for name, _ in file.tags.items() if is_key_name(_plain(name))}
    names = {own} | {name for name in names if name.upper() != own.upper()}
    value: Any = MP4FreeForm(text.encode(), AtomDataType.UTF8) if kind == "mp4" else text
    for name in sorted(names):
        file.tags[name] = [value]
    file.save(copy)


def _set_frames(file: Any, copy: Path, text: str) -> None:
    from mutagen.id3 import TKEY, ID3FileType

    is_new = file.tags is None
    if is_new:
        file.add_tags()
    tags = file.tags
    version = VERSION_OF_NEW_TAGS if is_new else max(tags.version[1], 3)
    if tags.version[1] < 3:
        tags.update_to_v23()
    tags.setall("TKEY", [TKEY(encoding=0, text=[text])])
    for frame in tags.getall("TXXX"):
        if _is_key_frame(frame):
            frame.text = [text]
    end = _id3v1(copy)
    tags.save(copy, v2_version=version)
    # Which mutagen fills from the frames.
    if end and isinstance(file, ID3FileType):
        with copy.open("r+b") as stream:
            stream.seek(-128, os.SEEK_END)
            stream.write(end)


def _id3v1(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(-min(128, path.stat().st_size), os.SEEK_END)
        end = stream.read()
    return end if end[:3] == b"TAG" and len(end) == 128 else b""
