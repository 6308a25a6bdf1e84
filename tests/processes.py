"""What Linux says of processes: which belong together, their memory, descriptors and work."""

from __future__ import annotations

import os
from pathlib import Path


def family(process: int) -> list[int]:
    """Return a process and those below it."""
    try:
        # Any of its threads may have started them.
        lists = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:
        return [process]
    return [process, *(one for text in lists for child in text.split() for one in family(int(child)))]


def memory(process: int) -> int:
    """Return the memory of a process in KiB; pages that it shares count in part."""
    return _rolled_up(process, "Pss:")


def anonymous_memory(process: int) -> int:
    """Return the memory in KiB that a process has allocated; pages of files, such as libraries, do not count.

    Unlike :func:`memory`, it does not change when other processes that use the same libraries begin or end.
    """
    return _rolled_up(process, "Anonymous:")


def _rolled_up(process: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(name))


def peak_memory(process: int) -> int:
    """Return the most memory in KiB that a process has taken so far; shared pages count in full."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def descriptors(process: int) -> int:
    """Return the number of descriptors that a process has open."""
    try:
        return len(os.listdir(f"/proc/{process}/fd"))
    except OSError:
        return 0


def processor_seconds(process: int) -> float:
    """Return how long a process has kept a processor busy, its children that have ended included."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
