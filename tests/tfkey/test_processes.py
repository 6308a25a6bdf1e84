from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from tfkey.errors import TfkeyError, UsageError
from tfkey.processes import Crash, deaf_to_terminals, in_processes


def make_double() -> Callable[[int], int]:
    return functools.partial(double, os.getpid())


def double(maker: int, task: int) -> tuple[int, int]:
    assert maker == os.getpid()
    if task == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 14:
        os._exit(3)
    if task == 99:
        raise KeyError("99")
    if task % 5 == 0:
        time.sleep(0.05)
    return 2 * task, maker


def make_nothing() -> Callable[[int], int]:
    raise UsageError("no such network; name another")


def make_crash() -> Callable[[int], int]:
    os._exit(7)


@pytest.mark.parametrize("workers", [1, 3])
def test_results_in_order_of_the_tasks(workers: int) -> None:
    results = list(in_processes(make_double, range(12), workers))
    assert [value for value, _ in results] == [2 * task for task in range(12)]
    makers = {maker for _, maker in results}
    assert 1 <= len(makers) <= workers
    assert os.getpid() not in makers


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_task_that_kills_its_process_fails_alone() -> None:
    results = list(in_processes(make_double, range(10, 20), 2))
    crashes = {result.task: result.reason for result in results if isinstance(result, Crash)}
    assert crashes == {13: f"signal {int(signal.SIGKILL)}", 14: "exit code 3"}
    assert [r.task if isinstance(r, Crash) else r[0] // 2 for r in results] == list(range(10, 20))


def test_work_that_cannot_begin_or_is_wrong() -> None:
    with pytest.raises(TfkeyError, match="no such network") as caught:
        list(in_processes(make_nothing, range(3), 2))
    assert caught.value.exit_code == 2
    with pytest.raises(TfkeyError, match="ended with code 7 before it began"):
        list(in_processes(make_crash, range(3), 1))
    with pytest.raises(RuntimeError, match="KeyError: '99'"):
        list(in_processes(make_double, [1, 99], 1))


def test_tasks_are_not_taken_far_ahead_and_processes_end_with_the_caller() -> None:
    taken = 0

    def tasks():
        nonlocal taken
        for task in range(100_000):
            taken += 1
            yield task % 7 + 20

    results = in_processes(make_double, tasks(), 2)
    _, maker = next(results)
    assert taken < 1000
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(maker, 0)


def make_mask() -> Callable[[int], set[int]]:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return lambda _: set(mask)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_terminals_reach_this_process_alone_and_never_half_way() -> None:
    (mask,) = in_processes(make_mask, [0], 1)
    assert mask == {signal.SIGINT, signal.SIGHUP}
    # A job in the background is started with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    began = ended = False

    def start() -> None:
        nonlocal began, ended
        with deaf_to_terminals():
            os.kill(os.getpid(), signal.SIGINT)
            began = True
        ended = True

    try:
        with pytest.raises(KeyboardInterrupt):
            start()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (began, ended) == (True, False)


def make_slow_first() -> Callable[[int], int]:
    return slow_first


def slow_first(task: int) -> int:
    if task == 0:
        time.sleep(1)
    return task


def test_one_slow_task_holds_the_others_up_no_longer_than_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    # While the first task is worked on, all that may be taken ahead of it is finished.
    monkeypatch.setattr("tfkey.processes._AHEAD", 4)
    assert list(in_processes(make_slow_first, range(12), 2)) == list(range(12))
