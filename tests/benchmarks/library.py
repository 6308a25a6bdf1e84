"""A whole music folder through ``tfkey predict``, and the memory it takes.

``python -m tests.benchmarks.library`` makes 1,000 files (``--files``), 50 of them broken in ten ways
(``--broken``), and runs the command on them. It prints the exit code, the numbers of answers and failures,
the time, and the peak memory of the command with its processes (proportional set size) in each tenth of the
run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.library import write_library
from tests.processes import family, memory

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from scripts.main import main; main()", "predict"]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--broken", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each recording")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "music")
        said = write_library(folder, options.files - options.broken, options.broken, options.seconds)
        arguments = ["--workers", str(options.workers), "--output", f"{scratch}/keys.jsonl"]
        with Path(scratch, "errors").open("wb") as errors:
            start = time.perf_counter()
            process = subprocess.Popen([*COMMAND, str(folder), *arguments], cwd=ROOT, stderr=errors)
            used = []
            while process.poll() is None:
                used.append(sum(map(memory, family(process.pid))))
                time.sleep(0.2)
            seconds = time.perf_counter() - start
        answers = len(Path(scratch, "keys.jsonl").read_bytes().splitlines())
        lines = Path(scratch, "errors").read_text(errors="surrogateescape").splitlines()
        named = sum(
            any(f"{path}: " in line and words in line for line in lines) for path, words in said.items()
        )
    print(f"exit code {process.returncode}, {answers} answers, {named} of {len(said)} failures named")
    print(f"{seconds:.1f} s, {options.files / seconds:.1f} files/s with {options.workers} workers")
    tenth = max(1, len(used) // 10)
    peaks = [max(used[place : place + tenth]) >> 10 for place in range(0, len(used), tenth)]
    print("MB in each tenth:", *peaks)


if __name__ == "__main__":
    main()
