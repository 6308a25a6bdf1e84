"""A music folder with broken files: does ``tfkey predict`` name each of them, and what do they cost?

``python -m tests.benchmarks.broken`` makes 1,000 short files: 950 in seven formats, from the recordings in
``tests/data/real``, and 50 that are broken in 25 ways and cannot be analysed. It runs the command in turns on
this folder and on the same folder without the broken files. It prints the answers, the lines about failures,
the exit code, the time (wall clock and CPU) and the peak memory (proportional set size of the command and its
processes; Linux).
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.benchmarks.library import COMMAND, ROOT
from tests.benchmarks.results import add_option, ratio, shown, table, write_results
from tests.media import chord, encode
from tests.processes import family, memory

REAL = ROOT / "tests" / "data" / "real"
RATE = 44100
FORMATS = ("wav", "flac", "ogg", "mp3", "opus", "m4a", "aiff")


def random_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes by chance, the same for the same seed."""
    return np.random.default_rng(seed).bytes(size)


def write_good(folder: Path) -> list[Path]:
    """Recordings of 2 to 5 s, one of each format and source."""
    folder.mkdir()
    made = []
    for number, source in enumerate(sorted(REAL.glob("*.ogg"))):
        sound, rate = soundfile.read(source, dtype="float32", always_2d=True)
        for place, suffix in enumerate(FORMATS):
            seconds = 2 + (number + place) % 4
            begin = (number + place) * rate
            part = sound[begin : begin + seconds * rate, :2]
            path = folder / f"{source.stem}.{suffix}"
            if suffix == "m4a":
                encode(path, "aac", np.repeat(part[:, :1], 2, axis=1), rate, container="mp4")
            elif suffix == "opus":
                soundfile.write(path, part[: len(part) // 2 * 2], 48000, format="OGG", subtype="OPUS")
            else:
                soundfile.write(path, part, rate, format=suffix.upper())
            made.append(path)
    return made


def _sounding(folder: Path, suffix: str) -> bytes:
    """A whole file of five seconds."""
    path = folder / f"whole.{suffix}"
    if not path.exists():
        if suffix in ("m4a", "wma", "mkv"):
            codec, container = {
                "m4a": ("aac", "mp4"),
                "wma": ("wmav2", "asf"),
                "mkv": ("libopus", "matroska"),
            }[suffix]
            rate = 48000 if suffix == "mkv" else RATE
            encode(path, codec, chord(5, rate, 2), rate, container=container)
        else:
            soundfile.write(path, chord(5, RATE, 2), RATE, format=suffix.upper())
    return path.read_bytes()


def _wav(form: bytes, sound: bytes) -> bytes:
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(sound)) + sound
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def _archive(folder: Path) -> bytes:
    path = folder / "archive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("notes.txt", "nothing to hear\n" * 5000)
    return path.read_bytes()


def _film(folder: Path) -> bytes:
    """Pictures without sound."""
    import av

    path = folder / "film.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            picture.pts = number
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path.read_bytes()


def _encrypted(folder: Path) -> bytes:
    """A WMA with the object that says how it is encrypted, in place of another of its header."""
    data = _sounding(folder, "wma")
    # The codec list, which no decoder needs.
    old = bytes.fromhex("4052d1861d31d011a3a400a0c90348f6")
    return data.replace(old, bytes.fromhex("fbb311222 3bdd211b4b700a0c955fc6e".replace(" ", "")), 1)


def _not_finite() -> bytes:
    form = struct.pack("<HHIIHH", 3, 1, RATE, 4 * RATE, 4, 32)
    return _wav(form, np.full(RATE, np.nan, "<f4").tobytes())


PCM = struct.pack("<HHIIHH", 1, 2, RATE, 4 * RATE, 4, 16)
WAYS: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "empty": ("mp3", lambda folder: b""),
    "zeros": ("wav", lambda folder: bytes(1 << 16)),
    "ones": ("mp3", lambda folder: b"\xff" * (1 << 16)),
    "random bytes": ("ogg", lambda folder: random_bytes(1 << 16)),
    "a web page": ("flac", lambda folder: b"<html><body>404 not found</body></html>\n" * 99),
    "a picture": ("m4a", lambda folder: b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1" + random_bytes(5000, 1)),
    "an archive": ("wav", _archive),
    "a document": ("aiff", lambda folder: b"%PDF-1.7\n" + b"1 0 obj << /Length 9 >> stream\n" * 300),
    "scores": ("mp3", lambda folder: b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0"),
    "WAV without samples": ("wav", lambda folder: _wav(PCM, b"")),
    "WAV of no known coding": ("wav", lambda folder: _wav(b"\x34\x12" + PCM[2:], random_bytes(40000, 2))),
    "WAV without a format": ("wav", lambda folder: b"RIFF\x10\0\0\0WAVEdata\x04\0\0\0\0\0\0\0"),
    "WAV of NaN": ("wav", lambda folder: _not_finite()),
    "AIFF header only": ("aiff", lambda folder: _sounding(folder, "aiff")[:54]),
    "FLAC header only": ("flac", lambda folder: _sounding(folder, "flac")[:42]),
    "FLAC of random frames": ("flac", lambda folder: _sounding(folder, "flac")[:42] + random_bytes(60000, 3)),
    "Ogg, first page only": ("ogg", lambda folder: _sounding(folder, "ogg")[:58]),
    "Ogg, cut within its headers": ("ogg", lambda folder: _sounding(folder, "ogg")[:1500]),
    "Ogg without pages": ("ogg", lambda folder: _sounding(folder, "ogg").replace(b"OggS", b"OgXX")),
    "MP3, tag only": ("mp3", lambda folder: b"ID3\3\0\0\0\0\x0f\x76TIT2\0\0\0\5\0\0\0song" + bytes(2023)),
    "MP3, cut within a frame": ("mp3", lambda folder: _sounding(folder, "mp3")[:100]),
    "MP4 without its index": ("m4a", lambda folder: _box(b"ftyp", b"M4A ") + _box(b"mdat", bytes(9999))),
    "MP4, protected": ("m4a", lambda folder: _sounding(folder, "m4a").replace(b"mp4a", b"drms", 1)),
    "Matroska without sound": ("mkv", _film),
    "WMA, encrypted": ("wma", _encrypted),
}  # fmt: skip
"""Ways of being broken: a suffix, and what gives the content."""


COLUMNS = ("", "answers", "failures named", "exit code", "s", "peak MiB")


@dataclass(frozen=True)
class Outcome:
    """What came of a folder.

    Attributes:
        answers: files with a key.
        lines: that name a broken file, on stderr.
        unnamed: ways of which a file is not named.
        code: the exit code.
        seconds: by the clock.
        busy: seconds of the processor.
        memory: the most, in MiB.
    """

    answers: int
    lines: int
    unnamed: set[str]
    code: int
    seconds: float
    busy: float
    memory: float


def judge(folder: Path, scratch: Path, broken: dict[str, str], workers: int) -> Outcome:
    """Run the command on a folder."""
    output, errors = scratch / "out.csv", scratch / "errors"
    output.unlink(missing_ok=True)
    arguments = [str(folder), "--format", "csv", "--output", str(output), "--workers", str(workers)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start, used = time.perf_counter(), 0
    with errors.open("wb") as stream:
        process = subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stderr=stream, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            used = max(used, sum(map(memory, family(process.pid))))
            time.sleep(0.5)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with output.open(newline="", encoding="utf-8") as stream:
        answers = sum(bool(row.get("key")) for row in csv.DictReader(stream))
    said = errors.read_text(encoding="utf-8", errors="replace").splitlines()
    named = {path for path in broken if any(f"{path}: " in line for line in said)}
    unnamed = {way for path, way in broken.items() if path not in named}
    busy = sum(after[:2]) - sum(before[:2])
    lines = sum(any(f"{path}: " in line for path in broken) for line in said)
    return Outcome(answers, lines, unnamed, process.returncode, seconds, busy, used / 1024)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--broken", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print what is said of the broken files")
    add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        mixed, whole = scratch / "mixed", scratch / "whole"
        good = write_good(scratch / "good")
        for number in range(options.files - options.broken):
            source = good[number % len(good)]
            for folder in (mixed, whole):
                path = folder / f"{number // 100:02d}" / f"{number:04d} {source.name}"
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, path)
        broken, folders = {}, -(-(options.files - options.broken) // 100)
        for number in range(options.broken):
            way, (suffix, make) = list(WAYS.items())[number % len(WAYS)]
            path = mixed / f"{number % folders:02d}" / f"broken {number:02d}.{suffix}"
            path.write_bytes(make(scratch))
            broken[os.fspath(path)] = way
        rounds = []
        for _ in range(options.rounds):
            rounds.append([judge(folder, scratch, broken, options.workers) for folder in (mixed, whole)])
            if options.show:
                shutil.copyfile(scratch / "errors", sys.stdout.fileno())
            _print(rounds[-1])
    write_results(options.results, "A folder with broken files", **stated(rounds))


def stated(rounds: list[list[Outcome]]) -> dict[str, Any]:
    """Print the ratios; they and the table, for a results file."""
    figures = {}
    for what in ("seconds", "busy", "memory"):
        ratios = [getattr(a, what) / getattr(b, what) for a, b in rounds]
        figures[what] = ratio(f"{what}, with broken files / without", ratios)
        print(f"{figures[what]['what']}: {shown(figures[what], '.3f', with_range=True)}")
    outcomes = table("A folder with broken files", COLUMNS, _rows(rounds, figures))
    return {"figures": figures, "tables": {"outcomes": outcomes}}


def _rows(rounds: list[list[Outcome]], figures: dict[str, dict[str, Any]]) -> Iterator[list[str]]:
    """The table of a results file."""
    for number, title in enumerate(("with broken files", "without")):
        found = [outcomes[number] for outcomes in rounds]
        seconds = [outcome.seconds for outcome in found]
        first, memory = found[0], statistics.median(outcome.memory for outcome in found)
        yield [
            title, str(first.answers), str(first.lines), str(first.code),
            f"{min(seconds):.1f} to {max(seconds):.1f}", f"{memory:.0f}",
        ]  # fmt: skip
    ratios = [shown(figures[what], with_range=True) for what in ("seconds", "memory")]
    yield ["ratio, median (least to greatest)", "", "", "", *ratios]


def _print(outcomes: list[Outcome]) -> None:
    for title, found in zip(("with broken files", "without"), outcomes, strict=True):
        told = f"{found.answers} answers, {found.lines} lines, exit {found.code}"
        cost = f"{found.seconds:.1f} s, {found.busy:.1f} s of the processor, {found.memory:.0f} MiB"
        print(f"{title:18} {told}, {cost}", flush=True)
    if outcomes[0].unnamed:
        print("not named:", ", ".join(sorted(outcomes[0].unnamed)))


if __name__ == "__main__":
    main()
