"""A Dask scheduler and workers as processes of their own on loopback, to be killed, stopped and restarted."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """Return a port at which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class DaskCluster:
    """A scheduler, and workers that a supervisor starts again when they end, as a deployment does.

    Args:
        folder: for the workers' own files and the logs.
        workers: how many of one thread each.
        environment: variables in addition to those of this process.
        nanny: whether each worker has a nanny.
    """

    def __init__(
        self, folder: Path, workers: int, environment: dict[str, str] | None = None, *, nanny: bool = False
    ) -> None:
        self.folder = folder
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._nanny = nanny
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s",
            **(environment or {}),
        }
        self._closing = False
        self.scheduler = self._start_scheduler()
        self.workers = [self.start_worker() for _ in range(workers)]
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()

    def start_worker(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a worker that is not supervised."""
        nanny = "--nanny" if self._nanny else "--no-nanny"
        return self._start(
            "worker", self.address, "--nthreads", "1", nanny, "--no-dashboard", "--local-directory",
            str(self.folder), "--host", "127.0.0.1", "--death-timeout", "60", *options,
        )  # fmt: skip

    def restart_scheduler(self) -> None:
        """Kill the scheduler and start it again at the same address."""
        self.scheduler.kill()
        self.scheduler.wait()
        self.scheduler = self._start_scheduler()

    def kill_worker(self, place: int = 0) -> None:
        """Kill a worker as the system does when memory is short."""
        self.workers[place].send_signal(signal.SIGKILL)

    def log(self) -> str:
        """Return what all processes have written."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def close(self) -> None:
        """End all processes."""
        self._closing = True
        self._supervisor.join()
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGCONT)
            # Killed, a nanny would leave its worker behind.
            worker.terminate() if self._nanny else worker.kill()
        for worker in self.workers:
            worker.wait()
        self.scheduler.kill()
        self.scheduler.wait()

    def _start_scheduler(self) -> subprocess.Popen[bytes]:
        port = self.address.rpartition(":")[2]
        return self._start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{arguments[0]}-{time.time_ns()}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def _supervise(self) -> None:
        while not self._closing:
            for place, worker in enumerate(self.workers):
                if worker.poll() is not None:
                    self.workers[place] = self.start_worker()
            time.sleep(0.1)


@contextlib.contextmanager
def dask_cluster(
    folder: Path, workers: int, environment: dict[str, str] | None = None, *, nanny: bool = False
) -> Iterator[DaskCluster]:
    """Run a cluster; see :class:`DaskCluster`."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = DaskCluster(folder, workers, environment, nanny=nanny)
    try:
        yield cluster
    finally:
        cluster.close()
