"""Which tags state the key, and which merely look like it: the rules that all formats share.

A tag is *the key tag* by its name: ``TKEY``, ``INITIALKEY`` (in any case; also ``Initial Key`` and
``WM/InitialKey``), or ``KEY``. Two kinds of content belong to other programs, and are never touched:

* packed content, as Mixed In Key keeps it in ``KEY``: JSON, plain or in base64, whatever the tag's name;
* anything else in ``KEY`` that is no key (a licence, a number), as no standard defines that name.

Mixed In Key's own key is read where a file has no key tag (:func:`packed_keys`), and never written.
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
"""What ID3 writes for a recording without a key."""


class Field(NamedTuple):
    """A tag.

    Attributes:
        raw: its bytes, as they are in the file.
        name: its name, if that is one of a key tag; else None.
        texts: its values, if it has that name.
    """

    raw: bytes
    name: str | None = None
    texts: tuple[str, ...] = ()


def is_key_name(name: str) -> bool:
    """Whether a tag of this name may state the key."""
    return _plain(name) in {"TKEY", "INITIALKEY", "KEY"}


def is_key_tag(field: Field) -> bool:
    """Whether a tag is the key tag: by its name, unless its content is another program's."""
    if field.name is None or any(unpacked(text) is not None for text in field.texts):
        return False
    return _plain(field.name) != "KEY" or any(_is_key(text) for text in field.texts)


def key_texts(fields: Iterable[Field]) -> list[tuple[str, str]]:
    """Names and texts of the key tags, without empty ones."""
    found = [
        (field.name or "", text.strip()) for field in fields if is_key_tag(field) for text in field.texts
    ]
    return [(name, text) for name, text in found if text]


def packed_keys(fields: Iterable[Field]) -> list[tuple[str, str]]:
    """Names of the tags in which other programs keep a packed key, and that key."""
    found = [(field.name, unpacked(text)) for field in fields if field.name for text in field.texts]
    keys = [(name, str(content.get("key", "")).strip()) for name, content in found if content is not None]
    return [(name, key) for name, key in keys if key]


def other_texts(fields: Iterable[Field]) -> list[tuple[str, str]]:
    """Names and texts of tags that have the name of a key tag, and other content."""
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
    """The tags of a list, with another key.

    Each key tag is replaced in its place, further ones of the same name are dropped, and all others stay.

    Args:
        fields: the tags.
        own: the name of the format's own key tag.
        text: the key.
        make: gives the bytes of a key tag: of a name, in place of a tag (None: a new one).
        add: add the format's own key tag if it is not there.
        in_front: add it before all others, not behind them.
    """
    changed: list[bytes] = []
    seen: set[str] = set()
    before: int | None = 0 if in_front else None
    for field in fields:
        if not is_key_tag(field):
            # Programs that read one tag of a name read the first.
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
    # Some formats put the name of a program in front: "WM/InitialKey", "com.apple.iTunes:initialkey".
    return re.split("[:/]", name)[-1].upper().replace(" ", "").replace("_", "")


def _is_key(text: str) -> bool:
    try:
        Key.parse(text)
    except KeyParseError:
        return text.strip() == OFF_KEY
    return True


def unpacked(text: str) -> dict[str, object] | None:
    """The JSON object that a text is, plain or in base64; None if it is something else."""
    text = text.strip(" \t\r\n\0")
    if not text.startswith("{"):
        try:
            # Padding may be lost on the way.
            text = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
