"""How fast and in how much memory spectrograms are prepared: ``python -m tests.benchmarks.prepare``.

It compares tfkey's ``prepare --mode spectrograms`` with a plain script (one call of ``librosa.load`` and
``librosa.cqt`` per file in a process pool) on the same MP3s with the same number of workers. Each run is a
separate process, and the two take turns, so that a busy machine slows both alike; compute ratios within a
run. The clock starts when the libraries are loaded (that time is printed separately) and ends when all
results are on disk. Memory is read in a separate run, as reading it slows a process down: the greatest sum of
resident memory over the processes of a run, with shared pages counted once (proportional set size). The
number of processors is the average number kept busy; fewer than there are workers may also mean that other
programs used the machine.

``tests.benchmarks.decoding`` shows what the steps of both cost, separately and with one thread.

The MP3s (stereo, 60 to 120 s, 96 kbit/s like the previews of the GiantSteps datasets) are cut from the
recordings in ``tests/data/real`` once, which takes minutes, and kept in ``--folder``. Memory is read
from ``/proc``: this runs on Linux.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.benchmarks.results import add_option, ratio, shown, spread, table, write_results
from tfkey.audio.reading import read
from tfkey.config import Config
from tfkey.keys import Key

ROOT = Path(__file__).parents[2]
REAL = ROOT / "tests" / "data" / "real"
RATE = 44100
# libsndfile's 0 to 1 means 320 to 32 kbit/s.
LEVEL_96K = (320 - 96) / (320 - 32)
CONTENDERS = ("tfkey", "librosa")
Measured = dict[str, float]


def make_mp3s(folder: Path, hours: float) -> tuple[Path, float]:
    """At least ``hours`` of MP3 in key folders below ``folder``, made if they are not there.

    Every file runs through one recording, from a point of its own and over and over; its second channel
    lags by a few samples, as no encoder may take the two for one.

    Returns:
        The folder of the key folders, and their hours.
    """
    corpus, total = folder / f"mp3-96k-{hours:g}h", 0.0
    with (REAL / "labels.csv").open(newline="") as stream:
        labels = [
            (REAL / row["file"], Key.parse(f"{row['tonic']} {row['mode']}")) for row in csv.DictReader(stream)
        ]
    recordings = [(read(path, RATE), path.stem, key) for path, key in labels]
    random = np.random.default_rng(0)
    for number, (waveform, name, key) in enumerate(itertools.cycle(recordings)):
        seconds = int(random.integers(60, 121))
        start, lag = random.integers(0, waveform.size), int(random.integers(5, 40))
        total += seconds / 3600
        path = corpus / key.folder / f"{name}-{number:03d}.mp3"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            mono = np.resize(np.roll(waveform, -start), seconds * RATE)
            partial = path.with_suffix(".partial")
            stereo = np.stack([mono, np.roll(mono, lag)], 1)
            soundfile.write(
                partial, stereo, RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=LEVEL_96K
            )
            partial.rename(path)
        if total >= hours:
            break
    return corpus, total


def by_tfkey(corpus: Path, out: Path, workers: int, started: Callable[[], None]) -> None:
    """Spectrograms as tfkey prepares them."""
    from pipelines.prepare.prepare import prepare

    started()
    config = Config(mode="spectrograms", data_dir=out)
    summary = prepare(config, "benchmark", source=corpus, workers=workers)
    assert not summary.left_out, summary.left_out


def by_librosa(corpus: Path, out: Path, workers: int, started: Callable[[], None]) -> None:
    """Spectrograms as a plain script would make them."""
    import librosa

    # It loads its parts when they are first asked for.
    librosa.load, librosa.cqt  # noqa: B018
    started()
    jobs = [(path, out / f"{path.stem}.npy") for path in sorted(corpus.rglob("*.mp3"))]
    out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_one_by_librosa, jobs))


def _one_by_librosa(job: tuple[Path, Path]) -> None:
    import librosa

    waveform, rate = librosa.load(job[0], sr=Config().features.sample_rate)
    transform = librosa_transform(waveform, rate)
    np.save(job[1], librosa.amplitude_to_db(np.abs(transform)).astype(np.float16))


def librosa_transform(waveform: np.ndarray, rate: float) -> np.ndarray:
    """librosa's constant-Q transform with tfkey's default parameters."""
    import librosa

    features = Config().features
    return librosa.cqt(
        waveform,
        sr=rate,
        hop_length=features.hop_length,
        fmin=features.fmin,
        n_bins=features.n_bins,
        bins_per_octave=features.bins_per_octave,
        tuning=0.0,
    )


def measure(contender: str, corpus: Path, workers: int, *, watch: bool = False) -> Measured:
    """One run in a process of its own: seconds to start and to prepare, processors; bytes at the peak
    (``watch``)."""
    with tempfile.TemporaryDirectory(dir=corpus.parent) as out:
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.prepare",
            "--contender",
            contender,
            str(corpus),
            out,
        ]
        process = subprocess.Popen(
            [*command, str(workers)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            # One worker is to be one processor for the plain script, too.
            env=os.environ
            | {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
            | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        peak = 0
        while process.poll() is None:
            if watch:
                peak = max(peak, sum(resident(member) for member in tree(process.pid)))
            time.sleep(0.1)
        assert process.stdout is not None
        text = process.stdout.read()
    if process.returncode:
        raise SystemExit(
            f"{contender}: ended with code {process.returncode}; run it by hand: {' '.join(command)}"
        )
    return {**json.loads(text.splitlines()[-1]), "peak": peak}


def tree(root: int) -> Iterator[int]:
    """A process and all below it."""
    yield root
    try:
        children = [
            child
            for task in Path(f"/proc/{root}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return
    for child in children:
        yield from tree(int(child))


def resident(process: int) -> int:
    """Bytes that a process holds in memory, its part of what it shares; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)


