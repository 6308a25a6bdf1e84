"""Naming the key of files: tfkey's light runtime against essentia and a librosa script, in one run.

``python -m tests.benchmarks.predict`` measures, always on one thread and including decoding:

- seconds per 30 s MP3, warm;
- start-up: seconds from the start of a new process to its first answer;
- 100 MP3s of 3 minutes in one process, without the librosa script, which would take a quarter of an hour.

essentia and librosa each get an environment in ``--folder``, made with ``venv`` and ``pip``; if one cannot be
installed, its row says so. The programs take turns in every round; figures are medians and ranges over the
rounds, and ratios are computed within a round. The audio is made from the recordings in ``tests/data/real``.
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
from pathlib import Path
from typing import Any

from tests.benchmarks.results import add_option, figure, ratio, shown, table, write_results

ROOT = Path(__file__).parents[2]
REAL = ROOT / "tests" / "data" / "real"
NAMES = ("tfkey", "essentia edma", "librosa chroma")
PACKAGES = {"essentia edma": "essentia", "librosa chroma": "librosa"}
SHORT, LONG, COUNT = 30, 180, 100

# Each defines ``answer(path)``, as its users would write it.
SCRIPTS = {
    "tfkey": """
from tfkey import KeyEstimator
estimator = KeyEstimator.from_pretrained()
def answer(path):
    return estimator.estimate(path).key.long
""",
    "essentia edma": """
import essentia
essentia.log.infoActive = essentia.log.warningActive = False
import essentia.standard as es
extractor = es.KeyExtractor(profileType="edma")
def answer(path):
    key, scale, _ = extractor(es.MonoLoader(filename=path)())
    return f"{key} {scale}"
""",
    # Profiles of Krumhansl and Kessler 1982.
    "librosa chroma": """
import librosa, numpy as np
major = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
minor = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
templates = np.stack([np.roll(profile, tonic) for profile in (major, minor) for tonic in range(12)])
def answer(path):
    sound, rate = librosa.load(path, sr=None)
    chroma = librosa.feature.chroma_cqt(y=sound, sr=rate).mean(axis=1)
    best = int(np.corrcoef(templates, chroma)[-1, :-1].argmax())
    return "C Db D Eb E F Gb G Ab A Bb B".split()[best % 12] + (" major", " minor")[best // 12]
""",
}

# Answers requests (a JSON list of paths a line) with the seconds and the last key.
SERVE = """
import json, sys, time
for line in sys.stdin:
    start = time.perf_counter()
    for path in json.loads(line):
        found = answer(path)
    print(json.dumps(["answered", time.perf_counter() - start, found]), flush=True)
"""


def environment() -> dict[str, str]:
    """One thread for every library."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")
    return os.environ | {f"{name}_NUM_THREADS": "1" for name in names} | {"PYTHONPATH": str(ROOT)}


