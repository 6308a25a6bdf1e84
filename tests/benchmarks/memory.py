"""How much memory a training takes over time, and for more data: ``python -m tests.benchmarks.memory``.

It trains the network of the demo on intervals cut from the recordings in ``tests/data/real``, with the
checkpoints and TensorBoard images of ``tfkey train``. Every training is a separate process. It prints its
peak resident memory so far (``VmHWM``), which never falls: if two columns are equal, no memory was added
between them. Spectrograms pass through a shuffle buffer, which is smaller here than either size of the data,
as in a real training; audio and images shuffle names.

The peak is read from ``/proc``: this runs on Linux.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.results import add_option, figure, table, write_results
from tests.benchmarks.train import MODES, ROOT, make_data
from tfkey.training.heap import use_one_heap

MARKS = (2, 5, 10, 20, 40)
"""After so many epochs the peak is read."""


def peak() -> int:
    """The most bytes that this process ever had in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def contend(overrides: list[str]) -> None:
    """Train as ``tfkey train`` does, and print the peak after every epoch of :data:`MARKS`."""
    use_one_heap()
    from pipelines.experiments.train import train
    from tfkey.config import load_config

    epochs = 0

    def report(*_: object) -> None:
        nonlocal epochs
        # Told at the end of an epoch, before its pictures: those of the epoch before are in.
        if epochs in MARKS:
            print(peak(), flush=True)
        epochs += 1

    train(load_config("demo", overrides), "memory", report)
    print(peak(), flush=True)


def stated(found: dict[tuple[str, int], list[float]]) -> dict[str, Any]:
    """The figures and the table of a results file, from the peaks in MiB at each of :data:`MARKS`."""
    sizes = sorted({size for _, size in found})
    modes = dict.fromkeys(mode for mode, _ in found)
    more = max(found[mode, sizes[-1]][-1] / found[mode, sizes[0]][-1] - 1 for mode in modes)
    first, last = MARKS.index(2), MARKS.index(20)
    longer = max(peaks[last] / peaks[first] - 1 for peaks in found.values())
    times = f"{sizes[-1] / sizes[0]:g}"
    data = f"more memory for {times} times as much data, at most"
    figures = {
        "more-data": figure(data, 100 * more, form=".0f", unit="%"),
        "longer": figure("more memory in epoch 20 than in 2, at most", 100 * longer, form=".0f", unit="%"),
    }
    rows = [[mode, str(size), *(f"{peak:.0f}" for peak in peaks)] for (mode, size), peaks in found.items()]
    columns = ["", "intervals", *(f"epoch {mark}" for mark in MARKS)]
    return {"figures": figures, "tables": {"peaks": table("The most MiB in memory", columns, rows)}}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 384], help="intervals (default: 96 384)")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--buffer", type=int, default=64, help="of the shuffling (default: 64)")
    parser.add_argument("--contender", nargs="+", help=argparse.SUPPRESS)
    add_option(parser)
    options = parser.parse_args()
    if options.contender:
        contend(options.contender)
        return
    print("most MiB in memory up to the end of an epoch")
    print(f"{'':14}{'intervals':>10}" + "".join(f"{f'epoch {mark}':>10}" for mark in MARKS))
    found: dict[tuple[str, int], list[float]] = {}
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            overrides = [
                "datasets=[clips]",
                "intervals.seconds=15",
                f"train.epochs={MARKS[-1]}",
                f"train.shuffle_buffer={options.buffer}",
            ]
            make_data(Path(folder), size, ["features=demo", *overrides])
            for mode in options.modes:
                command = [sys.executable, "-m", "tests.benchmarks.memory", "--contender", *overrides]
                done = subprocess.run(
                    [*command, f"mode={mode}", f"data_dir={folder}", f"runs_dir={folder}/runs-{mode}"],
                    cwd=ROOT,
                    env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
                peaks = [int(line) / 2**20 for line in done.stdout.split()]
                found[mode, size] = peaks
                print(f"{mode:14}{size:10}" + "".join(f"{value:10.0f}" for value in peaks), flush=True)
    write_results(options.results, "Memory of a training", **stated(found), packages=("tensorflow", "keras"))


if __name__ == "__main__":
    main()
