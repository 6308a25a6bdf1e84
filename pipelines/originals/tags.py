"""The key that an audio file states in its own tags."""

from __future__ import annotations

from pathlib import Path

from pipelines.text import printable
from tfkey.errors import DataError, KeyParseError, TagError
from tfkey.keys import Key
from tfkey.tags.key_tags import stated_keys

SPELLING = "write it like 'Ab minor', 'F# major', 'Abm', '1A' or '6m'"
"""The mend for a key that is not understood."""


def read_key_tag(path: Path) -> Key:
    """Read the key that an audio file states in its tags.

    Where it is looked for: see :mod:`tfkey.tags.key_tags`.

    Raises:
        DataError: the tags are unreadable, there is none of these, or they state no key or two; the message
            is a reason for a list of what was left out.
    """
    try:
        stated = stated_keys(path)
    except TagError as error:
        raise DataError(printable(str(error).removeprefix(f"{path}: "))) from error
    keys: dict[Key, str] = {}
    for name, text in stated:
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
