"""Take the screenshots in this folder: ``python docs/tensorboard/shots.py``, while TensorBoard is running.

This also needs ``pip install playwright pillow`` and Chromium. Start TensorBoard first::

    tfkey train --mode audio --config demo --name demo-audio
    tfkey tune --config demo --algorithm random --trials 4 --name search -o train.epochs=4
    tensorboard --logdir runs --port 6006
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PAGES = {"curves": "scalars", "pictures": "images", "sound": "audio", "hparams": "hparams"}
FOLDER = Path(__file__).parent


def main(address: str = "http://localhost:6006") -> None:
    """Open each page, wait until it is drawn, and save it in 64 colours."""
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1300})
        for name, plugin in PAGES.items():
            page.goto(f"{address}/?darkMode=false#{plugin}")
            page.reload()
            page.wait_for_timeout(9000)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            picture.quantize(64).save(FOLDER / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
