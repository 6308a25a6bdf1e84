"""What a form of song is: chances and ranges, from which a song is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tfkey.keys import Mode

Shares = Mapping[str, float]


@dataclass(frozen=True)
class Form:
    """A form of song.

    Attributes:
        progressions: chords in Roman numerals by mode, a chord per bar unless ``chord_beats`` says otherwise.
        tempo: lowest and highest, in beats per minute.
        bars: shares of the beats in a bar: 4, 3, or 2 for 6/8.
        chord_beats: beats that a chord lasts; empty for a bar.
        phrases: bars in a phrase, of which one is drawn.
        singers: shares of ``solo``, ``unison``, ``thirds``, ``parts``, ``response``, ``humming`` and ``none``
            (an instrument plays the melody).
        guitars: shares of ``strummed``, ``picked``, ``power`` and ``none``.
        bass: chance of a bass.
        keys: shares of instruments of ``keyboards`` and ``strings``, and of ``none``.
        drums: shares of kits, and of ``none``.
        swing: chance of swung halves.
        pentatonic: chance of a melody with five notes.
        lead: chance of an instrument that plays along with, or answers the singers.
        trained: chance of trained voices.
        mistuned: standard deviation of the singers' errors in cents, lowest and highest.
        blue: melodies have the minor and the major third, as those of the blues do.
    """

    progressions: Mapping[Mode, tuple[str, ...]]
    tempo: tuple[float, float]
    bars: Mapping[int, float] = field(default_factory=lambda: {4: 1.0})
    chord_beats: tuple[float, ...] = ()
    phrases: tuple[int, ...] = (2,)
    singers: Shares = field(default_factory=lambda: {"solo": 1.0})
    guitars: Shares = field(default_factory=lambda: {"strummed": 1.0})
    bass: float = 0.5
    keys: Shares = field(default_factory=lambda: {"none": 1.0})
    drums: Shares = field(default_factory=lambda: {"none": 1.0})
    swing: float = 0.1
    pentatonic: float = 0.2
    lead: float = 0.2
    trained: float = 0.05
    mistuned: tuple[float, float] = (3.0, 18.0)
    blue: bool = False
