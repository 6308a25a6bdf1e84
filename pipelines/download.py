"""Downloading many files from old servers: ordered mirrors, checksums, resume, retries, several at once.

A file appears under its name only by a rename after it was verified. Until then its bytes lie beside it in
``.<name>.part``, and ``.<name>.part.json`` says whose they are, so that a call after a kill asks for the rest
only (RFC 9110: ``Range`` and ``If-Range``). What was verified is written down in ``.verified.jsonl`` with its
size and time of change, and is not read again until one of them changes.
"""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import http
import http.client
import json
import logging
import os
import re
import shutil
import ssl
import sys
import threading
import time
import unicodedata
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
import urllib3
from pydantic import BaseModel, ConfigDict, Field

from pipelines.tracks import LeftOut, printable
from tfkey._version import __version__
from tfkey.errors import TfkeyError

T = TypeVar("T")
_BLOCK = 1 << 16
_CHECKSUM = re.compile(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", re.IGNORECASE)
_HTML = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(!doctype\s+html|html|head)\b", re.I | re.S
)


class DownloadSettings(BaseModel):
    """How patient a download is with its servers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    timeout_seconds: float = Field(30.0, gt=0, description="silence after which a connection is given up")
    retries: int = Field(4, ge=0, description="vain tries in a row that a mirror gets beyond the first")
    backoff_seconds: float = Field(1.0, ge=0, description="wait before the first retry; doubles each time")
    max_backoff_seconds: float = Field(30.0, ge=0, description="the longest of these waits")
    max_retry_after_seconds: float = Field(
        120.0,
        ge=0,
        description="a server that asks for a longer wait (Retry-After) is left for the next mirror",
    )
    give_up_after: int = Field(
        3,
        ge=1,
        description="files in a row that a server failed, retries and all, until it is not asked any more",
    )
    user_agent: str = Field(f"tfkey/{__version__}", min_length=1, pattern=r"^[\x20-\x7e]+$")


_DEFAULTS = DownloadSettings()


@dataclass(frozen=True)
class DownloadProgress:
    """How far a download is.

    Attributes:
        done_bytes: of all files, those that were there already included; falls when a file is begun anew.
        total_bytes: of all files; None while the size of one is unknown.
        files_done: those that are there, and those that could not be had.
        files_total: all of them.
        bytes_per_second: the rate of receiving over the last five seconds.
    """

    done_bytes: int
    total_bytes: int | None
    files_done: int
    files_total: int
    bytes_per_second: float


@dataclass(frozen=True)
class Item:
    """A file to be had.

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


@dataclass(frozen=True)
class Report:
    """What a download gave.

    Attributes:
        paths: the file of every item that is there, verified, by name and in the order of the items.
        failures: the items that could not be had, with the trouble each mirror gave.
        fetched_bytes: what was received in this call, bytes that had to be thrown away included.
    """

    paths: dict[str, Path]
    failures: list[LeftOut]
    fetched_bytes: int


def download(
    items: Iterable[Item],
    folder: Path,
    *,
    workers: int = 4,
    progress: Callable[[DownloadProgress], None] | None = None,
    settings: DownloadSettings = _DEFAULTS,
) -> Report:
    """Have every item in ``folder``: what is there and verifies stays, the rest is fetched.

    Two calls may share a folder, in one process or in two: the second waits and finds what the first fetched.
    If all is there already, neither a request nor the right to write is needed.

    Args:
        items: what to have. Items of one name must ask for one content.
        folder: where to put it; made if missing.
        workers: how many files are fetched at once.
        progress: called in this thread, some twenty times a second and at the end.
        settings: how patient to be.

    Raises:
        TfkeyError: a file cannot be written (full disk, no rights); names it. What was fetched is kept, and
            the next call goes on from there. Also after Ctrl-C.
    """
    wanted, failures = _sort_out(items)
    call = _Call(folder, wanted, settings)
    tick = (lambda: progress(call.tally.state())) if progress else (lambda: None)
    try:
        _in_threads(wanted, call.look, workers, tick, call.stop)
        missing = [item for item in wanted if item.name not in call.paths]
        if missing:
            with _alone_in(folder):
                _in_threads(missing, call.fetch, workers, tick, call.stop)
    finally:
        call.close()
    tick()
    failures += [call.failures[item.name] for item in wanted if item.name in call.failures]
    paths = {item.name: call.paths[item.name] for item in wanted if item.name in call.paths}
    return Report(paths, failures, call.tally.fetched)


