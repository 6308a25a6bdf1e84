"""The styles of ``styles.yaml``, and how those of MMA are played, from ``mma_styles.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

# General MIDI percussion key map.
DRUMS = {
    "kick": 36, "stick": 37, "snare": 38, "clap": 39, "surdo": 41, "hat": 42, "tom low": 43, "pedal hat": 44,
    "open hat": 46, "tom": 47, "crash": 49, "tom high": 50, "ride": 51, "tambourine": 54, "cowbell": 56,
    "bongo high": 60, "bongo low": 61, "conga mute": 62, "conga": 63, "conga low": 64, "timbale": 65,
    "agogo": 67, "maracas": 70, "guiro": 73, "claves": 75, "shaker": 82,
}  # fmt: skip


@dataclass(frozen=True)
class Manner:
    """What leads to the chart of a clip.

    Attributes:
        tempo: slowest and fastest, in beats a minute.
        families: of progressions (:func:`~pipelines.synthetic.accompaniments.progressions.families`).
        colours: of chords (:data:`~pipelines.synthetic.accompaniments.progressions.COLOURS`).
        swing: how late the second half of a beat is, in beats; 1/6 makes triplets.
    """

    tempo: tuple[float, float]
    families: tuple[str, ...]
    colours: tuple[str, ...]
    swing: float = 0.0


@dataclass(frozen=True)
class Layer:
    """An instrument that plays the chords.

    Attributes:
        programs: of General MIDI; one is drawn.
        patterns: one is drawn.
        lowest: MIDI pitch above which the chords lie.
        share: of the clips that have this layer.
    """

    programs: tuple[int, ...]
    patterns: tuple[str, ...]
    lowest: int
    share: float


@dataclass(frozen=True)
class Style:
    """A style; ``styles.yaml`` explains the patterns.

    Attributes:
        manner: tempo, progressions, swing.
        drums: alternatives, each with a pattern for each drum of :data:`DRUMS`.
        bass_programs: of General MIDI; one is drawn.
        bass: alternative patterns; without one, no bass plays.
        layers: those who play chords; the first always plays.
        beats: of a bar.
        steps: of a bar in patterns.
        kits: programs of the drum channel.
    """

    manner: Manner
    drums: tuple[Mapping[str, str], ...]
    bass_programs: tuple[int, ...]
    bass: tuple[str, ...]
    layers: tuple[Layer, ...]
    beats: int
    steps: int
    kits: tuple[int, ...]


@cache
def styles() -> Mapping[str, Style]:
    """Return tfkey's own styles by name."""
    return {name: _style(entry) for name, entry in _read("styles.yaml").items()}


@cache
def manner_of_mma(style: str) -> Manner:
    """Return how a style file of MMA, such as ``stdlib/bossanova``, is played."""
    name = style.split("/")[-1]
    return next(_manner(entry) for entry in _read("mma_styles.yaml") if re.search(entry["name"], name))


@cache
def _read(file: str) -> Any:
    return yaml.safe_load(Path(__file__).with_name(file).read_text(encoding="utf-8"))


def _manner(entry: Mapping[str, Any]) -> Manner:
    slowest, fastest = entry["tempo"]
    return Manner(
        (slowest, fastest), tuple(entry["progressions"]), tuple(entry["colours"]), entry.get("swing", 0.0)
    )


def _style(entry: Mapping[str, Any]) -> Style:
    return Style(
        manner=_manner(entry),
        drums=tuple(entry["drums"]),
        bass_programs=tuple(entry["bass"]),
        bass=tuple(entry["bass patterns"]),
        layers=tuple(_layer(layer) for layer in entry["chords"]),
        beats=entry.get("beats", 4),
        steps=entry.get("steps", 16),
        kits=_numbers(entry.get("kits", (0, 8))),
    )


def _layer(entry: Mapping[str, Any]) -> Layer:
    return Layer(
        _numbers(entry["instruments"]), tuple(entry["patterns"]), entry["lowest"], entry.get("share", 1.0)
    )


def _numbers(entry: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(number) for number in entry)
