"""An exported network with its metadata: a folder with the network's file and ``tfkey.json``.

``tfkey export`` (:mod:`tfkey.export`) writes these folders;
:class:`tfkey.inference.estimator.KeyEstimator` reads them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfkey.errors import DataError
from tfkey.files import write_text
from tfkey.inference.key_over_time import WINDOW_SECONDS
from tfkey.spectrogram.parameters import Features

METADATA = "tfkey.json"
CARD = "card.md"
"""A model card that may lie beside the network."""

NETWORK_FILES = {"litert": "network.tflite", "onnx": "network.onnx", "keras": "network.keras"}
"""The file name of the network, by format."""


@dataclass(frozen=True)
class Metadata:
    """What is needed to use a network.

    Attributes:
        features: the parameters of its spectrograms.
        interval_seconds: the length of the intervals that it was trained on, in seconds.
        minimum_frames: the smallest number of frames that it accepts.
        temperature: the temperature that calibrates a track's probabilities
            (:mod:`tfkey.scoring.calibration`).
        interval_temperature: the temperature that calibrates the probabilities of single intervals.
        takes_waveforms: whether it takes waveforms instead of spectrograms.
        description: a description of the weights.
        level_db: the level in dB re full scale to which recordings are brought
            (:func:`tfkey.inference.level.levelled`); None to leave all but very quiet ones as they are.
    """

    features: Features
    interval_seconds: float
    minimum_frames: int
    temperature: float
    interval_temperature: float
    takes_waveforms: bool
    description: str
    level_db: float | None = None

    @classmethod
    def of(cls, values: dict[str, Any]) -> Metadata:
        """Return the metadata in the content of ``tfkey.json``.

        Raises:
            KeyError, TypeError, ValueError: a value is missing or has the wrong type.
        """
        return cls(
            features=Features.of(values["features"]),
            interval_seconds=float(values["interval_seconds"]),
            minimum_frames=int(values["minimum_frames"]),
            temperature=_temperature(values["temperature"]),
            # Exports did not always have one of its own.
            interval_temperature=_temperature(values.get("interval_temperature", values["temperature"])),
            takes_waveforms=bool(values["takes_waveforms"]),
            description=str(values["description"]),
            level_db=None if values.get("level_db") is None else float(values["level_db"]),
        )

    @property
    def interval(self) -> int:
        """The length of an interval in samples."""
        return max(1, round(self.interval_seconds * self.features.sample_rate))

    @property
    def window(self) -> int:
        """The length of an interval for key over time, in samples."""
        return min(self.interval, round(WINDOW_SECONDS * self.features.sample_rate))

    @property
    def least(self) -> int:
        """The smallest number of samples that the network accepts."""
        return (self.minimum_frames - 1) * self.features.hop_length


@dataclass(frozen=True)
class Bundle:
    """An export in a folder: the format and file of its network, and its metadata."""

    path: Path
    format: str
    metadata: Metadata

    @property
    def network(self) -> Path:
        """The network's file."""
        return self.path / NETWORK_FILES[self.format]


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the content of ``tfkey.json`` in a folder written by ``tfkey export``.

    Raises:
        DataError: the folder is not an export, or it is damaged.
    """
    try:
        values = json.loads((path / METADATA).read_text(encoding="utf-8"))
        Metadata.of(values)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{path}: is not an export (it has no {METADATA}); give the folder of an export",
            remedy="export",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path / METADATA}: is damaged ({error}); export the run again") from error
    return values


def write_metadata(path: Path, values: Mapping[str, Any]) -> None:
    """Write ``tfkey.json`` into the folder of an export, atomically.

    Args:
        path: the folder.
        values: the content, as :func:`read_metadata` returns it.

    Raises:
        TfkeyError: the file cannot be written.
    """
    write_text(path / METADATA, metadata_text(values))


def metadata_text(values: Mapping[str, Any]) -> str:
    """Return the text of ``tfkey.json``."""
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def open_bundle(path: Path) -> Bundle:
    """Open a folder written by ``tfkey export``.

    Raises:
        DataError: the folder is not an export, or it is damaged.
    """
    metadata = Metadata.of(read_metadata(path))
    for kind, name in NETWORK_FILES.items():
        if (path / name).is_file():
            return Bundle(path, kind, metadata)
    raise DataError(
        f"{path}: contains none of {', '.join(NETWORK_FILES.values())}; export the run as litert",
        remedy="export",
        details={"format": "litert"},
    )


def _temperature(value: Any) -> float:
    found = float(value)
    if not 0 < found < math.inf:
        raise ValueError(f"temperature {value} is not above 0")
    return found
