"""How far a download is: bytes and files, counted by many threads at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.download.half_files import Item


@dataclass(frozen=True)
class DownloadState:
    """How far a download is.

    Attributes:
        done_bytes: of all files, those that were there already included; falls when a file is begun anew.
        total_bytes: of all files; None while the size of one is unknown.
        files_done: those that are there, and those that could not be fetched.
        files_total: all of them.
        bytes_per_second: the rate of receiving over the last five seconds.
    """

    done_bytes: int
    total_bytes: int | None
    files_done: int
    files_total: int
    bytes_per_second: float


OnDownload = Callable[[DownloadState], None]
"""Called with how far a download is."""


class Tally:
    """Counts of bytes and files; ``fetched`` is what was received, in bytes."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._lock = threading.Lock()
        self._done = dict.fromkeys((item.name for item in items), 0)
        self._size = {item.name: item.size for item in items}
        self._settled = 0
        self._samples: deque[tuple[float, int]] = deque()
        self.fetched = 0

    def at(self, name: str, done: int) -> None:
        """So many bytes of a file are there."""
        with self._lock:
            self._done[name] = done

    def expect(self, name: str, size: int | None) -> None:
        """A file has this size, as far as is known."""
        if size is not None:
            with self._lock:
                self._size[name] = size

    def settle(self, name: str, size: int) -> None:
        """Nothing more will come of a file, which has this size; 0 if it could not be fetched."""
        self.expect(name, size)
        self.at(name, size)
        with self._lock:
            self._settled += 1

    def receive(self, count: int) -> None:
        """So many bytes have come."""
        with self._lock:
            self.fetched += count

    def state(self) -> DownloadState:
        """What the counts come to now; called often, as the rate is taken between calls."""
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
