"""The styles of electronic dance music: tempo, drum patterns, figures of the bass.

Positions in a bar of four beats are in beats from 0; a beat is a quarter note.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Pattern = tuple[float, ...]

_FOUR: Pattern = (0, 1, 2, 3)
_BACKBEAT: Pattern = (1, 3)
_OFFBEATS: Pattern = (0.5, 1.5, 2.5, 3.5)


@dataclass(frozen=True)
class Style:
    """What clips of a style have in common.

    Attributes:
        share: how often the style is drawn.
        tempo: lowest and highest, in beats per minute.
        kicks: patterns of the bass drum, one of which is drawn.
        snares: patterns of snare drum or clap.
        hats: positions that the hi-hat always plays; others are drawn.
        swing: the largest delay of every second sixteenth, in beats.
        bass: figures of the bass with their weights (:mod:`pipelines.synthetic.electronic.bass`).
        chord_beats: lengths of a chord with their weights.
        ducking: how often the bass drum ducks the other layers (side-chain compression).
        likelier: what the style multiplies the probability of a layer by.
    """

    share: float
    tempo: tuple[float, float]
    kicks: tuple[Pattern, ...]
    snares: tuple[Pattern, ...]
    hats: Pattern
    swing: float
    bass: dict[str, float]
    chord_beats: dict[int, float]
    ducking: float
    likelier: Mapping[str, float] = field(default_factory=dict)


STYLES = {
    "house": Style(
        share=0.25,
        tempo=(118, 128),
        kicks=(_FOUR,),
        snares=(_BACKBEAT,),
        hats=_OFFBEATS,
        swing=0.07,
        bass={"long": 1, "offbeat": 2, "octaves": 1, "riff": 3, "stabs": 1, "pedal": 0.5},
        chord_beats={2: 1, 4: 4, 8: 2},
        ducking=0.5,
        likelier={"stabs": 1.3, "vocal": 1.3},
    ),
    "techno": Style(
        share=0.18,
        tempo=(120, 132),
        kicks=(_FOUR, (0, 1, 2, 3, 3.75), (0, 1, 2, 2.75, 3)),
        snares=(_BACKBEAT, (), (3,)),
        hats=_OFFBEATS,
        swing=0.03,
        bass={"offbeat": 2, "rolling": 3, "riff": 2, "pedal": 1, "long": 1},
        chord_beats={4: 3, 8: 3, 16: 1},
        ducking=0.5,
        likelier={"pad": 0.8, "stabs": 1.2, "acid": 2, "lead": 0.6},
    ),
    "trance": Style(
        share=0.14,
        tempo=(124, 140),
        kicks=(_FOUR,),
        snares=(_BACKBEAT,),
        hats=_OFFBEATS,
        swing=0.0,
        bass={"offbeat": 3, "rolling": 3, "octaves": 2, "long": 0.5},
        chord_beats={2: 0.5, 4: 4, 8: 3},
        ducking=0.7,
        likelier={"pad": 1.4, "arpeggio": 1.7, "acid": 1.5, "lead": 1.2},
    ),
    "hip hop": Style(
        share=0.13,
        tempo=(76, 110),
        kicks=((0, 2.5), (0, 0.75, 2.5), (0, 1.75, 2.25), (0, 0.5, 2.75)),
        snares=(_BACKBEAT,),
        hats=(0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5),
        swing=0.1,
        bass={"long": 3, "kick": 3, "riff": 2},
        chord_beats={2: 2, 4: 4, 8: 1},
        ducking=0.2,
        likelier={"speech": 6, "percussion": 0.7, "risers": 0.3},
    ),
    "dubstep": Style(
        share=0.11,
        tempo=(135, 150),
        kicks=((0,), (0, 1.5), (0, 3.5), (0, 0.75, 3.25)),
        snares=((2,),),
        hats=(0, 1, 2, 3),
        swing=0.04,
        bass={"wobble": 4, "long": 2, "riff": 1, "kick": 1},
        chord_beats={4: 3, 8: 3},
        ducking=0.4,
        likelier={"speech": 1.5, "pad": 1.2},
    ),
    "drum and bass": Style(
        share=0.12,
        tempo=(165, 178),
        kicks=((0, 2.5), (0, 0.5, 2.5), (0, 1.75, 2.75)),
        snares=(_BACKBEAT, (1, 1.75, 3)),
        hats=(0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5),
        swing=0.03,
        bass={"long": 4, "wobble": 1, "riff": 2, "kick": 1},
        chord_beats={4: 2, 8: 4, 16: 1},
        ducking=0.3,
        likelier={"pad": 1.4, "arpeggio": 0.7},
    ),
    "ambient": Style(
        share=0.07,
        tempo=(60, 110),
        kicks=((0,), (0, 2.5)),
        snares=((), (2,)),
        hats=(),
        swing=0.0,
        bass={"long": 3, "pedal": 2},
        chord_beats={4: 3, 8: 3},
        ducking=0.1,
        likelier={
            "kick": 0.2,
            "snare": 0.15,
            "hats": 0.2,
            "bass": 0.75,
            "pad": 1.8,
            "stabs": 0.2,
            "noise": 1.5,
        },
    ),
}
"""The styles by name."""