def _sort_out(items: Iterable[Item]) -> tuple[list[Item], list[LeftOut]]:
    """Items that can be asked for, each once, and those that cannot be meant."""
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in dict.fromkeys(items):
        # Some file systems take names that differ in case or in Unicode's ways of writing an accent for one.
        groups[unicodedata.normalize("NFC", item.name).casefold()].append(item)
    wanted: list[Item] = []
    failures: list[LeftOut] = []
    for group in groups.values():
        contents = {item.checksum.lower() if item.checksum else str(item.urls) for item in group}
        for item in {item.name: item for item in reversed(group)}.values():
            reason = _objection(item)
            if reason is None and len(contents) > 1:
                reason = "asked for twice with different content; give one of them another name"
            if reason is None:
                wanted.append(item)
            else:
                failures.append(LeftOut(printable(item.name), reason))
    return wanted, failures


def _objection(item: Item) -> str | None:
    parts = item.name.split("/")
    try:
        longest = max(len(os.fsencode(part)) for part in parts)
    except UnicodeError:
        longest = 0
    # A leading dot covers "..", and the names that half files have here.
    fits = 0 < longest <= 240 and not any(part == "" or part.startswith(".") for part in parts)
    if not fits or re.search(r"[\0\\]", item.name) or (os.name == "nt" and PureWindowsPath(item.name).drive):
        return "not a name for a file in the folder; give a relative one without '..' and leading dots"
    if item.checksum is not None and not _CHECKSUM.fullmatch(item.checksum):
        return f"{printable(item.checksum)!r} is no checksum; write md5: or sha256: and its hex digits"
    return None if item.urls else "has no address; give at least one URL"


class _Stopped(Exception):  # noqa: N818 - not an error: another thread has ended the call
    pass


class _Trouble(Exception):  # noqa: N818
    """Why a mirror did not give the file; asking it again is of no use."""


