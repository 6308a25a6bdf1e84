"""Drawings by matplotlib: a song, the circle of fifths, confusion, and the rooms of the code."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import matplotlib
import numpy as np
import soundfile
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

from tests.pictures.rooms import rooms_figure
from tests.pictures.saving import DOCS, ROOT, SCHEMES, save_small
from tfkey import KeyEstimator
from tfkey.inference import drawing
from tfkey.inference.picture import write_picture
from tfkey.inference.portrait import portrait
from tfkey.keys import Notation
from tfkey.scoring.charts import confusion_figure

FOLDER = DOCS / "pictures"
REAL = ROOT / "tests" / "data" / "real"
TWO = ("supertuxkart_west.ogg", "supertuxkart_lava.ogg")
ONE = "hex-a-hop_music-game-1.ogg"

# The colours of the dark scheme of the site. Those of the modes are lighter than on white paper.
_NIGHT_LEVELS = LinearSegmentedColormap.from_list(
    "night",
    [(0, "#1e2129"), (0.3, "#1f2a38"), (0.5, "#234560"), (0.68, "#2f719b"), (0.82, "#63abd2"),
     (0.92, "#b3dcef"), (1, "#ffffff")],
)  # fmt: skip
NIGHT: dict[str, Any] = {
    "_PAPER": "#1e2129", "_INK": "#e6e9f0", "_QUIET": "#a6adba", "_FAINT": "#3a4050", "_PALE": "#272b35",
    "_MODE": {"major": "#e69f00", "minor": "#3d9fe0"},
    "_LEVEL_COLOURS": _NIGHT_LEVELS(np.arange(256), bytes=True),
}  # fmt: skip


@contextlib.contextmanager
def colours(dark: bool) -> Iterator[None]:
    """The colours of a scheme; the product itself draws on white paper only."""
    if not dark:
        yield
        return
    paper, ink_on = NIGHT["_PAPER"], drawing._ink_on

    def ink_at_night(colour: tuple[float, float, float]) -> str:
        # Ink is light at night.
        return paper if ink_on(colour) == NIGHT["_INK"] else NIGHT["_INK"]

    with mock.patch.multiple(drawing, **NIGHT, _ink_on=ink_at_night):
        yield


def join(path: Path, *songs: Path) -> Path:
    """Write recordings one after the other: a recording that changes its key."""
    parts = [soundfile.read(song) for song in songs]
    soundfile.write(path, np.concatenate([sound for sound, _ in parts]), parts[0][1])
    return path


def save(figure: Figure, path: Path, dpi: int = 110, limit: int = 128) -> None:
    """Write a figure small."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, facecolor=figure.get_facecolor())
    save_small(Image.open(stream), path, limit)


def draw_song() -> None:
    """What ``tfkey predict --picture`` writes, as ``docs/predict.png``."""
    path = DOCS / "predict.png"
    network = KeyEstimator.from_pretrained()
    estimate, picture = network.estimate(REAL / ONE), portrait(REAL / ONE, network.metadata.features)
    write_picture(path, estimate, picture, ONE)
    save_small(Image.open(path), path, 128, width=1000)


def draw_over_time() -> None:
    """The spectrogram of two songs in a row, with the key over time."""
    with tempfile.TemporaryDirectory() as name:
        song = join(Path(name) / "song.wav", *(REAL / part for part in TWO))
        network = KeyEstimator.from_pretrained()
        estimate, picture = network.estimate(song), portrait(song, network.metadata.features)
    lanes = drawing._lanes(estimate.segments)
    for scheme, dark in SCHEMES.items():
        with colours(dark):
            figure = Figure(figsize=(9.6, 4.6), facecolor=drawing._PAPER)
            FigureCanvasAgg(figure)
            strip = 0.075 * max(1, len(lanes))
            upper = figure.add_axes((0.06, 0.12 + strip, 0.91, 0.85 - strip), facecolor=drawing._PAPER)
            lower = figure.add_axes((0.06, 0.09, 0.91, strip))
            drawing._draw_spectrogram(upper, picture)
            drawing._draw_key_over_time(lower, estimate.segments, lanes, Notation.LONG)
            drawing._mark_time([upper, lower], picture.seconds)
            save(figure, FOLDER / f"over-time-{scheme}.png", 90, 48)


def draw_circle() -> None:
    """The circle of fifths with the probabilities of one song."""
    estimate = KeyEstimator.from_pretrained().estimate(REAL / ONE)
    for scheme, dark in SCHEMES.items():
        with colours(dark):
            figure = Figure(figsize=(5, 5), facecolor=drawing._PAPER)
            FigureCanvasAgg(figure)
            drawing._draw_circle(figure.add_axes((0.01, 0.01, 0.98, 0.98)), estimate, Notation.LONG)
            save(figure, FOLDER / f"circle-{scheme}.png")


def draw_confusion() -> None:
    """Which keys the demo's network takes for which, from its results file."""
    found = json.loads((DOCS / "results" / "demo.json").read_text(encoding="utf-8"))
    matrix = np.zeros((24, 24), int)
    for reference, estimate, count in found["confusion"]:
        matrix[reference, estimate] = count
    for scheme, dark in SCHEMES.items():
        save(confusion_figure(matrix, dark=dark), FOLDER / f"confusion-{scheme}.png", 90)


def draw_rooms() -> None:
    """The rooms of the code on their floors, from the table of CONTRIBUTING.md."""
    for scheme, dark in SCHEMES.items():
        save(rooms_figure(dark), FOLDER / f"rooms-{scheme}.png", 100)


def main() -> None:
    """Draw all."""
    matplotlib.rcdefaults()
    matplotlib.rcParams["font.family"] = "DejaVu Sans"
    for draw in (draw_song, draw_over_time, draw_circle, draw_confusion, draw_rooms):
        draw()
