"""The 24 keys: what they are called, how they are written, and how they are related.

A key is a tonic (pitch class, C = 0 .. B = 11) and a mode (major or minor); its class index is the
tonic, plus 12 if minor. This module needs nothing but the standard library and imports in milliseconds.

Notations, after their sources:

===========  =============  ========================================================================
notation     ``Ab minor``   source
===========  =============  ========================================================================
long         ``Ab minor``   the literature, ``mir_eval.key``
short        ``Abm``        ID3v2.3/2.4, frame ``TKEY``: at most three characters, ``m`` for minor
camelot      ``1A``         the Camelot wheel of Mixed In Key: A minor, B major, ``8B`` = C major
openkey      ``6m``         Open Key of Traktor and others: m minor, d major, ``1d`` = C major
folder       ``Ab-min``     the key folders of prepared data sets
===========  =============  ========================================================================
"""

from __future__ import annotations

import enum
import functools
import operator
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from tfkey.errors import KeyParseError, UsageError

Mode = Literal["major", "minor"]
Relation = Literal["same", "fifth", "fifth_up", "fifth_down", "relative", "parallel", "other"]

N_CLASSES = 24

FLAT_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

# One clockwise step on either wheel is a fifth up, and 7 * 7 = 1 (mod 12), so the same factor of 7
# leads from tonic to wheel position and back.
_FIFTH = 7
_CAMELOT_OF_C = 8
_OPEN_KEY_OF_C = 1


class Notation(str, enum.Enum):
    """The ways in which :meth:`Key.write` writes a key; each is also a plain string."""

    LONG = "long"
    SHORT = "short"
    CAMELOT = "camelot"
    OPENKEY = "openkey"
    FOLDER = "folder"


@functools.total_ordering
@dataclass(frozen=True)
class Key:
    """A musical key. Immutable, hashable, and ordered by class index.

    Args:
        tonic: pitch class of the tonic, 0 (C) to 11 (B).
        mode: ``"major"`` or ``"minor"``.

    Raises:
        ValueError: the tonic or the mode is none of these.

    """

    tonic: int
    mode: Mode

    def __post_init__(self) -> None:
        """Refuse what is no key, and turn any integer type into ``int``."""
        tonic = operator.index(self.tonic)
        if not 0 <= tonic < 12:
            raise ValueError(f"tonic {tonic} is no pitch class: give 0 (C) to 11 (B)")
        if self.mode not in ("major", "minor"):
            raise ValueError(f"mode {self.mode!r} is neither 'major' nor 'minor'")
        object.__setattr__(self, "tonic", tonic)

    def __lt__(self, other: object) -> bool:
        """Order by class index."""
        return self.index < other.index if isinstance(other, Key) else NotImplemented

    def __str__(self) -> str:
        """Return the long notation."""
        return self.long

    @classmethod
    def from_index(cls, index: int) -> Key:
        """Return the key of a class index, 0 to 23 (``ValueError`` outside of that)."""
        index = operator.index(index)
        if not 0 <= index < N_CLASSES:
            raise ValueError(f"class index {index} is no key: give 0 to {N_CLASSES - 1}")
        return cls(index % 12, "minor" if index >= 12 else "major")

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read a key; the same as :func:`parse_key`."""
        return parse_key(text)

    @property
    def index(self) -> int:
        """The class index: tonic, plus 12 if minor."""
        return self.tonic + (12 if self.mode == "minor" else 0)

    @property
    def long(self) -> str:
        """The key in words, with flats: ``Ab minor``."""
        return self.write(Notation.LONG)

    @property
    def short(self) -> str:
        """The key as the ID3v2 frame ``TKEY`` has it, with flats, at most 3 characters: ``Abm``."""
        return self.write(Notation.SHORT)

    @property
    def camelot(self) -> str:
        """The position on the Camelot wheel: ``1A``."""
        return self.write(Notation.CAMELOT)

    @property
    def open_key(self) -> str:
        """The position on the Open Key wheel: ``6m``."""
        return self.write(Notation.OPENKEY)

    @property
    def folder(self) -> str:
        """The name of the key's folder in a prepared data set, with flats: ``Ab-min``."""
        return self.write(Notation.FOLDER)

    def write(self, notation: Notation | str = Notation.LONG, *, sharps: bool = False) -> str:
        """Return the key in a notation, which :func:`parse_key` reads back.

        Args:
            notation: a :class:`Notation` or its name.
            sharps: write ``G#`` in place of ``Ab``. The wheels have no accidentals, and the folder
                names are a fixed format with flats, so these three stay as they are.

        Raises:
            UsageError: there is no such notation.

        """
        try:
            notation = Notation(notation)
        except ValueError:
            allowed = ", ".join(member.value for member in Notation)
            raise UsageError(f"notation {notation!r} is unknown: choose one of {allowed}") from None
        minor = self.mode == "minor"
        if notation is Notation.CAMELOT:
            return f"{self._wheel_position(_CAMELOT_OF_C)}{'A' if minor else 'B'}"
        if notation is Notation.OPENKEY:
            return f"{self._wheel_position(_OPEN_KEY_OF_C)}{'m' if minor else 'd'}"
        if notation is Notation.FOLDER:
            return f"{FLAT_NAMES[self.tonic]}-{self.mode[:3]}"
        name = (SHARP_NAMES if sharps else FLAT_NAMES)[self.tonic]
        if notation is Notation.SHORT:
            return f"{name}m" if minor else name
        return f"{name} {self.mode}"

    @property
    def fifth_up(self) -> Key:
        """The key of the same mode a perfect fifth above: its dominant side on the circle of fifths."""
        return self.transpose(_FIFTH)

    @property
    def fifth_down(self) -> Key:
        """The key of the same mode a perfect fifth below: its subdominant side."""
        return self.transpose(-_FIFTH)

    @property
    def relative(self) -> Key:
        """The key of the other mode with the same key signature: C major and A minor."""
        if self.mode == "minor":
            return Key((self.tonic + 3) % 12, "major")
        return Key((self.tonic + 9) % 12, "minor")

    @property
    def parallel(self) -> Key:
        """The key of the other mode with the same tonic: C major and C minor."""
        return Key(self.tonic, "major" if self.mode == "minor" else "minor")

    def transpose(self, semitones: int) -> Key:
        """Return the key of the same mode that many semitones higher (lower if negative)."""
        return Key((self.tonic + operator.index(semitones)) % 12, self.mode)

    def _wheel_position(self, position_of_c: int) -> int:
        major = self.relative if self.mode == "minor" else self
        return (_FIFTH * major.tonic + position_of_c - 1) % 12 + 1


