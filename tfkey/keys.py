"""The 24 keys: their names, their notations, and how they are related.

A key is a tonic (pitch class, C = 0 .. B = 11) and a mode (major or minor); its class index is the
tonic, plus 12 if minor. This module needs only the standard library and imports in milliseconds.

Notations and their sources:

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
from dataclasses import dataclass
from typing import Literal

from tfkey.errors import KeyParseError, UsageError
from tfkey.key_spellings import read

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
        ValueError: the tonic or the mode is not one of these.

    """

    tonic: int
    mode: Mode

    def __post_init__(self) -> None:
        """Refuse invalid keys, and convert any integer type to ``int``."""
        tonic = operator.index(self.tonic)
        if not 0 <= tonic < 12:
            raise ValueError(f"tonic {tonic} is not a pitch class; give 0 (C) to 11 (B)")
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
        """Return the key of a class index, 0 to 23 (``ValueError`` outside that range)."""
        index = operator.index(index)
        if not 0 <= index < N_CLASSES:
            raise ValueError(f"class index {index} is not a key; give 0 to {N_CLASSES - 1}")
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
        """The key as in the ID3v2 frame ``TKEY``, with flats, at most 3 characters: ``Abm``."""
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
            sharps: write ``G#`` in place of ``Ab``. This does not affect the wheels, which have no
                accidentals, or the folder names, whose fixed format uses flats.

        Raises:
            UsageError: the notation is unknown.

        """
        try:
            notation = Notation(notation)
        except ValueError:
            allowed = ", ".join(member.value for member in Notation)
            raise UsageError(f"notation {notation!r} is unknown; choose one of {allowed}") from None
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
        """Return the key of the same mode ``semitones`` higher (lower if negative)."""
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
"""All keys in the order for charts: the majors C, G, D .. F, then their relative minors A, E, B .. D."""


def relation(reference: Key, estimate: Key, *, directed: bool = False) -> Relation:
    """Name the relation of the estimate to the reference.

    ``"same"``; ``"fifth"``: same mode, tonics a perfect fifth apart in either direction;
    ``"relative"``: same key signature, other mode; ``"parallel"``: same tonic, other mode; else
    ``"other"``. With ``directed``, the two fifths are distinguished: ``"fifth_up"`` if the estimate is a
    fifth above the reference, ``"fifth_down"`` if it is a fifth below.
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


def parse_key(text: str) -> Key:
    """Read a key in any spelling that names one key unambiguously.

    An English name is a letter, an optional accidental (``#``, ``b``, ``x``, ``##``, ``bb``, their Unicode
    signs, or the words sharp, flat, natural), and a mode: ``major``, ``maj``, ``M``, or nothing for major;
    ``minor``, ``min``, ``m`` for minor. Spaces, ``-``, ``_`` and ``:`` may separate them; case matters only
    in ``M`` and ``m``. Also accepted are Camelot codes (``8B``, ``08b``), Open Key codes (``1d``, ``6m``),
    names in other languages (``a-moll``, ``la mineur``, ``Sib minore``; :mod:`tfkey.key_spellings` lists
    them), and what programs add (``Key: Am``, ``A#m +50`` cents). A key that is named more than once
    (``8A (Am)``, ``C#/Db minor``, ``Am | 8A``) is accepted if all names agree.

    German: with *Dur* or *Moll*, ``H`` is B and ``B`` is B flat. Without a mode, ``H`` and names that do not
    exist in English (``Es``, ``cis``) are accepted; a capital means major and a small letter minor.
    Everywhere else ``B`` is the English B, and a German name with an English mode (``H minor``) is an error.

    Refused as ambiguous: a small English letter without a mode (``a`` is A minor to some and A major to
    others), a syllable without a mode (``La``), ``E- minor`` (E flat minor in music21's spelling), and two
    different keys.

    Raises:
        KeyParseError: the text does not name a key, or is ambiguous.

    """
    reading = read(text) if isinstance(text, str) else None
    if reading is None:
        raise _no_key(text)
    return Key(reading.tonic, reading.mode)


def parse_folder_name(name: str) -> Key:
    """Read the name of a key folder, as :func:`parse_key` does, except for German names without a mode.

    ``H``, ``As`` and ``Es`` are also initials and words under which people file their music.

    Raises:
        KeyParseError: the name is not the name of a key folder.

    """
    reading = read(name)
    if reading is None or reading.mode_from == "german":
        raise _no_key(name)
    return Key(reading.tonic, reading.mode)


def states_mode(text: str) -> bool:
    """Whether a text names a key together with its mode: ``Am`` and ``8A`` do, ``A`` and ``Es`` do not."""
    reading = read(text)
    return reading is not None and reading.mode_from == "text"


def _no_key(text: object) -> KeyParseError:
    shown = repr(text) if len(repr(text)) <= 60 else repr(text)[:56] + "...'"
    return KeyParseError(
        f"{shown} is not a key; write a key like 'Ab minor', 'F# major', 'Abm', '1A' or '6m'"
    )
