"""How loud a recording is, and how it is brought to the level that a network knows.

Spectrograms have a fixed range of levels, so that a network can distinguish loud from soft. The whole of a
recording is therefore amplified by one gain, in one of two ways. For most networks only music that peaks far
below full scale is amplified, which would look like silence; all else stays bit-identical
(:func:`conditioning`). A network whose metadata state a level gets every recording at that level
(:func:`levelled`): how loud somebody has made a file then changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfkey.audio.memory import Memory
from tfkey.audio.recordings import Recording

QUIET_DB = -25.0
"""A recording whose level is below this, in dB re full scale, is amplified. Most music is at -10 or above."""

USUAL_DB = -6.0
"""The level, in dB re full scale, to which it is amplified."""

# The peak of a block of this length is half the distance from its lowest to its highest sample. Only a few
# blocks peak above the level: a share of them, within these bounds. One or two clicks therefore change
# nothing, and two loud seconds are enough, however long the rest is.
_BLOCK_SECONDS = 0.05
_LEAST_BLOCKS = 4
_MOST_BLOCKS = 40
_SHARE = 0.05
# Seconds that are read at a time.
_WINDOW_SECONDS = 2.5

_LOUD_BLOCK_SECONDS = 0.4
_BLOCKS_AT_A_TIME = 25
_LOUD_SHARE = 0.1
_LEAST_LOUD_BLOCKS = 3
_LONGEST_SECONDS = 600.0
# A smaller share of the level is not worth the copy.
_NO_OFFSET = 0.01
# Music peaks at most this far above its level; clicks may go beyond.
_CREST_DB = 30.0


@dataclass(frozen=True)
class Conditioning:
    """What is done to a recording before it is analysed: subtract, amplify, clip to full scale.

    Attributes:
        offset: its DC offset if that is large compared with its level, or if it is amplified; otherwise 0.
        gain: a factor.
        limit: what is louder than this after the gain, such as a click, is clipped to it.
    """

    offset: float = 0.0
    gain: float = 1.0
    limit: float = 1.0

    def __call__(self, window: np.ndarray, memory: Memory | None = None) -> np.ndarray:
        """Condition a window of the recording.

        Args:
            window: float32 ``[samples]``.
            memory: where the result is placed; None for memory of its own.

        Returns:
            float32 ``[samples]``; the same array if there is nothing to do.
        """
        if not self.offset and self.gain == 1.0:
            return window
        place = (memory or Memory(0)).array(window.size)
        if self.offset:
            window = np.subtract(window, np.float32(self.offset), out=place)
        if self.gain == 1.0:
            return window
        window = np.multiply(window, np.float32(self.gain), out=place)
        # Two comparisons cost less than a clipped copy, which is hardly ever needed.
        if window.size and (window.max() > self.limit or window.min() < -self.limit):
            np.clip(window, -self.limit, self.limit, out=window)
        return window


def conditioning(recording: Recording, sample_rate: int) -> Conditioning:
    """Find out how to condition a recording.

    It is read until two seconds of it were loud enough: in most files only the beginning, but quiet and
    silent files as a whole. One window of a few seconds is in memory at a time.

    Args:
        recording: the recording at ``sample_rate``.
        sample_rate: in Hz.

    Raises:
        AudioError: as the recording's windows do.
    """
    block = max(1, round(_BLOCK_SECONDS * sample_rate))
    window = max(1, round(_WINDOW_SECONDS * sample_rate))
    enough = 10 ** (QUIET_DB / 20)
    highest = np.zeros(0)
    blocks = 0
    middles = 0.0
    for part in recording.windows(range(0, recording.samples, window), window):
        low, high = _extremes(part, block)
        middles += 0.5 * float((low + high).sum())
        blocks += low.size
        highest = np.sort(np.concatenate([highest, 0.5 * (high - low)]))[-_MOST_BLOCKS:]
        if highest.size == _MOST_BLOCKS and highest[0] >= enough:
            break
    if not blocks:
        return Conditioning()
    level = float(highest[-min(blocks, max(_LEAST_BLOCKS, min(_MOST_BLOCKS, round(_SHARE * blocks))))])
    offset = middles / blocks
    if level == 0.0:
        return Conditioning()
    if level < enough:
        return Conditioning(offset, 10 ** (USUAL_DB / 20) / level)
    return Conditioning(offset if abs(offset) > level else 0.0)


def levelled(recording: Recording, sample_rate: int, level_db: float) -> Conditioning:
    """Find out how to bring a recording to a level.

    The level is the root mean square of a block of 0.4 s than which a tenth of all blocks is louder. Pauses
    and a few clicks do not change it. Of a long recording the first ten minutes count.

    Args:
        recording: the recording at ``sample_rate``.
        sample_rate: in Hz.
        level_db: the level to bring it to, in dB re full scale.

    Raises:
        AudioError: as the recording's windows do.
    """
    block = max(1, round(_LOUD_BLOCK_SECONDS * sample_rate))
    window = block * _BLOCKS_AT_A_TIME
    end = min(recording.samples, round(_LONGEST_SECONDS * sample_rate))
    means, squares = [], []
    for part in recording.windows(range(0, end, window), window):
        whole = part.size // block * block
        for blocks in (part[:whole].reshape(-1, block), part[whole:][np.newaxis]):
            if blocks.size:
                mean, square = _moments(blocks)
                means.append(mean)
                squares.append(square)
    if not means:
        return Conditioning()
    offset = float(np.concatenate(means).mean())
    powers = np.sort(np.concatenate(squares) - 2 * offset * np.concatenate(means) + offset**2)
    rank = min(powers.size, max(_LEAST_LOUD_BLOCKS, round(_LOUD_SHARE * powers.size)))
    power = float(powers[-rank])
    if power <= 0.0:
        return Conditioning()
    level = float(np.sqrt(power))
    gain = 10 ** (level_db / 20) / level
    if abs(offset) < _NO_OFFSET * level:
        offset = 0.0
    return Conditioning(offset, gain, 10 ** ((level_db + _CREST_DB) / 20))


def _moments(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the mean square of each block, float64 ``[blocks]``."""
    mean = blocks.mean(axis=1).astype(np.float64)
    power = np.einsum("ij,ij->i", blocks, blocks).astype(np.float64) / blocks.shape[1]
    if np.any(np.square(mean) > _NO_OFFSET * power):
        # Under a large offset, the rest would drown in the rounding of float32.
        wide = blocks.astype(np.float64)
        mean, power = wide.mean(axis=1), np.square(wide).mean(axis=1)
    return mean, power


def _extremes(part: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest sample of each block, float64 ``[blocks]``; the last may be shorter."""
    whole = part.size // block * block
    blocks = part[:whole].reshape(-1, block)
    low, high = blocks.min(axis=1).astype(np.float64), blocks.max(axis=1).astype(np.float64)
    if whole < part.size:
        low, high = np.append(low, part[whole:].min()), np.append(high, part[whole:].max())
    return low, high
