from __future__ import annotations

import itertools
import pickle
import subprocess
import sys

import pytest

from tfkey.errors import KeyParseError, UsageError
from tfkey.keys import (
    CIRCLE_OF_FIFTHS,
    KEY_FOLDERS,
    KEYS,
    N_CLASSES,
    Key,
    Notation,
    parse_folder_name,
    parse_key,
    relation,
    states_mode,
)

# Independent of the module: the wheels as they are printed, clockwise from 1.
CAMELOT_MAJORS = ["B", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E"]
CAMELOT_MINORS = ["Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "Gb", "Db"]
OPEN_KEY_MAJORS = ["C", "G", "D", "A", "E", "B", "Gb", "Db", "Ab", "Eb", "Bb", "F"]
OPEN_KEY_MINORS = ["A", "E", "B", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D"]

TONICS = {
    0: "C B# Dbb",
    1: "Db C# B##",
    2: "D C## Ebb",
    3: "Eb D# Fbb",
    4: "E Fb D##",
    5: "F E# Gbb",
    6: "Gb F# E##",
    7: "G F## Abb",
    8: "Ab G#",
    9: "A G## Bbb",
    10: "Bb A# Cbb",
    11: "B Cb A##",
}
GERMAN = {
    0: "C His Deses",
    1: "Cis Des Hisis",
    2: "D Cisis Eses",
    3: "Dis Es Feses",
    4: "E Fes Disis",
    5: "F Eis Geses",
    6: "Fis Ges Eisis",
    7: "G Fisis Ases",
    8: "Gis As",
    9: "A Gisis Heses",
    10: "Ais B Ceses",
    11: "H Ces Aisis",
}
SPOKEN = {
    "": ("",),
    "#": ("#", "♯", " ♯", "＃", " sharp", "-Sharp", "_sharp", "sharp"),
    "b": ("b", "♭", "♭\ufe0e", " flat", "-flat", "_FLAT", "flat"),
    "##": ("##", "♯♯", "x", "𝄪", " double sharp", "-double-sharp"),
    "bb": ("bb", "♭♭", "𝄫", " double flat", "-doubleflat"),
}
MAJOR = ("major", "Major", "MAJOR", "maj", "Maj", "maj.", "MAJ", "M")
MINOR = ("minor", "Minor", "MINOR", "min", "Min", "min.", "MIN", "m")


def test_index_covers_the_classes():
    assert len(KEYS) == N_CLASSES == 24
    assert [key.index for key in KEYS] == list(range(24))
    assert [Key.from_index(i) for i in range(24)] == list(KEYS) == sorted(set(KEYS))
    assert Key(9, "minor").index == 21
    assert Key(0, "minor") > Key(11, "major")
    assert len({*KEYS, Key(3, "minor")}) == 24


@pytest.mark.parametrize("index", range(24))
def test_notations_round_trip(index):
    key = KEYS[index]
    for notation, sharps in itertools.product(Notation, (False, True)):
        assert Key.parse(key.write(notation, sharps=sharps)) == key
        assert key.write(notation.value, sharps=sharps) == key.write(notation, sharps=sharps)
    assert [key.long, key.short, key.camelot, key.open_key, key.folder] == [key.write(n) for n in Notation]
    assert max(len(key.short), len(key.write("short", sharps=True))) <= 3
    assert not {"#", "♯"} & {*"".join(key.write(n) for n in Notation)}
    assert "b" not in key.write("short", sharps=True)
    assert pickle.loads(pickle.dumps(key)) == key


def test_notations_are_the_printed_ones():
    key = Key(8, "minor")
    written = [key.long, key.short, key.camelot, key.open_key, key.folder]
    assert written == ["Ab minor", "Abm", "1A", "6m", "Ab-min"]
    assert key.write("long", sharps=True) == str(key).replace("Ab", "G#") == "G# minor"
    assert key.write("folder", sharps=True) == "Ab-min"
    listed = """
        A-maj A-min Ab-maj Ab-min B-maj B-min Bb-maj Bb-min C-maj C-min D-maj D-min Db-maj Db-min
        E-maj E-min Eb-maj Eb-min F-maj F-min G-maj G-min Gb-maj Gb-min
    """
    assert listed.split() == list(KEY_FOLDERS)
    with pytest.raises(UsageError, match=r"'solfa'.*long, short, camelot, openkey, folder"):
        key.write("solfa")


@pytest.mark.parametrize(
    ("letter", "names", "mode"),
    [
        ("B", CAMELOT_MAJORS, "major"),
        ("A", CAMELOT_MINORS, "minor"),
        ("d", OPEN_KEY_MAJORS, "major"),
        ("m", OPEN_KEY_MINORS, "minor"),
    ],
)
def test_wheels(letter, names, mode):
    for position, name in enumerate(names, start=1):
        key = parse_key(f"{name} {mode}")
        assert (key.camelot if letter in "AB" else key.open_key) == f"{position}{letter}"
        for code in (f"{position}{letter}", f"{position:02d}{letter}", f" {position}{letter.swapcase()}\n"):
            assert parse_key(code) == key


@pytest.mark.parametrize("tonic", range(12))
def test_every_english_spelling(tonic):
    for name in TONICS[tonic].split():
        for sign in SPOKEN[name[1:]]:
            spelled = name[0] + sign
            assert parse_key(spelled) == parse_key(f" {spelled}\t") == Key(tonic, "major")
            for letter, gap, mode in itertools.product(
                (name[0], name[0].lower()), ("", " ", "  ", "-", "_", ":", " - ", "\u00a0"), MAJOR + MINOR
            ):
                text = f"{letter}{sign}{gap}{mode}"
                expected = "minor" if mode in MINOR else "major"
                assert parse_key(text) == Key(tonic, expected), text


@pytest.mark.parametrize("tonic", range(12))
def test_every_german_spelling(tonic):
    for name, (mode, word) in itertools.product(
        GERMAN[tonic].split(), (("major", "Dur"), ("minor", "Moll"), ("minor", "moll"), ("major", "dur"))
    ):
        for text in (
            f"{name}-{word}",
            f"{name} {word}",
            f"{name.lower()}{word}",
            f"{name.upper()} {word.upper()}",
        ):
            assert parse_key(text) == Key(tonic, mode), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Am", "A minor"),
        ("A", "A major"),
        ("1A", "Ab minor"),
        ("1d", "C major"),
        ("D minor", "D minor"),
        ("Dm", "D minor"),
        ("DM", "D major"),
        ("cM", "C major"),
        ("cm", "C minor"),
        ("bm", "B minor"),
        ("bbm", "Bb minor"),
        ("B-Dur", "Bb major"),
        ("B major", "B major"),
        ("b-moll", "Bb minor"),
        ("b minor", "B minor"),
        ("bb-moll", "Bb minor"),
        ("F#-Moll", "Gb minor"),
        ("AB MINOR", "Ab minor"),
        ("EB maj", "Eb major"),
        ("A♮ minor", "A minor"),
        ("A natural minor", "A minor"),
        ("Ab – minor", "Ab minor"),
        ("C#/Db minor", "Db minor"),
        ("C♯ / D♭ Major", "Db major"),
        ("8A / Am", "A minor"),
        ("\ufeffAbm\x00", "Ab minor"),
        ("Ａ minor", "A minor"),
    ],
)
def test_spellings_that_are_easily_confused(text, expected):
    assert parse_key(text).long == expected


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "-", "X", "o", "other", "m", "major", "minor", "Moll", "A\nB", "None", "nan", "Unknown"],
        *["0A", "13A", "00A", "012A", "1C", "1", "A1", "-1A", "1AA", "0m", "13d", "6mm"],
        *["H minor", "Hm", "Es minor", "Fis major", "ass-dur", "B# dur", "Hes moll", "his", "AS", "Eses"],
        *["a", "b", "c#", "bb", "f sharp", "E- minor", "b-- minor", "AB", "ABM", "A###", "Abbb minor", "A#b"],
        *[
            "C dorian",
            "A mixolydian",
            "Am7",
            "Cmaj7",
            "C5",
            "A minor minor",
            "Aminorish",
            "Amajmin",
            "A  m in",
        ],
        *["f minor / g# major", "a-a# minor", "g minor/major", "a# major / minor", "e / b / a minor"],
        *["a/e major", "f / f# minor", "a/a# minor/major", "C/Am", "A/", "/A", "C major, A minor", "C|Am"],
        *["A" * 10_000, "1" * 10_000, "A" + " " * 100_000 + "x", "A" + "-" * 100_000 + "x"],
    ],
)
def test_no_key_is_an_error_of_one_line(text):
    with pytest.raises(KeyParseError) as caught:
        parse_key(text)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 160
    assert repr(text)[:50] in message
    assert "'Ab minor'" in message


