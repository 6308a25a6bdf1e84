"""An exported network and what belongs to it: a folder with the network's file and ``tfkey.json``.

``tfkey export`` writes these folders (:mod:`tfkey.export`),
:class:`tfkey.inference.estimator.KeyEstimator` reads them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfkey.errors import DataError
from tfkey.spectrogram.filters import Features

METADATA = "tfkey.json"
NETWORK_FILES = {"litert": "network.tflite", "onnx": "network.onnx", "keras": "network.keras"}
"""The name of the network's file by format."""


@dataclass(frozen=True)
class Metadata:
    """What a network's user has to know.

    Attributes:
        features: of the spectrograms that it sees.
        interval_seconds: of the intervals that it was trained on.
        minimum_frames: the fewest frames that it can see.
        temperature: that calibrates a track's probabilities (:mod:`tfkey.scoring.calibration`).
        takes_waveforms: whether it takes waveforms instead of spectrograms.
        description: what the weights are, in words.
    """

    features: Features
    interval_seconds: float
    minimum_frames: int
    temperature: float
    takes_waveforms: bool
    description: str

    @classmethod
    def of(cls, values: dict[str, Any]) -> Metadata:
        """Take it from the content of ``tfkey.json``.

        Raises:
            KeyError, TypeError, ValueError: something is missing, or of the wrong type.
        """
        return cls(
            features=Features.of(values["features"]),
            interval_seconds=float(values["interval_seconds"]),
            minimum_frames=int(values["minimum_frames"]),
            temperature=float(values["temperature"]),
            takes_waveforms=bool(values["takes_waveforms"]),
            description=str(values["description"]),
        )

    @property
    def interval(self) -> int:
        """The length of an interval in samples."""
        return max(1, round(self.interval_seconds * self.features.sample_rate))

    @property
    def least(self) -> int:
        """The fewest samples that the network can see."""
        return (self.minimum_frames - 1) * self.features.hop_length


@dataclass(frozen=True)
class Bundle:
    """An export in a folder: its network's format and file, and its metadata."""

    path: Path
    format: str
    metadata: Metadata

    @property
    def network(self) -> Path:
        """The network's file."""
        return self.path / NETWORK_FILES[self.format]


def open_bundle(path: Path) -> Bundle:
    """Open a folder that ``tfkey export`` made.

    Raises:
        DataError: it is none, or it is damaged.
    """
    try:
        values = json.loads((path / METADATA).read_text(encoding="utf-8"))
        metadata = Metadata.of(values)
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: not an export (it has no {METADATA}); give a folder that an export made",
            remedy="export",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path / METADATA}: damaged ({error}); export the run again") from error
    for kind, name in NETWORK_FILES.items():
        if (path / name).is_file():
            return Bundle(path, kind, metadata)
    raise DataError(
        f"{path}: holds none of {', '.join(NETWORK_FILES.values())}; export the run as litert",
        remedy="export",
        details={"format": "litert"},
    )
