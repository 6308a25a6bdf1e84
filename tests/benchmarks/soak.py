"""A server that works for an hour: what it takes and whether it keeps anything.

``python -m tests.benchmarks.soak --minutes 60`` starts ``tfkey serve`` on the loopback address and sends
requests, four at once (``--clients``): recordings in seven formats, files that are broken in 31 ways, clients
of every kind of ``tests/tfkey/serving/visits.py`` (slow ones, some that send too much, stop half-way or go
before the answer), and waveforms for ``:predict``. What the server says of a file is compared with what
``tfkey predict`` says of it.

Each minute it prints the requests so far, the memory that is allocated (the median of the minute's samples;
without libraries) of the server's process and of its workers together, and the descriptors that they have
open. At the end it prints whether the memory is within 10 % of that after five minutes (``--settle``), and
whether a descriptor or a file is left. The exit code is 1 if not, or if an answer was wrong. Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.broken import WAYS, write_good
from tests.benchmarks.results import add_option, figure, write_results
from tests.media import chord
from tests.processes import anonymous_memory, descriptors, family
from tests.tfkey.serving.processes import COMMAND, Process, started
from tests.tfkey.serving.visits import BROKEN, Answer, Song, Visit, at_once, expected_of, visits
from tfkey.keys import N_CLASSES

LIMIT_MB = 6
SAMPLE_SECONDS = 2.0
TOLERANCE = 0.1


@dataclass
class Tally:
    """What the clients have seen.

    Attributes:
        statuses: the number of answers of each status; 0 stands for clients that did not wait.
        complaints: what was wrong.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Sample:
    """What the processes of a server take: MiB and numbers of descriptors."""

    server: float
    workers: float
    server_open: int
    workers_open: int

    @property
    def memory(self) -> float:
        return self.server + self.workers

    @property
    def is_open(self) -> int:
        return self.server_open + self.workers_open


def sampled(process: int) -> Sample:
    """Look at a server."""
    server, *workers = family(process)
    return Sample(
        anonymous_memory(server) / 1024,
        sum(map(anonymous_memory, workers)) / 1024,
        descriptors(server),
        sum(map(descriptors, workers)),
    )


def middle(samples: list[Sample]) -> Sample:
    """The median of each value."""
    return Sample(
        *(
            statistics.median_low([getattr(sample, name) for sample in samples])
            for name in Sample.__dataclass_fields__
        )
    )


