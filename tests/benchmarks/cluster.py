"""What a Dask cluster costs: ``python -m tests.benchmarks.cluster speed|overhead|memory``.

- speed: MP3s of 3 minutes named by local processes and by Dask workers of one thread each, in turns. Ratios
  are within a round; processor time is that of all processes together (scheduler, workers, client), with
  their start and the loading of the network. Other programs change it less than the time by the clock.
- overhead: processor time of all processes for each batch of tasks, without the work of the tasks.
- memory: of scheduler and client after 10,000 to 1,000,000 paths of a list. The engine, the reading of the
  list and the search for names that were listed before are the real ones; each path costs no work.
- cost: processor seconds and bytes per hour of audio, and what libraries of 1 and 100 million tracks of 3
  minutes come to.

Scheduler and workers are processes on the loopback address. Memory and processor time are read from
``/proc``: this runs on Linux.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.no_work import nothing
from tests.benchmarks.predict import LONG, make_files
from tests.benchmarks.results import add_option, figure, ratio, shown, spread, table, write_results
from tests.dask_cluster import DaskCluster, dask_cluster
from tests.processes import anonymous_memory, family, processor_seconds
from tfkey.audio.streaming import Seen, iter_files, iter_list
from tfkey.cluster.connection import Cluster, check_cluster
from tfkey.cluster.engine import on_cluster
from tfkey.inference.many_files import Judging, judge_stream
from tfkey.inference.on_cluster import judge_on_cluster

COUNTS = (10_000, 100_000, 1_000_000)
LIBRARIES = {"1 million": 1_000_000, "100 million": 100_000_000}
MIB = 1 << 20
Run = tuple[float, float]
"""Seconds by the clock, and of the processors."""


def timed(outcomes: Iterable[Any], processes: Iterable[int]) -> Run:
    """Take all outcomes."""
    roots = [os.getpid(), *processes]

    def busy() -> float:
        return sum(processor_seconds(one) for root in roots for one in family(root))

    before, start = busy(), time.perf_counter()
    done = list(outcomes)
    assert all(getattr(outcome, "error", None) is None for outcome in done), done
    # Processes of a worker that wait for more work are still there; those of this process were waited for.
    return time.perf_counter() - start, busy() - before


def speed(folder: Path, files: list[Path], rounds: int) -> dict[str, list[Run]]:
    """Name the files in turns, locally and on clusters of one and two workers."""
    found: dict[str, list[Run]] = {}
    with dask_cluster(folder / "one", 1) as one, dask_cluster(folder / "two", 2) as two:
        for cluster in (one, two):
            check_cluster(cluster.address)
        for _ in range(rounds):
            for count, cluster in ((1, one), (2, two)):
                found.setdefault(f"local {count}", []).append(
                    timed(judge_stream(files, Judging(), count), [])
                )
                processes = [cluster.scheduler.pid, *(worker.pid for worker in cluster.workers)]
                remote = judge_on_cluster(files, Judging(), Cluster(cluster.address))
                found.setdefault(f"Dask {count}", []).append(timed(remote, processes))
    return found


def stub_run(list_file: Path, cluster: DaskCluster) -> Iterator[int]:
    """Send the paths of a list through the engine; yield after each result."""
    with list_file.open("rb") as stream:
        paths = iter_files(iter_list(stream.read), Seen(), lambda name, reason: None)
        for done, _ in enumerate(on_cluster(Cluster(cluster.address), nothing, paths), 1):
            yield done


def memory(folder: Path, counts: tuple[int, ...]) -> tuple[list[tuple[int, float, float]], float]:
    """MiB of scheduler and client after some numbers of paths, and paths per second."""
    list_file, found = folder / "list.txt", []
    with list_file.open("w") as stream:
        stream.writelines(
            f"/music/{number // 1000:06d}/track {number:09d}.flac\n" for number in range(counts[-1])
        )
    start = time.perf_counter()
    with dask_cluster(folder / "stub", 2) as cluster:
        check_cluster(cluster.address)
        for done in stub_run(list_file, cluster):
            if done in counts:
                found.append(
                    (
                        done,
                        anonymous_memory(cluster.scheduler.pid) / 1024,
                        anonymous_memory(os.getpid()) / 1024,
                    )
                )
                print(
                    f"  {done:,} paths: scheduler {found[-1][1]:.0f} MiB, client {found[-1][2]:.0f} MiB",
                    flush=True,
                )
    return found, counts[-1] / (time.perf_counter() - start)


def preparing(folder: Path, files: list[Path]) -> tuple[float, float]:
    """Processor seconds and bytes written per hour of audio by ``prepare --mode spectrograms``."""
    from pipelines.prepare.prepare import prepare
    from tfkey.config import Config

    sizes, seconds = [], []
    # The first loads TensorFlow.
    for name, chosen in (("warm", files[:3]), ("real", files)):
        source = folder / name / "C-maj"
        source.mkdir(parents=True)
        for number, file in enumerate(chosen):
            os.link(file, source / f"{number}.mp3")
        before = processor_seconds(os.getpid())
        config = Config(mode="spectrograms", data_dir=folder / f"data {name}")
        summary = prepare(config, "benchmark", source=source.parent, workers=1)
        seconds.append(processor_seconds(os.getpid()) - before)
        sizes.append(sum(path.stat().st_size for path in summary.folder.glob("*.tfrecord")))
    hours = len(files) * LONG / 3600
    return seconds[1] / hours, sizes[1] / hours


def costs(files: list[Path], predicting: float, prepare: tuple[float, float]) -> dict[str, Any]:
    """Figures and tables of the cost model."""
    hours = len(files) * LONG / 3600
    read = sum(file.stat().st_size for file in files) / hours
    # A line of CSV with a path of usual length.
    line = 120 * 3600 / LONG
    work = {
        "predict": (predicting, read, line),
        "prepare --mode spectrograms": (prepare[0], read, prepare[1]),
    }
    rows = [
        [f"`tfkey {name}`", f"{cpu:.1f}", f"{into / 1e6:.0f} MB", f"{out / 1e6:.3g} MB"]
        for name, (cpu, into, out) in work.items()
    ]
    totals = []
    for name, tracks in LIBRARIES.items():
        audio = tracks * LONG / 3600
        for what, (cpu, into, out) in work.items():
            core_hours = audio * cpu / 3600
            totals.append(
                [
                    name, f"`{what}`", f"{core_hours:,.0f}", _time(core_hours / 64), _bytes(audio * into),
                    _bytes(audio * out),
                ]
            )  # fmt: skip
    return {
        "figures": {
            "predict-cpu": figure("predict: processor seconds per hour of audio", predicting, form=".1f"),
            "prepare-cpu": figure("prepare: processor seconds per hour of audio", prepare[0], form=".1f"),
        },
        "tables": {
            "cost": table(
                "Per hour of audio (MP3)", ["", "processor seconds", "bytes in", "bytes out"], rows
            ),
            "totals": table(
                "Libraries of tracks of 3 minutes",
                ["tracks", "work", "core hours", "on 64 cores", "bytes in", "bytes out"],
                totals,
            ),
        },
    }


def _time(hours: float) -> str:
    return f"{hours:.2g} hours" if hours < 48 else f"{hours / 24:,.0f} days"


def _bytes(size: float) -> str:
    for unit, scale in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size / 1e6:.3g} MB"


def speeds(found: dict[str, list[Run]], files: int) -> dict[str, Any]:
    """Figures and the table of the speed."""
    rows, figures = [], {}
    for name, runs in found.items():
        rows.append(
            [
                f"{name.split()[0]}, {name.split()[1]} of 1 thread",
                spread([60 * files / clock for clock, _ in runs], ".0f"),
                spread([cpu / files for _, cpu in runs], ".3f"),
            ]
        )
    for count in (1, 2):
        local, remote = found[f"local {count}"], found[f"Dask {count}"]
        for place, (name, what) in enumerate({"clock": "time by the clock", "cpu": "processor time"}.items()):
            figures[f"{name}-{count}"] = ratio(
                f"{what}, Dask / local, {count} of 1 thread",
                [a[place] / b[place] for a, b in zip(remote, local, strict=True)],
            )
    columns = [f"{files} MP3s of 3 minutes", "tracks per minute", "processor seconds per track"]
    return {"figures": figures, "tables": {"speed": table("Naming keys on a cluster", columns, rows)}}


def overhead(folder: Path, rounds: int) -> dict[str, Any]:
    """What the engine itself costs: processor time of all processes for a batch without work, in rounds.

    The start of processes is the same in a short and a long run, and drops out of their difference.
    """
    few, many, found = 500, 2500, []
    path = Path("/music/track.flac")
    with dask_cluster(folder / "bare", 1) as cluster:
        check_cluster(cluster.address)
        processes = [cluster.scheduler.pid, *(worker.pid for worker in cluster.workers)]
        where = Cluster(cluster.address)
        for _ in range(rounds):
            seconds = [
                timed(on_cluster(where, nothing, [path] * count, most_at_once=1), processes)[1]
                for count in (few, many)
            ]
            found.append(1000 * (seconds[1] - seconds[0]) / (many - few))
    per_batch = ratio("processor time of the engine per batch, in ms", found, ".1f")
    return {"figures": {"engine": per_batch}, "tables": {}}


def memories(sizes: list[tuple[int, float, float]], rate: float) -> dict[str, Any]:
    """Figures and the table of memory."""
    rows = [[f"{done:,}", f"{scheduler:.0f}", f"{client:.0f}"] for done, scheduler, client in sizes]
    first, last = sizes[0], sizes[-1]
    return {
        "figures": {
            "rate": figure("paths per second without work", rate, form=",.0f"),
            "scheduler": figure("memory of the scheduler, most paths / fewest", last[1] / first[1]),
            "client": figure("memory of the client, most paths / fewest", last[2] / first[2]),
        },
        "tables": {"memory": table("Memory in MiB", ["listed paths", "scheduler", "client"], rows)},
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("speed", "overhead", "memory"), help="speed includes the cost")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=60, help="MP3s of 3 minutes in a round")
    parser.add_argument("--paths", type=int, default=COUNTS[-1], help="greatest number of listed paths")
    add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.part == "memory":
            counts = (*(count for count in COUNTS if count < options.paths), options.paths)
            parts = [memories(*memory(folder, counts))]
        elif options.part == "overhead":
            parts = [overhead(folder, options.rounds)]
        else:
            files = make_files(folder, LONG, options.files)
            found = speed(folder, files, options.rounds)
            predicting = statistics.median(cpu for _, cpu in found["local 1"]) / (len(files) * LONG / 3600)
            parts = [speeds(found, len(files)), costs(files, predicting, preparing(folder, files[:20]))]
    figures = {key: value for part in parts for key, value in part["figures"].items()}
    tables = {key: value for part in parts for key, value in part["tables"].items()}
    for one in figures.values():
        print(f"{one['what']}: {shown(one, with_range='low' in one)}")
    for one in tables.values():
        lines = [" | ".join(row) for row in [one["columns"], *one["rows"]]]
        print("\n  ".join([f"\n{one['what']}", *lines]))
    title = f"Work on a cluster: {'speed and cost' if options.part == 'speed' else options.part}"
    write_results(options.results, title, figures=figures, tables=tables, packages=("distributed", "numpy"))


if __name__ == "__main__":
    main()