class _Passing(_Trouble):
    """Trouble that may pass; ``wait`` is the least that the server asked to wait for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class _Unfit(_Trouble):
    """The bytes so far, or what would follow them, are not those of the file."""


class _Call:
    """What the threads of one call share, and what they do."""

    def __init__(self, folder: Path, items: Sequence[Item], settings: DownloadSettings) -> None:
        self.stop = threading.Event()
        self.tally = _Tally(items)
        self.paths: dict[str, Path] = {}
        self.failures: dict[str, LeftOut] = {}
        self._folder = folder
        self._settings = settings
        self._verified = _Verified(folder)
        self._servers = _Servers(settings.give_up_after)
        self._local = threading.local()
        self._sessions: list[requests.Session] = []

    def close(self) -> None:
        for session in self._sessions:
            session.close()

    def look(self, item: Item) -> None:
        """Take an item that is there already."""
        path = self._folder / item.name
        with _on_disk(path):
            if path.is_file() and self._verified.holds(item, path, self._at(item)):
                self._have(item, path)
            else:
                self._at(item)(0)

    def fetch(self, item: Item) -> None:
        """Fetch an item, from the first mirror that gives it."""
        # Whoever had the folder before may have fetched it while this call waited.
        self.look(item)
        if item.name in self.paths:
            return
        path = self._folder / item.name
        troubles: list[str] = []
        with _on_disk(path):
            if path.is_dir():
                troubles = ["a folder has this name; move it away"]
            else:
                with _Half(path, item, self._at(item)) as half:
                    if half.is_complete() or any(self._try(url, half, troubles) for url in item.urls):
                        half.finish()
                        self._verified.add(item, path)
                        self._have(item, path)
                        return
                there = "; what lies there now is not it" if path.exists() else ""
                troubles.append(
                    f"run it again later, or put the file at {printable(str(path))} yourself{there}"
                )
        self.failures[item.name] = LeftOut(printable(item.name), "; ".join(troubles))
        self.tally.settle(item.name, 0)

    def _have(self, item: Item, path: Path) -> None:
        self.paths[item.name] = path
        self.tally.settle(item.name, path.stat().st_size)

    def _at(self, item: Item) -> Callable[[int], None]:
        """What to call with the bytes of an item that are done, often enough for a stop to be quick."""

        def at(size: int) -> None:
            self._go_on()
            self.tally.at(item.name, size)

        return at

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise _Stopped

    def _wait(self, seconds: float) -> None:
        # Short sleeps against the monotonic clock: Event.wait follows the wall clock on Python 3.10.
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._go_on()
            time.sleep(min(left, 0.1))

    def _try(self, url: str, half: _Half, troubles: list[str]) -> bool:
        try:
            server = urlsplit(url).netloc.rpartition("@")[2]
            shown = printable(urlsplit(url)._replace(netloc=server).geturl())
        except ValueError:
            troubles.append(f"{printable(url)}: not a URL")
            return False
        if self._servers.given_up(server):
            troubles.append(f"{shown}: not asked, its server failed too often before")
            return False
        try:
            self._persist(url, half)
        except _Trouble as trouble:
            self._servers.note(server, failed=isinstance(trouble, _Passing))
            troubles.append(f"{shown}: {trouble}")
            return False
        self._servers.note(server, failed=False)
        return True

    def _persist(self, url: str, half: _Half) -> None:
        """Ask one mirror until the file is complete and verified; _Trouble says why it will not be."""
        vain, furthest, begun_anew = 0, half.size, False
        while True:
            self._go_on()
            offset = half.offset_for(url)
            try:
                self._ask(url, half, offset)
                half.check()
                return
            except _Unfit:
                # Bytes that were there before may be to blame: give the mirror one chance to send all of it.
                half.discard()
                if not offset or begun_anew:
                    raise
                begun_anew, furthest = True, 0
            except _Passing as trouble:
                # A Content-Length that promises too much looks like a cut connection.
                if half.matches():
                    return
                # A server that cuts often, but each time further on, gets there in the end.
                vain = vain + 1 if half.size <= furthest else 1
                furthest = max(furthest, half.size)
                if vain > self._settings.retries or trouble.wait > self._settings.max_retry_after_seconds:
                    raise
                backoff = self._settings.backoff_seconds * 2.0 ** min(vain - 1, 60)
                self._wait(max(trouble.wait, min(backoff, self._settings.max_backoff_seconds)))

    def _ask(self, url: str, half: _Half, offset: int) -> None:
        """Make one request, and add to the half file what it gives."""
        if urlsplit(url).scheme.lower() == "file":
            self._copy(url, half)
            return
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if offset and half.source and half.source.url == url and half.source.validator:
            headers["If-Range"] = half.source.validator
        timeout = self._settings.timeout_seconds
        try:
            with self._session().get(url, headers=headers, stream=True, timeout=timeout) as response:
                self._receive(url, response, half, offset)
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError,
                ValueError) as error:  # fmt: skip
            raise _network_trouble(error, timeout, half.size) from error

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            session = requests.Session()
            # A length and a range of compressed bytes would not be those of the file.
            session.headers.update({"User-Agent": self._settings.user_agent, "Accept-Encoding": "identity"})
            session.max_redirects = 10
            self._local.session = session
            self._sessions.append(session)
        return self._local.session

    def _receive(self, url: str, response: requests.Response, half: _Half, offset: int) -> None:
        source = _Source.of(url, response)
        if response.status_code == 206 and offset:
            begin = _content_range_start(response)
            if begin != offset or (half.source and half.source.differs(source)):
                raise _Unfit("sent another part than was asked for, or the file has changed there")
        elif response.status_code == 416 and offset:
            raise _Unfit("its file is shorter")
        elif response.status_code == 200:
            offset = 0
        else:
            raise _status_trouble(response)
        blocks = response.raw.stream(_BLOCK, decode_content=False)
        if half.item.size is not None and source.total not in (None, half.item.size):
            page = _HTML.match(next(blocks, b""))
            raise _Trouble(_PAGE if page else f"has {source.total} bytes instead of {half.item.size}")
        half.expect(source, offset)
        self.tally.expect(half.item.name, source.total)
        for block in blocks:
            self.tally.receive(len(block))
            half.append(block)
        if source.total is not None and half.size < source.total:
            raise _Passing(f"connection cut after {half.size} bytes")

    def _copy(self, url: str, half: _Half) -> None:
        parts = urlsplit(url)
        path = Path(url2pathname(parts.path))
        if parts.netloc not in ("", "localhost") or not path.is_file():
            raise _Trouble("no such file")
        try:
            stream = path.open("rb")
        except OSError as error:
            raise _Trouble(f"cannot be read ({error.strerror})") from error
        with stream:
            total = os.fstat(stream.fileno()).st_size
            half.expect(_Source(url=url, total=total), 0)
            self.tally.expect(half.item.name, total)
            for block in _readable(stream):
                self.tally.receive(len(block))
                half.append(block)


class _Source(BaseModel):
    """Whose bytes a half file holds: the URL, the server's marks of the version, the size of the whole."""

    model_config = ConfigDict(frozen=True, strict=True)

    url: str
    etag: str | None = None
    modified: str | None = None
    total: int | None = None

    @classmethod
    def of(cls, url: str, response: requests.Response) -> _Source:
        headers = response.headers
        etag, modified = headers.get("ETag"), headers.get("Last-Modified")
        changed, now = _date(modified), _date(headers.get("Date"))
        # RFC 9110, 8.8.2.2: a date tells versions apart only if the file had a second to change since.
        if changed is None or now is None or now - changed < 1:
            modified = None
        if response.status_code == 206:
            size = re.fullmatch(r"bytes [0-9]+-[0-9]+/([0-9]{1,18})", headers.get("Content-Range", ""))
        else:
            length = "" if "Transfer-Encoding" in headers else headers.get("Content-Length", "")
            size = re.fullmatch("([0-9]{1,18})", length)
        total = int(size[1]) if size else None
        # A weak ETag cannot tell whether two halves fit together.
        strong = etag if etag is not None and etag.startswith('"') else None
        return cls(url=url, etag=strong, modified=modified, total=total)

    @property
    def validator(self) -> str | None:
        """What If-Range can be asked with."""
        return self.etag or self.modified

    def differs(self, other: _Source) -> bool:
        """Whether two answers of one URL are known to be of different versions."""
        pairs = [(self.etag, other.etag), (self.modified, other.modified), (self.total, other.total)]
        return self.url == other.url and any(a != b for a, b in pairs if a is not None and b is not None)


