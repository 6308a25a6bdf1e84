"""The progress of a download: bytes and files, counted by many threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.download.half_files import Item


@dataclass(frozen=True)
class DownloadState:
    """The progress of a download.

    Attributes:
        done_bytes: finished bytes of all files, including existing files; falls if a file is started again.
        total_bytes: the size of all files; None while the size of any file is unknown.
        files_done: the number of files that exist or could not be fetched.
        files_total: the number of all files.
        bytes_per_second: the download rate over the last five seconds.
    """

    done_bytes: int
    total_bytes: int | None
    files_done: int
    files_total: int
    bytes_per_second: float


OnDownload = Callable[[DownloadState], None]
"""Called with the progress of a download."""


class Tally:
    """Counts of bytes and files; ``fetched`` is the number of bytes received."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._lock = threading.Lock()
        self._done = dict.fromkeys((item.name for item in items), 0)
        self._size = {item.name: item.size for item in items}
        self._settled = 0
        self._samples: deque[tuple[float, int]] = deque()
        self.fetched = 0

    def at(self, name: str, done: int) -> None:
        """Record how many bytes of a file are done."""
        with self._lock:
            self._done[name] = done

    def expect(self, name: str, size: int | None) -> None:
        """Record the expected size of a file, if known."""
        if size is not None:
            with self._lock:
                self._size[name] = size

    def settle(self, name: str, size: int) -> None:
        """Record that a file is finished, with its size; 0 if it could not be fetched."""
        self.expect(name, size)
        self.at(name, size)
        with self._lock:
            self._settled += 1

    def receive(self, count: int) -> None:
        """Record that bytes were received."""
        with self._lock:
            self.fetched += count

    def state(self) -> DownloadState:
        """Return the current progress; must be called often, because the rate is measured between calls."""
        now = time.monotonic()
        with self._lock:
            self._samples.append((now, self.fetched))
            while now - self._samples[0][0] > 5:
                self._samples.popleft()
            begin, before = self._samples[0]
            rate = (self.fetched - before) / (now - begin) if now > begin else 0.0
            done = sum(self._done.values())
            sizes = [size for size in self._size.values() if size is not None]
            total = sum(sizes) if len(sizes) == len(self._size) else None
            return DownloadState(done, total, self._settled, len(self._size), rate)
