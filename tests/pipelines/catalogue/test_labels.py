from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from pipelines.catalogue.label_files import (
    MAX_LABEL_BYTES,
    parse_label_file,
    read_label_files,
    read_list,
    track_id,
)
from pipelines.catalogue.labels import key_histogram, read_label, select_tracks
from pipelines.catalogue.parts import ListLabels
from pipelines.catalogue.specs import load_spec
from tfkey.errors import DataError, KeyParseError, UsageError
from tfkey.keys import KEYS, Key

SEVERAL, NO_KEY, OTHER, NO_MODE, UNCLEAR = "several keys", "no key", "neither", "no mode", "not understood"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("d# minor", "Eb minor"),
        ("D# minor", "Eb minor"),
        ("Eb Minor", "Eb minor"),
        ("A MAJOR", "A major"),
        ("Gb major", "Gb major"),
        ("f# major", "Gb major"),
        ("c#/db minor", "Db minor"),
        ("F minor | F minor", "F minor"),
        ("C# minor|Db minor", "Db minor"),
        (" f minor\n", "F minor"),
        ("Am", "A minor"),
    ],
)
def test_labels_that_state_one_key(text: str, key: str) -> None:
    assert read_label(text) == Key.parse(key)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("f minor / g# major", SEVERAL),
        ("e / b / a minor", SEVERAL),
        ("a# major / minor", SEVERAL),
        ("g minor/major", SEVERAL),
        ("a/a# minor/major", SEVERAL),
        ("a/e major", SEVERAL),
        ("f / f# minor", SEVERAL),
        ("a-a# minor", SEVERAL),
        ("D minor | F major", SEVERAL),
        ("D minor|F major|A minor", SEVERAL),
        ("-", NO_KEY),
        ("", NO_KEY),
        ("X", NO_KEY),
        ("x", NO_KEY),
        ("other", NO_KEY),
        ("Unknown", NO_KEY),
        ("D other", OTHER),
        ("D phrygian", OTHER),
        ("F minor aeolian", OTHER),
        ("A minor | C mixolydian", OTHER),
        ("F", NO_MODE),
        ("Eb | F minor", NO_MODE),
        ("Es", NO_MODE),
        ("cis", NO_MODE),
        ("C +50", NO_MODE),
        ("C#/Db", NO_MODE),
        ("H minor", UNCLEAR),
        ("<!DOCTYPE html>", UNCLEAR),
    ],
)
def test_labels_that_do_not(text: str, reason: str) -> None:
    with pytest.raises(KeyParseError, match=reason):
        read_label(text)


@pytest.mark.parametrize(
    ("name", "subset", "taken", "out"),
    [
        ("gs_mtg", "default", 1159, 327),
        ("gs_mtg", "literature", 1077, 409),
        ("gs_mtg", "all", 1349, 137),
        ("gs_key", "default", 604, 0),
    ],
)
def test_counts_of_the_published_lists(name: str, subset: str, taken: int, out: int) -> None:
    spec = load_spec(name)
    labels, left_out = select_tracks(spec, subset)
    assert (len(labels), len(left_out)) == (taken, out)
    assert spec.subset(subset).tracks == taken
    assert spec.tracks == taken + out
    assert len({label.id for label in labels} | {item.source for item in left_out}) == spec.tracks
    assert all(re.fullmatch("[0-9a-f]{32}", label.md5 or "") for label in labels)
    assert all(item.reason for item in left_out)


def test_the_subsets_of_gs_mtg_stand_in_each_other() -> None:
    spec = load_spec("gs_mtg")
    default, literature, everything = (
        {label.id: label for label in select_tracks(spec, subset)[0]}
        for subset in ("default", "literature", "all")
    )
    assert literature.keys() < default.keys() < everything.keys()
    assert all(label.confidence == 2 for label in default.values())
    assert not any(label.has_comment for label in literature.values())
    assert default["5061"].key == Key.parse("Eb minor")
    assert default["5061"].text == "d# minor"


