"""The signatures of an exported SavedModel, computed by any network.

An export as SavedModel has the signatures ``serving_default``, which is ``waveform``, and ``spectrogram``
(:func:`tfkey.export.formats.export_run`). Here every network has them, with the same answers: those of a
SavedModel come from TensorFlow, all others from NumPy's constant-Q transform and the runtime of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tfkey.inference.bundle import Metadata
from tfkey.inference.covering import covering_starts
from tfkey.inference.networks import Network
from tfkey.inference.saved_model import SavedModelNetwork
from tfkey.keys import KEYS
from tfkey.scoring.calibration import calibrated
from tfkey.spectrogram.light import spectrogram

WAVEFORM, SPECTROGRAM = "waveform", "spectrogram"
DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Served:
    """What clients need to know about a network; picklable.

    Attributes:
        metadata: its metadata.
        version: the number of its version, at least 1.
    """

    metadata: Metadata
    version: int = 1

    @property
    def signatures(self) -> dict[str, str]:
        """The name of the input of each signature, by the signature's name."""
        found = {DEFAULT_SIGNATURE: WAVEFORM, WAVEFORM: WAVEFORM}
        if not self.metadata.takes_waveforms:
            found[SPECTROGRAM] = SPECTROGRAM
        return found

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of one row of an input; -1 where any size will do."""
        return (-1,) if name == WAVEFORM else (-1, self.metadata.features.n_bins, 1)

    def least(self, name: str) -> int:
        """The smallest size of the first dimension of one row of an input."""
        return 1 if name == WAVEFORM else self.metadata.minimum_frames


def apply_signature(
    metadata: Metadata, network: Network, name: str, rows: Sequence[np.ndarray], at_once: int
) -> np.ndarray:
    """Apply a signature to rows, each of which may have a length of its own.

    Args:
        metadata: the metadata of the network.
        network: the network.
        name: the name of the input: ``waveform`` or ``spectrogram``.
        rows: float32 ``[samples]``, whole tracks that are used as they are (no row is brought to a level), or
            ``[frames, bins, 1]``, single intervals.
        at_once: how many rows or intervals of the same shape go through the network together, at most.

    Returns:
        Calibrated probabilities, float32 ``[rows, 24]``.
    """
    if isinstance(network, SavedModelNetwork):
        call = network.waveform if name == WAVEFORM else network.spectrogram
        return _means(call, enumerate(rows), len(rows), at_once)
    if name == SPECTROGRAM:
        means = _means(network, enumerate(rows), len(rows), at_once)
    else:
        means = _means(network, _intervals(metadata, rows), len(rows), at_once)
    return calibrated(means, metadata.temperature).astype(np.float32)


def _intervals(metadata: Metadata, rows: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """The inputs of the network for whole tracks, each with the number of its row."""
    for number, row in enumerate(rows):
        for start in covering_starts(row.size, metadata.interval):
            interval = row[start : start + metadata.interval]
            interval = np.pad(interval, (0, max(metadata.least - interval.size, 0)))
            if metadata.takes_waveforms:
                yield number, interval
            else:
                yield number, spectrogram(interval, metadata.features)[:, :, np.newaxis]


def _means(
    call: Callable[[np.ndarray], np.ndarray],
    inputs: Iterable[tuple[int, np.ndarray]],
    count: int,
    at_once: int,
) -> np.ndarray:
    """The mean answer to the inputs of each row; inputs of the same shape go into one call.

    Only inputs that wait for company are in memory, at most ``at_once`` altogether.
    """
    totals, counts = np.zeros((count, len(KEYS))), np.zeros((count, 1))
    waiting: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}

    def flush(shape: tuple[int, ...]) -> None:
        group = waiting.pop(shape)
        answers = call(np.stack([values for _, values in group]))
        for (number, _), answer in zip(group, answers, strict=True):
            totals[number] += answer
            counts[number] += 1

    for number, values in inputs:
        waiting.setdefault(values.shape, []).append((number, values))
        if len(waiting[values.shape]) >= at_once:
            flush(values.shape)
        elif sum(map(len, waiting.values())) >= at_once:
            # The group that has waited longest.
            flush(next(iter(waiting)))
    for shape in list(waiting):
        flush(shape)
    return (totals / counts).astype(np.float32)
