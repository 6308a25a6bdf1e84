"""A music folder as they are: sound in every form, and files that are broken in ten ways."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from tests.media import chord, encode

RATE = 44100


def _sound(path: Path, seconds: float, rate: int = RATE, channels: int = 2, **kind: str) -> None:
    kind = {"format": path.suffix[1:].upper(), **kind}
    # By the open file: soundfile writes to names of text only.
    with path.open("wb") as stream:
        soundfile.write(stream, chord(seconds, rate, channels), rate, **kind)


GOOD: dict[str, Callable[[Path, float], object]] = {
    "{}.wav": lambda path, s: _sound(path, s),
    "深い夢 {}.mp3": lambda path, s: _sound(path, s),
    "Ünïcödé {}.flac": lambda path, s: _sound(path, s, channels=1),
    "{} \udcff\udcfe.ogg": lambda path, s: _sound(path, s),
    "{}, a \"b\" 'c'\n.opus": lambda path, s: _sound(path, s, 48000, format="OGG", subtype="OPUS"),
    "{}.m4a": lambda path, s: encode(path, "aac", chord(s, channels=2), container="mp4"),
    "{}.wma": lambda path, s: encode(path, "wmav2", chord(s, channels=2), container="asf"),
    "film {}.mkv": lambda path, s: encode(
        path, "libopus", chord(s, 48000, 2), 48000, container="matroska", video=True
    ),
    "high {}.flac": lambda path, s: _sound(path, s, 192000),
    "eight {}.wav": lambda path, s: _sound(path, s, channels=8),
    "short {}.aiff": lambda path, s: _sound(path, 0.5),
}
"""Names and makers of files that can be judged; the makers are given a length in seconds."""


def _cut(path: Path, make: Callable[[Path, float], object]) -> None:
    """What is left is too little to be judged."""
    make(path, 6)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 20])


def _protected(path: Path) -> None:
    GOOD["{}.m4a"](path, 1)
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"drms", 1))


def _not_finite(path: Path) -> None:
    sound = chord(1)
    sound[777] = np.nan
    soundfile.write(path, sound, RATE, subtype="FLOAT")


def _picture(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    Image.fromarray(noise).save(path, "JPEG")


BAD: dict[str, tuple[str, Callable[[Path], object]]] = {
    "zero {}.mp3": ("empty (0 bytes)", lambda path: path.touch()),
    "picture {}.mp3": ("no audio stream found", _picture),
    "cut {}.wav": ("truncated", lambda path: _cut(path, GOOD["{}.wav"])),
    "cut {}.mp3": ("truncated", lambda path: _cut(path, GOOD["深い夢 {}.mp3"])),
    "cut {}.ogg": ("truncated", lambda path: _cut(path, GOOD["{} \udcff\udcfe.ogg"])),
    "cut {}.m4a": ("truncated", lambda path: _cut(path, GOOD["{}.m4a"])),
    "protected {}.m4p": ("protected by DRM", _protected),
    "text {}.flac": ("cannot be decoded", lambda path: path.write_text("<html>404</html>\n" * 99)),
    "nothing {}.wav": ("no samples", lambda path: soundfile.write(path, np.zeros(0), RATE)),
    "numbers {}.wav": ("not finite", _not_finite),
}
"""Names of files that cannot be judged, what is to be said of them, and their makers: ten ways."""


def _once(made: dict[str, Path], name: str, path: Path, make: Callable[[Path], object]) -> None:
    """Make a file, or copy the one that was made of its kind."""
    if name in made:
        shutil.copyfile(made[name], path)
    else:
        make(path)
        made[name] = path


def write_library(folder: Path, good: int, bad: int, seconds: float = 1.0) -> dict[str, str]:
    """Fill a folder: files of all kinds in turn, in folders of a hundred.

    Returns:
        The broken ones' paths, each with words of what is to be said of it.
    """
    said: dict[str, str] = {}
    made: dict[str, Path] = {}
    for number in range(good + bad):
        parent = folder / f"{number // 100:03d}"
        parent.mkdir(parents=True, exist_ok=True)
        # Broken ones evenly among the others.
        broken = (number + 1) * bad // (good + bad) - number * bad // (good + bad)
        if broken:
            name, (words, make_bad) = list(BAD.items())[len(said) % len(BAD)]
            path = parent / name.format(number)
            _once(made, name, path, make_bad)
            said[os.fspath(path)] = words
        else:
            names = [name for name in GOOD if os.name == "posix" or name.isprintable()]
            name = names[number % len(names)]
            _once(made, name, parent / name.format(number), lambda path, n=name: GOOD[n](path, seconds))
    return said
