"""The transform of :mod:`tfkey.spectrogram.cqt` in NumPy: the same filters, as matrix products."""

from __future__ import annotations

import numpy as np

from tfkey.spectrogram.filters import design
from tfkey.spectrogram.parameters import Parameters

# Products that are computed at a time: they and what is added to them fit in a core's cache.
_PRODUCTS = 1 << 14


class ConstantQ:
    """Constant-Q magnitudes, as from :class:`tfkey.spectrogram.cqt.CQT`, padded with zeros.

    Args:
        parameters: the parameters of the transform; the highest bin is at or below half the sample rate.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self._plan = design(parameters)
        self._stages = [
            _without_zeros(level.stage.kernel) if level.stage else [] for level in self._plan.levels
        ]
        self._groups = [
            [_without_zeros(group.kernel) for group in level.groups] for level in self._plan.levels
        ]

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Transform float32 ``[samples]`` to float32 ``[1 + samples // hop_length, bins]``."""
        hop = self.parameters.hop_length
        frames = 1 + waveform.size // hop
        # The centre of the first frame is the first sample of the waveform; the plan's frames begin earlier.
        signal, start = waveform, -self._plan.left
        banks: list[np.ndarray] = []
        for level, decimator, filters in zip(self._plan.levels, self._stages, self._groups, strict=True):
            level_hop = hop // level.rate
            if level.stage is not None:
                stage, outputs = level.stage, level.stage.kernel.shape[2]
                count = frames * (level_hop // outputs) + stage.extra_blocks - len(decimator) + 1
                samples = stage.kernel.shape[1]
                signal = _correlate(signal, start + stage.offset, count, samples, decimator, 1).reshape(-1)
                start = 0
            found = [
                _correlate(signal, start + group.offset, frames, group.kernel.shape[1], bank, group.stride)
                for group, bank in zip(level.groups, filters, strict=True)
            ]
            # A lower rate has lower bins.
            banks = found + banks
        result = np.empty((frames, self.parameters.n_bins), np.float32)
        place = 0
        for bank in banks:
            bins = bank.shape[1] // 2
            np.hypot(bank[:, :bins], bank[:, bins:], out=result[:, place : place + bins])
            place += bins
        return result


def _without_zeros(kernel: np.ndarray) -> list[np.ndarray]:
    """The matrices ``[samples, outputs]`` of ``[blocks, samples, outputs]``, without the rows at their end
    that hold zeros: of a decimator's last block that is most of them, a third of its operations."""
    ends = [int(np.flatnonzero(matrix.any(axis=1))[-1]) + 1 if matrix.any() else 0 for matrix in kernel]
    return [np.ascontiguousarray(matrix[:end]) for matrix, end in zip(kernel, ends, strict=True)]


def _correlate(
    signal: np.ndarray, start: int, count: int, samples: int, kernel: list[np.ndarray], stride: int
) -> np.ndarray:
    """Cut a signal into blocks of ``samples``, from ``start`` on, with zeros beyond its ends; correlate them
    with the matrices of a kernel, from every ``stride``-th block on: ``[count, outputs]``."""
    step, reach = samples * stride, samples * len(kernel)
    # What lies in the signal is taken from where it is, since a copy costs as much as a filter.
    low = min(count, max(0, -(start // step)))
    high = max(low, min(count, (signal.size - start - reach) // step + 1))
    products = np.empty((count, kernel[0].shape[1]), np.float32)
    for first, last, inside in ((0, low, False), (low, high, True), (high, count, False)):
        if first < last:
            begin, size = start + first * step, (last - 1 - first) * step + reach
            part = signal[begin : begin + size] if inside else _padded(signal, begin, size)
            _multiply(part.reshape(-1, samples), kernel, stride, products[first:last])
    return products


def _multiply(blocks: np.ndarray, kernel: list[np.ndarray], stride: int, products: np.ndarray) -> None:
    """Write the products of blocks ``[blocks, samples]`` with a kernel to ``[count, outputs]``."""
    count, outputs = products.shape
    rows = max(1, _PRODUCTS // outputs)
    other = np.empty((min(rows, count), outputs), np.float32)
    for start in range(0, count, rows):
        part = products[start : start + rows]
        begin, span = start * stride, (len(part) - 1) * stride + 1
        np.matmul(blocks[begin : begin + span : stride, : len(kernel[0])], kernel[0], out=part)
        for i, matrix in enumerate(kernel[1:], begin + 1):
            part += np.matmul(blocks[i : i + span : stride, : len(matrix)], matrix, out=other[: len(part)])


def _padded(signal: np.ndarray, begin: int, size: int) -> np.ndarray:
    """Return ``size`` samples of a signal from ``begin`` on, with zeros beyond its ends."""
    part = np.zeros(size, np.float32)
    low, high = max(begin, 0), min(begin + size, signal.size)
    if low < high:
        part[low - begin : high - begin] = signal[low:high]
    return part
