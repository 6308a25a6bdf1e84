"""How people and programs spell keys: the tables and the reader behind :func:`tfkey.keys.parse_key`.

The reader cleans a text (Unicode forms, NUL, blanks), strips what programs put around a key (``Key:``,
``+50`` cents), splits a text that names the key twice (``8A (Am)``), and reads each part with one of these
grammars:

=========  ==========================================  ==================================================
grammar    examples                                    rule
=========  ==========================================  ==================================================
wheels     ``8A``, ``08b``, ``1d``, ``6m``             Camelot (A minor, B major), Open Key (m minor, d major)
English    ``A``, ``Ab minor``, ``f#m``, ``AMin``      no mode means major, for capital letters only
German     ``a-moll``, ``Fis-Dur``, ``B-Dur``          with *Dur*, *Moll* and their Nordic, Polish and Finnish
                                                       forms: ``H`` is B, and ``B`` is B flat
German     ``H``, ``cis``, ``Es``                      without a mode, only names that English lacks; a
                                                       capital means major, a small letter minor
Romance    ``la mineur``, ``Sib minore``, ``si bemol   tonic in syllables (Latin or Cyrillic letters), and
           menor``, ``Fa# mayor``, ``ля минор``        always a mode: *do*, *la* and *mi* are also words
letters    ``C majeur``, ``bes mineur``                Dutch and others: letters with Romance modes; ``B`` is
                                                       the English B
Japanese,  ``イ短調``, ``嬰ハ短調``, ``降B大调``
Chinese
=========  ==========================================  ==================================================
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

_Mode = Literal["major", "minor"]

_LONGEST = 64
"""The greatest length of a spelling, in characters."""


class Reading(NamedTuple):
    """A key, as read from a text.

    Attributes:
        tonic: 0 (C) to 11 (B).
        mode: ``"major"`` or ``"minor"``.
        mode_from: ``"text"``: the mode is stated; ``"capital"``: a capital English letter alone, major by
            convention; ``"german"``: a German name alone (``H``, ``cis``), whose case gives the mode.
    """

    tonic: int
    mode: _Mode
    mode_from: Literal["text", "capital", "german"] = "text"


# Tonics

_NATURALS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_SYLLABLES = {"do": 0, "ut": 0, "re": 2, "mi": 4, "fa": 5, "sol": 7, "la": 9, "si": 11}
_CYRILLIC = {"до": 0, "ре": 2, "ми": 4, "фа": 5, "соль": 7, "ля": 9, "си": 11}
_KANA = dict(zip("ハニホヘトイロ", (0, 2, 4, 5, 7, 9, 11), strict=True))


def _names_with_endings(naturals: dict[str, int]) -> dict[str, int]:
    """Return names with the endings -is and -es, as in German."""
    names = dict(naturals)
    for name, tonic in naturals.items():
        names |= {f"{name}is": (tonic + 1) % 12, f"{name}isis": (tonic + 2) % 12}
        stem = name if name in "ae" else f"{name}e"
        names |= {f"{stem}s": (tonic - 1) % 12, f"{stem}ses": (tonic - 2) % 12}
    return names


_ENGLISH_B = _names_with_endings(_NATURALS)
_GERMAN = _names_with_endings({name: tonic for name, tonic in _NATURALS.items() if name != "b"} | {"h": 11})
_GERMAN["b"] = _GERMAN.pop("hes")
_GERMAN_ALONE = frozenset(["h", "cis", "dis", "fis", "gis", "ais", "ces", "des", "es", "ges", "as"])
"""German names that mean a key without a mode; others (``his``, ``eis``) are rare keys but common words."""

# Signs

_SIGNS = {"": 0, "#": 1, "##": 2, "x": 2, "b": -1, "bb": -2, "♮": 0}
_SIGN_WORDS = {
    1: "sharp diese dieze diez diesis sostenido sustenido sostingut диез",
    -1: "flat bemol bemols bemolle bemoll бемоль",
    0: "natural becarre bequadro becuadro",
}
_SHIFTS = {word: shift for shift, words in _SIGN_WORDS.items() for word in words.split()}
_DOUBLED = "double|doppio|doble|duplo|dubbel|дубль"

# Modes; accents are dropped before they are looked up.


def _modes(major: str, minor: str) -> dict[str, _Mode]:
    modes: dict[str, _Mode] = dict.fromkeys(major.split(), "major")
    return modes | dict.fromkeys(minor.split(), "minor")


_GERMAN_MODES = _modes("dur duuri", "moll mol molli")
_ROMANCE_MODES = _modes(
    "major majeur maj maggiore magg mayor may maior мажор groot",
    "minor mineur min minore menor men минор klein",
)
_CHINESE_MODES = _modes("長調 大調 大调", "短調 小調 小调")

_SPELLING = str.maketrans(
    {"♯": "#", "♭": "b", "𝄪": "##", "𝄫": "bb"}
    | dict.fromkeys("–—‐‑−", "-")
    | dict.fromkeys("\x00\ufeff\u200b\u200e\u200f\u2060\ufe0e\ufe0f", "")
)
_SPACED_SIGN = re.compile(r" (?=[#♯♭𝄪𝄫♮])")


def _any_of(words: object) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))  # type: ignore[call-overload]


_WHEEL = re.compile(r"(?P<position>0?[1-9]|1[0-2])\s*(?P<letter>[ABDM])", re.IGNORECASE)

# "Major" may be a capital M, and "minor" a small m: only these two depend on case. A capital B is a
# flat only before a mode in words ("AB MINOR"), where it cannot mean anything else.
_ENGLISH = re.compile(
    rf"""
    (?P<letter>[A-Ga-g])
    (?:
        (?P<sign>\#\#?|bb?|x|♮|B(?=[\s_:-]*(?i:maj|min)))
        | [\s_-]* (?P<double>(?i:double)[\s_-]*)? (?P<word>(?i:sharp|flat|natural))
    )?
    (?:
        [\s_:-]*
        (?: (?P<major>(?i:major|maj\.?)|M) | (?P<minor>(?i:minor|min\.?)|m)
          | (?P<german>(?i:{_any_of(_GERMAN_MODES)})) )
    )?
    """,
    re.VERBOSE,
)
_GERMAN_KEY = re.compile(rf"(?P<name>[a-h][eis]*)[\s_:-]*(?P<mode>{_any_of(_GERMAN_MODES)})", re.IGNORECASE)
_ROMANCE_KEY = re.compile(
    rf"""
    (?P<name>{_any_of(_SYLLABLES | _CYRILLIC)}|[a-g][eis]*?)
    (?: \s?(?P<sign>\#\#?|bb?|x) | [\s_-]*(?P<double>{_DOUBLED})?[\s_-]*(?P<word>{_any_of(_SHIFTS)}) )?
    (?P<gap>[\s_:-]*)
    (?P<mode>{_any_of(_ROMANCE_MODES)}|m)\.?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CHINESE_KEY = re.compile(
    rf"(?P<sign>[嬰升#]|[変變降b])?(?P<name>[{''.join(_KANA)}A-Ga-g])(?P<mode>{_any_of(_CHINESE_MODES)})"
)

# music21 writes E flat as "E-": "E- minor" may be that, or a careless E minor.
_MUSIC21_FLAT = re.compile(r"[A-Ga-g]-+\s")

# What may come before and after a key. A key with the word "key" needs a mode: "A key" is not a key.
_BEFORE = re.compile(
    r"(?:(?:initial|musical|main)[\s_]?)?(?:key|tonart|tonalite|tonalité|tonalità|tonalidad|tonaliteit|camelot"
    r"|open[\s_]?key)\s*(?:[:=]|\s(?:of|is))\s*",
    re.IGNORECASE,
)
_KEY_BEHIND = re.compile(r"\s+key", re.IGNORECASE)
_CENTS_BEHIND = re.compile(
    r"(?:\s|(?<=[)\]]))[(\[]?[+-](?:100|\d\d?)(?:[.,]\d+)?\s?(?:c|ct|cents?)?[)\]]?", re.IGNORECASE
)
_ENERGY_BEHIND = re.compile(r"\s*-\s*energy\s+\d\d?", re.IGNORECASE)

_BRACKETS = re.compile(r"(?P<first>[^()\[\]]+)[(\[](?P<second>[^()\[\]]+)[)\]]")
_BETWEEN = re.compile(r"\s*[/|;,=]\s*|\s+-+\s+")
_CODE_AT_AN_END = re.compile(
    r"(?P<first>(?:0?[1-9]|1[0-2])[ABDMabdm])[\s:-]+(?P<second>.+)|(?P<name>.+?)[\s:-]+(?P<code>(?:0?[1-9]|1[0-2])[ABDMabdm])"
)


def read(text: str) -> Reading | None:
    """Read a text that names one key unambiguously; None if it does not."""
    spelled = _SPACED_SIGN.sub("", " ".join(text.split())).translate(_SPELLING)
    # Normalising a long text may take minutes; it joins only a few characters into one.
    if len(spelled) > 4 * _LONGEST:
        return None
    clean = " ".join(unicodedata.normalize("NFKC", spelled).translate(_SPELLING).split())
    return _read(clean) if len(clean) <= _LONGEST else None


def _read(text: str) -> Reading | None:
    return _read_one(text) or _read_decorated(text) or _read_several(text)


def _read_one(text: str) -> Reading | None:
    """Read a text that contains one name of one key."""
    for reader in (_read_wheel, _read_german, _read_english, _read_romance, _read_chinese):
        reading = reader(text)
        if reading is not None:
            return reading
    return None


def _read_decorated(text: str) -> Reading | None:
    if match := _BEFORE.match(text):
        return _read(text[match.end() :])
    for pattern in (_CENTS_BEHIND, _ENERGY_BEHIND, _KEY_BEHIND):
        if match := re.compile(f"(?P<key>.+?)(?:{pattern.pattern})", pattern.flags).fullmatch(text):
            reading = _read(match["key"].strip())
            is_safe = reading is not None and (pattern is _CENTS_BEHIND or reading.mode_from == "text")
            return reading if is_safe else None
    return None


def _read_several(text: str) -> Reading | None:
    """Read a text that names a key more than once; None unless all names agree."""
    if match := _BRACKETS.fullmatch(text):
        return _agreed([match["first"].strip(), match["second"].strip()])
    parts = _BETWEEN.split(text)
    if len(parts) > 1:
        return _agreed(parts, inherit="/" in text)
    if match := _CODE_AT_AN_END.fullmatch(text):
        return _agreed(
            [match["first"], match["second"]] if match["first"] else [match["name"], match["code"]]
        )
    return None


def _agreed(parts: list[str], *, inherit: bool = False) -> Reading | None:
    """Return the one key that all parts name; with ``inherit``, a bare tonic takes the last part's mode."""
    last = _read(parts[-1])
    if last is None:
        return None
    stated = last
    for part in parts[:-1]:
        spellings = [part, f"{part} {last.mode}"] if inherit else [part]
        readings = [reading for reading in map(_read, spellings) if reading and reading[:2] == last[:2]]
        if not readings:
            return None
        if readings[0].mode_from == "text":
            stated = readings[0]
    return stated


def _read_wheel(text: str) -> Reading | None:
    match = _WHEEL.fullmatch(text)
    if match is None:
        return None
    letter = match["letter"].upper()
    # Each step on either wheel is a fifth upwards.
    major = 7 * (int(match["position"]) - (8 if letter in "AB" else 1)) % 12
    return Reading((major + 9) % 12, "minor") if letter in "AM" else Reading(major, "major")


def _read_german(text: str) -> Reading | None:
    if text.lower() in _GERMAN_ALONE and text[1:].islower() | (text[1:] == ""):
        return Reading(_GERMAN[text.lower()], "minor" if text.islower() else "major", "german")
    match = _GERMAN_KEY.fullmatch(_without_accents(text))
    tonic = _GERMAN.get(match["name"].lower()) if match else None
    if match is None or tonic is None:
        return None
    return Reading(tonic, _GERMAN_MODES[match["mode"].lower()])


def _read_english(text: str) -> Reading | None:
    match = _ENGLISH.fullmatch(text)
    if match is None or _MUSIC21_FLAT.match(text):
        return None
    letter, german = match["letter"], (match["german"] or "").lower()
    has_mode = bool(match["major"] or match["minor"] or german)
    if letter.islower() and not has_mode:
        return None
    if match["word"]:
        shift = _SHIFTS[match["word"].lower()] * (2 if match["double"] else 1)
    else:
        shift = _SIGNS[(match["sign"] or "").lower()]
    # "B-Dur" is German and was read earlier. "B# Dur" mixes two languages that differ on this letter.
    if german and letter in "Bb" and shift != -1:
        return None
    minor = match["minor"] or _GERMAN_MODES.get(german) == "minor"
    tonic = (_NATURALS[letter.lower()] + shift) % 12
    return Reading(tonic, "minor" if minor else "major", "text" if has_mode else "capital")


def _read_romance(text: str) -> Reading | None:
    plain = _without_accents(text)
    match = _ROMANCE_KEY.fullmatch(plain)
    if match is None:
        return None
    name, mode = match["name"].lower(), match["mode"]
    syllables = _SYLLABLES | _CYRILLIC
    if name in syllables:
        tonic = syllables[name]
        # "domin" and "Lam" are not keys; "Fa#m" and "La m" are.
        if not (match["gap"] or match["sign"] or match["word"]) or mode == "M":
            return None
    elif name in _ENGLISH_B and mode.lower() not in {"m", "minor", "major"}:
        tonic = _ENGLISH_B[name]
    else:
        return None
    shift = _SIGNS[(match["sign"] or "").lower()]
    if match["word"]:
        shift = _SHIFTS[match["word"].lower()] * (2 if match["double"] else 1)
    minor = _ROMANCE_MODES.get(mode.lower(), "minor") == "minor"
    return Reading((tonic + shift) % 12, "minor" if minor else "major")


def _read_chinese(text: str) -> Reading | None:
    match = _CHINESE_KEY.fullmatch(text)
    if match is None:
        return None
    sign, name = match["sign"], match["name"]
    shift = 0 if sign is None else 1 if sign in "嬰升#" else -1
    tonic = _KANA[name] if name in _KANA else _NATURALS[name.lower()]
    return Reading((tonic + shift) % 12, _CHINESE_MODES[match["mode"]])


def _without_accents(text: str) -> str:
    """Return a text without accents, except the breve of the Cyrillic ``й``."""
    return "".join(
        character
        for character in unicodedata.normalize("NFD", text)
        if not unicodedata.combining(character) or character == "\u0306"
    )
