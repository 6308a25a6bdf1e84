"""How fast and how accurate the constant-Q transforms are: ``python -m tests.benchmarks.cqt``.

All figures come from one run. For each number of threads, one worker process per framework stays alive and
the frameworks take turns, so that a busy machine slows all of them alike; compute ratios within a run.
nnAudio is not a dependency of tfkey. To compare with it, give it its own environment::

    python -m venv nnaudio-env && nnaudio-env/bin/pip install torch==2.13.0 nnAudio
    python -m tests.benchmarks.cqt --nnaudio-python nnaudio-env/bin/python

If TensorFlow sees a GPU, tfkey's transform and the Fourier transform are timed there too (one more table).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.results import add_option, figure, shown, write_results
from tests.benchmarks.results import table as result_table

SAMPLE_RATE, HOP, FMIN, BINS, PER_OCTAVE = 44100, 2048, 65.41, 120, 24
SECONDS = 30
BATCHES = (1, 16)
# Frames at which errors are measured, far enough from both ends that padding plays no part.
FRAMES = np.arange(20, 1 + SECONDS * SAMPLE_RATE // HOP - 20, 8)

RIVALS = {
    "tf": ("tfkey", "tfkey, XLA", "librosa.cqt", "rfft of the clip (floor)"),
    "nnaudio": ("nnAudio CQT1992v2", "nnAudio CQT2010v2"),
}
INSTALL = "python -m venv DIR && DIR/bin/pip install torch==2.13.0 nnAudio"


def clips(batch: int) -> np.ndarray:
    """Chords of decaying harmonics over pink-ish noise: float32 ``[batch, samples]``, the same everywhere."""
    rng = np.random.default_rng(0)
    n = SECONDS * SAMPLE_RATE
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    notes = []
    for _ in range(SECONDS):
        f = 65.41 * 2 ** (rng.integers(0, 36, 4)[:, None, None] / 12) * np.arange(1, 9)[:, None]
        notes.append((np.sin(2 * np.pi * f * t) * np.exp(-2 * t) / np.arange(1, 9)[:, None]).sum((0, 1)))
    noise = np.cumsum(rng.standard_normal(n)) * 0.003
    clip = np.concatenate(notes) + noise - np.convolve(noise, np.ones(512) / 512, "same")
    return np.stack([np.roll(clip, 4411 * i) for i in range(batch)]).astype(np.float32)


def definition(x: np.ndarray) -> np.ndarray:
    """The magnitude of the sum that ``tfkey.spectrogram.cqt`` documents, in float64 at :data:`FRAMES`."""
    q = 1 / np.tanh(np.log(2) / PER_OCTAVE)
    x = x.astype(np.float64)
    result = np.empty((len(FRAMES), BINS))
    for k in range(BINS):
        f = FMIN * 2 ** (k / PER_OCTAVE)
        length = q * SAMPLE_RATE / f
        h = int(length / 2)
        t = np.arange(-h, h + 1)
        window = (1 + np.cos(2 * np.pi * t / length)) / 2
        kernel = np.sqrt(length) / window.sum() * window * np.exp(-2j * np.pi * f / SAMPLE_RATE * t)
        result[:, k] = [abs(x[m * HOP - h : m * HOP + h + 1] @ kernel) for m in FRAMES]
    return result


def tensorflow_rivals(threads: int, device: str) -> dict[str, Callable[[int], object]]:
    """What runs in this environment: name to a function of the batch size."""
    import librosa
    import tensorflow as tf

    from tfkey.spectrogram.cqt import CQT

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    if device == "CPU":
        tf.config.set_visible_devices([], "GPU")
    layer, pool = CQT(), ThreadPoolExecutor(threads)
    plain, compiled = tf.function(layer), tf.function(layer, jit_compile=True)
    floor = tf.function(tf.signal.rfft)
    arrays = {b: clips(b) for b in BATCHES}
    with tf.device(device):
        tensors = {b: tf.constant(a) for b, a in arrays.items()}

    def done(y):
        # A number that needs the whole result, so that an asynchronous device has finished.
        if device != "CPU":
            float(tf.math.real(tf.reshape(y, [-1])[-1]))
        return y

    def by_librosa(batch: int) -> list[np.ndarray]:
        def one(x: np.ndarray) -> np.ndarray:
            return np.abs(
                librosa.cqt(
                    x,
                    sr=SAMPLE_RATE,
                    hop_length=HOP,
                    fmin=FMIN,
                    n_bins=BINS,
                    bins_per_octave=PER_OCTAVE,
                    tuning=0.0,
                )
            ).T

        return list(pool.map(one, arrays[batch]))

    rivals = {
        "tfkey": lambda b: done(plain(tensors[b])),
        "tfkey, XLA": lambda b: done(compiled(tensors[b])),
        "librosa.cqt": by_librosa,
        "rfft of the clip (floor)": lambda b: done(floor(tensors[b])),
    }
    if device != "CPU":
        del rivals["librosa.cqt"]
    return rivals


def nnaudio_rivals(threads: int) -> dict[str, Callable[[int], object]]:
    """What runs in nnAudio's environment: name to a function of the batch size."""
    import torch
    from nnAudio import features

    torch.set_num_threads(threads)
    arrays = {b: torch.from_numpy(clips(b)) for b in BATCHES}
    options = {
        "sr": SAMPLE_RATE,
        "hop_length": HOP,
        "fmin": FMIN,
        "n_bins": BINS,
        "bins_per_octave": PER_OCTAVE,
        "verbose": False,
    }

    def rival(name: str) -> Callable[[int], object]:
        layer = getattr(features, name)(**options)

        def transform(batch: int) -> np.ndarray:
            with torch.no_grad():
                return layer(arrays[batch], normalization_type="librosa").transpose(1, 2).numpy()

        return transform

    return {f"nnAudio {name}": rival(name) for name in ("CQT1992v2", "CQT2010v2")}


