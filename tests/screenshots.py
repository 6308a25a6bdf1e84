"""Take the pictures of the page for the handbook: ``python -m tests.screenshots``.

Serves the page on this machine, drops the recordings of ``tests/data/real`` on it in headless Chromium, and
writes ``docs/serve/*.png`` with few colours, to keep them small. It needs chromium, chromium-driver, and the
extras ``serve``, ``train`` and ``dev``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from tests.tfkey.serving.browser import ROOT, Page, chromium, find_chromium, make_songs, serving

FOLDER = ROOT / "docs" / "serve"
COLOURS = 160
WIDE, NARROW = (1280, 860), (390, 844)


def main() -> None:
    """Take all pictures."""
    if find_chromium() is None:
        raise SystemExit("install chromium and chromium-driver: the pictures are taken with them")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        songs = make_songs(folder)
        two = join(
            folder / "two in a row.flac", songs["supertuxkart_west.ogg"], songs["supertuxkart_lava.ogg"]
        )
        songs[two.name] = two
        with serving("serve", "--port", "0", "--workers", "2") as (address, _), chromium(folder) as page:
            page.open(address)
            take(page, "empty-light", WIDE, dark=False)
            page.drop(*(path for name, path in songs.items() if name != "noise.wav"))
            page.wait_until_done(len(songs) - 1)
            page.click("#suggest")
            page.script(
                "[...document.querySelectorAll('.open')].find((e) => e.innerText === arguments[0]).click()",
                two.name,
            )
            page.wait(lambda: not page.script("return lanes.classList.contains('empty')"))
            page.script("document.getElementById('lanes').focus()")
            page.press("HOME", *["ARROW_RIGHT"] * 6)
            page.script("document.activeElement.blur(); scrollTo(0, 0)")
            for scheme, dark in {"light": False, "dark": True}.items():
                take(page, f"songs-{scheme}", (WIDE[0], 1080), dark=dark)
                take(page, f"narrow-{scheme}", NARROW, dark=dark, whole=True)


def join(path: Path, *songs: Path) -> Path:
    """Write recordings one after the other: a recording that changes its key."""
    parts = [soundfile.read(song) for song in songs]
    soundfile.write(path, np.concatenate([sound for sound, _ in parts]), parts[0][1])
    return path


def take(page: Page, name: str, size: tuple[int, int], *, dark: bool, whole: bool = False) -> None:
    """Write a picture of what is on the screen, or of the whole page."""
    page.look(*size, dark=dark)
    # Two frames, until everything has its new size.
    page.driver.execute_async_script(
        "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0], 100)));"
    )
    path = FOLDER / f"{name}.png"
    page.screenshot(path, whole=whole)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(
            COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )
    small.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
