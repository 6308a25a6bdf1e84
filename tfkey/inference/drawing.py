"""The picture of a song, by matplotlib: waveform, spectrogram, key over time, and the circle of fifths.

Major is orange and minor is blue: two colours that look different to everybody (M. Okabe and K. Ito, *Color
Universal Design*, 2008). Shades between paper and them are probabilities. The spectrogram's colours fall
steadily in lightness.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.patches import Rectangle, Wedge
from matplotlib.ticker import FixedLocator, FuncFormatter

from tfkey.inference.estimate import NO_TONES, SILENT, Estimate
from tfkey.inference.key_over_time import Segment
from tfkey.inference.labels import clock, length, percent, signed, tick_distance, tuning
from tfkey.inference.portrait import Portrait
from tfkey.keys import CIRCLE_OF_FIFTHS, Key, Notation

_PAPER, _INK, _QUIET, _FAINT, _PALE = "#ffffff", "#1d2330", "#5c6675", "#dfe3ea", "#f3f5f8"
_MODE = {"major": "#e69f00", "minor": "#0072b2"}
_WARNING = "#b04a00"
# What is 30 dB below the loudest is pale, so that the notes stand out.
_LEVELS = LinearSegmentedColormap.from_list(
    "levels",
    [(0, "#ffffff"), (0.3, "#f4f8fa"), (0.5, "#d8e8ef"), (0.68, "#9cc7d9"), (0.82, "#4a90b5"),
     (0.92, "#285a8c"), (1, "#16204a")],
)  # fmt: skip
_LEVEL_COLOURS = _LEVELS(np.arange(256), bytes=True)

# In inches.
_WIDTH, _BODY, _HEADER, _FOOTER = 14.0, 6.7, 1.2, 0.6
_LEFT, _RIGHT, _SIDE, _GAP = 0.75, 0.3, 4.3, 0.4
_WAVEFORM, _SPACE, _LANE, _LEAST_SPECTROGRAM = 1.0, 0.12, 0.27, 3.6
_RANKED, _RANKS = 5, 1.8

# Fonts with other scripts, if they are installed, after the one that comes with matplotlib.
_FONTS = (
    "Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Source Han Sans", "Hiragino Sans", "PingFang SC",
    "Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "WenQuanYi Zen Hei", "IPAGothic", "Arial Unicode MS",
    "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai", "Droid Sans Fallback",
)  # fmt: skip


def fonts() -> list[str]:
    """The names of the fonts to use: for each letter, the first that has it."""
    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in _FONTS if name in installed)]


def song_figure(
    estimate: Estimate, portrait: Portrait, name: str, notation: Notation = Notation.LONG
) -> Figure:
    """Draw a song.

    Args:
        estimate: its key, with segments for key over time.
        portrait: its portrait.
        name: its name, of at most 90 printable letters or so.
        notation: how keys are written.
    """
    lanes = _lanes(estimate.segments)
    strip = max(1, len(lanes)) * _LANE + 0.1
    spectrogram = max(_LEAST_SPECTROGRAM, _BODY - _WAVEFORM - strip - 2 * _SPACE)
    height = _HEADER + _WAVEFORM + spectrogram + strip + 2 * _SPACE + _FOOTER
    figure = Figure(figsize=(_WIDTH, height), facecolor=_PAPER)
    FigureCanvasAgg(figure)
    width = _WIDTH - _LEFT - _RIGHT - _SIDE - _GAP

    def axes(left: float, bottom: float, wide: float, high: float) -> Axes:
        place = (left / _WIDTH, bottom / height, wide / _WIDTH, high / height)
        return figure.add_axes(place, facecolor=_PAPER)

    _write_header(axes(_LEFT, height - _HEADER, _WIDTH - _LEFT - _RIGHT, _HEADER), estimate, name, notation)
    bottom = height - _HEADER - _WAVEFORM
    _draw_waveform(axes(_LEFT, bottom, width, _WAVEFORM), portrait)
    bottom -= _SPACE + spectrogram
    _draw_spectrogram(axes(_LEFT, bottom, width, spectrogram), portrait)
    bottom -= _SPACE + strip
    over_time = axes(_LEFT, bottom, width, strip)
    _draw_key_over_time(over_time, estimate.segments, lanes, notation)
    _mark_time(figure.axes[1:4], portrait.seconds)
    left = _LEFT + width + _GAP
    _draw_circle(axes(left, height - _HEADER - _SIDE, _SIDE, _SIDE), estimate, notation)
    bottom = height - _HEADER - _BODY
    _draw_ranked(axes(left + 0.3, bottom, _SIDE - 0.6, _RANKS), estimate, notation)
    return figure


def _write_header(axes: Axes, estimate: Estimate, name: str, notation: Notation) -> None:
    """The key and its confidence as the title, the name, and what else is known."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, _HEADER)
    key = estimate.key
    title = axes.text(
        0, 0.72, "No key" if key is None else key.write(notation), fontsize=25, fontweight="bold", color=_INK
    )
    beside = str(estimate.reason) if key is None else percent(estimate.confidence)
    end = axes.transData.inverted().transform(title.get_window_extent().max)[0]
    axes.text(end + 0.012, 0.72, beside, fontsize=19, color=_QUIET, parse_math=False)
    axes.text(0, 0.40, name, fontsize=12.5, color=_INK, parse_math=False)
    facts = [] if key is None else _other_names(key, notation)
    if estimate.tuning_cents is not None:
        facts.append(tuning(round(estimate.tuning_cents)))
    facts.append(length(estimate.seconds))
    axes.text(1, 0.72, "   ·   ".join(facts), fontsize=11.5, color=_QUIET, ha="right")
    if estimate.warning is not None:
        axes.text(1, 0.40, estimate.warning, fontsize=11.5, color=_WARNING, ha="right", parse_math=False)