class _Half:
    """A file that is not complete yet: its bytes so far, their running checksum, and whose they are."""

    def __init__(self, target: Path, item: Item, at: Callable[[int], None]) -> None:
        self.item = item
        self.size = 0
        self.source: _Source | None = None
        self._target = target
        self._path = target.with_name(f".{target.name}.part")
        self._note = target.with_name(f".{target.name}.part.json")
        self._at = at

    def __enter__(self) -> _Half:
        with _on_disk(self._target):
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()
            # Unbuffered, so that what was received is in the file even if the process is killed.
            self._stream: IO[bytes] = self._path.open("r+b", buffering=0)
        try:
            self._digest = _new_digest(self.item)
            with contextlib.suppress(OSError, ValueError):
                self.source = _Source.model_validate_json(self._note.read_bytes())
            with _on_disk(self._target):
                for block in _blocks(self._stream):
                    self._take(block)
        except BaseException:
            self._stream.close()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._stream.close()
        # After a stop the names may be another call's already.
        if kind is None and not self.size:
            with contextlib.suppress(OSError):
                self._note.unlink(missing_ok=True)
                self._path.unlink(missing_ok=True)

    def _take(self, block: bytes) -> None:
        if self._digest:
            self._digest.update(block)
        self.size += len(block)
        self._at(self.size)

    def matches(self) -> bool:
        """Whether the bytes have the checksum of the file."""
        return (
            self._digest is not None and _written(self.item, self._digest) == str(self.item.checksum).lower()
        )

    def is_complete(self) -> bool:
        """Whether nothing needs to be asked for: a kill came between the last byte and the rename."""
        source = self.source
        if self.item.checksum is None and (source is None or source.url not in self.item.urls):
            return False
        total = self.item.size if self.item.size is not None else source and source.total
        # The end of a file of unknown length shows in its checksum alone.
        if self.matches() or (total and self.size >= total):
            try:
                self.check()
            except _Unfit:
                self.discard()
            return self.size > 0
        return False

    def offset_for(self, url: str) -> int:
        """How many of the bytes a mirror need not send again."""
        same = self.source is not None and self.source.url == url and self.source.validator is not None
        # A checksum tells in the end whether bytes of two mirrors fit together; nothing else does.
        return self.size if self.item.checksum is not None or same else 0

    def expect(self, source: _Source, offset: int) -> None:
        """Get ready for the bytes of a source from ``offset`` on: 0, or the size so far."""
        if offset == 0:
            self.discard()
        with _on_disk(self._target):
            if offset == 0:
                self._note.write_text(source.model_dump_json(), encoding="utf-8")
                self.source = source
            elif self.source and self.source.url != source.url:
                self._note.unlink(missing_ok=True)
                self.source = None
            room = shutil.disk_usage(self._target.parent)
        # Some file systems do not know their size, and say 0.
        if source.total is not None and room.total and source.total - offset > room.free:
            needed = (source.total - offset) / 1e6
            raise TfkeyError(
                f"{printable(str(self._target))}: needs {needed:.1f} MB more than are there "
                f"({room.free / 1e6:.1f} MB are free); make room and run it again"
            )

    def append(self, block: bytes) -> None:
        """Add bytes; they are in the file when this returns."""
        self._at(self.size)
        if self.item.size is not None and self.size + len(block) > self.item.size:
            raise _Unfit(f"has more than the {self.item.size} bytes it should have")
        with _on_disk(self._target):
            rest = memoryview(block)
            while rest:
                rest = rest[self._stream.write(rest) :]
        self._take(block)

    def check(self) -> None:
        """Raise _Unfit if the bytes, all there by what the server says, are not the file."""
        if self.matches():
            return
        with _on_disk(self._target):
            self._stream.seek(0)
            page = _HTML.match(self._stream.read(4096))
        if page and (self.item.checksum or not self._target.suffix.lower().endswith(("html", "htm"))):
            raise _Unfit(_PAGE)
        if self.size != (self.size if self.item.size is None else self.item.size):
            raise _Unfit(f"has {self.size} bytes instead of {self.item.size}")
        if self._digest:
            got = _written(self.item, self._digest)
            raise _Unfit(f"wrong content ({got} instead of {str(self.item.checksum).lower()})")
        if self.size == 0 and self.item.size is None:
            raise _Unfit("is empty")

    def discard(self) -> None:
        """Throw the bytes away."""
        with _on_disk(self._target):
            self._stream.seek(0)
            self._stream.truncate()
        self.size, self.source, self._digest = 0, None, _new_digest(self.item)

    def finish(self) -> None:
        """Give the file its name."""
        self._at(self.size)
        with _on_disk(self._target):
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._note.unlink(missing_ok=True)
            os.replace(self._path, self._target)


