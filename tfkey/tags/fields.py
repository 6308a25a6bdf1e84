"""Which tags state the key, and which only seem to: the rules that all formats share.

A tag is *the key tag* if its name is ``TKEY``, ``INITIALKEY`` (in any case; also ``Initial Key`` and
``WM/InitialKey``), or ``KEY``. Two kinds of content belong to other programs and are never changed:

* packed content, which Mixed In Key writes to ``KEY``: JSON, plain or in base64, whatever the tag's name;
* anything else in ``KEY`` that is not a key (a licence, a number), as no standard defines that name.

The key of Mixed In Key is read if a file has no key tag (:func:`packed_keys`), and never written.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from tfkey.errors import KeyParseError
from tfkey.keys import Key

OFF_KEY = "o"
"""The key tag of a recording without a key, in ID3."""


class Field(NamedTuple):
    """A tag.

    Attributes:
        raw: its bytes, as they are in the file.
        name: its name if a key tag may have it, otherwise None.
        texts: its values if it has such a name.
    """

    raw: bytes
    name: str | None = None
    texts: tuple[str, ...] = ()


def is_key_name(name: str) -> bool:
    """Whether a tag of this name may state the key."""
    return _plain(name) in {"TKEY", "INITIALKEY", "KEY"}


def is_key_tag(field: Field) -> bool:
    """Whether a tag is the key tag according to its name, unless its content belongs to another program."""
    if field.name is None or any(unpacked(text) is not None for text in field.texts):
        return False
    return _plain(field.name) != "KEY" or any(_is_key(text) for text in field.texts)


def key_texts(fields: Iterable[Field]) -> list[tuple[str, str]]:
    """Names and texts of the key tags; empty texts are left out."""
    found = [
        (field.name or "", text.strip()) for field in fields if is_key_tag(field) for text in field.texts
    ]
    return [(name, text) for name, text in found if text]


def packed_keys(fields: Iterable[Field]) -> list[tuple[str, str]]:
    """Names of the tags in which other programs store a packed key, and those keys."""
    found = [(field.name, unpacked(text)) for field in fields if field.name for text in field.texts]
    keys = [(name, str(content.get("key", "")).strip()) for name, content in found if content is not None]
    return [(name, key) for name, key in keys if key]


def other_texts(fields: Iterable[Field]) -> list[tuple[str, str]]:
    """Names and texts of tags that have the name of a key tag; packed content is left out."""
    found = [(field.name, text.strip()) for field in fields if field.name for text in field.texts]
    return [(name, text) for name, text in found if text and unpacked(text) is None]


def edited(
    fields: Iterable[Field],
    own: str,
    text: str,
    make: Callable[[str, Field | None], bytes],
    *,
    add: bool = True,
    in_front: bool = False,
) -> list[bytes]:
    """The bytes of a list of tags, with another key.

    Each key tag is replaced in its place, further key tags of the same name are dropped, and all others stay.

    Args:
        fields: the tags.
        own: the name of the format's own key tag.
        text: the key.
        make: returns the bytes of a key tag, given its name and the tag that it replaces (None if it is new).
        add: add the format's own key tag if it is missing.
        in_front: add it before all other tags, not after them.
    """
    changed: list[bytes] = []
    seen: set[str] = set()
    before: int | None = 0 if in_front else None
    for field in fields:
        if not is_key_tag(field):
            # Programs that read only one tag of a name read the first.
            if field.name and field.name.upper() == own.upper() and before is None:
                before = len(changed)
            changed.append(field.raw)
        elif field.name is not None and field.name.upper() not in seen:
            seen.add(field.name.upper())
            changed.append(make(field.name, field))
    if add and own.upper() not in seen:
        changed.insert(len(changed) if before is None else before, make(own, None))
    return changed


def _plain(name: str) -> str:
    # Some formats prefix the name of a program: "WM/InitialKey", "com.apple.iTunes:initialkey".
    return re.split("[:/]", name)[-1].upper().replace(" ", "").replace("_", "")


def _is_key(text: str) -> bool:
    try:
        Key.parse(text)
    except KeyParseError:
        return text.strip() == OFF_KEY
    return True


def unpacked(text: str) -> dict[str, object] | None:
    """The JSON object in a text, plain or in base64; None if the text is something else."""
    text = text.strip(" \t\r\n\0")
    if not text.startswith("{"):
        try:
            # The padding may be lost.
            text = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