KEYS: tuple[Key, ...] = tuple(Key.from_index(index) for index in range(N_CLASSES))
"""All keys by class index."""

KEY_FOLDERS: tuple[str, ...] = tuple(sorted(key.folder for key in KEYS))
"""The 24 key folder names, in the order in which a file system lists them."""

_MAJORS_BY_FIFTHS = tuple(Key(_FIFTH * i % 12, "major") for i in range(12))

CIRCLE_OF_FIFTHS: tuple[Key, ...] = _MAJORS_BY_FIFTHS + tuple(key.relative for key in _MAJORS_BY_FIFTHS)
"""All keys for pictures: the majors C, G, D .. F, then their relative minors A, E, B .. D."""


def relation(reference: Key, estimate: Key, *, directed: bool = False) -> Relation:
    """Name what the estimate is to the reference.

    ``"same"``; ``"fifth"``: same mode, tonics a perfect fifth apart in either direction;
    ``"relative"``: same key signature, other mode; ``"parallel"``: same tonic, other mode; else
    ``"other"``. With ``directed``, fifths are told apart: ``"fifth_up"`` if the estimate lies a fifth
    above the reference, ``"fifth_down"`` if it lies a fifth below.
    """
    if estimate == reference:
        return "same"
    if estimate == reference.fifth_up:
        return "fifth_up" if directed else "fifth"
    if estimate == reference.fifth_down:
        return "fifth_down" if directed else "fifth"
    if estimate == reference.relative:
        return "relative"
    if estimate == reference.parallel:
        return "parallel"
    return "other"


_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

_SIGNS = {"": 0, "#": 1, "##": 2, "x": 2, "b": -1, "bb": -2, "♮": 0}
_SIGN_WORDS = {"sharp": 1, "flat": -1, "natural": 0}


def _german_names() -> dict[str, int]:
    """Return the German note names, in lower case, with their pitch classes."""
    naturals = {name.lower(): tonic for name, tonic in _NATURALS.items() if name != "B"} | {"h": 11}
    names = {"b": 10, "heses": 9}
    for name, tonic in naturals.items():
        names |= {name: tonic, f"{name}is": (tonic + 1) % 12, f"{name}isis": (tonic + 2) % 12}
        if name != "h":
            stem = name if name in "ae" else f"{name}e"
            names |= {f"{stem}s": (tonic - 1) % 12, f"{stem}ses": (tonic - 2) % 12}
    return names


_GERMAN = _german_names()

_WHEEL = re.compile(r"(?P<position>0?[1-9]|1[0-2])\s*(?P<letter>[ABDM])", re.IGNORECASE)