class _Verified:
    """Which files of a folder were verified, by which checksum, and what they looked like then."""

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
        """Whether a file is the item; it is read only if it has changed since it was last verified."""
        entry = self._entry(item, path)
        if item.size not in (None, entry[1]) or self._wrong.get(item.name) == entry:
            return False
        if item.checksum is None or self._entries.get(item.name) == entry:
            return True
        digest, size = _new_digest(item), 0
        with path.open("rb") as stream:
            for block in _blocks(stream):
                digest.update(block)
                size += len(block)
                at(size)
        if _written(item, digest) != item.checksum.lower():
            self._wrong[item.name] = entry
            return False
        self._write(item.name, entry)
        return True

    def add(self, item: Item, path: Path) -> None:
        """Write down that a file was verified."""
        if item.checksum is not None:
            self._write(item.name, self._entry(item, path))

    def _entry(self, item: Item, path: Path) -> list[Any]:
        status = path.stat()
        return [str(item.checksum).lower(), status.st_size, status.st_mtime_ns]

    def _write(self, name: str, entry: list[Any]) -> None:
        # It saves time only: a folder that cannot be written to may still be read.
        with self._lock, contextlib.suppress(OSError), self._path.open("a", encoding="utf-8") as stream:
            # A kill can leave half a line; starting on a new one keeps it from spoiling this entry.
            stream.write(("\n" if stream.tell() else "") + json.dumps([name, *entry]))
        self._entries[name] = entry


