"""TensorBoard in headless Chromium, over the runs of a folder.

Make them first: ``make demo``, then ``tfkey tune --config demo --algorithm random --trials 4 --name search
-o train.epochs=4``. Without runs, or without Chromium, these pictures are left as they are.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from tests.pictures.saving import DOCS, ROOT, SCHEMES, save_small
from tests.tfkey.serving.browser import Page, chromium, find_chromium

PLUGINS = {"curves": "scalars", "pictures": "images", "sound": "audio"}
SEARCH = "search"
FOLDER = DOCS / "tensorboard"
WIDTH, HEIGHT = 1400, 1000
# It draws its charts one after the other, and says nowhere that it is done.
DRAWING_SECONDS = 9


def main() -> None:
    """Take all pictures."""
    runs = Path(os.environ.get("RUNS", ROOT / "runs")).resolve()
    if find_chromium() is None or not any(runs.glob("*/tensorboard")):
        print(f"TensorBoard: no Chromium, or no runs in {runs}; its pictures are left as they are")
        return
    with tempfile.TemporaryDirectory() as name, chromium(Path(name)) as page:
        with serving(runs) as address:
            for picture, plugin in PLUGINS.items():
                take(page, address, plugin, picture)
        if (runs / SEARCH).is_dir():
            with serving(runs / SEARCH) as address:
                take(page, address, "hparams", "hparams")


@contextlib.contextmanager
def serving(runs: Path) -> Iterator[str]:
    """TensorBoard in a process of its own: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", runs.name, "--port", str(port)]
    # It shows the folder as it was given.
    with subprocess.Popen(
        command, cwd=runs.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            for _ in range(120):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def take(page: Page, address: str, plugin: str, name: str) -> None:
    """Open a page anew, wait until it is drawn, and save it, in both schemes."""
    for scheme, dark in SCHEMES.items():
        page.look(WIDTH, HEIGHT, dark)
        page.driver.get("about:blank")
        page.driver.get(f"{address}/?darkMode={str(dark).lower()}#{plugin}")
        time.sleep(DRAWING_SECONDS)
        picture = Image.open(io.BytesIO(page.driver.get_screenshot_as_png()))
        save_small(picture, FOLDER / f"{name}-{scheme}.png", flat=True)