def songs_and_broken(folder: Path) -> tuple[list[Song], list[Song]]:
    """Make the files, and have ``tfkey predict`` judge them."""
    paths = write_good(folder / "good")
    (folder / "broken").mkdir()
    for number, (suffix, make) in enumerate(WAYS.values()):
        path = folder / "broken" / f"{number}.{suffix}"
        path.write_bytes(make(folder))
    arguments = [
        *paths,
        *sorted((folder / "broken").iterdir()),
        "--format",
        "json",
        "--top",
        24,
        "--over-time",
    ]
    done = subprocess.run(
        [*COMMAND, "predict", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    songs = [
        Song(Path(values["file"]).name, Path(values["file"]).read_bytes(), expected_of(values))
        for values in json.loads(done.stdout)
    ]
    judged = {song.name for song in songs}
    broken = [Song(name, content) for name, content in BROKEN.items()]
    broken += [
        Song(path.name, path.read_bytes())
        for path in sorted((folder / "broken").iterdir())
        if path.name not in judged
    ]
    return songs, broken


class Prediction:
    """A waveform for ``:predict``, with the interface of a :class:`Visit`."""

    kind = "waveform"
    song = Song("waveform", b"")

    def __init__(self, seconds: float) -> None:
        wave = chord(seconds, 22050)[:, 0].round(4).tolist()
        self._body = json.dumps({"instances": [wave]}).encode()

    def pay(self, port: int) -> Answer:
        """Send it."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("POST", "/v1/models/tfkey:predict", self._body)
            response = connection.getresponse()
            return response.status, response.read()

    def complaint(self, found: Answer) -> str | None:
        """Return what is wrong with an answer; None if it is as it should be."""
        status, body = found
        is_well = status == 200 and len(json.loads(body)["predictions"][0]) == N_CLASSES
        return None if is_well else f"a waveform: {status} {body[:200]!r}"


def endless(songs: list[Song], broken: list[Song]) -> Iterator[Visit | Prediction]:
    """Visits of all kinds, in another order every time; every tenth request is a waveform."""
    # The second one is long enough to be kept in a file.
    waves = itertools.cycle([Prediction(5.0), Prediction(10.0)])
    for seed in itertools.count():
        for number, visit in enumerate(visits(songs, broken, 5 * len(songs), LIMIT_MB * 2**20, seed)):
            yield visit
            if number % 9 == 0:
                yield next(waves)


class Clients:
    """Threads that send uploads until they are stopped.

    Args:
        port: where the server listens.
        coming: what they send.
        count: how many there are.
    """

    def __init__(self, port: int, coming: Iterator[Visit | Prediction], count: int) -> None:
        self.tally = Tally()
        self._port, self._coming = port, coming
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what has begun."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._is_over.is_set():
            with self._lock:
                visit = next(self._coming)
            try:
                found = visit.pay(self._port)
                complaint = visit.complaint(found)
            except OSError as error:
                found, complaint = (-1, b""), f"{visit.kind}, {visit.song.name}: {error}"
            with self._lock:
                self.tally.statuses[found[0]] += 1
                if complaint is not None:
                    self.tally.complaints.append(complaint)
                    print(complaint, flush=True)


def watch(server: Process, clients: Clients, minutes: float) -> list[Sample]:
    """Print a line a minute; return the medians of the minutes."""
    print(
        f"{'minute':>6} {'requests':>9} {'answered':>9} {'refused':>8} {'gone':>6} "
        f"{'server MiB':>11} {'workers MiB':>12} {'open, server':>13} {'workers':>8}"
    )
    found = []
    start = time.monotonic()
    for minute in itertools.count(1):
        samples = []
        end = start + 60 * min(minute, minutes)
        while not samples or time.monotonic() < end:
            samples.append(sampled(server.pid))
            time.sleep(SAMPLE_SECONDS)
        found.append(middle(samples))
        statuses = clients.tally.statuses.copy()
        refused = sum(count for status, count in statuses.items() if status >= 400)
        print(
            f"{min(minute, minutes):6g} {statuses.total():9} {statuses[200]:9} {refused:8} {statuses[0]:6} "
            f"{found[-1].server:11.1f} {found[-1].workers:12.1f} {found[-1].server_open:13} "
            f"{found[-1].workers_open:8}",
            flush=True,
        )
        if minute >= minutes or not server.is_alive:
            return found
    raise AssertionError


def resting(server: Process, opened: int | None = None) -> Sample:
    """Look at a server without clients, once it has as many descriptors as it had, or after half a minute."""
    for _ in range(60):
        time.sleep(0.5)
        found = sampled(server.pid)
        if opened is None or found.is_open <= opened:
            break
    return found


def verdict(minutes: list[Sample], settle: int, rests: list[Sample], left: int, tally: Tally) -> bool:
    """Print what came of it, in one line; whether all is well."""
    then, now = minutes[min(settle, len(minutes)) - 1].memory, minutes[-1].memory
    is_steady = abs(now / then - 1) <= TOLERANCE
    opened = rests[1].is_open - rests[0].is_open
    words = [
        f"memory {now:.0f} MiB, {now / then:.3f} of the {then:.0f} MiB after {settle} minutes",
        f"{rests[1].is_open} descriptors open without clients, {opened:+d} against before",
        f"{left} uploads left",
        f"{tally.statuses.total()} requests, {len(tally.complaints)} of them not answered as they should be",
    ]
    is_well = is_steady and opened <= 0 and not left and not tally.complaints
    print(f"{'passed' if is_well else 'FAILED'}: {'; '.join(words)}")
    return is_well


def stated(minutes: list[Sample], settle: int, tally: Tally) -> dict[str, dict[str, Any]]:
    """The figures of a results file."""
    then, now = minutes[min(settle, len(minutes)) - 1].memory, minutes[-1].memory
    return {
        "requests": figure("requests", tally.statuses.total(), form=","),
        "complaints": figure("of them not answered as they should be", len(tally.complaints), form="d"),
        "settled": figure(f"memory after {settle} minutes", then, form=".0f", unit="MiB"),
        "end": figure("memory at the end", now, form=".0f", unit="MiB"),
        "growth": figure("memory at the end against before", now / then),
    }


def main() -> None:
    """Run the soak."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--settle", type=int, default=5, help="the minute that the end is compared with")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        songs, broken = songs_and_broken(folder)
        shutil.rmtree(folder / "good")
        uploads = folder / "uploads"
        uploads.mkdir()
        limits = ("--max-upload-mb", LIMIT_MB, "--body-timeout-seconds", 5)
        with started(
            "serve", "--port", 0, "--workers", options.workers, *limits, temporary=uploads
        ) as server:
            print(f"{len(songs)} files with an answer, {len(broken)} broken ones", flush=True)
            for song in songs:
                Visit("warm-up", song, at_once, frozenset({200})).pay(server.port)
            before = resting(server)
            clients = Clients(server.port, endless(songs, broken), options.clients)
            try:
                minutes = watch(server, clients, options.minutes)
            finally:
                clients.stop()
            rests = [before, resting(server, before.is_open)]
            left = sum(path.is_file() and path.name != ".lock" for path in uploads.rglob("*"))
            is_well = verdict(minutes, options.settle, rests, left, clients.tally)
            figures = stated(minutes, options.settle, clients.tally)
            print(f"statuses: {dict(sorted(clients.tally.statuses.items()))}; exit code {server.stop()}")
    write_results(options.results, f"{options.minutes:g} minutes of serving", figures=figures)
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
