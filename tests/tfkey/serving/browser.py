"""The page in headless Chromium: drops files, presses keys, and reads what is shown and asked."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

ROOT = Path(__file__).parents[3]
PATIENCE = 90.0
"""Seconds after which something that should have happened on the page has not."""

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--mute-audio",
)
# Chromium itself reports a status of 400 or more; the page shows it beside the song.
_STATUS_REPORTS = "Failed to load resource"


def find_chromium() -> tuple[str, str] | None:
    """The browser and its driver, if both are installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A browser with an empty profile in a folder; without a browser, the test is skipped."""
    found = find_chromium()
    if found is None:
        pytest.skip("the page was not tested: install chromium and chromium-driver (apt-get install)")
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for option in (*_OPTIONS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    (folder / "downloads").mkdir()
    options.add_experimental_option("prefs", {"download.default_directory": str(folder / "downloads")})
    # With the path of the driver, selenium does not look for one elsewhere.
    driver = webdriver.Chrome(options=options, service=Service(found[1]))
    try:
        yield Page(driver, folder / "downloads")
    finally:
        driver.quit()


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A command that serves, in a process of its own: the address that it prints, and the process."""
    command = [sys.executable, "-c", "from scripts.main import main; main()", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "the server did not start"
            yield line.split()[-1], process
        finally:
            process.terminate()
            process.wait(30)


class Page:
    """The page, as a person or a screen reader meets it.

    Args:
        driver: the browser.
        downloads: where it saves files.
    """

    def __init__(self, driver: webdriver.Chrome, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def open(self, address: str, *, width: int = 1280, height: int = 860, dark: bool = False) -> None:
        """Load the page anew, with nothing in it."""
        self.look(width, height, dark)
        # Another document first: an address that differs in its fragment only is not loaded again.
        self.driver.get("about:blank")
        self.driver.get(address)
        self.wait(lambda: self.script("return Boolean(document.querySelector('#circle svg'))"))

    def look(self, width: int, height: int, dark: bool, *, calm: bool = True, scale: float = 1) -> None:
        """Set the size of the window, in CSS pixels, and what the system prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def drop(self, *paths: Path) -> None:
        """Drop files and folders on the page, as a file manager does."""
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            event = {"type": kind, "x": 300, "y": 300, "data": data}
            self.driver.execute_cdp_cmd("Input.dispatchDragEvent", event)

    def script(self, code: str, *arguments: Any) -> Any:
        """The value that JavaScript returns."""
        return self.driver.execute_script(code, *arguments)

    def module(self, name: str, code: str, *arguments: Any) -> Any:
        """The value of an expression; ``page`` is a module of the page in it, ``given`` the arguments."""
        return self.driver.execute_async_script(
            f"const given = [...arguments], done = given.pop();"
            f"import('/page/{name}').then((page) => done({code}), (error) => done(String(error)));",
            *arguments,
        )

    def find(self, selector: str) -> WebElement:
        """The first element of a CSS selector."""
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        """What is shown of an element."""
        return self.find(selector).text

    def texts(self, selector: str) -> list[str]:
        """What is shown of all elements of a selector."""
        return list(
            self.script(
                "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)", selector
            )
        )

    def click(self, selector: str) -> None:
        """Click where the middle of an element is."""
        element = self.find(selector)
        self.script("arguments[0].scrollIntoView({ block: 'center' })", element)
        element.click()

    def press(self, *keys: str) -> None:
        """Press keys one after another, wherever the focus is."""
        actions = ActionChains(self.driver)
        for key in keys:
            actions.send_keys(getattr(Keys, key, key))
        actions.perform()

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait until a condition is true; return its value."""
        return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(lambda _: condition())

    def wait_until_done(self, songs: int) -> None:
        """Wait until so many songs are in the table, and each has a key or a reason for none."""
        self.wait(lambda: len(self.texts("#rows tr")) == songs and not self.texts("#rows .row-key.plain"))

    def names(self) -> list[str]:
        """The names in the table, from top to bottom."""
        return self.texts("#rows .open")

    def row(self, name: str) -> str:
        """What is shown in the row of a song."""
        return next(text for text in self.texts("#rows tr") if name in text)

    def download(self, selector: str, name: str) -> bytes:
        """Click; return the file that is saved."""
        path = self.downloads / name
        path.unlink(missing_ok=True)
        self.click(selector)
        self.wait(path.exists)
        return path.read_bytes()

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write a picture of what is on the screen, or of the whole page."""
        options: dict[str, Any] = {"format": "png"}
        if whole:
            width, height = self.script("return [innerWidth, document.documentElement.scrollHeight]")
            options |= {
                "captureBeyondViewport": True,
                "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1},
            }
        path.write_bytes(
            base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"])
        )

    def complaints(self) -> list[str]:
        """What the console has got since it was last asked, without the reports of a status."""
        log: Sequence[dict[str, Any]] = self.driver.get_log("browser")
        return [entry["message"] for entry in log if _STATUS_REPORTS not in entry["message"]]

    def requests(self) -> list[dict[str, Any]]:
        """The requests of the page since it was last asked: url, method, headers."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [
            event["params"]["request"] for event in events if event["method"] == "Network.requestWillBeSent"
        ]


def make_songs(folder: Path) -> dict[str, Path]:
    """Files of every kind: the real recordings by name, ``silent.wav``, ``broken.mp3``, ``noise.wav``."""
    import numpy as np
    import soundfile

    real = sorted((ROOT / "tests" / "data" / "real").glob("*.ogg"))
    files = {path.name: path for path in real}
    for name, sound in {
        "silent.wav": np.zeros(22050 * 3, np.float32),
        "noise.wav": np.random.default_rng(1).normal(0, 0.1, 22050 * 12).astype(np.float32),
    }.items():
        files[name] = folder / name
        soundfile.write(files[name], sound, 22050)
    files["broken.mp3"] = folder / "broken.mp3"
    files["broken.mp3"].write_bytes(os.urandom(64) + b"This is not a recording. " * 400)
    return files
