"""How xdist shares out the tests: how many workers, and the files that take longest first.

By itself, xdist starts the files with the most tests first. Here, files with few tests take longest: they
would come last, and one worker would still be busy when the others have ended.

``tests/seconds.csv`` says how long the files take. After larger changes, write it anew, on a quiet machine::

    make test ARGS=--junitxml=build/report.xml
    python -m tests.order build/report.xml
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_name("seconds.csv")
LEAST_SECONDS = 2.0
"""Files that take less are not listed: their order does not matter."""

# TensorFlow, a test's data, and the processes that a test starts. The system takes as much as a worker.
_BYTES_OF_A_WORKER = 2.5 * 2**30


def seconds() -> dict[str, float]:
    """Return the seconds that each of the longer files takes, by path from the root of the project."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return {row["file"]: float(row["seconds"]) for row in csv.DictReader(stream)}


def longest_first(files: list[str]) -> list[int]:
    """Return the places of ``files`` (one name per test), sorted so that the longest files come first.

    Tests of one file stay together, in their order. Files that are not listed follow in their order.
    """
    known = seconds()
    first = {name: place for place, name in reversed(list(enumerate(files)))}
    return sorted(
        range(len(files)), key=lambda place: (-known.get(files[place], 0.0), first[files[place]], place)
    )


def workers(cores: int, memory: float | None) -> int:
    """Return how many workers keep ``cores`` busy with ``memory`` bytes (None: unknown).

    One more than cores, because tests often wait: for servers, browsers and processes.
    """
    wanted = cores + 1
    return max(1, wanted if memory is None else min(wanted, int(memory / _BYTES_OF_A_WORKER) - 1))


def memory_of_this_machine() -> float | None:
    """Return the bytes of memory, or of the limit of this container; None if the system does not say."""
    try:
        found = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return None
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="utf-8").strip()
    except OSError:
        return found
    return found if limit == "max" else min(found, float(limit))


def cores_of_this_process() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None  # xdist reads it
    return workers(cores_of_this_process(), memory_of_this_machine())


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items[:] = [items[place] for place in longest_first([item.nodeid.split("::")[0] for item in items])]


def measured(report: Path) -> dict[str, float]:
    """Return the seconds of each file from a JUnit report, with set-up and clean-up, the longest first."""
    found: Counter[str] = Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.get("classname", "")
        path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
        if path.is_file():
            found[path.relative_to(ROOT).as_posix()] += float(case.get("time", 0))
    return dict(found.most_common())


def write(found: dict[str, float]) -> None:
    """Write the table."""
    with TABLE.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["file", "seconds"])
        writer.writerows([name, round(value)] for name, value in found.items() if value >= LEAST_SECONDS)


if __name__ == "__main__":
    write(measured(Path(sys.argv[1])))