# "Major" is also a capital M, "minor" also a small m: these two alone depend on case. A capital B is a
# flat only before a mode in words ("AB MINOR"), where it can be nothing else.
_NAMED = re.compile(
    r"""
    (?P<letter>[A-Ga-g])
    (?:
        (?P<sign>\#\#?|bb?|x|♮|B(?=[\s_:-]*(?i:maj|min)))
        | [\s_-]* (?P<double>(?i:double)[\s_-]*)? (?P<word>(?i:sharp|flat|natural))
    )?
    (?:
        [\s_:-]*
        (?: (?P<major>(?i:major|maj\.?)|M) | (?P<minor>(?i:minor|min\.?)|m) | (?P<german>(?i:dur|moll)) )
    )?
    """,
    re.VERBOSE,
)

_GERMAN_KEY = re.compile(r"(?P<name>[a-h][eis]*)[\s_:-]*(?P<mode>dur|moll)", re.IGNORECASE)

# music21 writes E flat as "E-": "E- minor" may be that, or E minor carelessly typed.
_MUSIC21_FLAT = re.compile(r"[A-Ga-g]-+\s")

_SPACED_SIGN = re.compile(r" (?=[#♯♭𝄪𝄫♮])")

_SPELLING = str.maketrans(
    {"♯": "#", "♭": "b", "𝄪": "##", "𝄫": "bb", "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-"}
    | dict.fromkeys("\x00\ufeff\u200b\u2060\ufe0e\ufe0f", "")
)


def parse_key(text: str) -> Key:
    """Read a key in any spelling that names one key for certain.

    Names are a letter, an accidental if any (``#``, ``b``, ``x``, ``##``, ``bb``, their Unicode signs,
    or the words sharp, flat, natural), and a mode: ``major``, ``maj``, ``M``, or nothing for major;
    ``minor``, ``min``, ``m`` for minor. Space, ``-``, ``_`` and ``:`` may stand between; case matters in
    ``M`` and ``m`` only. Camelot codes (``8B``, ``08b``), Open Key codes (``1d``, ``6m``), and enharmonic
    or doubled names with a slash (``C#/Db minor``, ``8A / Am``) are read if all parts agree.

    German names are read with *Dur* or *Moll* only (``As-Moll``, ``Fis-Dur``), and then ``H`` is B and
    ``B`` is B flat; everywhere else ``B`` is the English B and ``H`` is an error.

    Not guessed at: a small letter without a mode (``a`` is A minor to some and A major to others),
    ``E- minor`` (E flat minor in music21's spelling), two different keys, no key.

    Raises:
        KeyParseError: the text names no key, or not one for certain.

    """
    if isinstance(text, str):
        spelled = _SPACED_SIGN.sub("", " ".join(text.split())).translate(_SPELLING)
        clean = unicodedata.normalize("NFKC", spelled)
        clean = " ".join(clean.split())
        key = _parse_one(clean) or _parse_alternatives(clean)
        if key is not None:
            return key
    shown = repr(text) if len(repr(text)) <= 60 else repr(text)[:56] + "...'"
    raise KeyParseError(f"{shown} names no key: write it like 'Ab minor', 'F# major', 'Abm', '1A' or '6m'")


def _parse_one(text: str) -> Key | None:
    """Read a text that holds one name of one key."""
    if match := _WHEEL.fullmatch(text):
        return _from_wheel(int(match["position"]), match["letter"].upper())
    if match := _GERMAN_KEY.fullmatch(text):
        tonic = _GERMAN.get(match["name"].lower())
        if tonic is not None:
            return Key(tonic, "major" if match["mode"].lower() == "dur" else "minor")
    match = _NAMED.fullmatch(text)
    if match is None or _MUSIC21_FLAT.match(text):
        return None
    letter = match["letter"]
    has_mode = match["major"] or match["minor"] or match["german"]
    if letter.islower() and not has_mode:
        return None
    if match["word"]:
        shift = _SIGN_WORDS[match["word"].lower()] * (2 if match["double"] else 1)
    else:
        shift = _SIGNS[(match["sign"] or "").lower()]
    # "B-Dur" was read above; "B# Dur" mixes both languages about the one letter on which they differ.
    if match["german"] and letter in "Bb" and shift != -1:
        return None
    minor = match["minor"] or (match["german"] or "").lower() == "moll"
    return Key((_NATURALS[letter.upper()] + shift) % 12, "minor" if minor else "major")


def _from_wheel(position: int, letter: str) -> Key:
    camelot = letter in "AB"
    tonic = _FIFTH * (position - (_CAMELOT_OF_C if camelot else _OPEN_KEY_OF_C)) % 12
    major = Key(tonic, "major")
    return major.relative if letter in "AM" else major


def _parse_alternatives(text: str) -> Key | None:
    """Read several names of the same key, divided by slashes; a bare tonic takes the last one's mode."""
    parts = [part.strip() for part in text.split("/")]
    last = _parse_one(parts[-1]) if len(parts) > 1 else None
    if last is None:
        return None
    for part in parts[:-1]:
        if last not in (_parse_one(part), _parse_one(f"{part} {last.mode}")):
            return None
    return last
