"""The content of the demo dataset: one recipe for every track, drawn only from names.

A track is a piece with a transposition, an arrangement, instruments, a tempo and a tuning. The recipes are
made without reading any score; listing them takes milliseconds.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from pipelines.demo.instruments import KIT_NAMES, PALETTES, PROGRAM_NAMES
from pipelines.demo.scores import Piece, pieces
from tfkey.keys import KEYS, Key

Size = Literal["default", "tiny"]
SPLITS = ("train", "validation", "test")

# Tracks per key in each split, and the length of each track in seconds.
TRACKS_PER_KEY: dict[str, dict[str, int]] = {
    "default": {"train": 16, "validation": 3, "test": 4},
    "tiny": {"train": 1, "validation": 1, "test": 1},
}
SECONDS: dict[str, float] = {"default": 15.0, "tiny": 10.0}
# Pieces per mode in each split; reading a score takes about as long as rendering 10 s.
PIECES_PER_MODE: dict[str, int | None] = {"default": None, "tiny": 4}

MAX_TUNING_CENTS = 30.0


@dataclass(frozen=True)
class Style:
    """How an arrangement is drawn: its roles, its tempi in quarters per minute, its share of the tracks."""

    roles: tuple[str, ...]
    slowest: float
    fastest: float
    share: float
    may_loop: bool = False


# Grooves put two drum beats on a quarter of the score, whose harmony moves with every quarter.
STYLES: dict[str, Style] = {
    "parts": Style(("ensemble",), 60, 120, 0.16),
    "keyboard": Style(("keys",), 60, 140, 0.16),
    "duo": Style(("lead", "bass"), 70, 130, 0.06),
    "pads": Style(("pad", "lead", "bass"), 50, 100, 0.14, may_loop=True),
    "arpeggio": Style(("pluck", "bass", "lead"), 45, 90, 0.16, may_loop=True),
    "band": Style(("lead", "keys", "bass", "kit"), 50, 85, 0.16, may_loop=True),
    "electro": Style(("lead", "pad", "pluck", "bass", "kit"), 50, 80, 0.16, may_loop=True),
}


@dataclass(frozen=True)
class Recipe:
    """Everything that defines a track.

    Args:
        track: its name, unique in the dataset; also the seed of everything random in it.
        split: ``train``, ``validation`` or ``test``.
        piece: the composition.
        key: the key it sounds in.
        transposition: from the piece's key to this one, in semitones, -6 to 5.
        arrangement: a name in :data:`STYLES`.
        section: ``opening`` or ``close`` of the piece.
        loop_beats: so many quarters of the section are repeated; 0: it is played once, then from the start.
        programs: General MIDI programs by role; of an ensemble, one for each part from the highest down.
        tempo: quarters per minute.
        tuning_cents: offset from A4 = 440 Hz.
        peak_db: the highest sample, in dB below full scale (negative).
        seconds: length of the track.
    """

    track: str
    split: str
    piece: Piece
    key: Key
    transposition: int
    arrangement: str
    section: str
    loop_beats: int
    programs: dict[str, tuple[int, ...]]
    tempo: float
    tuning_cents: float
    peak_db: float
    seconds: float

    @property
    def path(self) -> str:
        """The path of the track below the dataset's folder."""
        return f"{self.split}/{self.key.folder}/{self.track}.flac"

    @property
    def instruments(self) -> str:
        """The names of the instruments, each once, separated by semicolons."""
        names = [
            KIT_NAMES[program] if role == "kit" else PROGRAM_NAMES[program]
            for role, programs in self.programs.items()
            for program in programs
        ]
        return "; ".join(dict.fromkeys(names))

    def row(self) -> dict[str, str]:
        """The track's row of ``tracks.csv``."""
        return {
            "track": self.track,
            "path": self.path,
            "key": self.key.long,
            "split": self.split,
            "piece": self.piece.name,
            "composer": self.piece.composer,
            "work": self.piece.work,
            "arrangement": self.arrangement,
            "instruments": self.instruments,
            "tempo": f"{self.tempo:.1f}",
            "tuning_cents": f"{self.tuning_cents:.1f}",
            "transposition": str(self.transposition),
        }


def recipes(size: Size = "default") -> list[Recipe]:
    """Return all recipes of the dataset in one of its sizes, by split, key and number.

    All keys of a split have the same number of tracks. The pieces of a mode take turns, so that all of them
    are used about equally often.
    """
    listed = []
    for split in SPLITS:
        per_key = TRACKS_PER_KEY[size][split]
        for key in KEYS:
            own = _in_turn(split, key.mode)[: PIECES_PER_MODE[size]]
            for number in range(per_key):
                # A mode has 12 keys, so this counts its tracks, and every piece gets its turn.
                piece = own[(number * 12 + key.tonic) % len(own)]
                listed.append(
                    _recipe(
                        f"{piece.name}_{key.short.lower()}_{number:02d}", split, piece, key, SECONDS[size]
                    )
                )
    return listed


def _in_turn(split: str, mode: str) -> list[Piece]:
    own = [piece for piece in pieces() if piece.split == split and piece.key.mode == mode]
    random.Random(f"{split} {mode}").shuffle(own)
    return own


def _recipe(track: str, split: str, piece: Piece, key: Key, seconds: float) -> Recipe:
    draw = random.Random(track)
    arrangement = draw.choices(list(STYLES), [style.share for style in STYLES.values()])[0]
    style = STYLES[arrangement]
    return Recipe(
        track=track,
        split=split,
        piece=piece,
        key=key,
        transposition=(key.tonic - piece.key.tonic + 6) % 12 - 6,
        arrangement=arrangement,
        section=draw.choice(piece.sections),
        loop_beats=draw.choice((8, 16)) if style.may_loop and draw.random() < 0.3 else 0,
        programs=_programs(style.roles, split, draw),
        tempo=round(draw.uniform(style.slowest, style.fastest), 1),
        # Most recordings are close to A4 = 440 Hz; few are a sixth of a semitone off.
        tuning_cents=round(max(-MAX_TUNING_CENTS, min(MAX_TUNING_CENTS, draw.gauss(0, 9))), 1),
        peak_db=round(draw.uniform(-12, -3), 1),
        seconds=seconds,
    )


def _programs(roles: tuple[str, ...], split: str, draw: random.Random) -> dict[str, tuple[int, ...]]:
    palette = PALETTES[split]
    chosen: dict[str, tuple[int, ...]] = {}
    for role in roles:
        if role == "ensemble":
            chosen[role] = draw.choice(palette.ensembles)
        else:
            chosen[role] = (draw.choice(getattr(palette, "kits" if role == "kit" else role)),)
    return chosen
