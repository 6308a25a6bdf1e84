"""SavedModels of ``tfkey export``: their signatures, and a network for an estimator.

A SavedModel lies in ``<folder>/<version>/``, as TensorFlow Serving expects it. Its signatures return
calibrated probabilities. The estimator needs those of single intervals without calibration; it raises the
calibrated ones to the power of the temperature (calibration is ``p ** (1 / T)``, normalised).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfkey.errors import DataError, MissingExtraError
from tfkey.inference.bundle import Metadata, read_metadata
from tfkey.inference.networks import quiet
from tfkey.scoring.calibration import calibrated

_FILE = "saved_model.pb"


@dataclass(frozen=True)
class SavedModelFolder:
    """One version of a SavedModel on disk.

    Attributes:
        path: the folder that holds ``saved_model.pb``.
        version: its number; 1 if the folder's name is not a number.
    """

    path: Path
    version: int


def find_saved_model(path: Path) -> SavedModelFolder | None:
    """Return the SavedModel in a folder: the folder itself, or its version of the highest number.

    Returns:
        None if there is no SavedModel in the folder.
    """
    if (path / _FILE).is_file():
        name = path.resolve().name
        return SavedModelFolder(path, int(name) if name.isdecimal() else 1)
    versions = [
        SavedModelFolder(child, int(child.name))
        for child in path.glob("*")
        if child.name.isdecimal() and (child / _FILE).is_file()
    ]
    return max(versions, key=lambda found: found.version, default=None)


class SavedModelNetwork:
    """The signatures of a SavedModel, which also serve as the network of an estimator.

    Args:
        folder: the version to load, with ``tfkey.json`` beside ``saved_model.pb``.

    Attributes:
        metadata: its metadata.
        version: its number.

    Raises:
        DataError: the folder is not a SavedModel that tfkey exported, or it is damaged.
        MissingExtraError: TensorFlow is not installed.
    """

    def __init__(self, folder: SavedModelFolder) -> None:
        path, self.version = folder.path, folder.version
        self.metadata = Metadata.of(read_metadata(path))
        try:
            import tensorflow as tf
        except ImportError as error:
            raise MissingExtraError(f"{path}", "TensorFlow", "tfkey[train]") from error
        try:
            with quiet():
                # The object is kept: its variables go with it.
                self._loaded: Any = tf.saved_model.load(str(path))
        except (ValueError, OSError, KeyError, tf.errors.OpError) as error:
            raise DataError(f"{path}: the SavedModel cannot be loaded; export the run again") from error
        self._signatures: Mapping[str, Any] = self._loaded.signatures
        if "waveform" not in self._signatures:
            raise DataError(f"{path}: has no signature named waveform; export the run again")
        self._constant = tf.constant

    def waveform(self, batch: np.ndarray) -> np.ndarray:
        """Apply the signature for whole tracks: float32 ``[batch, samples]`` to calibrated
        ``[batch, 24]``.
        """
        return self._call("waveform", batch)

    def spectrogram(self, batch: np.ndarray) -> np.ndarray:
        """Apply the signature for one interval: float32 ``[batch, frames, bins, 1]`` to calibrated
        ``[batch, 24]``.
        """
        return self._call("spectrogram", batch)

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Return the probabilities of a batch of intervals, without calibration, as every network does."""
        name = "waveform" if self.metadata.takes_waveforms else "spectrogram"
        return calibrated(self._call(name, inputs), 1 / self.metadata.temperature)

    def _call(self, name: str, batch: np.ndarray) -> np.ndarray:
        values = self._constant(np.ascontiguousarray(batch, np.float32))
        return self._signatures[name](**{name: values})["probabilities"].numpy()
