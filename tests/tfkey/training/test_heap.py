import os
import platform
import subprocess
import sys

import pytest

HEAPS = """
import ctypes, threading
from tfkey.training.heap import use_one_heap

took = use_one_heap()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
threads = [threading.Thread(target=lambda: library.malloc(ctypes.c_size_t(50_000))) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
library.fflush(None)
print("took", took)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="heaps are counted by glibc")
@pytest.mark.parametrize("chosen", [None, "4"])
def test_threads_share_one_heap_unless_told_otherwise(chosen: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    if chosen:
        environment["MALLOC_ARENA_MAX"] = chosen
    done = subprocess.run(
        [sys.executable, "-c", HEAPS], env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout.count("<heap nr=") == 1) == (chosen is None)
    assert f"took {chosen is None}" in done.stdout


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from tfkey.training import heap

    def none_there(name: None) -> None:
        raise TypeError(name)

    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    monkeypatch.setattr(heap.ctypes, "CDLL", none_there)
    assert not heap.use_one_heap()
