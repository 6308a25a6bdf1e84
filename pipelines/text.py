"""Texts that are safe to write: on one line, as a file name, as a digest."""

from __future__ import annotations

import hashlib
import unicodedata


def printable(text: str) -> str:
    """Return a text on one line that can be written as UTF-8, unlike some file names."""
    return "".join(
        character.encode("unicode_escape").decode()
        if character == "\\" or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        else character
        for character in text
    )


def safe_name(name: str) -> str:
    """Return a name that is safe in every file system: no separator, control character, or leading dot."""
    cleaned = "".join(
        "_" if character in '/\\:*?"<>|' or unicodedata.category(character).startswith("C") else character
        for character in unicodedata.normalize("NFC", name)
    )
    # File systems allow 255 bytes; additions to the name (suffix, number, ending) need some of them.
    return cleaned.strip().lstrip(".").encode()[:200].decode(errors="ignore") or "_"


def stable_digest(text: str) -> str:
    """Return a digest of a text, 64 hexadecimal digits, that is the same on every machine and at any time."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