# What other programs and other languages write: each line holds spellings of the key before it.
OTHERS = """
A minor  | 8A (Am) | 8A [Am] | Am (8A) | 8A - Am | 8A-Am | 8A Am | Am 8A | 8A/Am
A minor  | 08A/Am | 8A / A minor | Am -12
A minor  | 8A = Am | 8A: Am | A minor (8A) | Am +3 | Am +12c | Am (+12 cents) | 8A +50
A minor  | 8A - Energy 7 | 1m (Am)
A minor  | 08A | 8a | 1m | 01M | Key: Am | key=8A | Initial key: A minor
A minor  | KEY OF A MINOR | A Minor Key | Camelot: 8A
A minor  | AMin | amin | A♮m | Ａｍ | ８Ａ | Ａ ｍｉｎｏｒ | a-moll | A-moll | a moll | a-mol
A minor  | a-molli | a mineur
A minor  | la mineur | La Mineur | LA MINEUR | la min. | la min | la-mineur | la minore
A minor  | La menor | la minor | la m
A minor  | ля минор | Ля-минор | イ短調 | a小调 | A小調 | Tonart: a-moll | Tonalité : la mineur
A major  | A maj | la majeur | La maggiore | La mayor | lá maior | A-Dur | A-dur
A major  | A-duuri | イ長調 | A +50 | 11B (A)
Bb minor | A#m +50 | A#m -0.5 | A♯ Minor | b-moll | si bemol menor | Si♭ minore
Bb minor | Sib minore | si b mineur | sibémol mineur
Bb minor | bes mineur | Bes klein | si-bémol mineur | си-бемоль минор | 変ロ短調
Bb minor | A♯m/B♭m (3A) | si bemoll minor | 3A
Bb major | B-Dur | b-dur | B dur | Si bémol majeur | SIB maggiore | si bemol maior
Bb major | bes groot | 変ロ長調 | 降B大调
B minor  | h-moll | H-Moll | h | si mineur | Si minore | си минор | ロ短調 | B mineur | 10A
B major  | H | H-Dur | h-dur | si mayor | B maggiore | B♮ major | 1B
C major  | ut majeur | Ut maj. | do majeur | Do maggiore | DO MAYOR | dó maior | C-dur
C major  | c-dur | до мажор | ハ長調 | C majeur
Gb major | Gb maj | F♯ / G♭ (2B) | F♯/G♭ Major | Fa# mayor | fa# maggiore | Fis-Dur
Gb major | Ges-Dur | Fis | Ges | fa dièse majeur
Gb major | fa diesis maggiore | fa sostenido mayor | fá sustenido maior | E𝄪
Gb major | fis majeur | Sol♭ majeur | 7d
Gb minor | F♯m/G♭m (11A) | fis-moll | fis | fis mineur | fa♯ mineur | Fa#m | fa # m
Gb minor | фа-диез минор | 嬰ヘ短調 | Fis-mol
Db minor | cis | cis-moll | Cis-Moll | do sostenido menor | ut dièse mineur | 12A
Db minor | C#/Db Minor | 嬰ハ短調 | 升C小调
Db major | Cis | Des | Des-Dur | Ré bémol majeur | re♭ mayor | D♭ (3B) | 3B (D♭/C♯)
Eb minor | 2A (D♯m/E♭m) | es-moll | dis-moll | mi bemol menor | mib minore | es | D#m
Eb minor | 7m | re diez minor
Eb major | Es | Es-Dur | Eb maj | mi♭ majeur | Mib maggiore
Ab major | As-Dur | As | La♭ majeur | Lab maggiore | G# maj | 4B - Ab | Key: Ab
Ab minor | as-moll | as | gis | sol# minore | sol diesis minore | 1A (G♯m/A♭m)
Ab minor | соль-диез минор
E minor  | mi mineur | mi minore | ми минор | e-moll | 9A
G major  | sol majeur | SOL MAGGIORE | соль мажор | G-dur | 9B
D major  | ré majeur | re mayor | D-Dur | ре мажор
"""


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (spelling.strip(), parts[0].strip())
        for parts in (line.split("|") for line in OTHERS.strip().splitlines())
        for spelling in "|".join(parts[1:]).split(" | ")
    ],
)
def test_spellings_of_other_programs_and_languages(text, key):
    for padded in (text, f"  {text} ", f"{text}\0", text.replace(" ", "\u00a0"), f"\ufeff{text}\n"):
        assert parse_key(padded).long == key


