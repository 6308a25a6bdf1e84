"""Resumable work: a job of many units, each done once, however often the job is stopped and restarted."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pipelines.prepared.folder_files import present_files, remove_file
from pipelines.prepared.journal_lines import journal_lines
from pipelines.prepared.manifest import Row
from pipelines.tracks import LeftOut, Track
from tfkey.storage import shown

Progress = Callable[[int, int], None]
"""Called with the number of finished units and the total."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Unit(Generic[T]):
    """A piece of work: its name, a digest of what its result depends on, and what to work on."""

    name: str
    fingerprint: str
    payload: T


@dataclass(frozen=True)
class Result:
    """The result of a unit: rows of the manifest, and what had to be left out."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def fingerprint(*parts: Any) -> str:
    """Return a digest of everything that a unit's result depends on (JSON values)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def file_state(path: Path) -> list[Any]:
    """Return what shows whether a file has changed: name, size, modification time."""
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]


def track_file(track: Track) -> list[Any]:
    """Return what shows whether the file of a track has changed."""
    # Without a signature, which may be another next time.
    return file_state(track.path) if track.stamp is None else [shown(track.path), *track.stamp]


class Journal:
    """The finished units of a job, one JSON line each, added as they finish.

    A line that a kill cut short is ignored, and so is a unit whose fingerprint has changed or one of
    whose files is missing; such units are done again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines = journal_lines(folder)
        self._entries: dict[str, tuple[str, Result]] = {}
        self._written: set[str] = set()
        for line in self._lines.read():
            try:
                entry = json.loads(line)
                rows = [Row(**row) for row in entry["rows"]]
                left_out = [LeftOut(**item) for item in entry["left_out"]]
            except (ValueError, TypeError, KeyError):
                continue
            self._entries[entry["unit"]] = (entry["fingerprint"], Result(rows, left_out))
            self._written.update(row.path for row in rows)
        self._files = present_files(folder)

    def finished(self, unit: Unit[Any]) -> Result | None:
        """Return the result of a unit if it is still valid; else None."""
        mark, result = self._entries.get(unit.name, ("", Result()))
        if mark != unit.fingerprint:
            return None
        return result if all(path in self._files for path in {row.path for row in result.rows}) else None

    def add(self, unit: Unit[Any], result: Result) -> None:
        """Record a finished unit; the record is on disk when this returns."""
        entry = {
            "unit": unit.name,
            "fingerprint": unit.fingerprint,
            "rows": [asdict(row) for row in result.rows],
            "left_out": [asdict(item) for item in result.left_out],
        }
        self._lines.append(json.dumps(entry))
        self._entries[unit.name] = (unit.fingerprint, result)
        self._written.update(row.path for row in result.rows)

    def reopen(self) -> None:
        """Remove ``dataset.json``, so that nobody reads the dataset while it changes."""
        remove_file(self._folder / "dataset.json")

    def drop_stale(self, keep: set[str]) -> None:
        """Remove every file that a unit ever wrote, except those in ``keep``."""
        stale = [path for path in self._written - keep if path in self._files]
        if stale:
            self.reopen()
        for path in stale:
            remove_file(self._folder / path)


def run_units(
    units: Sequence[Unit[T]],
    do: Callable[[list[T]], Generator[Result, None, None]],
    journal: Journal,
    *,
    progress: Progress | None = None,
) -> tuple[Result, int]:
    """Do every unit that is not in the journal.

    Results are taken in the order of the units, so that the outcome does not depend on timing.

    Args:
        units: all units of the job.
        do: does units, given their payloads; returns their results in order, as they come.
        journal: of the job.
        progress: called as units are done.

    Returns:
        The combined results of all units, and the number of units done by this call.
    """
    rows: list[Row] = []
    left_out: list[LeftOut] = []
    before = {unit.name: journal.finished(unit) for unit in units}
    fresh = [unit for unit in units if before[unit.name] is None]
    done = len(units) - len(fresh)
    if progress:
        progress(done, len(units))
    if fresh:
        journal.reopen()
    with contextlib.closing(do([unit.payload for unit in fresh])) as results:
        for unit in units:
            result = before[unit.name]
            if result is None:
                result = next(results)
                journal.add(unit, result)
                done += 1
                if progress:
                    progress(done, len(units))
            rows += result.rows
            left_out += result.left_out
    journal.drop_stale({row.path for row in rows})
    return Result(rows, left_out), len(fresh)


def iter_in_order(items: Sequence[T], work: Callable[[T], R], workers: int) -> Generator[R, None, None]:
    """Map with threads, in order, with at most ``2 * workers`` items running or waiting."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(work, item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
