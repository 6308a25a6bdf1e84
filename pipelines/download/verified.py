"""The list of verified files in a folder, which need not be read again."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.download.half_files import Content, Item, read_blocks


class Verified:
    """The verified files of a folder, with their checksum, size and modification time at that moment.

    The list is in the folder as ``.verified.jsonl``, one line ``[name, checksum, size, modification time]``
    per file. Damaged lines are ignored.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".verified.jsonl"
        self._lock = threading.Lock()
        self._entries: dict[str, list[Any]] = {}
        self._wrong: dict[str, list[Any]] = {}
        with contextlib.suppress(OSError):
            for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError, TypeError):
                    name, *entry = json.loads(line)
                    self._entries[name] = entry

    def holds(self, item: Item, path: Path, at: Callable[[int], None]) -> bool:
        """Whether a file is the item; it is read only if it has changed since it was last verified.

        Args:
            item: what the file should be.
            path: the file.
            at: called with the number of bytes read so far.
        """
        entry = self._entry(item, path)
        if item.size not in (None, entry[1]) or self._wrong.get(item.name) == entry:
            return False
        if item.checksum is None or self._entries.get(item.name) == entry:
            return True
        content = Content(item)
        with path.open("rb") as stream:
            for block in read_blocks(stream):
                content.add(block)
                at(content.size)
        if not content.matches():
            self._wrong[item.name] = entry
            return False
        self._write(item.name, entry)
        return True

    def add(self, item: Item, path: Path) -> None:
        """Record that a file was verified."""
        if item.checksum is not None:
            self._write(item.name, self._entry(item, path))

    def _entry(self, item: Item, path: Path) -> list[Any]:
        status = path.stat()
        return [str(item.checksum).lower(), status.st_size, status.st_mtime_ns]

    def _write(self, name: str, entry: list[Any]) -> None:
        # The list only saves time: a folder that cannot be written may still be read.
        with self._lock, contextlib.suppress(OSError), self._path.open("a", encoding="utf-8") as stream:
            # A kill may have left half a line; starting a new line keeps it from corrupting this entry.
            stream.write(("\n" if stream.tell() else "") + json.dumps([name, *entry]))
        self._entries[name] = entry
