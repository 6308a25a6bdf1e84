"""How loud a recording is, and how a very quiet one is brought to the level that networks know.

Spectrograms have a fixed range of levels, so that a network can distinguish loud from soft. Music that peaks
far below full scale is below that range and looks like silence. A quiet recording is therefore amplified as a
whole by one gain. Recordings with a usual level stay bit-identical.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True)
class Conditioning:
    """What is done to a recording before it is analysed: subtract, amplify, clip to full scale.

    Attributes:
        offset: its DC offset if that is large compared with its level, or if it is amplified; otherwise 0.
        gain: a factor, at least 1.
    """

    offset: float = 0.0
    gain: float = 1.0

    def __call__(self, window: np.ndarray) -> np.ndarray:
        """Condition float32 ``[samples]`` of the recording; the same array if there is nothing to do."""
        if self.offset:
            window = window - np.float32(self.offset)
        # A click that is far louder than the music is clipped to full scale.
        return window if self.gain == 1.0 else np.clip(window * np.float32(self.gain), -1.0, 1.0)


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


def _extremes(part: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest sample of each block, float64 ``[blocks]``; the last may be shorter."""
    whole = part.size // block * block
    blocks = part[:whole].reshape(-1, block)
    low, high = blocks.min(axis=1).astype(np.float64), blocks.max(axis=1).astype(np.float64)
    if whole < part.size:
        low, high = np.append(low, part[whole:].min()), np.append(high, part[whole:].max())
    return low, high
