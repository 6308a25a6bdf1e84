"""Styles of popular music as tables: what a band plays in a bar.

A pattern has one sign for each step of a bar, or of several bars; spaces are for the eye. ``.`` is silence and
``-`` holds what sounds.

==========  =================================================================================================
pattern     signs
==========  =================================================================================================
drums       ``X`` loud, ``x`` medium, ``o`` soft
bass        ``1`` ``3`` ``5`` ``6`` ``7`` ``8`` a tone of the chord, counted from its root; ``L`` a semitone
            or tone from the next root; ``w`` a step of a walk
chords      ``X`` ``x`` ``o`` all tones; ``1`` to ``6`` the lowest, second, ... tone, for arpeggios
==========  =================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

# General MIDI percussion key map.
KICK, STICK, SNARE, CLAP, HAT, PEDAL, OPEN, CRASH, RIDE, TAMBOURINE, COWBELL = (
    36,
    37,
    38,
    39,
    42,
    44,
    46,
    49,
    51,
    54,
    56,
)
TOM_HIGH, TOM, TOM_LOW = 50, 47, 43
BONGO_HIGH, BONGO_LOW, CONGA_MUTE, CONGA, CONGA_LOW, TIMBALE = 60, 61, 62, 63, 64, 65
AGOGO, CABASA, MARACAS, GUIRO, CLAVES, SURDO, SHAKER = 67, 69, 70, 73, 75, 41, 82

ACOUSTIC, ELECTRIC, DOUBLE, SYNTH, SLAP = (32, 33), (33, 34, 35), (32,), (38, 39), (36, 37)
PIANOS, RHODES, ORGANS = (0, 1, 2, 3), (4, 5), (16, 17, 18)
NYLON, STEEL, CLEAN, JAZZ_GUITAR, MUTED, CRUNCH = (24,), (25,), (27,), (26,), (28,), (29, 30)
STRINGS, BRASS, VOICES, PADS, MALLETS = (48, 49, 50), (61, 62, 56), (52, 53), (88, 89, 90, 94, 95), (11, 12)


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
    lowest: int = 55
    share: float = 1.0


@dataclass(frozen=True)
class Style:
    """A style.

    Attributes:
        name: ``bossa nova``.
        tempo: slowest and fastest, in beats a minute.
        families: of progressions (:data:`~pipelines.synthetic.accompaniments.progressions.FAMILIES`).
        colours: of chords (:data:`~pipelines.synthetic.accompaniments.progressions.COLOURS`).
        drums: alternatives, each with a pattern for each drum.
        bass: alternative patterns.
        layers: those who play chords; the first always plays.
        bass_programs: of General MIDI; one is drawn.
        beats: of a bar.
        steps: of a bar in patterns.
        swing: how late the second half of a beat is, in beats; 1/6 makes triplets.
        kits: programs of the drum channel.
    """

    name: str
    tempo: tuple[int, int]
    families: tuple[str, ...]
    drums: tuple[dict[int, str], ...]
    bass: tuple[str, ...]
    layers: tuple[Layer, ...]
    bass_programs: tuple[int, ...] = ELECTRIC
    colours: tuple[str, ...] = ("plain",)
    beats: int = 4
    steps: int = 16
    swing: float = 0.0
    kits: tuple[int, ...] = (0, 8)


_EIGHTHS = "x.o.x.o.x.o.x.o."
_BACKBEAT = "....X.......X..."
_OFFBEATS = "..x-..x-..x-..x-"
_WHOLE = "x---------------"

STYLES = (
    Style(
        "rock", (100, 150), ("rock", "pop"),
        ({KICK: "X.......X.x.....", SNARE: _BACKBEAT, HAT: _EIGHTHS},
         {KICK: "X..x..x.X.......", SNARE: _BACKBEAT, RIDE: _EIGHTHS},
         {KICK: "X.....x.X.....x.", SNARE: "....X..o.o..X...", OPEN: "x...x...x...x..."}),
        ("1-1-1-1-1-1-1-1-", "1---..1-1---5-8-", "1-----1-1-----L-"),
        (Layer(CLEAN + CRUNCH, (_WHOLE, "x---x---x-x-x-x-", "x-x-x-x-x-x-x-x-"), 48),
         Layer(ORGANS + PIANOS, (_WHOLE, "x---x---x---x---"), 57, 0.5)),
        colours=("plain", "plain", "power"), kits=(0, 8, 16),
    ),
    Style(
        "metal", (120, 190), ("rock", "modal"),
        ({KICK: "XxxxXxxxXxxxXxxx", SNARE: _BACKBEAT, CRASH: "x...x...x...x..."},
         {KICK: "X.xxX.xxX.xxX.xx", SNARE: "........X.......", OPEN: "x...x...x...x..."}),
        ("1.111.111.111.11", "1-1-1-1-1-1-1-1-", "111111111-1-3-L-"),
        (Layer((30, 29), ("X.xxX.xxX.xxX.xx", "X---X-X-X---X-X-", "X---------------"), 40),
         Layer((30,), ("X---X-X-X---X-X-", _WHOLE), 45, 0.6), Layer(STRINGS + VOICES, (_WHOLE,), 60, 0.2)),
        colours=("power",), kits=(16, 0),
    ),
    Style(
        "punk", (150, 210), ("rock", "pop"),
        ({KICK: "X..xX...X.x.X...", SNARE: "..X...X...X...X.", HAT: _EIGHTHS},
         {KICK: "X.......X.......", SNARE: _BACKBEAT, OPEN: "x.x.x.x.x.x.x.x."}),
        ("1-1-1-1-1-1-1-1-",), (Layer(CRUNCH, ("X-X-X-X-X-X-X-X-", "X-x-x-X-x-x-X-x-"), 43),),
        bass_programs=(34,), colours=("power", "plain"), kits=(0, 16),
    ),
    Style(
        "doo-wop", (60, 130), ("pop", "folk"),
        ({KICK: "X.....x.....", SNARE: "...X.....X..", RIDE: "xoxxoxxoxxox"},
         {KICK: "X.....X.....", SNARE: "...x.....x..", HAT: "xooxooxooxoo"}),
        ("1-----5-----", "1--3--5--6--", "1-------5-L-"),
        (Layer(PIANOS, ("xxxxxxxxxxxx",), 57), Layer(VOICES + STRINGS, ("x-----------",), 60, 0.5),
         Layer((65, 66, 67), ("...x-....x-.", "x-----......"), 52, 0.3), Layer(CLEAN, ("123432123432",), 52, 0.4)),
        steps=12, bass_programs=ACOUSTIC,
    ),
    Style(
        "country", (90, 190), ("folk", "pop"),
        ({KICK: "X.......X.......", SNARE: "..x...x...x...x.", HAT: "o.x.o.x.o.x.o.x."},
         {SNARE: "oxXxoxXxoxXxoxXx", KICK: "X...X...X...X..."}, {KICK: "X.......X.......", STICK: _BACKBEAT}),
        ("1-------5-------", "1---....5---..L-", "1---5---1---3-L-"),
        (Layer(STEEL, ("..x-..x-..x-..x-", "o-x-o-xxo-x-o-xx"), 52), Layer((105,), ("1323142313231423",), 55, 0.4),
         Layer(PIANOS, ("....x.......x...",), 57, 0.4), Layer((40, 49), (_WHOLE,), 60, 0.3)),
        bass_programs=ACOUSTIC,
    ),
    Style(
        "waltz", (85, 190), ("folk", "march", "latin"),
        ({KICK: "X.....", HAT: "..x.x."}, {KICK: "X.....", SNARE: "..o.o.", RIDE: "x.x.x."}, {}),
        ("1-----", "1-----5-----", "1---5-"),
        (Layer(PIANOS + STEEL + (21,), ("..x.x.", "..x-x-", "..xxx."), 55),
         Layer(STRINGS + (21, 22), ("x-----",), 60, 0.5), Layer(NYLON + (46,), ("123432", "1-2-3-"), 52, 0.3)),
        bass_programs=(32, 43), beats=3, steps=6, colours=("plain", "sevenths"),
    ),
    Style(
        "folk picking", (70, 140), ("folk", "pop", "modal"),
        ({}, {TAMBOURINE: _BACKBEAT}, {SHAKER: _EIGHTHS}),
        ("", "1-------5-------", _WHOLE.replace("x", "1")),
        (Layer(STEEL + NYLON, ("1.3.2.4.1.3.2.4.", "1.4.3.4.2.4.3.4.", "1-3-4-3-5-4-3-4-", "x-..x-xx..xxx-xx"), 43),
         Layer(STRINGS + (40, 42, 21), (_WHOLE,), 55, 0.4)),
        bass_programs=ACOUSTIC,
    ),
    Style(
        "ballad", (58, 92), ("pop", "jazz"),
        ({KICK: "X......xX.......", SNARE: "....x.......x...", HAT: _EIGHTHS}, {STICK: "....x.......x...", HAT: _EIGHTHS}, {}),
        ("1-----1-5-------", "1---------5-8-5-", "1-------------L-"),
        (Layer(PIANOS + RHODES, ("x---x---x---x---", "1-3-4-3-5-3-4-3-", "1-2-3-4-5-4-3-2-"), 50),
         Layer(STRINGS + PADS, (_WHOLE,), 58, 0.7), Layer(NYLON + STEEL, ("1-3-4-3-2-3-4-3-",), 52, 0.3)),
        colours=("plain", "sevenths", "rich"),
    ),
    Style(
        "soul", (85, 130), ("pop", "modal", "jazz"),
        ({KICK: "X.....x.X.x.....", SNARE: "x...x...x...x...", TAMBOURINE: "..x...x...x...x."},
         {KICK: "X..x......x.....", SNARE: "....X..o....X..o", HAT: _EIGHTHS}),
        ("1-.11-3-5-.56-8-", "1-..1-5-..8-7-5-", "1--11.3-5--55.6-"),
        (Layer(CLEAN, ("....x.......x...", "..x...x...x...x."), 57), Layer(ORGANS, (_WHOLE,), 57, 0.5),
         Layer(BRASS, ("x-..........x-x-", "......x-x......."), 60, 0.5), Layer(PIANOS, ("x...x...x...x...",), 52, 0.4)),
        colours=("plain", "sevenths"),
    ),
    Style(
        "funk", (90, 120), ("modal", "blues"),
        ({KICK: "X.x...x..x......", SNARE: "....X..o.o..X..o", HAT: "xoxoxoxoxoxoxoxo"},
         {KICK: "X..x..x...x..x..", SNARE: _BACKBEAT, HAT: "x.xxx.xxx.xxx.xx"}),
        ("1-.8..71..5.7.8.", "1.1...8.7.5.1..L", "1-....1.8-..7.5."),
        (Layer(CLEAN + MUTED, ("x.xx..x.xx.x.xx.", "..x...xx..x...xx"), 57), Layer((7, 4, 16), ("x..x..x.....x...",), 55, 0.6),
         Layer(BRASS, ("x.....x.........", "..........x.x-.."), 60, 0.4)),
        bass_programs=SLAP + ELECTRIC, colours=("sevenths", "rich"),
    ),
    Style(
        "disco", (108, 130), ("pop", "modal"),
        ({KICK: "X...X...X...X...", SNARE: _BACKBEAT, OPEN: "..x...x...x...x.", HAT: "x.o.x.o.x.o.x.o."},
         {KICK: "X...X...X...X...", CLAP: _BACKBEAT, HAT: "xoxoxoxoxoxoxoxo"}),
        ("1-8-1-8-1-8-1-8-", "1.1.8.1.5.5.7.8.", "..1...1...1...1-"),
        (Layer(CLEAN, ("x.xxx.xxx.xxx.xx", "..x...x...x...x."), 57), Layer(STRINGS, (_WHOLE, "x-----x---x-----"), 62, 0.7),
         Layer(PIANOS + RHODES, ("x..x..x...x..x..",), 55, 0.5)),
        bass_programs=(33, 38), colours=("plain", "sevenths"), kits=(0, 24, 25),
    ),
    Style(
        "reggae", (66, 96), ("pop", "modal", "rock"),
        ({KICK: "........X.......", STICK: "........x.......", HAT: "x.o.x.o.x.o.x.oo"},
         {KICK: "X...X...X...X...", SNARE: "........x.......", HAT: "..x...x...x...x."}),
        ("1---..1-3---5---", "....1-1-..3-5---", "1--1..5-..1---L-"),
        (Layer(CLEAN + MUTED, ("....x.......x...", "....x..x....x..x"), 57), Layer(ORGANS, ("..x...x...x...x.", "..xx..xx..xx..xx"), 55, 0.7),
         Layer(PIANOS, ("....x.......x...",), 55, 0.4)),
    ),
    Style(
        "ska", (125, 180), ("pop", "folk", "jazz"),
        ({KICK: "X.......X.......", SNARE: _BACKBEAT, HAT: "..x...x...x...x."},),
        ("w---w---w---w---", "1-3-5-6-8-6-5-3-", "1---3---5---3---"),
        (Layer(CLEAN, ("..x...x...x...x.",), 57), Layer(ORGANS + PIANOS, ("..x...x...x...x.",), 55, 0.6),
         Layer(BRASS, ("x---..x.........", "......x.x-......"), 60, 0.5)),
    ),
    Style(
        "bossa nova", (105, 150), ("latin", "jazz"),
        ({KICK: "X..xX..xX..xX..x", STICK: "x..x..x...x..x..", HAT: _EIGHTHS}, {SHAKER: "xoxoxoxoxoxoxoxo", STICK: "x..x..x...x..x.."}),
        ("1-----5-5-----1-", "1-----515-----L-"),
        (Layer(NYLON, ("x..x..x...x..x..", "x.x..x..x.x..x..", "x-..x-.x-..x-..."), 52),
         Layer(RHODES + PIANOS, ("..x-..x-...x-...",), 57, 0.3), Layer(STRINGS, (_WHOLE,), 60, 0.3), Layer(MALLETS, ("x-....x-........",), 60, 0.2)),
        bass_programs=ACOUSTIC, colours=("rich", "sevenths"), kits=(0, 32, 40),
    ),
    Style(
        "samba", (90, 130), ("latin", "pop"),
        ({SURDO: "....X--.....X-..", SNARE: "xooxoxooxoxooxox", AGOGO: "x.x.xx.x.x.x.xx.", SHAKER: "xoxoxoxoxoxoxoxo"},
         {KICK: "X..xX..xX..xX..x", TAMBOURINE: "xooxxooxxooxxoox"}),
        ("1-.55-.11-.55-.L", "1---5-.15---1-.5"),
        (Layer(NYLON + STEEL, ("x.xx.x.xx.x.xx.x", "x.x.xx.x.x.x.xx."), 57), Layer(PIANOS, ("x..x..x..x.x..x.",), 57, 0.4), Layer(BRASS, ("......x.x-......",), 60, 0.3)),
        bass_programs=ACOUSTIC, colours=("sevenths", "rich", "plain"),
    ),
    Style(
        "salsa", (85, 115), ("latin", "modal"),
        ({CLAVES: "x..x..x.....x...", CONGA_MUTE: "xoo.xoo.xoo.xoo.", CONGA: "......x-......xx", COWBELL: "x.x.x.xxx.x.x.xx", MARACAS: "xoxoxoxoxoxoxoxo"},
         {CONGA_LOW: "......x.......xx", TIMBALE: "x.xx.xx.x.xx.x.x", GUIRO: "x---x.x.x---x.x."}),
        ("...1--5-----1---", "1-....5-....8---"),
        (Layer(PIANOS, ("1.24.12.4.12.24.", "2.4.1.4..24.1.4.", "x.xx.xx.x.xx.xx."), 60), Layer(BRASS, ("......x.x-......", "x.x...x-........"), 60, 0.5),
         Layer(NYLON, ("x.x.xx.x.x.xx.x.",), 57, 0.3)),
        bass_programs=(32, 33), colours=("plain", "sevenths"),
    ),
    Style(
        "bolero", (70, 125), ("latin", "pop"),
        ({BONGO_HIGH: "x.ooxooox.ooxooo", CONGA: "............x.x.", MARACAS: _EIGHTHS}, {GUIRO: "x---x.x.x---x.x.", CONGA_LOW: "......x.......x."}),
        ("1-------3---5---", "1-----5-8---5---"),
        (Layer(NYLON, ("x.x.x.x.x.x.x.x.", "1-3-4-3-2-3-4-3-", "..x...x...x...x."), 52), Layer(PIANOS, ("....x-......x-x-",), 57, 0.4), Layer(STRINGS, (_WHOLE,), 60, 0.4)),
        bass_programs=ACOUSTIC, colours=("plain", "sevenths"),
    ),
    Style(
        "tango", (100, 135), ("latin", "march", "folk"),
        ({}, {SNARE: "x...x...x...x.xo"}), ("1---5---1---5---", "1---1---1---1.L-", "1-----1-5---1---"),
        (Layer((21, 23), ("X.x.X.x.X.x.X.x.", "X...X...X...X.x.", "X--x..x.X...x..."), 52), Layer(PIANOS, ("X...x...X...x.x.", "X--x--x-x---x---"), 50, 0.7), Layer((40, 49), (_WHOLE,), 60, 0.5)),
        bass_programs=DOUBLE, colours=("plain", "sevenths"),
    ),
    Style(
        "swing", (110, 240), ("jazz", "blues"),
        ({RIDE: "x...x.x.x...x.x.", PEDAL: "....x.......x...", KICK: "o...o...o...o..."}, {RIDE: "x...x.x.x...x.x.", SNARE: "......o.......o.", PEDAL: "....x.......x..."}),
        ("w---w---w---w---", "1-------5-------"),
        (Layer(PIANOS + JAZZ_GUITAR, ("x-....x-........", "..x...........x-", "x..x..........x-"), 55), Layer(JAZZ_GUITAR, ("x-..x-..x-..x-..",), 52, 0.4),
         Layer(BRASS + (65, 66), ("......x-....x...", "x-....x........."), 60, 0.3), Layer(MALLETS + RHODES, ("x-------........",), 57, 0.2)),
        bass_programs=DOUBLE, colours=("rich", "sevenths"), swing=1 / 6, kits=(32, 40, 0),
    ),
    Style(
        "jazz waltz", (110, 190), ("jazz",),
        ({RIDE: "x.x.xx", PEDAL: "..x...", KICK: "o....."}, {RIDE: "x.xxx.", STICK: "....x."}),
        ("w-w-w-", "1-----", "1---5-"),
        (Layer(PIANOS + JAZZ_GUITAR + RHODES, ("x-.x-.", "..x-x-", "x--x--"), 55), Layer(MALLETS + STRINGS, ("x-----",), 60, 0.3)),
        bass_programs=DOUBLE, beats=3, steps=6, colours=("rich", "sevenths"), swing=1 / 6, kits=(32, 40),
    ),
    Style(
        "shuffle", (80, 150), ("blues",),
        ({KICK: "X.....X.....", SNARE: "...X.....X..", RIDE: "x.xx.xx.xx.x"}, {KICK: "X..X..X..X..", SNARE: "...x.....x..", HAT: "x.xx.xx.xx.x"}),
        ("1--3--5--6--", "1-15-56-65-5", "w--w--w--w--", "1-11-15-58-8"),
        (Layer(CLEAN + CRUNCH, ("x.xx.xx.xx.x", "...x.....x..", "x-----......"), 48), Layer(PIANOS, ("x.xx.xx.xx.x", "..x..x..x..x"), 55, 0.6),
         Layer(ORGANS, ("x-----------",), 57, 0.4), Layer((65, 66, 61), ("........x-x.",), 57, 0.3)),
        steps=12, colours=("plain", "sevenths"), kits=(0, 8, 32),
    ),
    Style(
        "gospel", (55, 90), ("pop", "blues", "jazz"),
        ({KICK: "X....xX.....", SNARE: "...X.....X..", HAT: "xooxooxooxoo"}, {CLAP: "...X.....X..", TAMBOURINE: "x.xx.xx.xx.x"}),
        ("1-----5-----", "1----15-6-8-", "w--w--w--w--"),
        (Layer(PIANOS, ("x-xx-xx-xx-x", "x--x--x--x--"), 52), Layer(ORGANS, ("x-----------",), 57, 0.8), Layer(VOICES, ("x-----------",), 60, 0.5)),
        steps=12, colours=("sevenths", "rich", "plain"),
    ),
    Style(
        "march", (95, 130), ("march", "folk"),
        ({KICK: "X.......X.......", SNARE: "x.xxx.x.x.xxx.xx", CRASH: "........x......."}, {}),
        ("1---....5---....", "1-......5-......"),
        (Layer((60, 57, 61), ("....x-......x-..", "..x...x...x...x."), 52), Layer((56, 71, 61), (_WHOLE,), 60, 0.3), Layer((21,), ("....x.......x...",), 57, 0.3)),
        bass_programs=(58, 43),
    ),
    Style(
        "hymn", (60, 100), ("march", "folk"), ({},), ("1---1---1---1---", "1-------5-------"),
        (Layer((19, 20, 16, 52, 48), ("x---x---x---x---", "x-------x-------"), 52), Layer(VOICES, (_WHOLE,), 60, 0.3)),
        bass_programs=(43, 32), colours=("plain", "plain", "sevenths"),
    ),
    Style(
        "flamenco rumba", (95, 135), ("latin", "modal", "pop"),
        ({CLAP: "x..x..x...x.x...", CONGA: "x..x..x.x..x..x."}, {BONGO_LOW: "X..x..x.X..x..x.", CLAP: "..x...x...x...x."}),
        ("1-----1-5-----5-", "1--1..5-1--1..5-"),
        (Layer(NYLON, ("X.xxX.xXx.xxX.xx", "x..x..x.x..x..x."), 50), Layer(NYLON, ("1234543212345432",), 57, 0.4), Layer(PIANOS, ("x..x..x.x..x..x.",), 57, 0.3)),
        bass_programs=ACOUSTIC, colours=("plain", "sevenths"),
    ),
    Style(
        "hip hop", (72, 100), ("modal", "jazz", "pop"),
        ({KICK: "X..x...x..X.....", SNARE: _BACKBEAT, HAT: _EIGHTHS}, {KICK: "X.....x..xX.....", CLAP: _BACKBEAT, HAT: "x.xxx.x.x.xxxxx."}),
        ("1-----....1-....", "1---..1-..5-3---", "1---------------"),
        (Layer(RHODES + PIANOS, ("x-----......x-..", _WHOLE, "x---..x-....x---"), 55), Layer(PADS + STRINGS, (_WHOLE,), 60, 0.5),
         Layer(MALLETS + (46, 24), ("1-3-4-..5-4-3-..",), 64, 0.4)),
        bass_programs=SYNTH + ELECTRIC, colours=("sevenths", "rich"), swing=0.08, kits=(24, 25, 0),
    ),
    Style(
        "synth pop", (105, 140), ("pop", "rock"),
        ({KICK: "X...X...X...X...", CLAP: _BACKBEAT, HAT: "..x...x...x...x."}, {KICK: "X.....x.X...x...", SNARE: _BACKBEAT, HAT: "xoxoxoxoxoxoxoxo"}),
        ("1-1-1-1-1-1-1-1-", "1-8-1-8-1-8-1-8-", "1.11.11.1.11.11."),
        (Layer((81, 62, 63, 90), (_WHOLE, "x--x--x---x--x--"), 57), Layer((80, 81, 84, 5), ("1234321412343214", "1-3-2-4-1-3-2-4-"), 60, 0.6), Layer(PADS, (_WHOLE,), 60, 0.6)),
        bass_programs=SYNTH, kits=(24, 25, 16),
    ),
    Style(
        "ragtime", (80, 120), ("march", "folk", "jazz"), ({}, {}), ("1---5---1---5---", "8---5---1---L---"),
        (Layer((0, 3), ("..x...x...x...x.",), 55), Layer((3, 105), ("x.xx.xx.x.xx.xx.",), 60, 0.3)),
        bass_programs=(0, 3, 58), colours=("plain", "sevenths"),
    ),
)  # fmt: skip
"""All styles."""

BY_NAME = {style.name: style for style in STYLES}
