"""``tfkey serve`` and ``tfkey view`` in processes of their own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

COMMAND = [sys.executable, "-c", "from scripts.main import main; main()"]


class Process:
    """A command that runs, and what it has said.

    Args:
        *arguments: of ``tfkey``.
        temporary: its folder for temporary files; None for the system's.
        **environment: more variables.
    """

    def __init__(self, *arguments: object, temporary: Path | None = None, **environment: str) -> None:
        if temporary is not None:
            environment["TMPDIR"] = str(temporary)
        self._process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self.errors: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._process.stdout is not None
        self.first = self._process.stdout.readline().strip()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def address(self) -> str:
        found = re.findall(r"http://[\w.]+:\d+/", self.first)
        assert found, self.errors
        return found[0]

    @property
    def port(self) -> int:
        return int(self.address.rstrip("/").rpartition(":")[2])

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self) -> int:
        """End it as a service manager does; return the exit code."""
        self.signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        code = self._process.wait(60)
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert "Traceback" not in "".join(self.errors)
        return code

    def kill(self) -> None:
        self._process.kill()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            self.errors += stream


@contextlib.contextmanager
def started(*arguments: object, temporary: Path | None = None, **environment: str) -> Iterator[Process]:
    """A command, which is killed at the end if it has not ended."""
    process = Process(*arguments, temporary=temporary, **environment)
    try:
        yield process
    finally:
        process.kill()
        process.end()


@contextlib.contextmanager
def serving(model: Path, *arguments: object) -> Iterator[str]:
    """Serve an export on a free port; give the address without the slash at its end."""
    with started("serve", "--port", 0, "--model", model, *arguments) as process:
        yield process.address.rstrip("/")
        assert process.stop() == 0
