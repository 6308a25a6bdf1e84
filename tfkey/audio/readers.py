"""The interface that decoders share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np


class UndecodableError(Exception):
    """A decoder cannot read a file, or cannot read on; another decoder may.

    Args:
        reason: why, in a few words.
        is_vague: whether the reason does not help, such as that no format was recognised.
        missing: what the file states and does not hold, in words; None if nothing.
    """

    def __init__(self, reason: str, *, is_vague: bool = False, missing: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_vague = is_vague
        self.missing = missing


class Reader(Protocol):
    """Audio that is read from start to end.

    Attributes:
        seconds: the stated length, which may be wrong; 0.0 if no length is stated.
    """

    seconds: float

    def blocks(self) -> Iterator[tuple[np.ndarray, int]]:
        """The mean over channels, float32 ``[n]``, block by block, each with its rate in Hz.

        A block's memory may be reused for the next one.

        Raises:
            UndecodableError: the decoder gives up; the blocks that it gave before are good.
        """

    def fault(self) -> str | None:
        """After the last block: why there may be more than the decoder found; None if there cannot."""

    def missing(self) -> str | None:
        """After the last block: what the file states and does not hold, in words; None if nothing."""

    def close(self) -> None:
        """Release the file."""
