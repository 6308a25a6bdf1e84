"""Naming the key of files over HTTP: ``tfkey serve`` against ``tfkey predict`` on the same files, in one run.

``python -m tests.benchmarks.serve`` starts a server on the loopback address, sends it files eight at a time
(``--at-once``), and has ``tfkey predict`` analyse a folder of the same files, each with as many worker
processes (``--workers``). While one of them works, all processes of the other are stopped (SIGSTOP): they
take turns of half a second, so that what else the machine does meets both alike. A round is twenty turns of
each. Nothing counts until all processes are warm. For each it prints the files per minute and the time of the
processor per file, and the ratios within a round; the time of the processor is that of all processes but the
client. Then follows the latency without turns (median and 99 %), eight at a time and one at a time.

At last it sends waveforms and spectrograms to ``:predict``, against a script without a server:
``json.loads``, the same network, ``json.dumps``. The audio is made from the recordings in
``tests/data/real``. Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.predict import make_files
from tests.benchmarks.results import add_option, spread, table, write_results
from tests.benchmarks.turns import TURN_SECONDS, TURNS, Paced, in_turns, wait_until
from tests.processes import family, processor_seconds
from tests.tfkey.serving.processes import COMMAND, ROOT, Process, started
from tests.tfkey.serving.running import BOUNDARY, form

FRAMES = 324
MOST_PER_SECOND = 60
PREDICT = "/v1/models/tfkey:predict"


UPLOADS = (
    "", "time per file, serve / predict", "processor per file, serve / predict",
    "latency, median / 99 %, 8 at a time", "one at a time",
)  # fmt: skip
PREDICTIONS = (
    "",
    "JSON, MB",
    "ms, median / 99 %",
    "requests per minute",
    "processor per request, serve / script",
)


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
        return sorted(self._threads.map(self.ask, requests))

    def ask(self, request: Request) -> tuple[float, float]:
        """Send a request; return when it was answered and how long it took."""
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

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown()
        for connection in self._free:
            connection.close()


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


@contextlib.contextmanager
def predicting(folder: Path, workers: int, warm: int) -> Iterator[Paced]:
    """``tfkey predict`` on a folder, stopped once it is warm."""
    arguments = ["predict", str(folder), "--format", "jsonl", "--workers", str(workers)]
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        lines: list[bytes] = []
        reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
        reader.start()
        program = Paced(process.pid, lambda: len(lines))
        try:
            wait_until(lambda: len(lines) >= warm)
            program.stop()
            yield program
        finally:
            for one in family(process.pid):
                os.kill(one, signal.SIGKILL)
            reader.join()


@contextlib.contextmanager
def asking(server: Process, requests: Sequence[Request], at_once: int, warm: int) -> Iterator[Paced]:
    """A server that always has so many requests to answer, stopped once it is warm."""
    clients = Clients(server.port, at_once)
    is_over = threading.Event()
    answered: list[float] = []

    def work() -> None:
        for request in itertools.cycle(requests):
            if is_over.is_set():
                break
            answered.append(clients.ask(request)[0])

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    program = Paced(server.pid, lambda: len(answered))
    try:
        wait_until(lambda: len(answered) >= warm)
        program.stop()
        yield program
    finally:
        is_over.set()
        program.go_on()
        for thread in threads:
            thread.join()
        clients.close()


def latency(turns: Sequence[Turn]) -> str:
    """Median and 99 % over all rounds, in ms."""
    taken = np.concatenate([turn.latencies for turn in turns]) * 1000
    return f"{np.median(taken):.0f} / {np.quantile(taken, 0.99):.0f} ms"


def uploads(server: Process, scratch: Path, seconds: int, options: argparse.Namespace) -> list[str]:
    """Compare uploads with ``tfkey predict``; a row of the table."""
    warm = 2 * options.at_once
    distinct = make_files(scratch, seconds, 5)
    folder = scratch / f"folder-{seconds}"
    folder.mkdir()
    # More than it can do.
    for number in range(warm + round(options.rounds * TURNS * TURN_SECONDS * MOST_PER_SECOND)):
        (folder / f"{number:06d}.mp3").hardlink_to(distinct[number % len(distinct)])
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    requests = [Request("/estimate", kind, form(path.read_bytes(), path.name)) for path in distinct]
    with (
        predicting(folder, options.workers, warm) as predict,
        asking(server, requests, options.at_once, warm) as serve,
    ):
        in_turns([serve, predict], options.rounds)
    size = distinct[0].stat().st_size / 2**20
    print(f"\nMP3s of {seconds} s ({size:.1f} MB), {options.workers} workers, {options.rounds} rounds")
    for name, program in (("tfkey serve", serve), ("tfkey predict", predict)):
        per_minute = spread([60 / each for each in program.seconds], ".0f")
        cost = spread([1000 * each for each in program.busy], ".0f")
        print(f"  {name:14} {per_minute} files per minute; {cost} ms of the processor per file")
    cells = []
    for what, title in (("seconds", "time"), ("busy", "processor")):
        ratios = [a / b for a, b in zip(getattr(serve, what), getattr(predict, what), strict=True)]
        print(f"  {title} per file, serve / predict: {spread(ratios)}")
        cells.append(spread(ratios))
    many = [serve_turn(server, requests * options.requests, options.at_once, warm)]
    alone = [serve_turn(server, requests * 8, 1, 2)]
    print(f"  in the server's own process: {1000 * many[0].own:.1f} ms of the processor per file")
    print(f"  latency, {options.at_once} at a time: {latency(many)}")
    print(f"  latency, one at a time: {latency(alone)}", flush=True)
    return [f"{seconds} s ({size:.1f} MB)", *cells, latency(many), latency(alone)]


def predictions(server: Process, options: argparse.Namespace) -> list[list[str]]:
    """Compare ``:predict`` with a script that does the same without a server; the rows of the table."""
    from tfkey.inference.estimator import KeyEstimator
    from tfkey.serving.signatures import SPECTROGRAM, WAVEFORM, apply_signature

    estimator = KeyEstimator.from_pretrained()
    metadata = estimator.metadata
    random = np.random.default_rng(0)
    rows = {
        WAVEFORM: random.normal(0, 0.1, 30 * metadata.features.sample_rate),
        SPECTROGRAM: random.random((FRAMES, metadata.features.n_bins, 1)),
    }
    found = []
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
        size = f"{len(request.body) / 2**20:.1f}"
        found.append([f"{name} {list(row.shape)}", size, latency(turns), per_minute, spread(ratios)])
    return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--requests",
        type=int,
        default=32,
        help="sent for each latency and round",
    )
    parser.add_argument("--seconds", type=int, nargs="*", default=[30, 180], help="lengths of files")
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    add_option(parser)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        started("serve", "--port", 0, "--workers", options.workers, temporary=Path(name)) as server,
    ):
        files = [uploads(server, Path(name), seconds, options) for seconds in options.seconds]
        rows = predictions(server, options)
        server.stop()
    tables = {
        "uploads": table("Uploads, against tfkey predict", UPLOADS, files),
        "predictions": table("`:predict`, against a script", PREDICTIONS, rows),
    }
    write_results(options.results, "Serving: speed", tables=tables, packages=("starlette", "uvicorn"))


if __name__ == "__main__":
    main()