class _Servers:
    """Which servers failed so many files in a row that waiting for them would only cost hours."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._failed: dict[str, int] = defaultdict(int)

    def note(self, server: str, *, failed: bool) -> None:
        with self._lock:
            self._failed[server] = self._failed[server] + 1 if failed else 0

    def given_up(self, server: str) -> bool:
        return self._failed.get(server, 0) >= self._limit


class _Tally:
    """Counts of bytes and files."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._lock = threading.Lock()
        self._done = dict.fromkeys((item.name for item in items), 0)
        self._size = {item.name: item.size for item in items}
        self._all_done = 0
        self._unknown = sum(size is None for size in self._size.values())
        self._all_size = sum(size or 0 for size in self._size.values())
        self._settled = 0
        self._samples: deque[tuple[float, int]] = deque()
        self.fetched = 0

    def at(self, name: str, done: int) -> None:
        with self._lock:
            self._all_done += done - self._done[name]
            self._done[name] = done

    def expect(self, name: str, size: int | None) -> None:
        if size is not None:
            with self._lock:
                before = self._size[name]
                self._unknown -= before is None
                self._all_size += size - (before or 0)
                self._size[name] = size

    def settle(self, name: str, size: int) -> None:
        self.expect(name, size)
        self.at(name, size)
        with self._lock:
            self._settled += 1

    def receive(self, count: int) -> None:
        with self._lock:
            self.fetched += count

    def state(self) -> DownloadProgress:
        now = time.monotonic()
        with self._lock:
            self._samples.append((now, self.fetched))
            while now - self._samples[0][0] > 5:
                self._samples.popleft()
            begin, before = self._samples[0]
            rate = (self.fetched - before) / (now - begin) if now > begin else 0.0
            total = None if self._unknown else self._all_size
            return DownloadProgress(self._all_done, total, self._settled, len(self._size), rate)


