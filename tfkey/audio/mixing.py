"""From channels to one: their mean, unless they cancel in it."""

from __future__ import annotations

import math

import numpy as np

# One of this many frames is examined. A prime, so that few tones repeat at just that interval.
_STRIDE = 251
# In short blocks, at least this many frames are examined.
_LEAST_FRAMES = 256
# After this many seconds, energies count half.
_HALF_SECONDS = 10.0
# The pause between two examined blocks is at least this many seconds, and in the end this many blocks.
_PAUSE_SECONDS = 0.5
_MOST_BLOCKS = 6
# If a block is louder by this factor (in power) than all before it, those count as silence.
_LOUDER = 10.0
# Channels count as cancelling if inverting some of them makes the sum this many times as strong: for two
# equally loud channels, if their correlation is below -0.6. Stereo recordings are mostly between 0 and 1.
_CANCELLING = 4.0


class Mixer:
    """Finds which channels of a stream are in opposite phase to the others.

    A cable or a converter with reversed polarity makes the mean of two channels silent, or leaves in it only
    what differs between them. The music is then in the difference of the channels. The choice follows the
    stream: it is based on a covariance of the channels that slowly forgets the past, and it stays until
    another choice is clearly better. Only a few frames of a block are examined, with sums and products: see
    the note on blocks in :mod:`tfkey.audio.libsndfile`.

    Args:
        sample_rate: the rate of the stream in Hz.
        settle_seconds: no decision is made before this time; for streams with very short blocks.
    """

    def __init__(self, sample_rate: int, settle_seconds: float = 0.0) -> None:
        self._half = _HALF_SECONDS * sample_rate
        # The first block, at least.
        self._settled = max(1.0, settle_seconds * sample_rate)
        self._pause = _PAUSE_SECONDS * sample_rate
        self._forget(0)

    def signs(self, block: np.ndarray) -> np.ndarray | None:
        """Find out how to add up the channels of the stream's next block.

        Args:
            block: ``[frames, channels]``, of any numeric type.

        Returns:
            1.0 or -1.0 for each channel; None for the plain mean.
        """
        frames, channels = block.shape
        if channels < 2 or not frames:
            return None
        if channels != self._channels:
            self._forget(channels)
        self._waited += frames
        # Often at first, then one of several blocks, or two a second if blocks are short. Examining a block
        # costs little, but its code pushes the decoder's code out of the cache.
        pause = max(self._pause, min(self._seen // 2, _MOST_BLOCKS * frames))
        if self._seen < self._settled or self._waited > pause:
            self._learn(block)
            if self._seen >= self._settled:
                self._decide()
        return self._signs

    def _forget(self, channels: int) -> None:
        self._channels = channels
        # Python numbers: there are so few that they take a fifth of NumPy's time.
        self._covariance = [[0.0] * channels for _ in range(channels)]
        self._seen = self._waited = 0
        self._signs: np.ndarray | None = None

    def _learn(self, block: np.ndarray) -> None:
        """Add a block's frames; they represent all frames since the last examined block."""
        part = block[:: max(1, min(_STRIDE, len(block) // _LEAST_FRAMES))].T.astype(np.float32, order="C")
        count = part.shape[1]
        part -= part.sum(axis=1, keepdims=True) / np.float32(count)
        before = sum(row[channel] for channel, row in enumerate(self._covariance))
        keep, share = 0.5 ** (self._waited / self._half), self._waited / count
        for one, row in enumerate(self._covariance):
            for other in range(one + 1):
                # Not a matrix product: that uses the widest registers.
                row[other] = keep * row[other] + share * float((part[one] * part[other]).sum())
                self._covariance[other][one] = row[other]
        # After silence, learning starts again.
        after = sum(row[channel] for channel, row in enumerate(self._covariance))
        self._seen = self._waited + (self._seen if before * _LOUDER > after else 0)
        self._waited = 0

    def _decide(self) -> None:
        loudness = [max(0.0, row[channel]) for channel, row in enumerate(self._covariance)]
        plain = max(0.0, sum(map(sum, self._covariance)))
        # No choice of signs makes the sum stronger than the channels' amplitudes added up.
        if self._signs is None and plain * _CANCELLING >= sum(map(math.sqrt, loudness)) ** 2:
            return
        covariance = np.array(self._covariance)
        now = plain if self._signs is None else float(self._signs @ covariance @ self._signs)
        best = np.where(covariance[int(np.argmax(loudness))] < 0, -1.0, 1.0)
        best *= best[0]
        if now * _CANCELLING < float(best @ covariance @ best):
            self._signs = best if (best < 0).any() else None
        elif now <= plain:
            self._signs = None


def mix(block: np.ndarray, signs: np.ndarray | None, out: np.ndarray) -> None:
    """Write the mean over channels.

    Args:
        block: float32 ``[frames, channels]``.
        signs: the signs of the channels, see :meth:`Mixer.signs`.
        out: float32 ``[frames]``.
    """
    # NumPy's mean over a short last axis takes as long as decoding MP3.
    channels = block.shape[1]
    if signs is None and channels == 2:
        np.add(block[:, 0], block[:, 1], out=out)
        out *= np.float32(0.5)
        return
    np.copyto(out, block[:, 0])
    for channel in range(1, channels):
        (np.add if signs is None or signs[channel] > 0 else np.subtract)(out, block[:, channel], out=out)
    out /= channels


def turned(samples: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Invert the channels whose sign is negative.

    Args:
        samples: ``[channels, frames]``, floats or integers (zero is the middle of unsigned ones).
        signs: the signs of the channels.

    Returns:
        A copy of the same shape and type.
    """
    samples = samples.copy()
    for channel in np.flatnonzero(signs < 0):
        if samples.dtype.kind == "f":
            np.negative(samples[channel], out=samples[channel])
        else:
            # This is off by one step, as the lowest negative integer has no positive counterpart.
            np.invert(samples[channel], out=samples[channel])
    return samples
