"""Incomplete files: kept beside their final place, resumed after a kill, and verified."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from pipelines.text import printable
from tfkey.errors import TfkeyError

WEB_PAGE = "sent a web page (HTML) instead of the file"
"""The message about a server that did so; some do it instead of answering 404."""

_HTML = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(!doctype\s+html|html|head)\b", re.I | re.S
)


@dataclass(frozen=True)
class Item:
    """A file to fetch.

    Attributes:
        name: where to put it, relative to the folder, '/'-separated; no part may begin with a dot.
        urls: its addresses (http, https, file), the preferred one first.
        checksum: ``md5:<hex>`` or ``sha256:<hex>``; None if unknown: any content is then accepted unless it
            is empty or a web page.
        size: the size in bytes, if known.
    """

    name: str
    urls: tuple[str, ...]
    checksum: str | None
    size: int | None = None


class UnfitError(Exception):
    """The bytes so far, or those that would follow, do not belong to the file."""


class Origin(BaseModel):
    """The origin of the bytes of a half file: the URL, the server's version marks, the total size.

    Attributes:
        url: where the bytes came from.
        etag: the server's ``ETag``, if it is a strong one.
        modified: the server's ``Last-Modified``, if it distinguishes versions.
        total: the size of the whole file in bytes, if known.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    url: str
    etag: str | None = None
    modified: str | None = None
    total: int | None = None

    def differs(self, other: Origin) -> bool:
        """Whether two answers from the same URL are known to be different versions."""
        pairs = [(self.etag, other.etag), (self.modified, other.modified), (self.total, other.total)]
        return self.url == other.url and any(a != b for a, b in pairs if a is not None and b is not None)


class Content:
    """The size and the checksum of an item's bytes as they come."""

    def __init__(self, item: Item) -> None:
        self.size = 0
        self._wanted = item.checksum and item.checksum.lower()
        self._kind = (self._wanted or "").partition(":")[0]
        self._digest = hashlib.new(self._kind, usedforsecurity=False) if self._kind else None

    def add(self, block: bytes) -> None:
        """Count the bytes that come next."""
        self.size += len(block)
        if self._digest:
            self._digest.update(block)

    @property
    def checksum(self) -> str | None:
        """The checksum of the bytes so far, in the form of the item's; None if the item has none."""
        return f"{self._kind}:{self._digest.hexdigest()}" if self._digest else None

    def matches(self) -> bool:
        """Whether the bytes so far have the checksum of the item; never if it has none."""
        return self._digest is not None and self.checksum == self._wanted


