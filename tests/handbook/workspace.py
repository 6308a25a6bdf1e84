"""The folder in which the commands of a page run: a home with music, and a checkout without its history."""

from __future__ import annotations

import functools
import io
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import soundfile

from tests.conftest import ROOT, write_settings, write_tracks

REAL = ROOT / "tests" / "data" / "real"
_MAIN = "from scripts.main import main; main()"


def make_workspace(folder: Path, needs: set[str] = frozenset(), trained: Path | None = None) -> Path:
    """Make a home (``home``) and a checkout (``home/tfkey``) in ``folder``, and return the checkout.

    ``~/Music`` contains recordings in several formats, and the checkout ``song.flac`` and ``song.mp3``.

    Args:
        folder: an empty folder.
        needs: what the page takes for granted (see :func:`tests.handbook.blocks.given`).
        trained: the result of :func:`train_small`, if ``trained`` is among the needs.
    """
    home = folder / "home"
    checkout = home / "tfkey"
    music = home / "Music"
    music.mkdir(parents=True)
    for source, name in (("naev_empire1", "empire.flac"), ("supertuxkart_lava", "racing/lava.ogg")):
        _copy(REAL / f"{source}.ogg", music / name, seconds=16)
    checkout.mkdir()
    for name in ("configs", "tfkey", "pipelines", "scripts"):
        (checkout / name).symlink_to(ROOT / name)
    # Nothing that a page does can change the real ones.
    shutil.copytree(ROOT / "tests" / "data" / "real", checkout / "tests" / "data" / "real")
    (checkout / "docs").mkdir()
    for name in ("song.flac", "song.mp3"):
        _copy(REAL / "naev_empire1.ogg", checkout / name)
    if "trained" in needs:
        assert trained is not None
        shutil.copytree(trained, checkout, dirs_exist_ok=True)
        _list_tracks(write_tracks(home / "keyed-music"), checkout / "music.csv")
    _programs(folder / "bin")
    return checkout


def train_small(folder: Path) -> Path:
    """Prepare 20 chords and train tiny networks on them: ``small.yaml``, ``data``, ``runs`` in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    tracks = write_tracks(folder.with_name("tracks of the small run"))
    settings = write_settings(folder / "small.yaml", mode="spectrograms")
    for arguments in (
        ("prepare", "--dataset", "mine", "--source", str(tracks)),
        ("train", "--dataset", "mine", "--name", "mine"),
        ("train", "--dataset", "mine", "--name", "other", "-o", "seed=1"),
    ):
        subprocess.run(
            [sys.executable, "-c", _MAIN, *arguments, "--config", settings.name],
            cwd=folder,
            env=environment(folder.parent),
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of the commands in a workspace."""
    return {
        **os.environ,
        "HOME": str(folder / "home"),
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        # Not made anew for each page: matplotlib's list of fonts.
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        "COLUMNS": "100",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TOKEN": "a token for the docs",
    }


def _copy(source: Path, target: Path, *, seconds: int = -1) -> None:
    """Copy a recording, or its beginning, in the format of the suffix."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(_encoded(source, target.suffix, seconds))


@functools.cache
def _encoded(source: Path, suffix: str, seconds: int) -> bytes:
    """Once for all pages: encoding MP3 takes longer than many a block."""
    content = io.BytesIO()
    with soundfile.SoundFile(source) as stream:
        waveform = stream.read(seconds * stream.samplerate if seconds > 0 else -1)
        soundfile.write(content, waveform, stream.samplerate, format=suffix.removeprefix("."))
    return content.getvalue()


def _list_tracks(folder: Path, table: Path) -> None:
    """Write a table of the recordings in a folder per key, without their splits."""
    rows = [f"{path},{path.parent.name}\n" for path in sorted(folder.rglob("track *"))]
    table.write_text("path,key\n" + "".join(rows), encoding="utf-8")


def _programs(folder: Path) -> None:
    """The programs that an installed tfkey puts on the path."""
    folder.mkdir()
    for name, arguments in (("tfkey", f"-c '{_MAIN}'"), ("python", "")):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n', encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
