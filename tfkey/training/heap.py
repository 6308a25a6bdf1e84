"""One heap for all threads, in place of the one for each that the C library of Linux makes."""

from __future__ import annotations

import ctypes
import os

_M_ARENA_MAX = -8  # malloc.h of glibc; mallopt(3)


def use_one_heap() -> bool:
    """Let all threads of this process share one heap, so that a long training's memory does not creep up.

    glibc gives threads heaps of their own, up to eight a processor, and what one of them has freed another
    cannot use: TensorFlow's threads fill them up over many epochs. To be called before libraries start
    their threads; threads that have a heap keep it. Whoever sets ``MALLOC_ARENA_MAX`` is obeyed.

    Returns:
        Whether it took; False where the C library is another one.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return False
    try:
        library = ctypes.CDLL(None)
        return hasattr(library, "gnu_get_libc_version") and library.mallopt(_M_ARENA_MAX, 1) == 1
    except (OSError, TypeError, AttributeError):
        # Windows has no CDLL(None).
        return False
