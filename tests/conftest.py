"""A small dataset and small settings, so that whole pipelines run in moments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest
import soundfile
import yaml

from tests.base_install import pytest_fixture_setup, pytest_make_collect_report, pytest_pyfunc_call  # noqa: F401
from tests.object_store import _running_store, impatient, object_store  # noqa: F401
from tests.order import (  # noqa: F401
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_xdist_auto_num_workers,
)
from tfkey.config import Config
from tfkey.keys import Key

ROOT = Path(__file__).parents[1]
RATE = 22050
SETTINGS = {
    "mode": "audio",
    "datasets": ["small"],
    "features": {
        "sample_rate": 16000,
        "hop_length": 1024,
        "fmin": 130.81,
        "n_bins": 24,
        "bins_per_octave": 12,
        "filter_scale": 1.0,
        "db_min": -40.0,
        "db_max": 40.0,
    },
    "intervals": {"seconds": 1.0},
    "model": {"name": "allconv", "maps": 1, "dropout": 0.0},
    "train": {"batch_size": 4, "epochs": 2, "shuffle_buffer": 8},
}
FRAMES, BINS = 16, 24

SPLIT_SIZES = {"train": 3, "validation": 1, "test": 1}
KEYS = ("A-min", "Bb-min", "C-maj", "Gb-maj")


def chord(key: str, seconds: float, rate: int = RATE, *, seed: int = 0, peak: float = 0.5) -> np.ndarray:
    """A triad of decaying tones with overtones and a little noise: float32 ``[samples]``."""
    parsed = Key.parse(key)
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    third = 3 if parsed.index >= 12 else 4
    waveform = random.normal(0, 1e-3, time.size)
    for semitones in (0, third, 7):
        pitch = 130.81 * 2 ** ((parsed.index % 12 + semitones) / 12)
        for overtone in (1, 2):
            decay = np.exp(-(time % 0.5) * random.uniform(1, 4))
            waveform += decay * np.sin(2 * np.pi * pitch * overtone * time + random.uniform(0, 6)) / overtone
    return (waveform * peak / np.abs(waveform).max()).astype(np.float32)


def write_tracks(folder: Path) -> Path:
    """20 tracks in 4 keys, 2 or 3 intervals each, with splits of their own: ``<split>/<key>/<n>.<ext>``."""
    suffixes = ("wav", "flac", "ogg")
    number = 0
    for split, size in SPLIT_SIZES.items():
        for key in KEYS:
            for _ in range(size):
                number += 1
                path = folder / split / key / f"track {number:02d}.{suffixes[number % 3]}"
                path.parent.mkdir(parents=True, exist_ok=True)
                # Some beyond full scale, as lossy files of loud masters are.
                loud = number % 6 == 0
                waveform = chord(key, 2.2 + number % 2, seed=number, peak=1.4 if loud else 0.5)
                soundfile.write(path, waveform, RATE, subtype="FLOAT" if loud else None)
    return folder


@pytest.fixture(scope="session")
def tracks_master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tracks(tmp_path_factory.mktemp("tracks") / "small")


@pytest.fixture
def tracks(tracks_master: Path, tmp_path: Path) -> Path:
    """A copy of the small dataset that a test may change."""
    return Path(shutil.copytree(tracks_master, tmp_path / "originals of my own"))


@pytest.fixture
def make_config(tmp_path: Path) -> Callable[..., Config]:
    """Small settings, changed by sections: ``make_config(mode="images", intervals={"seconds": 2})``."""

    def make(**changes: object) -> Config:
        values = {**SETTINGS, "data_dir": str(tmp_path / "data"), "runs_dir": str(tmp_path / "runs")}
        for name, change in changes.items():
            old = values.get(name)
            values[name] = {**old, **change} if isinstance(old, dict) and isinstance(change, dict) else change
        return Config.model_validate(values)

    return make


def write_settings(path: Path, **changes: object) -> Path:
    """Small settings as a YAML file for ``--config``."""
    path.write_text(yaml.safe_dump({**SETTINGS, **changes}), encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder that a reader sees, by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def times(folder: Path) -> dict[str, int]:
    """When each file below a folder, hidden ones too, was last written."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def tfkey(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """The command in this process: exit code, lines of stdout, lines of stderr."""

    from scripts.main import main

    def run(*arguments: object) -> tuple[int, list[str], list[str]]:
        monkeypatch.setattr(sys, "argv", ["tfkey", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return caught.value.code, out.splitlines(), [line for line in err.splitlines() if line.strip()]

    return run


def in_subprocess(
    *arguments: object, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, in which ``before`` is called first (POSIX)."""
    command = [sys.executable, "-c", "from scripts.main import main; main()", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, preexec_fn=before
    )


@pytest.fixture(scope="session")
def lab(tracks_master: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings, data prepared in all modes, and a trained run."""
    from pipelines.prepare.prepare import prepare
    from tfkey.config import load_config

    root = tmp_path_factory.mktemp("lab")
    settings = write_settings(
        root / "settings.yaml", data_dir=str(root / "data"), runs_dir=str(root / "runs")
    )
    config = load_config(settings)
    prepare(config, "small", source=tracks_master)
    spectrograms = config.model_copy(update={"mode": "spectrograms"})
    folder = prepare(spectrograms, "small", source=tracks_master, png=True).folder
    prepare(config.model_copy(update={"mode": "images"}), "small", source=folder / "png")
    # In a process of its own: a training makes TensorFlow deterministic to the end of the process.
    done = in_subprocess("train", "--config", settings, "--name", "tiny")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "epoch   2/2" in done.stdout
    return root