@pytest.mark.parametrize(
    "text",
    [
        *[
            "8A (Cm)",
            "8A (A)",
            "Am/C",
            "Am | C",
            "Am | Cm",
            "8A/9A",
            "8A - Cm",
            "Am (C)",
            "8A 9A",
            "Am -> Cm",
        ],
        *[
            "Am (8A) (Cm)",
            "2A (D♯m/F♭m)",
            "8B Am",
            "Am 8B",
            "A - B",
            "A A B",
            "Am, C",
            "la mineur / do majeur",
        ],
        *[
            "Amber",
            "Do",
            "Re",
            "La",
            "Sol",
            "Si",
            "Ut",
            "do",
            "Sol#",
            "Sib",
            "la la la",
            "mi amor",
            "Do Re Mi",
        ],
        *[
            "Fade to Grey",
            "Es war",
            "As It Was",
            "His",
            "Das",
            "Des Rocs",
            "Dom",
            "Rem",
            "Sim",
            "Lam",
            "Film",
        ],
        *["Domin", "a minor thing", "Key", "key", "Key:", "A key", "Key A", "Major Key", "Energy 7", "8 A M"],
        *["12", "120", "2024", "2024-01-01", "1", "8", "+50", "-12", "A 12", "A-12", "Am 120", "Am - 120"],
        *["Am -120", "Am +", "Am 50", "A+50x", "eyJrZXkiOiI4QSJ9", "C-major-7", "do mineur majeur", "la M"],
        *["Moll", "dur", "minore", "mineur la", "do#b majeur", "cis m", "H major", "h minor", "hm", "Hb"],
        *["Tonart", "(Am)(", "()", "(8A)", "/", "|", "8A (", "Am)", "Off key", "no key", "短調", "イ", "升"],
    ],
)
def test_what_only_looks_like_a_key_is_refused(text):
    for padded in (text, f" {text}\0"):
        with pytest.raises(KeyParseError):
            parse_key(padded)


