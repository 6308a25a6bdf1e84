"""The page of ``tfkey serve`` in headless Chromium, with the recordings of ``tests/data/real`` on it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image

from tests.pictures.drawings import join
from tests.pictures.saving import DOCS, SCHEMES, save_small
from tests.tfkey.serving.browser import Page, chromium, find_chromium, make_songs, serving

FOLDER = DOCS / "serve"
WIDE, NARROW = (1280, 860), (390, 844)


def main() -> None:
    """Take all pictures."""
    if find_chromium() is None:
        print("the page: chromium and chromium-driver are not installed; its pictures are left as they are")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        songs = make_songs(folder)
        two = join(
            folder / "two in a row.flac", songs["supertuxkart_west.ogg"], songs["supertuxkart_lava.ogg"]
        )
        songs[two.name] = two
        with serving("serve", "--port", "0", "--workers", "2") as (address, _), chromium(folder) as page:
            page.open(address)
            for scheme, dark in SCHEMES.items():
                take(page, f"empty-{scheme}", WIDE, dark=dark)
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
            for scheme, dark in SCHEMES.items():
                take(page, f"songs-{scheme}", (WIDE[0], 1080), dark=dark)
                take(page, f"narrow-{scheme}", NARROW, dark=dark, whole=True)


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
        picture.load()
    save_small(picture, path, flat=True)
