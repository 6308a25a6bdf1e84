"""Pictures for reports and TensorBoard, by matplotlib.

Every function returns a new :class:`matplotlib.figure.Figure`, made without pyplot: there is no global list
of figures to close, no window system is needed, and threads do not interfere.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike

from tfkey.keys import CIRCLE_OF_FIFTHS, FLAT_NAMES, N_CLASSES
from tfkey.scoring.calibration import Reliability
from tfkey.settings import FeatureConfig

_PAPER = {False: "#ffffff", True: "#171a21"}
_INK = {False: "#1d2330", True: "#e4e8f0"}
_FAINT = {False: "#c9cfda", True: "#3d4454"}
_MAIN = {False: "#1f6feb", True: "#6cb0ff"}
_OTHER = {False: "#b4bccb", True: "#5a6376"}

# A curve's data, name, colour and marker.
_Curve = tuple[Reliability, str, str, str]


def confusion_figure(matrix: ArrayLike, title: str = "", *, dark: bool = False) -> Figure:
    """Draw how often each key was estimated for each reference, in circle-of-fifths order.

    In this order a fifth is one step beside the diagonal, and a relative key is on the diagonals of the two
    quarters where major meets minor. Colour is the share of the reference's tracks, the number their count.

    Args:
        matrix: counts ``[24 references, 24 estimates]`` by class index.
        title: the title above the picture.
        dark: whether to draw for a dark page.

    Raises:
        ValueError: the matrix has another shape, or counts below 0.

    """
    counts = np.asarray(matrix)
    if counts.shape != (N_CLASSES, N_CLASSES) or not (counts >= 0).all():
        raise ValueError(f"confusion matrix {counts.shape}: give counts, [24 references, 24 estimates]")
    order = [key.index for key in CIRCLE_OF_FIFTHS]
    counts = counts[np.ix_(order, order)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = _figure(8.6, 8.8 if title else 8.4, dark)
    colours = LinearSegmentedColormap.from_list("shares", [_PAPER[dark], _MAIN[dark]])
    # imshow() would scale numbers and then colours to the picture's size, in arrays of many MB.
    edges = np.arange(N_CLASSES + 1) - 0.5
    axes.pcolormesh(edges, edges, shares, cmap=colours, vmin=0, vmax=1)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    names = [key.short for key in CIRCLE_OF_FIFTHS]
    axes.set_xticks(range(N_CLASSES), names, fontsize=9)
    axes.set_yticks(range(N_CLASSES), names, fontsize=9)
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    axes.set_xticks(np.arange(-0.5, N_CLASSES), minor=True)
    axes.set_yticks(np.arange(-0.5, N_CLASSES), minor=True)
    axes.grid(which="minor", color=_FAINT[dark], linewidth=0.4)
    axes.tick_params(which="minor", length=0)
    for place in (axes.axhline, axes.axvline):
        place(N_CLASSES / 2 - 0.5, color=_INK[dark], linewidth=1.1)
    for row, column in np.argwhere(counts):
        on_colour = shares[row, column] > 0.55
        ink = _PAPER[dark] if on_colour else _INK[dark]
        axes.text(column, row, f"{counts[row, column]:g}", ha="center", va="center", fontsize=8, color=ink)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("estimate", labelpad=8)
    axes.set_ylabel("reference", labelpad=8)
    if title:
        axes.set_title(title, pad=14, fontsize=12)
    return figure


def reliability_figure(
    before: Reliability, after: Reliability | None = None, title: str = "", *, dark: bool = False
) -> Figure:
    """Draw how often answers of each confidence are right, and how many tracks have it.

    Args:
        before: the reliability of the network's own confidences.
        after: the reliability of the calibrated ones, drawn over it.
        title: the title above the picture.
        dark: whether to draw for a dark page.

    """
    figure = _blank(7.2, 6.4 if title else 6.1, dark)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3.2, 1], "hspace": 0.08})
    for axes in (upper, lower):
        _dress(axes, dark)
        axes.grid(color=_FAINT[dark], linewidth=0.5)
        axes.set_axisbelow(True)
    shown = [(before, "network alone", _MAIN[dark] if after is None else _OTHER[dark], "o")]
    if after is not None:
        shown.append((after, "with temperature", _MAIN[dark], "D"))
    _draw_shares(upper, shown, dark)
    _draw_counts(lower, shown)
    lower.set_xlabel("confidence")
    for axis in (upper.yaxis, lower.xaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    if title:
        upper.set_title(title, fontsize=12, color=_INK[dark], pad=30)
    return figure


def _draw_shares(axes: Axes, shown: Sequence[_Curve], dark: bool) -> None:
    """The share of correct answers by confidence, beside the diagonal where both agree."""
    axes.plot([0, 1], [0, 1], color=_FAINT[dark], linewidth=1.4, linestyle=(0, (4, 3)), zorder=1)
    for number, (item, name, colour, marker) in enumerate(shown):
        full = [entry for entry in item.bins if entry.tracks]
        correct = np.array([entry.correct for entry in full], float)
        ends = np.array([[entry.correct_low, entry.correct_high] for entry in full], float).T
        error = item.figures["ece"].value
        axes.errorbar(
            np.array([entry.confidence for entry in full], float),
            correct,
            np.maximum(np.abs(ends - correct), 0),
            color=colour, marker=marker, markersize=5.5, linewidth=1.6, elinewidth=1, capsize=2.5,
            label=f"{name}: calibration error {100 * error:.1f} %", zorder=2 + number,
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("correct")
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.01), ncols=2, frameon=False, fontsize=9, borderaxespad=0
    )
    for text in legend.get_texts():
        text.set_color(_INK[dark])


def _draw_counts(axes: Axes, shown: Sequence[_Curve]) -> None:
    """How many tracks have each confidence."""
    width = 1 / len(shown[0][0].bins)
    part = 0.86 * width / len(shown)
    for number, (item, _, colour, _) in enumerate(shown):
        starts = [entry.low + 0.07 * width + number * part for entry in item.bins]
        axes.bar(starts, [entry.tracks for entry in item.bins], width=part, align="edge", color=colour)
    axes.set_ylabel("tracks")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def spectrogram_figure(picture: ArrayLike, features: FeatureConfig, title: str = "") -> Figure:
    """Draw a spectrogram, low notes at the bottom, with notes and seconds beside it.

    Args:
        picture: ``[frames, bins]`` or ``[frames, bins, 1]``, in [0, 1].
        features: the parameters it was made with, for its axes; its bins may be the network's band, or all
            stored bins.
        title: the title above the picture.

    Raises:
        ValueError: the picture has another shape.

    """
    values = np.asarray(picture, np.float64)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim != 2 or not values.size:
        raise ValueError(f"spectrogram {values.shape}: give [frames, bins] or [frames, bins, 1]")
    frames, bins = values.shape
    figure, axes = _figure(7.6, 3.6, dark=False)
    end = frames * features.hop_length / features.sample_rate
    # Colours, not values: imshow() would scale the latter to the picture's size first, in arrays of many MB.
    colours = colormaps["magma"](values.T, bytes=True)
    axes.imshow(
        colours, origin="lower", aspect="auto", interpolation="nearest", extent=(0, end, -0.5, bins - 0.5)
    )
    axes.set_xlabel("seconds")
    places, names = _octaves(features, bins)
    axes.set_yticks(places, names)
    if title:
        axes.set_title(title, fontsize=11)
    return figure


def sweep_figure(rates: ArrayLike, losses: ArrayLike, smoothed: ArrayLike, suggestion: float) -> Figure:
    """The loss over the learning rate, and the rate that is suggested.

    Args:
        rates: float ``[steps]``.
        losses: the loss of each step, in nats, ``[steps]``.
        smoothed: the smoothed losses, ``[steps]``.
        suggestion: the suggested rate.
    """
    figure, axes = _figure(6.4, 4.0, dark=False)
    axes.semilogx(rates, losses, alpha=0.3)
    axes.semilogx(rates, smoothed)
    axes.axvline(suggestion, linestyle="--")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss, nats")
    axes.set_title(f"suggested: {suggestion:.2g}")
    return figure


def png(figure: Figure, dpi: int = 110) -> bytes:
    """Return a figure as the bytes of a PNG file, the same for the same figure."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def _octaves(features: FeatureConfig, bins: int) -> tuple[list[float], list[str]]:
    """The places and names of each C, or of the lowest bin if the band has none."""
    lowest = features.fmin
    if features.extra_bins and bins == features.stored_bins:
        lowest /= 2 ** (features.extra_bins / features.bins_per_octave)
    midi = 69 + 12 * np.log2(lowest / 440.0)
    per_semitone = features.bins_per_octave / 12
    notes = [note for note in range(int(np.ceil(midi - 0.5)), int(midi + bins / per_semitone) + 1)
             if note % 12 == 0]  # fmt: skip
    notes = notes or [round(midi)]
    places = [max(0.0, (note - midi) * per_semitone) for note in notes]
    return places, [f"{FLAT_NAMES[note % 12]}{note // 12 - 1}" for note in notes]


def _blank(width: float, height: float, dark: bool) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=_PAPER[dark])
    FigureCanvasAgg(figure)
    return figure


def _figure(width: float, height: float, dark: bool) -> tuple[Figure, Axes]:
    figure = _blank(width, height, dark)
    axes = figure.subplots()
    _dress(axes, dark)
    return figure, axes


def _dress(axes: Axes, dark: bool) -> None:
    axes.set_facecolor(_PAPER[dark])
    axes.tick_params(colors=_INK[dark], which="both")
    for spine in axes.spines.values():
        spine.set_color(_FAINT[dark])
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        text.set_color(_INK[dark])
