"""The kinds of dances: metre, tempo and the rhythms of their bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Rhythms = Mapping[tuple[float, ...], float]


@dataclass(frozen=True)
class Dance:
    """A kind of dance.

    Attributes:
        share: how often it is drawn, relative to others.
        beats: in a bar.
        groups: of notes in a bar: each begins on a stressed note.
        tempo: lowest and highest, in beats per minute.
        rhythms: lengths in beats of the notes of a group, with weights.
        finals: lengths in beats of the last note of a part, from which one is drawn.
        swing: where the second half of a beat begins, lowest and highest.
        steps: share of groups that move by step; the others leap.
        free: without a steady beat.
    """

    share: float
    beats: int
    groups: int
    tempo: tuple[float, float]
    rhythms: Rhythms
    finals: tuple[float, ...]
    swing: tuple[float, float] = (0.5, 0.5)
    steps: float = 0.5
    free: bool = False

    @property
    def division(self) -> int:
        """Strokes to a beat of a drum that plays along."""
        return 3 if (1 / 3, 1 / 3, 1 / 3) in self.rhythms and self.swing[1] < 0.57 else 2


_T = 1 / 3
_QUAVERS = (0.5, 0.5, 0.5, 0.5)
_THREES = {(_T, _T, _T): 0.78, (2 * _T, _T): 0.17, (1.0,): 0.05}

DANCES: Mapping[str, Dance] = {
    "reel": Dance(0.24, 4, 2, (165, 232), {
        _QUAVERS: 0.78, (1.0, 0.5, 0.5): 0.13, (0.5, 0.5, 1.0): 0.03, (1.5, 0.5): 0.03,
        (_T, _T, _T, 0.5, 0.5): 0.03,
    }, (2.0, 1.0), (0.5, 0.57)),
    "breakdown": Dance(0.06, 4, 2, (180, 240), {
        _QUAVERS: 0.6, (1.0, 0.5, 0.5): 0.28, (0.5, 0.5, 1.0): 0.07, (1.0, 1.0): 0.05,
    }, (2.0, 1.0), (0.5, 0.55)),
    "jig": Dance(0.2, 2, 2, (98, 132), _THREES, (1.0, 2 * _T), (0.5, 0.55)),
    "slip jig": Dance(0.05, 3, 3, (98, 130), {(_T, _T, _T): 0.62, (2 * _T, _T): 0.28, (1.0,): 0.1},
        (1.0,), (0.5, 0.54)),
    "slide": Dance(0.05, 2, 2, (130, 165), {(_T, _T, _T): 0.3, (2 * _T, _T): 0.58, (1.0,): 0.12},
        (1.0, 2 * _T)),
    "hornpipe": Dance(0.08, 4, 2, (130, 185), {
        _QUAVERS: 0.76, (_T, _T, _T, 0.5, 0.5): 0.1, (0.5, 0.5, _T, _T, _T): 0.05, (1.0, 0.5, 0.5): 0.05,
        (1.0, 1.0): 0.04,
    }, (2.0, 1.0), (0.58, 0.68)),
    "polka": Dance(0.08, 2, 2, (118, 150), {
        (0.5, 0.25, 0.25): 0.24, (0.5, 0.5): 0.3, (0.25, 0.25, 0.25, 0.25): 0.2, (0.25, 0.25, 0.5): 0.1,
        (0.75, 0.25): 0.12, (1.0,): 0.04,
    }, (1.0,)),
    "march": Dance(0.06, 4, 4, (90, 132), {
        (0.75, 0.25): 0.35, (0.5, 0.5): 0.3, (1.0,): 0.3, (_T, _T, _T): 0.05,
    }, (2.0, 1.0), (0.5, 0.6), 0.4),
    "strathspey": Dance(0.04, 4, 4, (108, 145), {
        (0.75, 0.25): 0.45, (0.25, 0.75): 0.3, (1.0,): 0.1, (_T, _T, _T): 0.08, (0.5, 0.5): 0.07,
    }, (1.0, 2.0), steps=0.35),
    "schottische": Dance(0.03, 4, 2, (120, 160), {
        _QUAVERS: 0.5, (_T, _T, _T, 0.5, 0.5): 0.1, (1.0, 0.5, 0.5): 0.2, (0.5, 0.5, 1.0): 0.15,
        (1.0, 1.0): 0.05,
    }, (2.0, 1.0), (0.58, 0.67)),
    "an dro": Dance(0.04, 4, 2, (100, 150), {
        (1.0, 0.5, 0.5): 0.35, _QUAVERS: 0.3, (0.5, 0.5, 1.0): 0.2, (1.0, 1.0): 0.15,
    }, (2.0, 1.0), (0.5, 0.6), 0.8),
    "hambo": Dance(0.03, 3, 3, (95, 130), {
        (0.5, 0.5): 0.4, (0.75, 0.25): 0.15, (_T, _T, _T): 0.1, (0.25, 0.25, 0.25, 0.25): 0.1, (1.0,): 0.25,
    }, (2.0, 1.0)),
    "waltz": Dance(0.08, 3, 3, (90, 160), {(1.0,): 0.5, (0.5, 0.5): 0.43, (0.75, 0.25): 0.07},
        (3.0, 2.0), (0.5, 0.56), 0.6),
    "air": Dance(0.04, 3, 3, (48, 80), {
        (1.0,): 0.4, (0.5, 0.5): 0.35, (0.75, 0.25): 0.15, (0.5, 0.25, 0.25): 0.1,
    }, (3.0, 2.0), steps=0.65, free=True),
}  # fmt: skip
"""The dances by name."""