def _in_threads(
    jobs: Sequence[T],
    work: Callable[[T], None],
    workers: int,
    tick: Callable[[], None],
    stop: threading.Event,
) -> None:
    """Do all jobs, several at a time, and call ``tick`` here meanwhile; the first error ends it all."""
    waiting = iter(jobs)
    count = min(max(workers, 1), len(jobs))
    lock = threading.Lock()
    idle = threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        nonlocal count
        try:
            while not stop.is_set():
                with lock:
                    job = next(waiting, None)
                if job is None:
                    break
                work(job)
        except _Stopped:
            pass
        except BaseException as error:
            errors.append(error)
            stop.set()
        with lock:
            count -= 1
            if count == 0:
                idle.set()

    tick()
    try:
        for _ in range(count):
            # Daemons: a thread that waits for a server cannot be woken, and must not hold up a Ctrl-C.
            threading.Thread(target=run, daemon=True).start()
        # Not Thread.join: an interrupt in it makes Python 3.10 to 3.12 take the thread for ended.
        while jobs and not errors and not idle.wait(0.05):
            tick()
    except BaseException:
        stop.set()
        raise
    finally:
        if stop.is_set():
            idle.wait(1)
    if errors:
        raise errors[0]


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other call fetches into a folder; a lock of the system, so that a kill frees it."""
    with _on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / ".download.lock").open("ab")
    with stream:
        waited = False
        while not _lock(stream):
            if not waited:
                logging.getLogger(__name__).warning("%s: another download is under way; waiting", folder)
            waited = True
            time.sleep(0.1)
        yield


def _lock(stream: IO[bytes]) -> bool:
    """Lock an open file until it is closed; False if another has it."""
    # Where the file system knows no locks, checksums still find what two calls spoil.
    with contextlib.suppress(OSError):
        try:
            if sys.platform == "win32":
                import msvcrt

                stream.seek(0)
                msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except PermissionError:
            return sys.platform != "win32"
    return True


@contextlib.contextmanager
def _on_disk(path: Path) -> Iterator[None]:
    """Turn what the disk complains of into the error that ends the call; the network's is told elsewhere."""
    try:
        yield
    except OSError as error:
        raise TfkeyError(
            f"{printable(str(path))}: cannot be written ({error.strerror or error}); "
            "make room or give rights, and run it again: it goes on from there"
        ) from error


_PAGE = "sent a web page (HTML) in place of the file"


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    while block := stream.read(1 << 20):
        yield block


def _readable(stream: IO[bytes]) -> Iterator[bytes]:
    try:
        yield from _blocks(stream)
    except OSError as error:
        raise _Trouble(f"cannot be read ({error.strerror})") from error


def _new_digest(item: Item) -> Any:
    if item.checksum is None:
        return None
    return hashlib.new(item.checksum.partition(":")[0].lower(), usedforsecurity=False)


def _written(item: Item, digest: Any) -> str:
    return f"{str(item.checksum).partition(':')[0].lower()}:{digest.hexdigest()}"


def _content_range_start(response: requests.Response) -> int | None:
    found = re.fullmatch(
        r"bytes ([0-9]{1,18})-[0-9]+/(?:[0-9]+|\*)", response.headers.get("Content-Range", "")
    )
    return int(found[1]) if found else None


def _date(text: str | None) -> float | None:
    """An HTTP date as seconds since 1970."""
    try:
        return email.utils.parsedate_to_datetime(text or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _status_trouble(response: requests.Response) -> _Trouble:
    status = response.status_code
    phrase = http.client.responses.get(status, "")
    reason = f"{status} {phrase}".strip()
    if status not in (408, 425, 429) and (status < 500 or status in (501, 505)):
        return _Trouble(reason)
    asked = response.headers.get("Retry-After", "")
    wait = 0.0
    if re.fullmatch("[0-9]{1,9}", asked):
        wait = float(asked)
    elif (until := _date(asked)) is not None:
        # Against the server's own clock where it tells it: this machine's may be wrong, or jump.
        now = _date(response.headers.get("Date"))
        wait = max(0.0, until - (time.time() if now is None else now))
    return _Passing(f"{reason}, asks to wait {wait:.0f} s" if wait else reason, wait)


def _network_trouble(error: BaseException, timeout_seconds: float, size: int) -> _Trouble:
    """One line of an error that requests, urllib3 or the system raised after ``size`` bytes of the file."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    # The innermost is the system's own word, without the wrapping of the libraries.
    said = next(
        (link.strerror for link in reversed(chain) if isinstance(link, OSError) and link.strerror), None
    )
    text = printable(said or str(error))
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
        return _Trouble(f"its certificate cannot be trusted ({text})")
    # Both libraries' errors about addresses are ValueErrors.
    if isinstance(error, (ValueError, requests.TooManyRedirects)):
        return _Trouble(text)
    if said is not None:
        return _Passing(text)
    if any(
        isinstance(link, (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)) for link in chain
    ):
        return _Passing(f"no answer within {timeout_seconds:g} s")
    cut = any(isinstance(link, urllib3.exceptions.ProtocolError) for link in chain)
    return _Passing(f"connection cut after {size} bytes" if cut else text)
