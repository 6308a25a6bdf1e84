"""The constant-Q transform of :mod:`tfkey.cqt` in NumPy: the same filters, as products of matrices."""

from __future__ import annotations

import numpy as np

from tfkey.cqt_filters import Parameters, design


class ConstantQ:
    """Constant-Q magnitudes of a waveform, as :class:`tfkey.cqt.CQT` gives them with zeros beyond the ends.

    Args:
        parameters: of the transform; the highest bin lies at or below half the sample rate.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self._plan = design(parameters)

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Transform float32 ``[samples]`` to float32 ``[1 + samples // hop_length, bins]``."""
        hop = self.parameters.hop_length
        frames = 1 + waveform.size // hop
        signal = self._extend(waveform, frames)
        banks: list[np.ndarray] = []
        for level in self._plan.levels:
            level_hop = hop // level.rate
            if level.stage is not None:
                stage = level.stage
                blocks = frames * (level_hop // stage.kernel.shape[2]) + stage.extra_blocks
                signal = _correlate(signal, stage.offset, blocks, stage.kernel, 1).reshape(-1)
            found = [
                _correlate(
                    signal,
                    group.offset,
                    (frames - 1) * group.stride + len(group.kernel),
                    group.kernel,
                    group.stride,
                )
                for group in level.groups
            ]
            # A lower rate holds lower bins.
            banks = found + banks
        result = np.empty((frames, self.parameters.n_bins), np.float32)
        place = 0
        for bank in banks:
            bins = bank.shape[1] // 2
            np.hypot(bank[:, :bins], bank[:, bins:], out=result[:, place : place + bins])
            place += bins
        return result

    def _extend(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """The samples that all frames need: zeros on both sides, cut where no frame reaches."""
        left = self._plan.left
        signal = np.zeros(frames * self.parameters.hop_length + self._plan.right, np.float32)
        body = signal[left : left + waveform.size]
        body[:] = waveform[: body.size]
        return signal


def _correlate(signal: np.ndarray, offset: int, blocks: int, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Cut ``blocks`` blocks from ``signal`` at ``offset``; correlate with ``[width, samples, outputs]``."""
    width, samples, _ = kernel.shape
    x = signal[offset : offset + blocks * samples].reshape(blocks, samples)
    count = (blocks - width) // stride + 1
    last = (count - 1) * stride + 1
    products = x[:last:stride] @ kernel[0]
    for i in range(1, width):
        products += x[i : i + last : stride] @ kernel[i]
    return products
