"""Recordings as windows of a mono waveform, in bounded memory for any length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from tfkey.audio import reading
from tfkey.audio.memory import Memory

WHOLE_SECONDS = 600.0
"""A file up to this length is decoded once and kept in memory; a longer one is decoded again each time."""


class Recording(Protocol):
    """A mono waveform that is read in windows."""

    @property
    def samples(self) -> int:
        """The length."""

    @property
    def warning(self) -> str | None:
        """What is wrong with its file, which can be read nevertheless; None if nothing is wrong."""

    def windows(self, starts: Sequence[int], length: int) -> Iterator[np.ndarray]:
        """Give float32 ``[length]`` from each start on (ascending), or less at the recording's end."""


@dataclass(frozen=True)
class Waveform:
    """A recording in memory, float32 ``[samples]``."""

    waveform: np.ndarray
    warning: str | None = None

    @property
    def samples(self) -> int:
        """The length."""
        return self.waveform.size

    def windows(self, starts: Sequence[int], length: int) -> Iterator[np.ndarray]:
        """Views of the waveform."""
        return (self.waveform[start : start + length] for start in starts)


@dataclass(frozen=True)
class LongFile:
    """A recording that is decoded each time it is read; one window and one block are in memory."""

    path: Path
    sample_rate: int
    samples: int
    warning: str | None = None

    def windows(self, starts: Sequence[int], length: int) -> Iterator[np.ndarray]:
        """Windows; do not keep them."""
        held: list[np.ndarray] = []
        first = end = 0
        blocks = reading.blocks(self.path, self.sample_rate, cut=True)
        for start in starts:
            if end <= start:
                held = []
            while end < min(start + length, self.samples):
                block = next(blocks, None)
                if block is None:
                    break
                end += block.size
                if end > start:
                    if not held:
                        first = end - block.size
                    held.append(block.copy())
            if held:
                held = [np.concatenate(held)[start - first :]]
                first = start
            yield held[0][:length] if held else np.zeros(0, np.float32)


def open_recording(
    path: Path | str,
    sample_rate: int,
    whole_seconds: float = WHOLE_SECONDS,
    longest_seconds: float | None = None,
    memory: Memory | None = None,
) -> Recording:
    """Open an audio file; one that is cut is read up to the cut.

    Args:
        path: the file.
        sample_rate: the rate in Hz to which it is converted.
        whole_seconds: the greatest length that is kept in memory.
        longest_seconds: the greatest length that is allowed; None for any.
        memory: where the waveform is placed, until the next one; None for memory of its own.

    Raises:
        AudioError: as :func:`tfkey.audio.reading.read` does, but for a cut file only if almost nothing of it
            is left.
        TooLongError: the recording is longer than ``longest_seconds``; it is decoded no further than that.
    """
    longest = None if longest_seconds is None else round(longest_seconds * sample_rate)
    most = round(whole_seconds * sample_rate)
    found = reading.read_up_to(path, sample_rate, most, cut=True, longest=longest, memory=memory)
    if found.waveform is None:
        return LongFile(Path(path), sample_rate, found.samples, found.warning)
    return Waveform(found.waveform, found.warning)
