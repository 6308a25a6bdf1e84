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
    parse_key,
    relation,
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
        *["H", "H minor", "Hm", "Fis", "Es minor", "As", "Fis major", "ass-dur", "B# dur", "Hes moll"],
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


@pytest.mark.parametrize("value", [None, 3, float("nan"), b"Am"])
def test_what_is_no_text_is_no_key(value):
    with pytest.raises(KeyParseError, match="names no key"):
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
