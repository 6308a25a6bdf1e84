"""Hours of audio prepared on a cluster that is disturbed: ``python -m tests.benchmarks.cluster_faults``.

A scheduler and three workers prepare audio in the mode ``audio``. When a quarter is done, one worker is
killed by SIGKILL; at the half, another is stopped for ten seconds and continued; at three quarters, the
scheduler is killed and started again at the same address. The result must have the same bytes as a local run.
Nothing may be done twice beyond what was in flight: workers note every unit that they begin.

The audio is tones as FLAC, made once and kept in ``--folder``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

from scripts.cluster_options import silence_dask
from tests.benchmarks.counted import NOTES, Counted
from tests.dask_cluster import DaskCluster, dask_cluster
from tfkey.cluster.connection import Cluster, check_cluster
from tfkey.config import Config
from tfkey.keys import KEYS

RATE, SECONDS = 22050, 180
WORKERS = 3
STOPPED_SECONDS = 10.0
# In flight are two units for each thread, and one; each fault may lose them.
MOST_AGAIN = 2 * WORKERS + 1


def make_audio(folder: Path, hours: float) -> Path:
    """Tracks of 3 minutes in key folders: a chord that changes its strength, and a little noise."""
    time_ = np.arange(SECONDS * RATE) / RATE
    random = np.random.default_rng(0)
    for number in range(round(hours * 3600 / SECONDS)):
        key = KEYS[number % 24]
        path = folder / key.folder / f"{number:04d}.flac"
        if path.is_file():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        third = 4 if key.index < 12 else 3
        waveform = random.normal(0, 1e-3, time_.size)
        for semitones in (0, third, 7):
            pitch = 130.81 * 2 ** ((key.index % 12 + semitones) / 12)
            waveform += 0.2 * np.sin(2 * np.pi * pitch * time_) * (1 - 0.5 * (time_ % 0.5))
        partial = path.with_suffix(".partial")
        soundfile.write(partial, waveform.astype(np.float32), RATE, format="FLAC")
        partial.rename(path)
    return folder


class Faults:
    """Disturbs a cluster as the work goes on."""

    def __init__(self, cluster: DaskCluster) -> None:
        self._cluster = cluster
        self._left = [0.25, 0.5, 0.75]
        self.times: list[str] = []

    def __call__(self, done: int, total: int) -> None:
        """Take note of the progress."""
        if not self._left or done < self._left[0] * total:
            return
        if total < 8:
            raise SystemExit("too few units; ask for more hours")
        share = self._left.pop(0)
        if share == 0.25:
            self._cluster.kill_worker(0)
        elif share == 0.5:
            worker = self._cluster.workers[1]
            worker.send_signal(signal.SIGSTOP)
            threading.Timer(STOPPED_SECONDS, worker.send_signal, (signal.SIGCONT,)).start()
        else:
            self._cluster.restart_scheduler()
        self.times.append(f"{done} of {total}")


def contents(folder: Path) -> dict[str, bytes]:
    """All files but the lock and the journal."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".lock", ".journal.jsonl")
    }


def main() -> int:
    """Prepare twice, and compare."""
    from pipelines.prepare import audio
    from pipelines.prepare.prepare import prepare

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--folder", type=Path, help="for the audio; kept (default: a temporary one)")
    options = parser.parse_args()
    silence_dask()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = make_audio(options.folder or folder / "audio", options.hours)
        runs = {}
        for kind in ("local", "cluster"):
            config = Config(mode="audio", data_dir=folder / kind)
            start = time.perf_counter()
            if kind == "local":
                summary = prepare(config, "faults", source=source, workers=2)
            else:
                audio.OneTrack = Counted  # type: ignore[misc]
                with dask_cluster(folder / "dask", WORKERS, {NOTES: str(folder / "begun")}) as running:
                    check_cluster(running.address)
                    faults = Faults(running)
                    cluster = Cluster(running.address)
                    summary = prepare(config, "faults", source=source, progress=faults, cluster=cluster)
            runs[kind] = contents(summary.folder)
            print(f"{kind}: {summary.intervals} intervals in {time.perf_counter() - start:.0f} s", flush=True)
        is_same = runs["local"] == runs["cluster"]
        size = sum(map(len, runs["local"].values()))
        begun = (folder / "begun").read_text().splitlines()
        again = len(begun) - len(set(begun))
        is_few = again <= MOST_AGAIN * len(faults.times)
        print(f"disturbed after {', '.join(faults.times)} units: killed, stopped, scheduler restarted")
        print(f"{len(runs['local'])} files, {size / 1e6:.0f} MB: {'the same' if is_same else 'DIFFERENT'}")
        print(f"{len(set(begun))} units, of which {again} were begun again")
    return 0 if is_same and is_few else 1


if __name__ == "__main__":
    sys.exit(main())