class HalfFile:
    """An incomplete file: its bytes so far and their origin; created by ``opened``.

    The bytes of ``a.mp3`` are in ``.a.mp3.part``, their origin in ``.a.mp3.part.json``.
    All methods raise TfkeyError if the disk cannot be written.

    Attributes:
        item: the item that the file will be.
        origin: where its bytes came from; None if that is unknown, or if they came from several mirrors.
    """

    def __init__(self, item: Item, target: Path, at: Callable[[int], None]) -> None:
        self.item = item
        self.origin: Origin | None = None
        self._target = target
        self._path = target.with_name(f".{target.name}.part")
        self._note = target.with_name(f".{target.name}.part.json")
        self._at = at
        self._content = Content(item)
        self._stream: IO[bytes]

    @classmethod
    @contextlib.contextmanager
    def opened(cls, item: Item, target: Path, at: Callable[[int], None]) -> Iterator[HalfFile]:
        """Begin a file, or resume what an earlier call left; an empty file is removed in the end.

        Args:
            item: the item that the file will be.
            target: the path of the complete file.
            at: called often, with the number of bytes so far; an exception from it ends the work.
        """
        half = cls(item, target, at)
        with on_disk(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            half._path.touch()
            # Unbuffered, so that received bytes are in the file even if the process is killed.
            half._stream = half._path.open("r+b", buffering=0)
        with half._stream:
            with contextlib.suppress(OSError, ValueError):
                half.origin = Origin.model_validate_json(half._note.read_bytes())
            with on_disk(target):
                for block in read_blocks(half._stream):
                    half._take(block)
            yield half
        # Not after an exception: once this call has stopped, another call may already be using the files.
        if not half.size:
            with contextlib.suppress(OSError):
                half._note.unlink(missing_ok=True)
                half._path.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """The number of bytes so far."""
        return self._content.size

    def _take(self, block: bytes) -> None:
        self._content.add(block)
        self._at(self.size)

    def matches(self) -> bool:
        """Whether the bytes have the checksum of the file."""
        return self._content.matches()

    def is_complete(self) -> bool:
        """Whether the file is complete without a request, because of a kill between last byte and rename."""
        if self.item.checksum is None and (self.origin is None or self.origin.url not in self.item.urls):
            return False
        total = self.origin.total if self.item.size is None and self.origin else self.item.size
        # If the length is unknown, only the checksum shows whether the file is complete.
        if not self.matches() and (not total or self.size < total):
            return False
        try:
            self.check()
        except UnfitError:
            self.discard()
        return self.size > 0

    def validator_for(self, url: str) -> str | None:
        """Return the value for ``If-Range``: the mark of the version that a URL delivered; or None."""
        if self.origin is None or self.origin.url != url:
            return None
        return self.origin.etag or self.origin.modified

    def offset_for(self, url: str) -> int:
        """Return the number of bytes that a mirror need not send again."""
        # Only a checksum shows, in the end, whether the bytes of two mirrors fit together.
        return self.size if self.item.checksum is not None or self.validator_for(url) is not None else 0

    def expect(self, origin: Origin, offset: int) -> None:
        """Prepare for the bytes of an origin from ``offset`` on, which is 0 or the size so far.

        Raises:
            TfkeyError: the disk has no space for them.
        """
        if offset == 0:
            self.discard()
        with on_disk(self._target):
            if offset == 0:
                self._note.write_text(origin.model_dump_json(), encoding="utf-8")
                self.origin = origin
            elif self.origin and self.origin.url != origin.url:
                self._note.unlink(missing_ok=True)
                self.origin = None
            room = shutil.disk_usage(self._target.parent)
        # Some file systems do not know their size, and say 0.
        if origin.total is not None and room.total and origin.total - offset > room.free:
            needed = (origin.total - offset) / 1e6
            raise TfkeyError(
                f"{printable(str(self._target))}: needs {needed:.1f} MB more, but only "
                f"{room.free / 1e6:.1f} MB are free; free some space and try again"
            )

    def append(self, block: bytes) -> None:
        """Add bytes; they are in the file when this returns.

        Raises:
            UnfitError: there are more bytes than the file should have.
        """
        self._at(self.size)
        if self.item.size is not None and self.size + len(block) > self.item.size:
            raise UnfitError(f"has more than the {self.item.size} bytes it should have")
        with on_disk(self._target):
            rest = memoryview(block)
            while rest:
                rest = rest[self._stream.write(rest) :]
        self._take(block)

    def check(self) -> None:
        """Verify the bytes, which are complete according to the server.

        Raises:
            UnfitError: the bytes are not those of the file.
        """
        if self.matches():
            return
        with on_disk(self._target):
            self._stream.seek(0)
            page = is_web_page(self._stream.read(4096))
        if page and (self.item.checksum or not self._target.suffix.lower().endswith(("html", "htm"))):
            raise UnfitError(WEB_PAGE)
        if self.item.size not in (None, self.size):
            raise UnfitError(f"has {self.size} bytes instead of {self.item.size}")
        if self.item.checksum is not None:
            wanted = self.item.checksum.lower()
            raise UnfitError(f"has the wrong content ({self._content.checksum} instead of {wanted})")
        if self.size == 0 and self.item.size is None:
            raise UnfitError("is empty")

    def discard(self) -> None:
        """Discard the bytes."""
        with on_disk(self._target):
            self._stream.seek(0)
            self._stream.truncate()
        self.origin = None
        self._content = Content(self.item)

    def finish(self) -> None:
        """Give the complete file its final name."""
        self._at(self.size)
        with on_disk(self._target):
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._note.unlink(missing_ok=True)
            os.replace(self._path, self._target)


def is_web_page(start: bytes) -> bool:
    """Whether a file with this beginning is HTML."""
    return _HTML.match(start) is not None


def read_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of a stream, in blocks of at most one mebibyte."""
    while block := stream.read(1 << 20):
        yield block


@contextlib.contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn disk errors into the error that ends the call; network errors are reported elsewhere.

    Raises:
        TfkeyError: an OSError was raised inside; names the path.
    """
    try:
        yield
    except OSError as error:
        raise TfkeyError(
            f"{printable(str(path))}: cannot be written ({error.strerror or error}); "
            "free some space or fix the permissions, and try again; it will continue from there"
        ) from error
