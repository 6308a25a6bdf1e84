"""Garbage is collected in a thread for which nobody waits."""

import subprocess
import sys
import textwrap

from pipelines.prepared.collecting import THREAD

CODE = """
    import gc, threading, time
    from pipelines.prepared.collecting import collect_apart

    class Cycle:
        seen = []

        def __init__(self):
            self.me = self

        def __del__(self):
            self.seen.append(threading.current_thread().name)

    collect_apart()
    end = time.monotonic() + 30
    while not Cycle.seen and time.monotonic() < end:
        [Cycle() for _ in range(1000)]
        time.sleep(0.01)
    print(gc.isenabled(), *sorted(set(Cycle.seen)))
"""


def test_only_one_thread_collects():
    # In a process of its own: the others keep their collection.
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CODE)], capture_output=True, text=True, timeout=120, check=True
    )
    assert found.stdout.split() == ["False", THREAD]
