"""Programs that work in turns, so that what else a machine does meets all of them alike."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence

from tests.processes import family, processor_seconds

TURNS, TURN_SECONDS = 20, 0.5
"""The number of turns of each program in a round, and how long they are."""


class Paced:
    """A program that works only in its turns, and counts what it has done.

    Args:
        process: its first process.
        count: how much it has done so far.
    """

    def __init__(self, process: int, count: Callable[[], int]) -> None:
        self.seconds, self.busy = [], []
        self._process, self._count = process, count
        self._done, self._spent = 0, 0.0

    def stop(self) -> None:
        """Stop all its processes."""
        for process in family(self._process):
            os.kill(process, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let them continue."""
        for process in family(self._process):
            os.kill(process, signal.SIGCONT)

    def begin_round(self) -> None:
        """Take note of what has been done before."""
        self._done = self._count()
        self._spent = sum(map(processor_seconds, family(self._process)))

    def end_round(self, active: float) -> None:
        """Add the seconds per file, by the clock and of the processor, of a round of ``active`` seconds."""
        done = self._count() - self._done
        if not done:
            raise SystemExit("nothing was done in a round; the machine is too busy")
        self.seconds.append(active / done)
        self.busy.append((sum(map(processor_seconds, family(self._process))) - self._spent) / done)


def in_turns(programs: Sequence[Paced], rounds: int) -> None:
    """Let programs that are stopped work in turns."""
    for _ in range(rounds):
        active = dict.fromkeys(programs, 0.0)
        for program in programs:
            program.begin_round()
        for turn in range(TURNS):
            # Neither is always the first.
            for program in programs[:: -1 if turn % 2 else 1]:
                start = time.perf_counter()
                program.go_on()
                time.sleep(TURN_SECONDS)
                program.stop()
                active[program] += time.perf_counter() - start
        for program in programs:
            program.end_round(active[program])


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait, up to two minutes, until something is so."""
    end = time.monotonic() + 120
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("a program does not answer; run it by hand to see why")
        time.sleep(0.01)
