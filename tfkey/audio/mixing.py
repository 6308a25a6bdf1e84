"""From channels to one: their mean, unless they cancel in it."""

from __future__ import annotations

import numpy as np

# Every so many frames one is looked at. A prime, so that few tones repeat at just that interval.
_STRIDE = 61
# Of short blocks at least so many frames are looked at.
_LEAST_FRAMES = 256
# Energies count half after so many seconds.
_HALF_SECONDS = 5.0
# Channels are taken to cancel if turning some of them makes the sum as many times as strong: for two channels
# of one loudness, if their correlation is below -0.6. Stereo recordings are mostly between 0 and 1.
_CANCELLING = 4.0


class Mixer:
    """Finds which channels of a stream are in opposite phase to the others.

    A cable or a converter with reversed polarity makes the mean of two channels silent, or leaves in it only
    what differs between them. Then the channels' difference is the music. The choice follows the stream: it
    is made by the covariance of the channels up to now, of which the past is forgotten slowly, and it stays
    until another is clearly better. Only a few frames of a block are looked at, by sums and products: see the
    note on blocks in :mod:`tfkey.audio.reading`.

    Args:
        sample_rate: of the stream, in Hz.
        settle_seconds: nothing is decided before; for streams of blocks too short to tell anything.
    """

    def __init__(self, sample_rate: int, settle_seconds: float = 0.0) -> None:
        self._half = _HALF_SECONDS * sample_rate
        self._least = settle_seconds * sample_rate
        self._forget(0)

    def signs(self, block: np.ndarray) -> np.ndarray | None:
        """Tell how the channels of the stream's next block are to be added up.

        Args:
            block: ``[frames, channels]``, of any numbers.

        Returns:
            1.0 or -1.0 for each channel; None for the plain mean.
        """
        frames, channels = block.shape
        if channels < 2 or not frames:
            return None
        if channels != self._sum.size:
            self._forget(channels)
        stride = max(1, min(_STRIDE, frames // _LEAST_FRAMES))
        # What is not finite is refused later on.
        with np.errstate(invalid="ignore", over="ignore"):
            self._learn(np.ascontiguousarray(block.T[:, ::stride], np.float64), frames)
            if self._seen >= self._least:
                self._decide()
        return self._signs

    def _forget(self, channels: int) -> None:
        self._sum = np.zeros(channels)
        self._products = np.zeros((channels, channels))
        self._weight = self._seen = 0.0
        self._signs: np.ndarray | None = None

    def _learn(self, part: np.ndarray, frames: int) -> None:
        """Add some frames, ``[channels, n]``, that stand for ``frames`` of them."""
        keep, share = 0.5 ** (frames / self._half), frames / part.shape[1]
        self._sum = keep * self._sum + share * part.sum(axis=1)
        # Not by a product of matrices: that takes the widest registers.
        self._products = keep * self._products + share * np.einsum("cf,df->cd", part, part)
        self._weight = keep * self._weight + frames
        self._seen += frames

    def _decide(self) -> None:
        mean = self._sum / self._weight
        covariance = self._products / self._weight - mean[:, np.newaxis] * mean
        plain = max(0.0, float(covariance.sum()))
        if self._signs is None:
            # No signs make more of the channels than their amplitudes added up.
            if plain * _CANCELLING >= np.sqrt(np.maximum(covariance.diagonal(), 0.0)).sum() ** 2:
                return
            now = plain
        else:
            now = float(self._signs @ covariance @ self._signs)
        strongest = covariance[covariance.diagonal().argmax()]
        best = np.where(strongest < 0, -1.0, 1.0)
        best *= best[0]
        if now * _CANCELLING < float(best @ covariance @ best):
            self._signs = best if (best < 0).any() else None
        elif now <= plain:
            self._signs = None


def mix(block: np.ndarray, signs: np.ndarray | None, out: np.ndarray) -> None:
    """Write the mean over channels.

    Args:
        block: float32 ``[frames, channels]``.
        signs: of the channels, see :meth:`Mixer.signs`.
        out: float32 ``[frames]``.
    """
    # NumPy's own mean over a short last axis takes as long as decoding MP3.
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
    """Turn the channels whose sign is negative.

    Args:
        samples: ``[channels, frames]``, floats or integers (unsigned ones have their zero in the middle).
        signs: of the channels.

    Returns:
        The same, of the same type.
    """
    samples = samples.copy()
    for channel in np.flatnonzero(signs < 0):
        if samples.dtype.kind == "f":
            np.negative(samples[channel], out=samples[channel])
        else:
            # One less or more in full scale: a negative number has no counterpart at its very end.
            np.invert(samples[channel], out=samples[channel])
    return samples
