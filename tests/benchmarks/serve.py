"""Naming the key of files over HTTP: ``tfkey serve`` against ``tfkey predict`` on the same files, in one run.

``python -m tests.benchmarks.serve`` starts a server on the loopback address, sends it files eight at a time
(``--at-once``), and has ``tfkey predict --format jsonl`` analyse the same files, each with as many worker
processes (``--workers``). The two take turns in every round. Time is counted from the first answers on, when
all processes are warm, to the last one: the start of ``tfkey predict`` is left out. For each it prints the
files per minute and the time of the processor per file, and the ratios within a round; for the server also
the latency (median and 99 %), eight at a time and one at a time. The time of the processor is that of the
server's processes, without that of the client.

Then it sends waveforms and spectrograms to ``:predict``, against a script without a server: ``json.loads``,
the same network, ``json.dumps``. The audio is made from the recordings in ``tests/data/real``. Linux.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.predict import make_files
from tests.processes import family, processor_seconds
from tests.tfkey.serving.processes import COMMAND, ROOT, Process, started
from tests.tfkey.serving.running import BOUNDARY, form

FRAMES = 324
PREDICT = "/v1/models/tfkey:predict"


@dataclass(frozen=True)
class Turn:
    """What one program took for one round.

    Attributes:
        seconds: per file, by the clock.
        busy: seconds of the processor per file.
        own: those of the server's own process.
        latencies: of each request, in seconds.
    """

    seconds: float
    busy: float
    own: float = 0.0
    latencies: tuple[float, ...] = ()


@dataclass(frozen=True)
class Request:
    """A request whose body is ready."""

    path: str
    content_type: str
    body: bytes


class Clients:
    """Connections that are kept open, each in a thread of its own, as many as requests at a time.

    Args:
        port: where the server listens.
        count: how many there are.
    """

    def __init__(self, port: int, count: int) -> None:
        self._free = [http.client.HTTPConnection("127.0.0.1", port, timeout=600) for _ in range(count)]
        self._threads = ThreadPoolExecutor(count)

    def send(self, requests: Sequence[Request]) -> list[tuple[float, float]]:
        """Send requests; return when each was answered and how long it took, in the order of the ends."""
        return sorted(self._threads.map(self._ask, requests))

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown()
        for connection in self._free:
            connection.close()

    def _ask(self, request: Request) -> tuple[float, float]:
        connection = self._free.pop()
        start = time.perf_counter()
        connection.request("POST", request.path, request.body, {"Content-Type": request.content_type})
        response = connection.getresponse()
        content = response.read()
        end = time.perf_counter()
        self._free.append(connection)
        if response.status != 200:
            raise SystemExit(f"{request.path}: {response.status} {content[:300]!r}")
        return end, end - start


def busy(server: Process) -> np.ndarray:
    """The seconds of the processor that all processes of a server have taken so far, and its own one."""
    own, *workers = map(processor_seconds, family(server.pid))
    return np.array([own + sum(workers), own])


def serve_turn(server: Process, requests: Sequence[Request], at_once: int, warm: int) -> Turn:
    """Send requests, of which the first ones do not count."""
    clients = Clients(server.port, at_once)
    before = busy(server)
    ends = clients.send(requests)
    spent = (busy(server) - before) / len(requests)
    clients.close()
    seconds = (ends[-1][0] - ends[warm - 1][0]) / (len(requests) - warm)
    return Turn(seconds, *spent, tuple(took for _, took in ends[warm:]))


def predict_turn(files: Sequence[Path], workers: int, warm: int, start: float) -> Turn:
    """Have ``tfkey predict`` analyse files, of which the first ones do not count.

    Args:
        files: the files.
        workers: the number of processes.
        warm: how many files do not count.
        start: the seconds of the processor that its start takes.
    """
    arguments = ["predict", *map(str, files), "--format", "jsonl", "--workers", str(workers)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        ends = [time.perf_counter() for _ in process.stdout]
    if len(ends) != len(files):
        raise SystemExit("tfkey predict did not answer; run it by hand to see why")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = (ends[-1] - ends[warm - 1]) / (len(files) - warm)
    return Turn(seconds, (sum(after[:2]) - sum(before[:2]) - start) / len(files))


def start_of_predict(folder: Path, workers: int) -> float:
    """The seconds of the processor that the start of ``tfkey predict`` takes: files of no length."""
    files = [folder / f"nothing-{number}.wav" for number in range(max(2, workers))]
    for file in files:
        file.touch()
    arguments = ["predict", *map(str, files), "--workers", str(workers)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*COMMAND, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(after[:2]) - sum(before[:2])


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """The median, least and greatest."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def latency(turns: Sequence[Turn]) -> str:
    """Median and 99 % over all rounds, in ms."""
    taken = np.concatenate([turn.latencies for turn in turns]) * 1000
    return f"median {np.median(taken):.0f}, 99 % {np.quantile(taken, 0.99):.0f} ms"


