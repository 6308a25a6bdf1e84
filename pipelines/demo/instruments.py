"""The instruments of the demo: General MIDI programs by role, separate for training and test.

The training and test palettes share no samples of the soundfont ``TimGM6mb.sf2``, except three at the top of
a preset's range (Clavinet D6, Soft Trumpet C6, Brass C6) and some strokes shared by drum kits.
"""

from __future__ import annotations

from dataclasses import dataclass

# General MIDI 1 Sound Set, MIDI Manufacturers Association 1991; programs counted from 0.
PROGRAM_NAMES = {
    0: "piano", 2: "electric grand", 4: "electric piano", 5: "fm piano", 6: "harpsichord",
    7: "clavinet", 8: "celesta", 9: "glockenspiel", 10: "music box", 11: "vibraphone", 12: "marimba",
    13: "xylophone", 15: "dulcimer", 16: "drawbar organ", 17: "percussive organ", 18: "rock organ",
    19: "church organ", 20: "reed organ", 21: "accordion", 22: "harmonica",
    24: "nylon guitar", 25: "steel guitar", 26: "jazz guitar", 27: "clean guitar",
    29: "overdriven guitar", 32: "acoustic bass", 33: "fingered bass", 34: "picked bass",
    36: "slap bass", 37: "slap bass 2", 38: "synth bass", 40: "violin", 41: "viola", 42: "cello",
    43: "contrabass", 45: "pizzicato", 46: "harp", 48: "strings", 49: "slow strings",
    50: "synth strings", 51: "synth strings 2", 52: "choir", 53: "oohs", 54: "synth voice",
    56: "trumpet", 57: "trombone", 58: "tuba", 59: "muted trumpet", 60: "horn", 61: "brass",
    63: "synth brass", 64: "soprano sax", 65: "alto sax", 66: "tenor sax", 67: "baritone sax",
    68: "oboe", 69: "english horn", 70: "bassoon", 71: "clarinet", 73: "flute", 74: "recorder",
    75: "pan flute", 76: "bottle", 77: "shakuhachi", 78: "whistle", 79: "ocarina", 80: "square lead",
    81: "saw lead", 87: "bass and lead", 89: "warm pad", 90: "poly synth",
    91: "space voice", 93: "metal pad", 95: "sweep pad", 96: "ice rain", 99: "atmosphere", 104: "sitar",
    105: "banjo", 107: "koto", 108: "kalimba", 111: "shenai", 114: "steel drum",
}  # fmt: skip

KIT_NAMES = {
    0: "standard kit",
    8: "room kit",
    16: "power kit",
    24: "electronic kit",
    25: "808 kit",
    40: "brush kit",
}


@dataclass(frozen=True)
class Palette:
    """Programs by role; ``ensembles`` go from the highest part to the lowest."""

    lead: tuple[int, ...]
    keys: tuple[int, ...]
    pad: tuple[int, ...]
    pluck: tuple[int, ...]
    bass: tuple[int, ...]
    ensembles: tuple[tuple[int, int, int, int], ...]
    kits: tuple[int, ...]

    @property
    def programs(self) -> frozenset[int]:
        """All programs, without the drum kits."""
        roles = (self.lead, self.keys, self.pad, self.pluck, self.bass, *self.ensembles)
        return frozenset(program for role in roles for program in role)


TRAIN_PALETTE = Palette(
    lead=(80, 81, 73, 64, 65, 56, 71, 75, 76, 77, 29, 4, 0, 87, 52, 57, 21),
    keys=(0, 0, 2, 4, 6, 11, 15, 16, 19, 20, 21, 25, 27, 99),
    pad=(48, 49, 50, 51, 52, 61, 81, 89, 90, 93, 95, 19, 16),
    pluck=(24, 25, 27, 0, 4, 9, 11, 12, 15, 108, 45, 107, 6, 80, 81, 96, 99),
    bass=(32, 33, 38, 58, 87, 81),
    ensembles=((48, 48, 48, 48), (56, 56, 57, 58), (64, 65, 65, 64), (52, 52, 52, 52), (73, 71, 71, 71),
               (75, 73, 71, 57), (80, 80, 81, 38), (45, 45, 45, 32), (11, 11, 12, 12), (61, 61, 61, 58),
               (50, 50, 50, 50), (9, 108, 12, 12)),
    kits=(0, 8, 16, 24),
)  # fmt: skip

TEST_PALETTE = Palette(
    lead=(74, 79, 78, 68, 40, 66, 59, 22, 111, 104, 91, 18, 26),
    keys=(5, 7, 17, 18, 46, 26, 5),
    pad=(53, 54, 63, 91, 17, 60),
    pluck=(26, 46, 10, 13, 8, 105, 114, 5, 7),
    bass=(34, 36, 37, 43, 70),
    ensembles=((40, 41, 42, 43), (68, 69, 70, 70), (60, 60, 60, 60), (53, 53, 53, 53), (74, 79, 66, 67),
               (59, 60, 42, 43), (63, 63, 63, 63)),
    kits=(25, 40),
)  # fmt: skip

PALETTES = {"train": TRAIN_PALETTE, "validation": TRAIN_PALETTE, "test": TEST_PALETTE}
