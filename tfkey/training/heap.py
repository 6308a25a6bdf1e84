"""One heap for all threads instead of one per thread, as the C library of Linux makes."""

from __future__ import annotations

import ctypes
import os

_M_ARENA_MAX = -8  # malloc.h of glibc; mallopt(3)


def use_one_heap() -> bool:
    """Let all threads of this process share one heap, so that memory does not creep up in a long training.

    glibc gives threads heaps of their own, up to eight per processor, and memory freed in one heap cannot be
    reused from another: TensorFlow's threads fill them up over many epochs. Call this before libraries start
    their threads; threads that already have a heap keep it. A ``MALLOC_ARENA_MAX`` that is set takes
    precedence.

    Returns:
        Whether it took effect; False for any other C library.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return False
    try:
        library = ctypes.CDLL(None)
        return hasattr(library, "gnu_get_libc_version") and library.mallopt(_M_ARENA_MAX, 1) == 1
    except (OSError, TypeError, AttributeError):
        # Windows has no CDLL(None).
        return False
