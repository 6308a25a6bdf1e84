"""Whether the answer moves along when a recording is transposed: ``python -m tests.benchmarks.transposed``.

Each recording in ``--folder`` (default: the real recordings in ``tests/data``), or in a table of labelled
recordings (``--table``, CSV: path, key and optionally set), is transposed by -5 to +6 semitones. The network
that comes with tfkey, or ``--model``, names the key of each version. An answer moves along if it is that for
the original recording, transposed likewise. Recordings without a key are left out. ``--every N`` takes one
recording of N.

``--tool`` transposes:

- ``sox``: ``sox IN OUT pitch CENTS`` keeps the tempo by overlapping pieces of the waveform (WSOLA);
- ``rubberband``: ``rubberband --fine --pitch SEMITONES IN OUT`` keeps the tempo by a phase vocoder
  (Rubber Band 3; formants move), with fewer artefacts, and takes ten times as long;
- ``speed``: resampling, exact in pitch and without artefacts, but the tempo changes likewise. It needs no
  program.

``--audio DIR`` keeps the transposed recordings, in folders by tool, and takes those that are there.

It prints how often the answers move along: by set, by number of semitones, by confidence in the original
recording, and where the answer for the original is right (with ``--table``), with 95 % bootstrap intervals
over recordings.

The audio is changed, not the spectrogram: drums, formants and the tool's artefacts move, too, and notes leave
the network's band at its ends. Even a network that is equivariant by construction therefore changes some
answers.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from tests.benchmarks.pretrained import POOLED, Table, read_table
from tests.benchmarks.results import add_option, figure, recordings, table, write_results
from tfkey.audio.finding import list_files
from tfkey.audio.reading import encode, read
from tfkey.errors import DataError, TfkeyError
from tfkey.files import atomic_path
from tfkey.inference.estimator import KeyEstimator
from tfkey.keys import Key
from tfkey.scoring.bootstrap import bootstrap_interval
from tfkey.scoring.mirex import Figure

SHIFTS = tuple(shift for shift in range(-5, 7) if shift)
REAL = Path(__file__).parents[1] / "data" / "real"
SURE = 0.6
PROGRAMS = {
    "sox": ("sox", "-G", "-D", "{source}", "{target}", "pitch", "{cents}"),
    "rubberband": ("rubberband", "--fine", "--quiet", "--pitch", "{semitones}", "{source}", "{target}"),
}
PACKAGES = {"sox": "sox", "rubberband": "rubberband-cli"}
TOOLS = (*PROGRAMS, "speed")


@dataclass(frozen=True)
class Followed:
    """What became of one recording.

    Attributes:
        name: its name.
        confidence: that of the original recording's answer, 0 to 1.
        right: whether that answer is right; None if the key is unknown.
        moved: whether the answer moves along, by semitones.
        unanswered: the number of versions that were found to have no key.
    """

    name: str
    confidence: float
    right: bool | None
    moved: dict[int, bool]
    unanswered: int


def moved(key: Key, semitones: int) -> Key:
    """Return a key, transposed."""
    tonic = (key.index % 12 + semitones) % 12
    return Key.from_index(tonic + 12 * (key.index // 12))


def check_tool(tool: str) -> None:
    """Find the program of a tool.

    Raises:
        TfkeyError: it is not installed, or too old.
    """
    if tool not in PROGRAMS:
        return
    package = PACKAGES[tool]
    if shutil.which(tool) is None:
        raise TfkeyError(f"{tool} is not installed; install it (Debian: apt-get install {package})")
    if tool == "rubberband":
        shown = subprocess.run([tool, "--help"], capture_output=True, text=True, check=False)
        if "--fine" not in shown.stdout + shown.stderr:
            raise TfkeyError(f"{tool} is older than version 3 and has no finer engine; install a newer one")


def transpose(waveform: np.ndarray, rate: int, semitones: int, tool: str, target: Path) -> None:
    """Write a transposed copy of a recording as WAV.

    Args:
        waveform: float32 ``[samples]``.
        rate: its sample rate in Hz.
        semitones: upwards.
        tool: one of :data:`TOOLS`.
        target: the file.

    Raises:
        DataError: the program refuses it.
    """
    with tempfile.TemporaryDirectory() as folder, atomic_path(target) as written:
        source, result = Path(folder) / "original.wav", Path(folder) / "transposed.wav"
        if tool == "speed":
            faster = soxr.resample(waveform, rate * 2 ** (semitones / 12), rate)
            result.write_bytes(encode(faster / max(1.0, np.abs(faster).max(initial=0)), rate, "WAV"))
        else:
            source.write_bytes(encode(waveform, rate, "WAV"))
            values = {"source": source, "target": result, "semitones": semitones, "cents": 100 * semitones}
            command = [word.format(**values) for word in PROGRAMS[tool]]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = " ".join(done.stderr.split())
                raise DataError(f"{target.stem}: {tool} cannot transpose it ({reason})")
        shutil.move(result, written)


def follow(
    estimator: KeyEstimator, path: Path, name: str, key: Key | None, tool: str, scratch: Path
) -> Followed | None:
    """Find out whether the answer moves along; None if the recording has no key.

    Args:
        estimator: names the keys.
        path: the recording.
        name: its name in the folder or table.
        key: the right key, if it is known.
        tool: transposes.
        scratch: the folder of transposed recordings; those that are there are taken.

    Raises:
        TfkeyError: the recording cannot be read or transposed.
    """
    rate = estimator.metadata.features.sample_rate
    waveform = read(path, rate)
    original = estimator.estimate(waveform)
    if original.key is None:
        return None
    found, unanswered = {}, 0
    for shift in SHIFTS:
        target = scratch / f"{name.replace('/', '_')}{shift:+d}.wav"
        if not target.exists():
            transpose(waveform, rate, shift, tool, target)
        answer = estimator.estimate(target).key
        unanswered += answer is None
        found[shift] = answer == moved(original.key, shift)
    return Followed(
        name, original.confidence, None if key is None else original.key == key, found, unanswered
    )


def follow_all(
    estimator: KeyEstimator, known: Table, paths: dict[str, Path], tool: str, scratch: Path
) -> Iterator[Followed]:
    """Follow recordings by name; those that cannot be judged are named on stderr."""
    for name, path in paths.items():
        try:
            found = follow(estimator, path, name, known.keys.get(name), tool, scratch)
        except TfkeyError as error:
            print(error, file=sys.stderr)
            continue
        if found is None:
            print(f"{path}: no key; left out", file=sys.stderr)
        else:
            yield found


def rows(found: Sequence[Followed], sets: dict[str, list[str]]) -> Iterator[tuple[str, str, Figure, int]]:
    """The figures: a name, what it is, the share of answers that move along, and of how many recordings."""
    subsets = {
        f"set {name}": [item for item in found if item.name in members] for name, members in sets.items()
    }
    subsets |= {
        f"confidence at least {SURE:g}": [item for item in found if item.confidence >= SURE],
        f"confidence below {SURE:g}": [item for item in found if item.confidence < SURE],
        "answer right": [item for item in found if item.right],
        "answer wrong": [item for item in found if item.right is False],
        f"answer right, confidence at least {SURE:g}": [
            item for item in found if item.right and item.confidence >= SURE
        ],
    }
    names = [*(f"set-{name}" for name in sets), "sure", "unsure", "right", "wrong", "right-and-sure"]
    yield (
        "all",
        "answers that move along, %",
        share([list(item.moved.values()) for item in found]),
        len(found),
    )
    for name, (what, members) in zip(names, subsets.items(), strict=True):
        if members:
            yield name, f"{what}, %", share([list(item.moved.values()) for item in members]), len(members)
    for shift in SHIFTS:
        name = f"{'up' if shift > 0 else 'down'}-{abs(shift)}"
        moves = [[item.moved[shift]] for item in found]
        yield name, f"moved by {shift:+d} semitones, %", share(moves), len(found)


def share(moves: Sequence[Sequence[bool]]) -> Figure:
    """The share of answers that move along, with its 95 % bootstrap interval over recordings."""
    means = [float(np.mean(item)) for item in moves]
    return Figure(float(np.mean(means)), *bootstrap_interval(means))


def results(found: Sequence[Followed], sets: dict[str, list[str]]) -> dict[str, Any]:
    """The figures and the table of a results file."""
    figures, lines = {}, []
    for name, what, value, count in rows(found, sets):
        percent, low, high = (100 * number for number in value)
        figures[name] = figure(what, percent, (low, high), form=".1f", spread="interval")
        lines.append([what.removesuffix(", %"), str(count), f"{value}"])
    figures["recordings"] = figure("recordings", len(found), form="d")
    figures["unanswered"] = figure("versions without a key", sum(item.unanswered for item in found), form="d")
    listed = table("answers that move along", ["", "recordings", "moves along, %"], lines)
    return {"figures": figures, "tables": {"shares": listed}}


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--folder", type=Path, default=REAL)
    source.add_argument("--table", type=Path, help="CSV: path, key, set; paths are relative to its folder")
    parser.add_argument("--tool", choices=TOOLS, default="sox")
    parser.add_argument("--model", type=Path, help="an export (default: the network that comes with tfkey)")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--audio", type=Path, help="folder that keeps the transposed recordings")
    add_option(parser)
    options = parser.parse_args()
    try:
        check_tool(options.tool)
        known, paths = choose(options.folder, options.table, options.every)
        estimator = (
            KeyEstimator.from_export(options.model) if options.model else KeyEstimator.from_pretrained()
        )
    except TfkeyError as error:
        print(error, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        kept = options.audio / options.tool if options.audio else Path(scratch)
        kept.mkdir(parents=True, exist_ok=True)
        found = list(follow_all(estimator, known, paths, options.tool, kept))
    if not found:
        print("no recording was judged", file=sys.stderr)
        return 1
    sets = {name: members for name, members in known.sets.items() if name != POOLED}
    report = results(found, sets)
    listed = report["tables"]["shares"]
    print(f"{options.tool}\n\n| {' | '.join(listed['columns'])} |\n|---|---|---|")
    for row in listed["rows"]:
        print(f"| {' | '.join(row)} |")
    print(f"\nversions without a key: {report['figures']['unanswered']['value']}")
    judged = {item.name for item in found}
    members = {name: [item for item in names if item in judged] for name, names in sets.items()}
    write_results(
        options.results, f"Transposed recordings ({options.tool})", **report,
        packages=("ai-edge-litert", "numpy"), judged=recordings(members or {"all": sorted(judged)}),
    )  # fmt: skip
    return 0


def choose(folder: Path, labels: Path | None, every: int) -> tuple[Table, dict[str, Path]]:
    """The table of labelled recordings, empty without one, and the recordings by name.

    Raises:
        DataError: the table is damaged.
    """
    if labels is not None:
        known = read_table(labels)
        paths = {name: labels.parent / name for name in known.keys}
    else:
        known = Table(folder, {}, {}, {})
        paths = {path.relative_to(folder).as_posix(): path for path in list_files([folder]).files}
    return known, dict(list(paths.items())[::every])


if __name__ == "__main__":
    raise SystemExit(main())
