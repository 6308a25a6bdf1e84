"""200 uploads, 8 at a time, by clients of every kind, to ``tfkey serve`` in processes of its own."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT
from tests.media import encode
from tests.processes import descriptors, family, peak_memory
from tests.tfkey.serving.processes import started
from tests.tfkey.serving.running import wav
from tests.tfkey.serving.visits import BROKEN, Song, Visit, at_once, expected_of, visits

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

COUNT, AT_ONCE, LIMIT_MB = 200, 8, 2
# What each visitor may cost the server at a time, and what its own tables may grow by.
MEMORY_MB = 8 * 2 + 24
# A worker decodes, transforms and judges one file of two seconds at a time.
WORKER_MEMORY_MB = 64


def write_songs(folder: Path) -> list[Path]:
    """Two seconds of music in every format, silence, and a file that ends too early."""
    made = []
    sources = sorted((ROOT / "tests" / "data" / "real").glob("*.ogg"))
    for number, suffix in enumerate(("wav", "mp3", "flac", "ogg", "opus", "m4a", "aiff")):
        sound, rate = soundfile.read(sources[number % len(sources)], dtype="float32", always_2d=True)
        sound = np.repeat(sound[number * rate : (number + 2) * rate, :1], 2, axis=1)
        path = folder / f"song.{suffix}"
        if suffix == "m4a":
            encode(path, "aac", sound, rate, container="mp4")
        elif suffix == "opus":
            soundfile.write(path, sound, 48000, format="OGG", subtype="OPUS")
        else:
            soundfile.write(path, sound, rate)
        made.append(path)
    silent, cut = folder / "silent.wav", folder / "cut.wav"
    silent.write_bytes(wav(2.0, silent=True))
    cut.write_bytes(made[0].read_bytes()[:-50_000])
    return [*made, silent, cut]


def until(condition: Callable[[], bool]) -> bool:
    """Wait until something is so; whether it came about."""
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def open_by(process: int) -> list[int]:
    """The number of descriptors that each process of a server has open."""
    return [descriptors(one) for one in sorted(family(process))]


def test_every_visitor_gets_what_it_deserves(tfkey, tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    paths = write_songs(tmp_path / "songs")
    code, out, _ = tfkey("predict", *paths, "--format", "json", "--top", 24, "--over-time", "--workers", 1)
    assert code == 0
    songs = [
        Song(path.name, path.read_bytes(), expected_of(values))
        for path, values in zip(paths, json.loads("\n".join(out)), strict=True)
    ]
    broken = [Song(name, content) for name, content in BROKEN.items()]
    options = ("--workers", 2, "--max-upload-mb", LIMIT_MB, "--body-timeout-seconds", 2)
    with started("serve", "--port", 0, *options, temporary=uploads) as server:

        def pay(visit: Visit) -> str | None:
            return visit.complaint(visit.pay(server.port))

        with ThreadPoolExecutor(AT_ONCE) as clients:
            # Both workers have done something of each kind before anything is measured.
            warm = [Visit("warm-up", song, at_once, frozenset({200})) for song in songs + songs]
            assert not list(filter(None, clients.map(pay, warm)))
            before = measured(server.pid)
            complaints = clients.map(pay, visits(songs, broken, COUNT, LIMIT_MB * 2**20, seed=0))
            assert not list(filter(None, complaints))
        assert server.is_alive
        assert until(lambda: not [path for path in uploads.rglob("*.*") if path.name != ".lock"])
        check(server.pid, before)
        assert server.stop() == 0
        assert [line for line in server.errors if "network" not in line] == ["stopped\n"]
    assert not list(uploads.iterdir())


def measured(process: int) -> tuple[list[int], list[int]] | None:
    """The most memory in KiB of a server's processes, and their descriptors, where the system says so."""
    if not Path("/proc/self/fd").exists():
        return None
    # Connections of the clients that have gone may be open for a moment.
    time.sleep(0.5)
    return [peak_memory(one) for one in sorted(family(process))], open_by(process)


def check(process: int, before: tuple[list[int], list[int]] | None) -> None:
    """Compare what a server takes with what it took."""
    if before is None:
        return
    memory, opened = before
    assert until(lambda: open_by(process) == opened), (open_by(process), opened)
    bounds = [MEMORY_MB] + [WORKER_MEMORY_MB] * (len(memory) - 1)
    for one, then, bound in zip(sorted(family(process)), memory, bounds, strict=True):
        assert peak_memory(one) < then + 1024 * bound
