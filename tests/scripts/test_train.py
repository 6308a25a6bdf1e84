import subprocess
import sys


def test_one_heap_is_asked_for_before_tensorflow_is_there() -> None:
    code = """
import sys

import scripts.train
from tfkey.errors import ConfigError

scripts.train.use_one_heap = lambda: print("asked", "tensorflow" in sys.modules)
try:
    scripts.train.command(["-o", "no_such_setting=1"], standalone_mode=False)
except ConfigError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["asked False", "refused"]
