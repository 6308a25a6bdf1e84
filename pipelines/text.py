"""Texts that are safe to write: on one line, as a file's name, as a digest."""

from __future__ import annotations

import hashlib
import unicodedata


def printable(text: str) -> str:
    """A text that stays on one line and can be written as UTF-8, as file names need not."""
    return "".join(
        character.encode("unicode_escape").decode()
        if character == "\\" or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        else character
        for character in text
    )


def safe_name(name: str) -> str:
    """A name that is safe in every file system: no separator, control character, or leading dot."""
    cleaned = "".join(
        "_" if character in '/\\:*?"<>|' or unicodedata.category(character).startswith("C") else character
        for character in unicodedata.normalize("NFC", name)
    )
    # File systems count bytes, 255 at most; what is added to a name (suffix, number, ending) needs some.
    return cleaned.strip().lstrip(".").encode()[:200].decode(errors="ignore") or "_"


def stable_digest(text: str) -> str:
    """A digest of a text, 64 hexadecimal digits, that every machine and every day gives alike."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
