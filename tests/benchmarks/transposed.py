"""Whether the answer moves along when a recording is transposed: ``python -m tests.benchmarks.transposed``.

Each recording in ``--folder`` (default: the real recordings in ``tests/data``) is transposed by -5 to +6
semitones with sox (``sox IN OUT pitch CENTS``; its tempo stays), and the network that comes with tfkey, or
``--model``, names the key of each version. It prints, for each number of semitones, how often the answer is
that for the original recording, transposed likewise, and the share of all with a 95 % bootstrap interval
over recordings. Recordings without a key are left out. ``--every N`` takes one recording of N.

The audio is changed, not the spectrogram: drums, formants and sox's own artefacts move, too, and notes leave
the network's band at its ends. Even a network that is equivariant by construction therefore changes some
answers.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from tests.benchmarks.results import add_option, figure, recordings, write_results
from tfkey.audio.finding import list_files
from tfkey.errors import DataError, TfkeyError
from tfkey.inference.estimator import KeyEstimator
from tfkey.keys import Key
from tfkey.scoring.mirex import bootstrap_interval

SHIFTS = tuple(shift for shift in range(-5, 7) if shift)
REAL = Path(__file__).parents[1] / "data" / "real"


def moved(key: Key, semitones: int) -> Key:
    """Return a key, transposed."""
    tonic = (key.index % 12 + semitones) % 12
    return Key.from_index(tonic + 12 * (key.index // 12))


def transpose(source: Path, target: Path, semitones: int) -> None:
    """Write a transposed copy of a recording.

    Raises:
        DataError: sox cannot read the file.
    """
    done = subprocess.run(
        ["sox", "-G", "-D", str(source), str(target), "pitch", str(100 * semitones)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise DataError(f"{source}: sox cannot transpose it ({reason}); convert it to WAV or Ogg Vorbis")


def follows(estimator: KeyEstimator, path: Path, scratch: Path) -> dict[int, bool] | None:
    """Whether the answer moves along, by semitones; None if the recording has no key.

    Raises:
        TfkeyError: the recording cannot be read or transposed.
    """
    original = estimator.estimate(path).key
    if original is None:
        return None
    found = {}
    for shift in SHIFTS:
        target = scratch / f"{shift}.wav"
        transpose(path, target, shift)
        found[shift] = estimator.estimate(target).key == moved(original, shift)
    return found


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder", type=Path, default=REAL)
    parser.add_argument("--model", type=Path, help="an export (default: the network that comes with tfkey)")
    parser.add_argument("--every", type=int, default=1)
    add_option(parser)
    options = parser.parse_args()
    if shutil.which("sox") is None:
        print("sox is not installed; install it (Debian: apt-get install sox)", file=sys.stderr)
        return 1
    estimator = KeyEstimator.from_export(options.model) if options.model else KeyEstimator.from_pretrained()
    by_shift: dict[int, list[bool]] = defaultdict(list)
    shares, judged = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for path in list_files([options.folder]).files[:: options.every]:
            try:
                found = follows(estimator, path, Path(scratch))
            except TfkeyError as error:
                print(error, file=sys.stderr)
                continue
            if found is None:
                print(f"{path}: no key; left out", file=sys.stderr)
                continue
            judged.append(path.name)
            shares.append(np.mean(list(found.values())))
            for shift, is_same in found.items():
                by_shift[shift].append(is_same)
    if not shares:
        print("no recording was judged", file=sys.stderr)
        return 1
    print("| semitones | moves along |\n|---|---|")
    for shift, same in by_shift.items():
        print(f"| {shift:+d} | {100 * np.mean(same):.1f} % |")
    low, high = bootstrap_interval(shares)
    print(
        f"\nall, {len(shares)} recordings: {100 * np.mean(shares):.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
    )
    ends = (100 * low, 100 * high)
    figures = {
        "all": figure(
            "answers that move along, %", float(100 * np.mean(shares)), ends, form=".1f", spread="interval"
        ),
        "recordings": figure("recordings", len(shares), form="d"),
    }
    for shift, same in by_shift.items():
        figures[f"{'up' if shift > 0 else 'down'}-{abs(shift)}"] = figure(
            f"moved by {shift:+d} semitones, %", float(100 * np.mean(same)), form=".1f"
        )
    write_results(
        options.results, "Transposed recordings", figures=figures, packages=("ai-edge-litert", "numpy"),
        judged=recordings({"all": judged}),
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
