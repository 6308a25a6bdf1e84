"""Python's cyclic garbage collection in a thread for which nobody waits."""

from __future__ import annotations

import functools
import gc
import threading
import time

THREAD = "tfkey-collector"

_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_BETWEEN_WHOLE = 60.0


@functools.cache
def collect_apart() -> None:
    """Collect garbage in a thread of its own from now on, in no other.

    An iterator of ``tf.data`` that has become garbage waits, when it is destroyed, for the Python functions
    that its pipeline is running. Python collects in whatever thread happens to allocate. If that is a thread
    for which one of these functions waits, such as the one in which fsspec works, all three wait forever.
    """
    gc.disable()
    threading.Thread(target=_collect, name=THREAD, daemon=True).start()


def _collect() -> None:
    last_whole = time.monotonic()
    while True:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        young, middle, old = (
            count > threshold for count, threshold in zip(gc.get_count(), gc.get_threshold(), strict=True)
        )
        if old and time.monotonic() - last_whole > _SECONDS_BETWEEN_WHOLE:
            gc.collect()
            last_whole = time.monotonic()
        elif middle:
            gc.collect(1)
        elif young:
            gc.collect(0)