def uploads(server: Process, folder: Path, seconds: int, options: argparse.Namespace) -> None:
    """Compare uploads with ``tfkey predict``."""
    warm = 2 * options.at_once
    distinct = make_files(folder, seconds, 5)
    files = list(itertools.islice(itertools.cycle(distinct), warm + options.files))
    # A file that is named twice is analysed once.
    copies = [folder / f"copy-{number}-{path.name}" for number, path in enumerate(files)]
    for copy, path in zip(copies, files, strict=True):
        copy.hardlink_to(path)
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    bodies = {path: Request("/estimate", kind, form(path.read_bytes(), path.name)) for path in distinct}
    requests = [bodies[path] for path in files]
    turns: dict[str, list[Turn]] = {"tfkey serve": [], "tfkey predict": []}
    alone: list[Turn] = []
    start = statistics.median(start_of_predict(folder, options.workers) for _ in range(3))
    programs: dict[str, Callable[[], Turn]] = {
        "tfkey serve": lambda: serve_turn(server, requests, options.at_once, warm),
        "tfkey predict": lambda: predict_turn(copies, options.workers, warm, start),
    }
    for number in range(options.rounds):
        # Neither is always the first.
        for name in sorted(programs, reverse=bool(number % 2)):
            turns[name].append(programs[name]())
        alone.append(serve_turn(server, requests[:10], 1, 2))
    size = distinct[0].stat().st_size / 2**20
    print(f"\nMP3s of {seconds} s ({size:.1f} MB), {options.workers} workers, {options.files} files a round")
    for name, found in turns.items():
        per_minute = spread([60 / turn.seconds for turn in found], ".0f")
        cost = spread([1000 * turn.busy for turn in found], ".0f")
        print(f"  {name:14} {per_minute} files per minute; {cost} ms of the processor per file")
    own = spread([1000 * turn.own for turn in turns["tfkey serve"]], ".1f")
    print(f"  of it, in the server's own process: {own} ms")
    for what in ("seconds", "busy"):
        pairs = zip(turns["tfkey serve"], turns["tfkey predict"], strict=True)
        ratios = [getattr(a, what) / getattr(b, what) for a, b in pairs]
        title = "time" if what == "seconds" else "processor"
        print(f"  {title} per file, serve / predict: {spread(ratios)}")
    print(f"  latency, {options.at_once} at a time: {latency(turns['tfkey serve'])}")
    print(f"  latency, one at a time: {latency(alone)}", flush=True)


def predictions(server: Process, options: argparse.Namespace) -> None:
    """Compare ``:predict`` with a script that does the same without a server."""
    from tfkey.inference.estimator import KeyEstimator
    from tfkey.serving.signatures import SPECTROGRAM, WAVEFORM, apply_signature

    estimator = KeyEstimator.from_pretrained()
    metadata = estimator.metadata
    random = np.random.default_rng(0)
    rows = {
        WAVEFORM: random.normal(0, 0.1, 30 * metadata.features.sample_rate),
        SPECTROGRAM: random.random((FRAMES, metadata.features.n_bins, 1)),
    }
    for name, row in rows.items():
        # As people write it; float32 has up to 17 digits then.
        values = {"signature_name": name, "instances": [row.astype(np.float32).tolist()]}
        request = Request(PREDICT, "application/json", json.dumps(values).encode())

        def script(name: str = name, body: bytes = request.body) -> float:
            start = time.process_time()
            given = np.asarray(json.loads(body)["instances"], np.float32)
            found = apply_signature(metadata, estimator.network, name, list(given), 1)
            json.dumps({"predictions": found.tolist()})
            return time.process_time() - start

        script()
        turns, alone, scripts = [], [], []
        for _ in range(options.rounds):
            scripts.append(statistics.median(script() for _ in range(5)))
            turns.append(serve_turn(server, [request] * (options.requests + 16), options.at_once, 16))
            alone.append(serve_turn(server, [request] * 20, 1, 4))
        print(f"\n:predict, {name} {list(row.shape)}, {len(request.body) / 2**20:.2f} MB of JSON")
        per_minute = spread([60 / turn.seconds for turn in turns], ".0f")
        print(f"  requests per minute, {options.at_once} at a time: {per_minute}")
        print(f"  ms of the processor per request: {spread([1000 * turn.busy for turn in turns], '.0f')}")
        print(f"  of it, in the server's own process: {spread([1000 * turn.own for turn in turns], '.1f')}")
        print(f"  ms of the processor for a script: {spread([1000 * seconds for seconds in scripts], '.0f')}")
        ratios = [turn.busy / seconds for turn, seconds in zip(turns, scripts, strict=True)]
        print(f"  processor per request, serve / script: {spread(ratios)}")
        print(f"  latency, {options.at_once} at a time: {latency(turns)}")
        print(f"  latency, one at a time: {latency(alone)}", flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--files", type=int, default=48, help="of each length and round")
    parser.add_argument("--requests", type=int, default=64, help="of :predict in each round")
    parser.add_argument("--seconds", type=int, nargs="*", default=[30, 180], help="lengths of files")
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        started("serve", "--port", 0, "--workers", options.workers, temporary=Path(name)) as server,
    ):
        for seconds in options.seconds:
            uploads(server, Path(name), seconds, options)
        predictions(server, options)
        server.stop()


if __name__ == "__main__":
    main()
