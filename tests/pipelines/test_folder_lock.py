from __future__ import annotations

import errno
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines.folder_lock import alone_in
from tests.conftest import ROOT

HOLD = """
import sys, time
from pathlib import Path
from pipelines.folder_lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(300)
"""


def test_a_killed_process_frees_the_folder_and_a_waiting_one_says_so(tmp_path: Path, caplog) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in\n"
        entered = threading.Event()

        def enter() -> None:
            with alone_in(tmp_path):
                entered.set()

        with caplog.at_level(logging.WARNING):
            thread = threading.Thread(target=enter, daemon=True)
            thread.start()
            while not caplog.records:
                time.sleep(0.05)
            assert not entered.is_set()
            holder.kill()
            assert entered.wait(60)
        thread.join()
    assert caplog.messages == [f"{tmp_path}: another call is working in this folder; waiting"]


def test_a_folder_is_made_and_may_be_entered_again(tmp_path: Path, caplog) -> None:
    for _ in range(2):
        with alone_in(tmp_path / "a" / "b"):
            assert (tmp_path / "a" / "b").is_dir()
    assert not caplog.records


def test_a_folder_that_cannot_be_made_needs_no_lock(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with alone_in(tmp_path / "file" / "folder"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="flock")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_without_locks_does_not_stop_the_work(tmp_path: Path, monkeypatch, number: int) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with alone_in(tmp_path):
        pass
