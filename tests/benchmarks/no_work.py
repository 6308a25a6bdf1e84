"""Tasks that do nothing, for measuring the engine alone; workers import this."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def nothing() -> Callable[[Path], int]:
    """Make the function that does no work."""
    return _length


def _length(path: Path) -> int:
    return len(path.name)
