"""A small dataset and small settings, so that whole pipelines run in moments."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest
import soundfile
import yaml

from tfkey.config import Config
from tfkey.keys import Key

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
                soundfile.write(path, chord(key, 2.2 + number % 2, seed=number), RATE)
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
