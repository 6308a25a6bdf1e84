from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
from scripts.quiet_import import silence_tensorflow
silence_tensorflow()
import tensorflow
import os, tensorflow.part
os.write(2, b"after " + tensorflow.name.encode())
"""


def run(folder: Path, content: str) -> subprocess.CompletedProcess[str]:
    package = folder / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text("import os\nos.write(2, b'a GPU is missing')\n" + content)
    (package / "part.py").write_text("")
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", SCRIPT]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


def test_what_tensorflow_writes_at_its_import_is_not_seen(tmp_path: Path) -> None:
    done = run(tmp_path, "name = __spec__.name\n")
    assert (done.returncode, done.stderr) == (0, "after tensorflow")


@pytest.mark.parametrize("error", ["ImportError('no AVX')", "OSError('no room')"])
def test_an_import_that_fails_says_why(tmp_path: Path, error: str) -> None:
    done = run(tmp_path, f"raise {error}\n")
    assert done.returncode == 1
    assert "a GPU" not in done.stderr
    assert error.partition("(")[2].strip("')") in done.stderr