def test_every_row_left_out_says_why() -> None:
    spec = load_spec("gs_mtg")
    assert isinstance(spec.labels, ListLabels)
    texts = {item.id: item for item in read_list(spec.labels.path)}
    reasons = {item.source: item.reason for item in select_tracks(spec)[1]}
    # Independent of the parser: on this list, one key is one letter, maybe a sharp, and one mode.
    plain = re.compile(r"[a-g]#? (major|minor)")
    for track, reason in reasons.items():
        text = texts[track].text
        if plain.fullmatch(text):
            assert reason.startswith(f"confidence {texts[track].confidence};")
        elif text in {"", "-"}:
            assert reason.endswith("states no key")
        else:
            assert reason == f"label {text!r} states several keys, or doubt between them"
    assert Counter(plain.fullmatch(texts[track].text) is None for track in reasons)[True] == 137


def test_identical_files_are_one_group() -> None:
    labels, _ = select_tracks(load_spec("gs_mtg"), "all")
    by_md5: dict[str | None, set[str]] = {}
    for label in labels:
        by_md5.setdefault(label.md5, set()).add(label.group)
    assert all(len(groups) == 1 for groups in by_md5.values())
    assert len({label.group for label in labels}) == len(by_md5) == 1349 - 9
    groups = {label.id: label.group for label in labels}
    assert groups["299976"] == groups["297696"] == "297696"


def test_same_recordings_are_looked_up_in_the_catalogue_of_the_dataset(tmp_path: Path) -> None:
    """A name of tfkey's own catalogue can mean other recordings in the user's."""
    common = "licence: l, citation: c, subsets: {default: {meaning: all}}"
    for name, others in (("revised", "plain, gs_mtg"), ("plain", "revised"), ("gs_mtg", "revised")):
        (tmp_path / f"{name}.yaml").write_text(
            f"{{name: {name}, title: t, {common}, same_tracks_as: [{others}], "
            f"labels: {{kind: list, path: {name}.csv}}}}"
        )
    (tmp_path / "revised.csv").write_text(
        "track,key,md5\n" + "".join(f"{track},A minor,\n" for track in ("1", "2", "297696", "299976"))
    )
    (tmp_path / "plain.csv").write_text(
        "track,key,md5\n" + "".join(f"{track},A minor,{'a' * 32}\n" for track in ("1", "2"))
    )
    (tmp_path / "gs_mtg.csv").write_text("track,key,md5\n")
    labels, _ = select_tracks(load_spec("revised", folder=tmp_path))
    # In tfkey's own list the last two are the same file.
    assert [label.group for label in labels] == ["1", "1", "297696", "299976"]


def test_no_track_is_in_training_and_test() -> None:
    mtg, key = select_tracks(load_spec("gs_mtg"), "all")[0], select_tracks(load_spec("gs_key"))[0]
    assert not {label.id for label in mtg} & {label.id for label in key}
    assert not {label.md5 for label in mtg} & {label.md5 for label in key}


def test_histogram() -> None:
    counts = key_histogram(label.key for label in select_tracks(load_spec("gs_key"))[0])
    assert list(counts) == list(KEYS)
    assert sum(count for key, count in counts.items() if key.mode == "major") == 93
    assert sum(count for key, count in counts.items() if key.mode == "minor") == 511
    assert counts[Key.parse("Db major")] == 1
    assert counts[Key.parse("F minor")] == 73


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("audio/100066 Lindstrom - Monsteer (Original Mix).mp3", "100066"),
        ("keys_gs+/10089 Jason Sparks - Close My Eyes feat. J. Little (Original Mix).txt", "10089"),
        ("0010089.LOFI.key", "10089"),
        ("5061.LOFI.mp3", "5061"),
        ("5061.mp3", "5061"),
        ("keys\\77.txt", "77"),
        ("2step anthem.txt", "2step anthem"),
        ("Song.LOFI.mp3", "Song"),
    ],
)
def test_track_id(name: str, number: str) -> None:
    assert track_id(name) == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("F minor", ("F minor", None, False)),
        ("D minor\r\n", ("D minor", None, False)),
        ("D minor | F major\n", ("D minor | F major", None, False)),
        ("D minor\nF major\n", ("D minor | F major", None, False)),
        ("F minor\t2\tvery clear", ("F minor", 2, True)),
        ("F minor\tdoubtful", ("F minor", None, True)),
        ("\n\n", ("", None, False)),
        (
            "#@format: key\ttimestamp(float)\tkey(string)\t[confidence(int)]\t[comment(string)]\n"
            "key\t0\tf minor / c minor\t1\tthere are some fragments in f minor\n",
            ("f minor / c minor", 1, True),
        ),
    ],
)
def test_forms_of_label_files(text: str, expected: tuple[str, int | None, bool]) -> None:
    label = parse_label_file("7", text)
    assert (label.text, label.confidence, label.has_comment) == expected
    assert label.id == "7"