def contend(contender: str, corpus: Path, out: Path, workers: int) -> None:
    """Do one run and print what it took as JSON."""
    begin = time.perf_counter()
    marks: list[float] = []

    def processors() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    def started() -> None:
        marks.extend([time.perf_counter(), processors()])

    {"tfkey": by_tfkey, "librosa": by_librosa}[contender](corpus, out, workers, started)
    seconds = time.perf_counter() - marks[0]
    busy = (processors() - marks[1]) / seconds
    print(json.dumps({"start": marks[0] - begin, "seconds": seconds, "processors": busy}))


def print_race(
    measured: dict[tuple[str, int], list[Measured]], peaks: dict[tuple[str, int], float], hours: float
) -> dict[str, Any]:
    """The first table, and the ratios of each round; they are returned for a results file."""
    rounds = len(next(iter(measured.values())))
    print(f"{hours:.2f} hours of MP3; median (least to greatest) of {rounds} rounds")
    print(f"{'':12}{'workers':>8}{'hours/min':>24}{'processors':>12}{'peak MiB':>10}{'to start, s':>12}")

    def rates(run: tuple[str, int]) -> list[float]:
        return [hours * 60 / one["seconds"] for one in measured[run]]

    figures: dict[str, dict[str, Any]] = {}

    for run, ones in measured.items():
        middle = {name: statistics.median(one[name] for one in ones) for name in ones[0]}
        print(
            f"{run[0]:12}{run[1]:8}{spread(rates(run)):>24}{middle['processors']:12.2f}"
            f"{peaks[run] / 2**20:10.0f}{middle['start']:12.1f}"
        )

    def compare(name: str, words: str, upper: tuple[str, int], lower: tuple[str, int]) -> None:
        quotients = [a / b for a, b in zip(rates(upper), rates(lower), strict=True)]
        print(f"{words}: {spread(quotients)}")
        figures[name] = ratio(words, quotients, ".1f")

    numbers = sorted({workers for _, workers in measured})
    for workers in numbers:
        compare(
            f"ratio-{workers}",
            f"tfkey against librosa, {workers} workers",
            ("tfkey", workers),
            ("librosa", workers),
        )
    for contender in CONTENDERS if len(numbers) > 1 else ():
        compare(
            f"scaling-{contender}",
            f"{contender}, {numbers[-1]} workers against {numbers[0]}",
            (contender, numbers[-1]),
            (contender, numbers[0]),
        )
    rows = []
    for workers in numbers:
        cells = [spread(rates((contender, workers)), ".1f") for contender in CONTENDERS]
        memory = " / ".join(f"{peaks[contender, workers] / 2**20:.0f}" for contender in CONTENDERS)
        rows.append([str(workers), *cells, shown(figures[f"ratio-{workers}"], with_range=True), memory])
    columns = ["workers", "hours of audio per minute, tfkey", "librosa", "ratio", "peak MiB, tfkey / librosa"]
    return {"figures": figures, "tables": {"rates": table(f"{hours:.2f} hours of MP3", columns, rows)}}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tfkey-benchmark")
    parser.add_argument("--hours", type=float, default=2.0, help="of MP3 (default: 2)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--contender", nargs=4, metavar=("NAME", "CORPUS", "OUT", "WORKERS"), help=argparse.SUPPRESS
    )
    add_option(parser)
    options = parser.parse_args()
    if options.contender:
        name, corpus, out, workers = options.contender
        contend(name, Path(corpus), Path(out), int(workers))
        return
    corpus, hours = make_mp3s(options.folder, options.hours)
    runs = [(contender, workers) for workers in options.workers for contender in CONTENDERS]
    measured: dict[tuple[str, int], list[Measured]] = {run: [] for run in runs}
    for _ in range(options.rounds):
        for contender, workers in runs:
            measured[contender, workers].append(measure(contender, corpus, workers))
    peaks = {run: measure(run[0], corpus, run[1], watch=True)["peak"] for run in runs}
    found = print_race(measured, peaks, hours)
    write_results(
        options.results, "Preparing spectrograms: speed", **found, packages=("tensorflow", "librosa")
    )


if __name__ == "__main__":
    main()
