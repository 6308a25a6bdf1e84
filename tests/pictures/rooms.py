"""The tree of the code: three packages, their rooms on their floors, and which way imports run."""

from __future__ import annotations

from collections import defaultdict

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from tests.test_layers import PACKAGES, rooms

_PAPER = {False: "#ffffff", True: "#1e2129"}
_INK = {False: "#1d2330", True: "#e6e9f0"}
_QUIET = {False: "#5c6675", True: "#a6adba"}
_ROOM = {False: "#e6eef8", True: "#2b3648"}
_EDGE = {False: "#9db7d8", True: "#50698c"}
_TEXT, _HIGH, _ROW, _BETWEEN = 9.5, 0.5, 0.78, 0.14
# In inches: a letter of the font above, and the margins of a room.
_LETTER, _MARGIN = 0.083, 0.24
_WIDE = {"tfkey": 4.9, "pipelines": 4.1, "scripts": 1.6}


def by_floor() -> dict[str, dict[int, list[str]]]:
    """The rooms of each package by floor."""
    found: dict[str, dict[int, list[str]]] = {package: defaultdict(list) for package in PACKAGES}
    for room, floor in rooms().items():
        package, _, name = room.partition(".")
        found[package][floor].append(name)
    return found


def rooms_figure(dark: bool) -> Figure:
    """Draw the packages side by side, floor 0 at the bottom; every arrow between packages points left."""
    packages = by_floor()
    top = max(floor for floors in packages.values() for floor in floors)
    lines = {floor: max(_lines(packages[package].get(floor, []), _WIDE[package]) for package in PACKAGES)
             for floor in range(top + 1)}  # fmt: skip
    heights = {floor: max(1, lines[floor]) * (_HIGH + _BETWEEN) + 0.1 for floor in lines}
    width, height = sum(_WIDE.values()) + 2.1, sum(heights.values()) + 1.0
    figure = Figure(figsize=(width, height), facecolor=_PAPER[dark])
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    bottoms, y = {}, 0.25
    for floor in range(top + 1):
        bottoms[floor] = y
        axes.text(
            0.32,
            y + heights[floor] / 2,
            str(floor),
            color=_QUIET[dark],
            fontsize=10,
            ha="center",
            va="center",
        )
        axes.plot([0.6, width - 0.2], [y, y], color=_EDGE[dark], linewidth=0.5, alpha=0.6)
        y += heights[floor]
    left = 0.7
    for package in PACKAGES:
        _write_head(axes, package, left, height, dark)
        for floor, names in packages[package].items():
            _draw_floor(axes, names, left, bottoms[floor], heights[floor], _WIDE[package], dark)
        left += _WIDE[package] + 0.6
    wide = _WIDE["scripts"]
    _draw_room(axes, "one per subcommand", left - wide - 0.6, bottoms[top] + 0.1, wide, dark)
    return figure


def _wide(name: str) -> float:
    return _LETTER * len(name) + _MARGIN


def _rows(names: list[str], width: float) -> list[list[str]]:
    """Names in rows that are not wider than the package."""
    rows: list[list[str]] = [[]]
    for name in names:
        if rows[-1] and sum(_wide(other) + _BETWEEN for other in [*rows[-1], name]) - _BETWEEN > width:
            rows.append([])
        rows[-1].append(name)
    return rows


def _lines(names: list[str], width: float) -> int:
    return len(_rows(names, width)) if names else 0


def _draw_floor(
    axes: Axes, names: list[str], left: float, bottom: float, height: float, width: float, dark: bool
) -> None:
    y = bottom + height - _HIGH - 0.12
    for row in _rows(names, width):
        x = left
        for name in row:
            _draw_room(axes, name, x, y, _wide(name), dark)
            x += _wide(name) + _BETWEEN
        y -= _HIGH + _BETWEEN


def _draw_room(axes: Axes, name: str, x: float, y: float, width: float, dark: bool) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, _HIGH, boxstyle="round,pad=0,rounding_size=0.08", facecolor=_ROOM[dark],
            edgecolor=_EDGE[dark], linewidth=0.8,
        )
    )  # fmt: skip
    axes.text(
        x + width / 2,
        y + _HIGH / 2,
        name,
        color=_INK[dark],
        fontsize=_TEXT,
        ha="center",
        va="center_baseline",
    )


def _write_head(axes: Axes, package: str, left: float, height: float, dark: bool) -> None:
    axes.text(left, height - 0.48, package, color=_INK[dark], fontsize=14, fontweight="bold")
    if package != PACKAGES[0]:
        # From the package to the one that it imports.
        axes.annotate(
            "", (left - 1.3, height - 0.4), (left - 0.15, height - 0.4),
            arrowprops={"arrowstyle": "-|>", "color": _QUIET[dark], "linewidth": 1.2},
        )  # fmt: skip
        axes.text(left - 0.72, height - 0.33, "imports", color=_QUIET[dark], fontsize=9, ha="center")
