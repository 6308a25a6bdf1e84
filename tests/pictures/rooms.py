"""The tree of the code: the packages, their rooms on their floors, and which way imports run."""

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
_TEXT, _HIGH, _BETWEEN = 11, 0.44, 0.12
# In inches: a letter of the font above, the margins of a room, the columns and what lies between and beside.
_LETTER, _MARGIN = 0.095, 0.24
_WIDE = {"tfkey": 4.75, "pipelines": 4.1}
_LEFT, _GAP, _RIGHT, _HEAD = 0.6, 0.4, 0.15, 1.55


def by_floor() -> dict[str, dict[int, list[str]]]:
    """The rooms of each package by floor."""
    found: dict[str, dict[int, list[str]]] = {package: defaultdict(list) for package in PACKAGES}
    for room, floor in rooms().items():
        package, _, name = room.partition(".")
        found[package][floor].append(name)
    return found


def rooms_figure(dark: bool) -> Figure:
    """Draw the packages with floor 0 at the bottom: scripts on top, which import from pipelines and tfkey."""
    packages = by_floor()
    top = max(floor for floors in packages.values() for floor in floors)
    heights = {
        floor: max(_lines(packages[package].get(floor, []), width) for package, width in _WIDE.items())
        * (_HIGH + _BETWEEN) + _BETWEEN
        for floor in range(top + 1)
    }  # fmt: skip
    width, height = _LEFT + sum(_WIDE.values()) + _GAP + _RIGHT, sum(heights.values()) + _HEAD
    figure = Figure(figsize=(width, height), facecolor=_PAPER[dark])
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    y = 0.1
    for floor, high in heights.items():
        axes.text(0.3, y + high / 2, str(floor), color=_QUIET[dark], fontsize=11, ha="center", va="center")
        axes.plot([_LEFT, width - _RIGHT], [y, y], color=_EDGE[dark], linewidth=0.5, alpha=0.6)
        left = _LEFT
        for package, wide in _WIDE.items():
            _draw_floor(axes, packages[package].get(floor, []), left, y + high, wide, dark)
            left += wide + _GAP
        y += high
    _write_heads(axes, width, height, dark)
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


def _draw_floor(axes: Axes, names: list[str], left: float, top: float, width: float, dark: bool) -> None:
    y = top - _BETWEEN - _HIGH
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


def _write_heads(axes: Axes, width: float, height: float, dark: bool) -> None:
    """The names of the packages, and arrows from each to those that it imports."""
    bar, heads = height - 0.1 - _HIGH, height - 1.3
    _draw_room(axes, "scripts: a module for each subcommand", _LEFT, bar, width - _LEFT - _RIGHT, dark)
    right = _LEFT + _WIDE["tfkey"] + _GAP
    arrow = {"arrowstyle": "-|>", "color": _QUIET[dark], "linewidth": 1.2}
    for left, package in ((_LEFT, "tfkey"), (right, "pipelines")):
        axes.text(left, heads, package, color=_INK[dark], fontsize=15, fontweight="bold", va="center")
        axes.annotate("", (left + 1.6, heads + 0.15), (left + 1.6, bar - 0.05), arrowprops=arrow)
        axes.text(left + 1.75, heads + 0.43, "imports", color=_QUIET[dark], fontsize=10, va="center")
    axes.annotate("", (right - 1.5, heads), (right - 0.12, heads), arrowprops=arrow)
    axes.text(right - 0.8, heads + 0.14, "imports", color=_QUIET[dark], fontsize=10, ha="center")
