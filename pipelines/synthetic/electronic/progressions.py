"""The progressions of electronic dance music, and the scales in which they are played.

A progression is a cycle of degrees of the scale (0 is the tonic). Each begins on the tonic or comes home to
it, and stays there for at least a quarter of the time, so that its key is not in doubt.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from pipelines.synthetic import harmony
from pipelines.synthetic.harmony import Scale
from tfkey.errors import UsageError

_MAJOR = """
0; 0 4; 0 3; 0 6; 0 1; 0 0 0 3; 0 0 3 3; 0 0 3 4; 0 3 4 0; 0 3 0 4; 0 3 5 4; 0 4 5 3; 0 4 3 3;
0 4 3 4; 0 5 3 4; 0 5 1 4; 0 1 3 0; 0 1 4 0; 0 2 3 4; 0 2 5 3; 0 6 3 0; 0 0 6 3; 1 4 0 0; 3 4 0 0;
3 0 4 0; 0 0 0 4
"""
_MINOR = """
0; 0 0 0 6; 0 6; 0 5; 0 3; 0 1; 0 4; 0 0 1 0; 0 0 5 6; 0 0 3 3; 0 0 5 5; 0 0 5 4; 0 0 0 5; 0 0 0 1;
0 5 2 6; 0 5 6 0; 0 5 3 4; 0 5 3 6; 0 6 5 6; 0 6 5 4; 0 6 0 5; 0 6 3 0; 0 3 0 4; 0 3 5 4; 0 3 6 2;
0 2 6 5; 0 2 5 6; 0 2 3 5; 0 4 5 3; 0 4 0 3; 5 6 0 0; 5 6 0; 3 5 0 0; 3 4 0 0; 0 1 0 6
"""


def _read(mode: str, text: str) -> dict[str, tuple[int, ...]]:
    cycles = [cycle.split() for cycle in text.split(";")]
    return {" ".join([mode, *cycle]): tuple(int(degree) for degree in cycle) for cycle in cycles}


PROGRESSIONS = {"major": _read("major", _MAJOR), "minor": _read("minor", _MINOR)}
"""The progressions of each mode, by their names (``major 0 4 5 3``)."""


@dataclass(frozen=True)
class Colour:
    """A scale of a mode.

    Attributes:
        scale: its semitones above the tonic.
        share: how often it is played where the progression allows all scales of the mode.
        roots: the degrees whose chords leave the tonic in no doubt. Others make one hear the scale's notes as
            another key: D dorian with A minor chords is A minor, E phrygian with A minor chords as well.
    """

    scale: Scale
    share: float
    roots: frozenset[int]


_ALL = frozenset(range(7))
SCALES = {
    "major": {
        "ionian": Colour(harmony.IONIAN, 0.75, _ALL),
        "mixolydian": Colour(harmony.MIXOLYDIAN, 0.18, frozenset({0, 3, 6})),
        "lydian": Colour(harmony.LYDIAN, 0.07, frozenset({0, 1})),
    },
    "minor": {
        "aeolian": Colour(harmony.AEOLIAN, 0.62, _ALL),
        "dorian": Colour(harmony.DORIAN, 0.15, frozenset({0, 1, 3, 6})),
        "phrygian": Colour(harmony.PHRYGIAN, 0.10, frozenset({0, 1})),
        "harmonic minor": Colour(harmony.HARMONIC_MINOR, 0.13, _ALL),
    },
}
"""The scales of each mode, by name."""


def progression(mode: str, group: str) -> tuple[int, ...]:
    """Return the degrees of a progression by its name.

    Raises:
        UsageError: the mode has no progression of that name.
    """
    cycles = PROGRESSIONS[mode]
    if group not in cycles:
        raise UsageError(f"{group!r} is no {mode} progression; choose one of: {', '.join(cycles)}")
    return cycles[group]


def is_consonant(scale: Scale, root: int) -> bool:
    """Tell whether the triad on a degree has a perfect fifth, as those have on which dance music dwells."""
    bottom, _, fifth = harmony.triad(scale, root)
    return fifth - bottom == 7


@functools.cache
def fitting_scales(mode: str, degrees: tuple[int, ...]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the names of the scales that suit a progression, and their shares, which sum to 1.

    In these, all its triads are consonant, and none casts doubt on the tonic.
    """
    fitting = {
        name: colour.share
        for name, colour in SCALES[mode].items()
        if colour.roots.issuperset(degrees) and all(is_consonant(colour.scale, root) for root in degrees)
    }
    total = sum(fitting.values())
    return tuple(fitting), tuple(share / total for share in fitting.values())


def draw_scale(rng: np.random.Generator, mode: str, degrees: tuple[int, ...]) -> str:
    """Draw the name of a scale that fits the progression."""
    names, shares = fitting_scales(mode, degrees)
    return str(rng.choice(names, p=shares))