def work(kind: str, threads: int, device: str) -> None:
    """Answer requests, one JSON line each, until the pipe closes: seconds taken, or the saved result."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    rivals = tensorflow_rivals(threads, device) if kind == "tf" else nnaudio_rivals(threads)
    for line in sys.stdin:
        request = json.loads(line)
        start = time.perf_counter()
        result = rivals[request["name"]](request["batch"])
        taken = time.perf_counter() - start
        if "save" in request:
            np.save(request["save"], np.asarray(result[0]))
        print(taken, file=answers, flush=True)


class Worker:
    """A process that holds one framework's rivals."""

    def __init__(self, python: str, kind: str, threads: int, device: str = "CPU") -> None:
        names = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")
        self.process = subprocess.Popen(
            [python, str(Path(__file__).resolve()), "--worker", kind, str(threads), device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ
            | {f"{n}_NUM_THREADS": str(threads) for n in names}
            | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(Path(__file__).parents[2])},
        )

    def ask(self, name: str, batch: int, save: str | None = None) -> float:
        """Seconds that one transform of ``batch`` clips took."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        request = {"name": name, "batch": batch} | ({"save": save} if save else {})
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{name}: its process ended; run it by hand to see why: {self.process.args}")
        return float(answer)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def error(result: np.ndarray, wanted: np.ndarray) -> float:
    """Relative L2 distance."""
    return float(np.linalg.norm(result - wanted) / np.linalg.norm(wanted))


def table(
    workers: list[tuple[Worker, tuple[str, ...]]], title: str, rounds: int, wanted: np.ndarray
) -> Timed:
    """Time all rivals in turn, and print one table."""
    rows = [(worker, name) for worker, names in workers for name in names]
    times: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        errors = {}
        for worker, name in rows:
            path = f"{folder}/result.npy"
            worker.ask(name, 1, path)
            if "floor" not in name:
                got = np.load(path)[FRAMES].astype(np.float64)
                # Rivals are forgiven one gain, tfkey is not.
                gain = 1.0 if "tfkey" in name else float((got * wanted).sum() / (got**2).sum())
                errors[name] = error(gain * got, wanted)
    for batch in BATCHES:
        # Twice unmeasured: the first call traces, compiles and fills caches.
        for worker, name in rows * 2:
            worker.ask(name, batch)
        for _ in range(rounds):
            for worker, name in rows:
                times.setdefault((name, batch), []).append(worker.ask(name, batch) * 1000 / batch)
    print(f"\n{title}: milliseconds per {SECONDS} s clip, least / median of {rounds} rounds")
    print(f"{'':26}" + "".join(f"{f'batch {b}':>18}" for b in BATCHES) + f"{'error':>12}")
    for _, name in rows:
        cells = "".join(
            f"{f'{min(times[name, b]):.2f} / {statistics.median(times[name, b]):.2f}':>18}" for b in BATCHES
        )
        print(f"{name:26}{cells}" + (f"{errors[name]:12.1e}" if name in errors else f"{'-':>12}"))
    middle = {key: statistics.median(values) for key, values in times.items()}
    factors = {}
    others = [name for _, name in rows if "tfkey" not in name and "floor" not in name]
    if others:
        for batch in BATCHES:
            best = {name: middle[name, batch] for _, name in rows}
            rival = min(others, key=best.__getitem__)
            ratio = best[rival] / best["tfkey"]
            factors[batch] = ratio
            print(f"batch {batch}: tfkey is {ratio:.1f} times as fast as {rival}, by medians")
    return Timed(times, errors, factors)


@dataclass(frozen=True)
class Timed:
    """What one number of threads gave.

    Attributes:
        times: milliseconds per clip of each round, by name and batch.
        errors: relative errors by name.
        factors: the fastest rival's time over tfkey's by batch, by medians.
    """

    times: dict[tuple[str, int], list[float]]
    errors: dict[str, float]
    factors: dict[int, float]


def stated(found: dict[int, Timed]) -> dict[str, Any]:
    """The figures and the table of a results file, by threads."""
    figures, errors = {}, {}
    for threads, timed in found.items():
        errors |= timed.errors
        for batch, factor in timed.factors.items():
            what = f"times as fast as the fastest rival, {threads} thread{'s' * (threads > 1)}, batch {batch}"
            figures[f"factor-{threads}-{batch}"] = figure(what, factor, form=".2g")
    for label, name in (("error", "tfkey"), ("error-librosa", "librosa.cqt")):
        figures[label] = figure(f"relative error, {name}", errors[name], form=".0e")
    order = [(threads, batch) for threads in found for batch in BATCHES]
    columns = ["", *(f"{t} thread{'s' * (t > 1)}, batch {b}" for t, b in order), "error"]
    rows = []
    for name in dict.fromkeys(name for timed in found.values() for name, _ in timed.times):
        values = [found[threads].times[name, batch] for threads, batch in order]
        cells = [f"{min(v):.3g} / {statistics.median(v):.3g}" for v in values]
        rows.append([name, *cells, shown({"value": errors[name], "format": ".1e"}) if name in errors else ""])
    return {
        "figures": figures,
        "tables": {"times": result_table("ms per clip, least / median", columns, rows)},
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nnaudio-python", metavar="PATH", help="interpreter of an environment with nnAudio")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--worker", nargs=3, metavar=("KIND", "THREADS", "DEVICE"), help=argparse.SUPPRESS)
    add_option(parser)
    options = parser.parse_args()
    if options.worker:
        kind, threads, device = options.worker
        work(kind, int(threads), device)
        return
    if not options.nnaudio_python:
        print(f"nnAudio is left out. To include it: {INSTALL}; then pass --nnaudio-python DIR/bin/python")
    wanted = definition(clips(1)[0])
    everything = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = {}
    for threads in sorted({1, everything}):
        workers = [(Worker(sys.executable, "tf", threads), RIVALS["tf"])]
        if options.nnaudio_python:
            workers.append((Worker(options.nnaudio_python, "nnaudio", threads), RIVALS["nnaudio"]))
        found[threads] = table(workers, f"CPU, {threads} thread{'s' * (threads > 1)}", options.rounds, wanted)
        for worker, _ in workers:
            worker.close()
    write_results(
        options.results, "The constant-Q transform: speed and precision", **stated(found),
        packages=("tensorflow", "librosa"),
    )  # fmt: skip
    count = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    gpus = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=True)
    if gpus.stdout.strip() != "0":
        gpu = Worker(sys.executable, "tf", everything, "GPU")
        names = tuple(name for name in RIVALS["tf"] if name != "librosa.cqt")
        table([(gpu, names)], "GPU", options.rounds, wanted)
        gpu.close()


if __name__ == "__main__":
    main()