@pytest.mark.parametrize(
    "text", ["H", "h", "Es", "es", "As", "as", "Des", "cis", "Key: Es", "Es +50", "Do", "La", "12", "Amber"]
)
def test_names_of_folders_that_are_no_keys(text):
    with pytest.raises(KeyParseError):
        parse_folder_name(text)


@pytest.mark.parametrize(
    "text", ["C", "Ab", "F#", "C-maj", "Ab-min", "8A", "6m", "8A - Am", "h-moll", "la mineur", "Es-Dur"]
)
def test_names_of_folders_that_are_keys(text):
    assert parse_folder_name(text) == parse_key(text)


def test_whether_the_mode_is_stated():
    assert all(
        map(states_mode, ["Am", "8A", "AM", "la mineur", "h-moll", "Key: C major", "8B (C)", "C (8B)"])
    )
    assert not any(map(states_mode, ["A", "H", "cis", "C +50", "Key: C", "Amber", "C#/Db", ""]))


@pytest.mark.parametrize("value", [None, 3, float("nan"), b"Am"])
def test_what_is_no_text_is_no_key(value):
    with pytest.raises(KeyParseError, match="is not a key"):
        parse_key(value)


@pytest.mark.parametrize("key", KEYS)
def test_relations(key):
    assert key.fifth_up == key.transpose(7) == key.transpose(-5)
    assert key.fifth_up.fifth_down == key == key.relative.relative == key.parallel.parallel
    assert {key.relative.mode, key.parallel.mode} == {"major", "minor"} - {key.mode}
    assert key.relative.tonic == (key.tonic + (9 if key.mode == "major" else 3)) % 12
    assert key.parallel.tonic == key.tonic
    assert key.transpose(24) == key
    found = [relation(key, other, directed=True) for other in KEYS]
    assert {name: found.count(name) for name in found} == {
        "same": 1, "fifth_up": 1, "fifth_down": 1, "relative": 1, "parallel": 1, "other": 19
    }  # fmt: skip
    for other, name in zip(KEYS, found, strict=True):
        assert relation(key, other) == ("fifth" if name.startswith("fifth") else name)
        mirrored = {"fifth_up": "fifth_down", "fifth_down": "fifth_up"}.get(name, name)
        assert relation(other, key, directed=True) == mirrored


def test_relations_by_name():
    names = {"G major": "fifth_up", "F major": "fifth_down", "A minor": "relative", "C minor": "parallel"}
    for estimate, expected in {**names, "C major": "same", "E minor": "other"}.items():
        assert relation(parse_key("C"), parse_key(estimate), directed=True) == expected


def test_circle_of_fifths_order():
    assert [key.short for key in CIRCLE_OF_FIFTHS] == [
        *OPEN_KEY_MAJORS,
        *(f"{name}m" for name in OPEN_KEY_MINORS),
    ]
    assert sorted(CIRCLE_OF_FIFTHS) == list(KEYS)


@pytest.mark.parametrize("arguments", [(12, "major"), (-1, "minor"), (0, "dorian"), (0, None)])
def test_impossible_keys_are_refused(arguments):
    with pytest.raises(ValueError, match=r"tonic|mode"):
        Key(*arguments)


@pytest.mark.parametrize("index", [24, -1])
def test_impossible_indices_are_refused(index):
    with pytest.raises(ValueError, match="class index"):
        Key.from_index(index)


def test_import_needs_the_standard_library_only():
    code = "import sys, tfkey.keys; print({'numpy', 'keras', 'tensorflow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