def _draw_waveform(axes: Axes, portrait: Portrait) -> None:
    """The waveform, as high as the axes; its peak is written beside it."""
    columns = portrait.low.size
    edges = np.linspace(0, portrait.seconds, columns + 1)
    low, high = (np.append(part, part[-1]) for part in (portrait.low, portrait.high))
    peak = float(max(high.max(), -low.min()))
    axes.axhline(0, color=_FAINT, linewidth=0.8)
    axes.fill_between(
        edges, low, high, step="post", facecolor=_QUIET, edgecolor=_QUIET, linewidth=0.5, zorder=2
    )
    reach = 1.08 * (peak or 1.0)
    axes.set_ylim(-reach, reach)
    axes.set_yticks([0], [f"peak\n{signed(round(20 * math.log10(peak)))} dB" if peak > 0 else "silence"])


def _draw_spectrogram(axes: Axes, portrait: Portrait) -> None:
    """The spectrogram, with the names of the C's beside it."""
    bins = portrait.spectrogram.shape[1]
    # Colours, not values: imshow() would scale the latter to the picture's size first, in arrays of many MB.
    axes.imshow(
        _LEVEL_COLOURS[portrait.spectrogram.T], origin="lower", aspect="auto", interpolation="antialiased",
        extent=(0, portrait.seconds, -0.5, bins - 0.5),
    )  # fmt: skip
    places, names = _octaves(portrait)
    axes.set_yticks(places, names)
    for place in places:
        axes.axhline(place, color=_INK, alpha=0.16, linewidth=0.6)


def _octaves(portrait: Portrait) -> tuple[list[float], list[str]]:
    """The places and names of each C in the spectrogram, or of the pitch at its bottom if there is no C."""
    bins, per_octave = portrait.spectrogram.shape[1], portrait.bins_per_octave
    # In octaves above C0; A4 is nine semitones above C4.
    lowest = math.log2(portrait.lowest_hz / 440) + 9 / 12 + 4
    half = 0.5 / per_octave
    octaves = range(math.ceil(lowest - half), math.floor(lowest + bins / per_octave - half) + 1)
    if not len(octaves):
        return [0.0], [f"{portrait.lowest_hz:.0f} Hz"]
    return [(octave - lowest) * per_octave for octave in octaves], [f"C{octave}" for octave in octaves]


def _lanes(segments: Sequence[Segment]) -> list[Key]:
    """The keys of a song in the order of the circle, a key beside its relative, from the top down.

    The circle is cut where the longest arc without a key is, so that neighbours stay neighbours.
    """
    met = {part.key for part in segments if part.key is not None}
    places = sorted({_place(key) for key in met})
    if not places:
        return []
    gaps = [
        (after - before) % 12 or 12 for before, after in zip(places, places[1:] + places[:1], strict=True)
    ]
    first = places[(int(np.argmax(gaps)) + 1) % len(places)]
    # Sharper keys are above, as on a stave.
    return sorted(met, key=lambda key: ((_place(key) - first) % 12, key.mode == "major"), reverse=True)


def _draw_key_over_time(
    axes: Axes, segments: Sequence[Segment], lanes: Sequence[Key], notation: Notation
) -> None:
    """A bar for each segment in the lane of its key, the darker the more certain."""
    count = max(1, len(lanes))
    axes.set_ylim(count - 0.5 + 0.18, -0.5 - 0.18)
    axes.set_facecolor(_PALE)
    for lane in range(1, len(lanes)):
        axes.axhline(lane - 0.5, color=_PAPER, linewidth=1.2)
    for part in segments:
        if part.key is None:
            axes.axvspan(part.start, part.end, color=_FAINT, linewidth=0, zorder=1.5)
            continue
        middle = lanes.index(part.key)
        colour = _shade(part.key, 0.25 + 0.75 * part.confidence)
        axes.add_patch(
            Rectangle((part.start, middle - 0.42), part.end - part.start, 0.84, color=colour, zorder=2)
        )
    names = [key.write(_short(notation)) for key in lanes] or ["no key"]
    axes.set_yticks(range(count), names)