FILES = {
    "keys/100066 Lindstrom - Monsteer (Original Mix).txt": b"D minor",
    "keys/99 \xc3\x81ngel - \xe2\x99\xa5.txt".encode("latin-1").decode("utf-8"): "\ufeffAb Major\n".encode(),
    "keys/7 A - B.txt": "E minor".encode("utf-16"),
    "keys/8 A - C.txt": b"D minor | F major",
    "keys/9 A - D.txt": b"X",
    "keys/10 A - E.txt": b"D phrygian",
    "keys/11 A - F.txt": b"D minor",
    "other/11.txt": b"E minor",
    "keys/297696 A - G.txt": b"A minor",
    "keys/299976 A - G (sold again).txt": b"A minor",
    "other/99.txt": b"Ab Major",
    "keys/.DS_Store": b"\0",
    "__MACOSX/keys/._7 A - B.txt": b"\0\5\x16\7",
    "keys/readme.md": b"C major",
}


@pytest.mark.parametrize("unpacked", [False, True])
def test_an_archive_of_label_files(tmp_path: Path, unpacked: bool) -> None:
    path = tmp_path / "keys.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
        if unpacked:
            archive.extractall(tmp_path / "keys")
    labels, left_out = select_tracks(load_spec("beatport"), labels=tmp_path / "keys" if unpacked else path)
    assert [(label.id, label.key.long) for label in labels] == [
        ("7", "E minor"),
        ("99", "Ab major"),
        ("100066", "D minor"),
        ("297696", "A minor"),
        ("299976", "A minor"),
    ]
    # The recordings of gs_mtg, two of which are the same file.
    assert [label.group for label in labels][-2:] == ["297696", "297696"]
    reasons = {item.source: item.reason for item in left_out}
    assert set(reasons) == {"8", "9", "10", "11"}
    assert SEVERAL in reasons["8"]
    assert NO_KEY in reasons["9"]
    assert OTHER in reasons["10"]
    assert "more than once" in reasons["11"]


def test_label_sources_that_cannot_be_meant(tmp_path: Path) -> None:
    page = tmp_path / "keys.zip"
    page.write_text("<html>Not found</html>")
    with pytest.raises(DataError, match="not a zip archive"):
        read_label_files(page)
    with zipfile.ZipFile(page, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.txt", b"C" * (MAX_LABEL_BYTES + 1))
    with pytest.raises(DataError, match="longer than a label"):
        read_label_files(page)
    with zipfile.ZipFile(page, "w") as archive:
        archive.writestr("audio/1.mp3", b"")
    with pytest.raises(DataError, match="no label files"):
        read_label_files(page)
    with pytest.raises(DataError, match="no such file"):
        read_label_files(tmp_path / "missing.zip")
    with pytest.raises(DataError, match="not on disk yet"):
        select_tracks(load_spec("gs_plus"))
    with pytest.raises(UsageError, match="names of its folders"):
        select_tracks(load_spec("ncs"))


@pytest.mark.parametrize(
    "row", ["../1,C major,", "1,C major,123", "1,C major,,3", "1,C major,,2,maybe"], ids=str
)
def test_a_list_edited_by_hand(tmp_path: Path, row: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"track,key,md5,confidence,has_comment\n7,C major,,2,0\n{row}\n")
    with pytest.raises(DataError, match="line 3"):
        read_list(path)
