"""Files that are not complete yet: kept beside where they will lie, taken up again after a kill, verified."""

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

WEB_PAGE = "sent a web page (HTML) in place of the file"
"""What a message says about a server that did so; some do it instead of answering 404."""

_HTML = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(!doctype\s+html|html|head)\b", re.I | re.S
)


@dataclass(frozen=True)
class Item:
    """A file to fetch.

    Attributes:
        name: where to put it, relative to the folder, '/'-separated; no part may begin with a dot.
        urls: where it lies (http, https, file), the preferred place first.
        checksum: ``md5:<hex>`` or ``sha256:<hex>``; None if unknown: what comes is taken then,
            unless it is empty or a web page.
        size: bytes, if known.
    """

    name: str
    urls: tuple[str, ...]
    checksum: str | None
    size: int | None = None


class UnfitError(Exception):
    """The bytes so far, or what would follow them, are not those of the file."""


class Origin(BaseModel):
    """Whose bytes a half file holds: the URL, the server's marks of the version, the size of the whole.

    Attributes:
        url: where they came from.
        etag: the server's ``ETag``, if it is a strong one.
        modified: the server's ``Last-Modified``, if it tells versions apart.
        total: bytes of the whole file, if known.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    url: str
    etag: str | None = None
    modified: str | None = None
    total: int | None = None

    def differs(self, other: Origin) -> bool:
        """Whether two answers of one URL are known to be of different versions."""
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
        """That of the bytes so far, written as the item's is; None if the item has none."""
        return f"{self._kind}:{self._digest.hexdigest()}" if self._digest else None

    def matches(self) -> bool:
        """Whether the bytes so far have the checksum of the item; never if it has none."""
        return self._digest is not None and self.checksum == self._wanted


class HalfFile:
    """A file that is not complete yet: its bytes so far and their source; use ``opened`` to have one.

    The bytes of ``a.mp3`` lie in ``.a.mp3.part``, their origin in ``.a.mp3.part.json``.
    All methods raise TfkeyError if the disk cannot be written.

    Attributes:
        item: what it is to become.
        origin: whose bytes they are; None if that is unknown, or more than one mirror's.
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
        """Begin a file, or go on with what an earlier call left of it; nothing is left of an empty one.

        Args:
            item: what it is to become.
            target: where the whole file will lie.
            at: called often, with the number of bytes that are there; what it raises ends the work.
        """
        half = cls(item, target, at)
        with on_disk(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            half._path.touch()
            # Unbuffered, so that what was received is in the file even if the process is killed.
            half._stream = half._path.open("r+b", buffering=0)
        with half._stream:
            with contextlib.suppress(OSError, ValueError):
                half.origin = Origin.model_validate_json(half._note.read_bytes())
            with on_disk(target):
                for block in read_blocks(half._stream):
                    half._take(block)
            yield half
        # Not after an exception: once the call was stopped, the names may be another call's already.
        if not half.size:
            with contextlib.suppress(OSError):
                half._note.unlink(missing_ok=True)
                half._path.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._content.size

    def _take(self, block: bytes) -> None:
        self._content.add(block)
        self._at(self.size)

    def matches(self) -> bool:
        """Whether the bytes have the checksum of the file."""
        return self._content.matches()

    def is_complete(self) -> bool:
        """Whether nothing needs to be asked for: a kill came between the last byte and the rename."""
        if self.item.checksum is None and (self.origin is None or self.origin.url not in self.item.urls):
            return False
        total = self.origin.total if self.item.size is None and self.origin else self.item.size
        # The end of a file of unknown length shows in its checksum alone.
        if not self.matches() and (not total or self.size < total):
            return False
        try:
            self.check()
        except UnfitError:
            self.discard()
        return self.size > 0

    def validator_for(self, url: str) -> str | None:
        """What ``If-Range`` can be asked with: the mark of the version of which a URL gave the bytes."""
        if self.origin is None or self.origin.url != url:
            return None
        return self.origin.etag or self.origin.modified

    def offset_for(self, url: str) -> int:
        """How many of the bytes a mirror need not send again."""
        # A checksum tells in the end whether bytes of two mirrors fit together; nothing else does.
        return self.size if self.item.checksum is not None or self.validator_for(url) is not None else 0

    def expect(self, origin: Origin, offset: int) -> None:
        """Get ready for the bytes of an origin from ``offset`` on: 0, or the size so far.

        Raises:
            TfkeyError: the disk has no room for them.
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
                f"{printable(str(self._target))}: needs {needed:.1f} MB more than are there "
                f"({room.free / 1e6:.1f} MB are free); make room and run it again"
            )

    def append(self, block: bytes) -> None:
        """Add bytes; they are in the file when this returns.

        Raises:
            UnfitError: they are more than the file has.
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
        """Verify the bytes, all there by what the server says.

        Raises:
            UnfitError: they are not the file.
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
            raise UnfitError(f"wrong content ({self._content.checksum} instead of {wanted})")
        if self.size == 0 and self.item.size is None:
            raise UnfitError("is empty")

    def discard(self) -> None:
        """Throw the bytes away."""
        with on_disk(self._target):
            self._stream.seek(0)
            self._stream.truncate()
        self.origin = None
        self._content = Content(self.item)

    def finish(self) -> None:
        """Give the file its name."""
        self._at(self.size)
        with on_disk(self._target):
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._note.unlink(missing_ok=True)
            os.replace(self._path, self._target)


def is_web_page(start: bytes) -> bool:
    """Whether a file that starts so is HTML."""
    return _HTML.match(start) is not None


def read_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """What is left of a stream, in blocks of at most a mebibyte."""
    while block := stream.read(1 << 20):
        yield block


@contextlib.contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn an error of the disk into the one that ends the call; those of the network are reported elsewhere.

    Raises:
        TfkeyError: an OSError came up inside; names the path.
    """
    try:
        yield
    except OSError as error:
        raise TfkeyError(
            f"{printable(str(path))}: cannot be written ({error.strerror or error}); "
            "make room or give rights, and run it again: it goes on from there"
        ) from error
