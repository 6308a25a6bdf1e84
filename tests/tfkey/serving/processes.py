"""``tfkey serve`` in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT


@contextlib.contextmanager
def serving(model: Path, *arguments: object) -> Iterator[str]:
    """Serve an export on a free port; give the address without the slash at its end."""
    command = [sys.executable, "-c", "from scripts.main import main; main()", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--model", str(model), *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("serving on "):
                break
        assert process.poll() is None, "".join(lines)
        yield lines[-1].removeprefix("serving on ").strip().rstrip("/")
        process.terminate()
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Traceback" not in rest
    finally:
        process.kill()
        process.communicate()