def _draw_circle(axes: Axes, estimate: Estimate, notation: Notation) -> None:
    """The circle of fifths, majors outside and their relative minors inside, shaded by probability."""
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(-1.03, 1.03)
    axes.set_ylim(-1.03, 1.03)
    knows = estimate.reason not in (SILENT, NO_TONES)
    for number, key in enumerate(CIRCLE_OF_FIFTHS):
        outer, inner = (1.0, 0.68) if key.mode == "major" else (0.665, 0.345)
        angle = 90 - 30 * (number % 12)
        probability = float(estimate.probabilities[key.index]) if knows else 0.0
        fill = _shade(key, math.sqrt(probability))
        is_key = key == estimate.key
        edge, line, order = (_INK, 2.0, 3) if is_key else (_FAINT, 0.8, 2)
        axes.add_patch(
            Wedge(
                (0, 0), outer, angle - 15, angle + 15, width=outer - inner, facecolor=fill,
                edgecolor=edge, linewidth=line, zorder=order,
            )
        )  # fmt: skip
        middle = (outer + inner) / 2
        x, y = middle * math.cos(math.radians(angle)), middle * math.sin(math.radians(angle))
        ink = _ink_on(fill) if knows else _QUIET
        axes.text(
            x, y + 0.045 * knows, key.write(_short(notation)), ha="center", va="center", zorder=4, color=ink,
            fontsize=13 if key.mode == "major" else 11.5, fontweight="bold" if is_key else "normal",
        )  # fmt: skip
        if knows:
            quiet = ink if probability >= 0.005 else _QUIET
            text = percent(probability, tenths=True)
            axes.text(x, y - 0.07, text, ha="center", va="center", zorder=4, color=quiet, fontsize=9)
    for y, mode in ((0.08, "major"), (-0.08, "minor")):
        axes.add_patch(Rectangle((-0.19, y - 0.035), 0.07, 0.07, color=_MODE[mode]))
        axes.text(-0.07, y, mode, va="center_baseline", fontsize=10.5, color=_QUIET)


def _draw_ranked(axes: Axes, estimate: Estimate, notation: Notation) -> None:
    """The most probable keys as bars."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(_RANKED - 0.4, -0.6)
    if estimate.reason in (SILENT, NO_TONES):
        return
    begin, end = 0.28, 0.85
    for row, (key, probability) in enumerate(estimate.ranked(_RANKED)):
        axes.text(0, row, key.write(notation), va="center", fontsize=11.5, color=_INK)
        axes.add_patch(Rectangle((begin, row - 0.26), end - begin, 0.52, color=_PALE))
        axes.add_patch(
            Rectangle((begin, row - 0.26), (end - begin) * probability, 0.52, color=_MODE[key.mode])
        )
        axes.text(1, row, percent(probability), va="center", ha="right", fontsize=11.5, color=_INK)


def _mark_time(stacked: Sequence[Axes], seconds: float) -> None:
    """Give axes that lie above each other one time axis, with labels at the lowest."""
    step = tick_distance(seconds)
    ticks = [number * step for number in range(int(seconds / step * (1 + 1e-9)) + 1)]
    for axes in stacked:
        axes.set_xlim(0, seconds)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.tick_params(
            colors=_QUIET, labelcolor=_QUIET, labelsize=10.5, length=0, labelbottom=axes is stacked[-1]
        )
        for side in axes.spines.values():
            side.set_visible(False)
    lowest = stacked[-1]
    lowest.tick_params(axis="x", length=4, pad=4, color=_QUIET)
    lowest.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock(value, step, seconds)))
    for text in lowest.get_yticklabels():
        text.set_color(_INK)


def _place(key: Key) -> int:
    """The place on the circle of fifths, 0 (C major and A minor) to 11."""
    return CIRCLE_OF_FIFTHS.index(key) % 12


def _short(notation: Notation) -> Notation:
    return Notation.SHORT if notation is Notation.LONG else notation


def _other_names(key: Key, notation: Notation) -> list[str]:
    named = {Notation.CAMELOT: f"Camelot {key.camelot}", Notation.OPENKEY: f"Open Key {key.open_key}"}
    mine = [key.long] if notation in named else []
    return mine + [text for other, text in named.items() if other is not notation]


def _shade(key: Key, share: float) -> tuple[float, float, float]:
    """The colour between paper and that of the key's mode."""
    paper, full = np.array(to_rgb(_PAPER)), np.array(to_rgb(_MODE[key.mode]))
    red, green, blue = paper + min(1.0, share) * (full - paper)
    return float(red), float(green), float(blue)


def _ink_on(colour: tuple[float, float, float]) -> str:
    """Ink or paper, whichever contrasts more (relative luminance of WCAG 2.2)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    luminance = float(np.dot((0.2126, 0.7152, 0.0722), linear))
    return _INK if luminance > 0.2 else _PAPER