class Rival:
    """A process that answers requests."""

    def __init__(self, python: Path | str, name: str) -> None:
        self.process = subprocess.Popen(
            [str(python), "-c", SCRIPTS[name] + SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(),
        )

    def ask(self, paths: list[Path]) -> tuple[float, str]:
        """Seconds for all, and the last answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(path) for path in paths]) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith('["answered"'):
                _, seconds, key = json.loads(line)
                return seconds, key
        raise SystemExit(f"a rival's process ended; run it by hand to see why: {self.process.args}")

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def start_up(python: Path | str, name: str, path: Path) -> float:
    """Seconds from nothing to the first answer."""
    code = SCRIPTS[name] + f"\nprint(answer({str(path)!r}))"
    start = time.perf_counter()
    subprocess.run(
        [str(python), "-c", code],
        check=True,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def environment_of(name: str, folder: Path) -> Path | None:
    """The interpreter of a rival's own environment; None if it cannot be made."""
    place = folder / PACKAGES[name]
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", PACKAGES[name]]
    done = subprocess.run(install, capture_output=True, text=True)
    return python if done.returncode == 0 else None


def make_files(folder: Path, seconds: int, count: int) -> list[Path]:
    """Stereo MP3s at 44.1 kHz from the real recordings, repeated where they are too short."""
    import numpy as np
    import soundfile

    sources = sorted(REAL.glob("*.ogg"))
    written = []
    for number, source in enumerate(sources[:count]):
        sound, rate = soundfile.read(source, dtype="float32", always_2d=True)
        sound = np.tile(sound, (-(-seconds * rate // len(sound)), 1))[: seconds * rate]
        path = folder / f"{seconds}-{number}.mp3"
        # Two channels that differ, as music's do.
        soundfile.write(path, np.stack([sound[:, 0], 0.9 * np.roll(sound[:, -1], 40)], axis=1), rate)
        written.append(path)
    return [written[number % len(written)] for number in range(count)]


def show(title: str, unit: float, times: dict[str, list[float]], missing: list[str]) -> None:
    """Print one table: medians, ranges, and ratios to essentia within the rounds."""
    print(f"\n{title}")
    for name in NAMES:
        if name in missing:
            print(f"  {name:16} not available: pip install {PACKAGES[name]} failed")
        if name not in times:
            continue
        row = [value * unit for value in times[name]]
        line = f"  {name:16} {statistics.median(row):9.2f}   ({min(row):.2f} to {max(row):.2f})"
        if "essentia edma" in times and name != "essentia edma":
            ratios = [a / b for a, b in zip(times[name], times["essentia edma"], strict=True)]
            line += f"   {statistics.median(ratios):.2f} of essentia ({min(ratios):.2f} to {max(ratios):.2f})"
        print(line)


def stated(
    warm: dict[str, list[float]], fresh: dict[str, list[float]], total: dict[str, list[float]], files: int
) -> dict[str, Any]:
    """The figures and the table of a results file; ratios are to essentia."""
    ours, rival = NAMES[:2]
    parts = {
        "warm": (f"ms per {SHORT} s MP3, warm", warm, 1000.0, 0),
        "start": ("s from start to the first answer", fresh, 1.0, 0),
        "long": (f"s for {files} files of 3 minutes, once", total, 1.0, 1),
    }
    figures, rows = {}, []
    for name, (what, times, unit, is_sum) in parts.items():
        middle = {who: (sum if is_sum else statistics.median)(values) * unit for who, values in times.items()}
        cells = [f"{middle[who]:.3g}" if who in middle else "" for who in NAMES]
        if rival in times:
            ratios = [a / b for a, b in zip(times[ours], times[rival], strict=True)]
            if is_sum:
                figures[name] = figure(f"{what}: tfkey / essentia", middle[ours] / middle[rival])
            else:
                figures[name] = ratio(f"{what}: tfkey / essentia", ratios)
            cells.append(shown(figures[name], with_range=not is_sum))
        if times:
            rows.append([what, *cells])
    columns = ["", "tfkey", "essentia", "librosa", "tfkey / essentia"]
    return {"figures": figures, "tables": {"times": table("Naming keys", columns, rows)}}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="for the environments; kept (default: a temporary one)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tfkey-python", default=sys.executable, help="an environment with the base install")
    parser.add_argument("--long-files", type=int, default=COUNT, help="of 3 minutes; 0 leaves them out")
    add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        pythons: dict[str, Path | str] = {"tfkey": options.tfkey_python}
        for name in PACKAGES:
            python = environment_of(name, folder)
            if python is not None:
                pythons[name] = python
        missing = [name for name in NAMES if name not in pythons]
        short = make_files(Path(temporary), SHORT, 5)
        rivals = {name: Rival(python, name) for name, python in pythons.items()}
        for name, rival in rivals.items():
            print(f"{name}: {', '.join(rival.ask([path] * 2)[1] for path in short)}")
        warm: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            for name, rival in rivals.items():
                warm.setdefault(name, []).append(rival.ask(short)[0] / len(short))
        show("Milliseconds per 30 s MP3, decoding included, 1 thread, warm", 1000, warm, missing)
        fresh: dict[str, list[float]] = {}
        for turn in range(options.rounds + 1):
            for name, python in pythons.items():
                seconds = start_up(python, name, short[0])
                # The first time reads files from the disk.
                if turn:
                    fresh.setdefault(name, []).append(seconds)
        show("Seconds from nothing to the first answer", 1, fresh, missing)
        total: dict[str, list[float]] = {}
        if options.long_files:
            files = make_files(Path(temporary), LONG, options.long_files)
            # In parts that take turns, so that what else the machine does meets all alike.
            for start in range(0, len(files), 20):
                for name in [name for name in rivals if name != "librosa chroma"]:
                    rival = rivals[name]
                    total.setdefault(name, []).append(rival.ask(files[start : start + 20])[0])
            show("Seconds per 20 MP3s of 3 minutes", 1, total, missing)
            sums = {name: sum(values) for name, values in total.items()}
            print(f"  {len(files)} files: " + ", ".join(f"{n} {s:.1f} s" for n, s in sums.items()))
        for rival in rivals.values():
            rival.close()
    found = stated(warm, fresh, total, options.long_files)
    write_results(options.results, "Naming keys: speed", **found, packages=("ai-edge-litert", "numpy"))


if __name__ == "__main__":
    main()
