from __future__ import annotations

import csv
import struct
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.id3 import TKEY, TXXX
from mutagen.mp4 import MP4

from pipelines.catalogue.labels import select_tracks
from pipelines.catalogue.specs import load_spec
from pipelines.originals.own_data import find_labelled, read_source
from pipelines.splits import assign_splits, fold_splits, policy_splits
from tfkey.errors import DataError, UsageError
from tfkey.keys import Key
from tfkey.settings import SplitConfig

SPLIT = SplitConfig(validation=0.25, test=0.25, seed=0)
REAL = Path(__file__).parents[2] / "data" / "real"


def _audio(path: Path, format: str = "WAV") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        soundfile.write(stream, np.zeros(2000, np.float32), 44100, format=format)
    return path


def _listing(path: Path, rows: list[dict[str, str]], **kwargs: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), **kwargs)  # type: ignore[arg-type]
        writer.writeheader()
        writer.writerows(rows)
    return path


def _keys(tracks: list) -> dict[str, str]:
    return {track.source: track.key.long for track in tracks}


def test_key_folders(tmp_path: Path) -> None:
    for name in ("C-maj/a.wav", "Ab-min/b.wav", "Ab-min/a.wav", "notes/c.wav"):
        _audio(tmp_path / name)
    tracks, left_out = read_source(tmp_path)
    assert _keys(tracks) == {"C-maj/a.wav": "C major", "Ab-min/b.wav": "Ab minor", "Ab-min/a.wav": "Ab minor"}
    assert len({track.name for track in tracks}) == 3
    assert len(left_out) == 1


@pytest.mark.parametrize(
    "name", ["H", "Do", "Es", "As", "des", "La", "Amber", "Do Re Mi", "12", "128", "Des"]
)
def test_words_and_initials_are_no_key_folders(tmp_path: Path, name: str) -> None:
    _audio(tmp_path / name / "a.wav")
    with pytest.raises(DataError, match="no folder is named by a key"):
        read_source(tmp_path)
    _audio(tmp_path / "la mineur" / "b.wav")
    tracks, left_out = read_source(tmp_path)
    assert _keys(tracks) == {"la mineur/b.wav": "A minor"}
    assert [item.source for item in left_out] == [str(tmp_path / name)]


NASTY = [
    'it\'s "quoted", really.wav',
    "two\nlines.wav",
    "Ünï–çødé ♭ 曲.wav",
    " spaces .wav",
    "semi;colon.wav",
]


@pytest.mark.parametrize(
    "form", [{"delimiter": ","}, {"delimiter": ";"}, {"delimiter": "\t"}, {"quoting": csv.QUOTE_ALL}], ids=str
)
def test_csv_in_any_quoting(tmp_path: Path, form: dict) -> None:
    rows = [{"path": f"audio/{name}", "key": "g#m"} for name in NASTY]
    outside = _audio(tmp_path / "elsewhere" / "absolute.wav")
    rows.append({"path": str(outside), "key": "8B"})
    for name in NASTY:
        _audio(tmp_path / "list" / "audio" / name)
    listing = _listing(tmp_path / "list" / "keys.csv", rows, **form)
    listing.write_bytes(b"\xef\xbb\xbf" + listing.read_bytes())
    tracks, left_out = read_source(listing)
    assert not left_out
    assert {track.path.name for track in tracks} == {*NASTY, "absolute.wav"}
    assert all(track.path.is_file() for track in tracks)
    assert {track.key.long for track in tracks} == {"Ab minor", "C major"}
    for track in tracks:
        assert not set('/\n"') & set(track.name)
        assert "\n" not in track.source


def test_csv_columns_of_other_makers() -> None:
    tracks, left_out = read_source(REAL / "labels.csv")
    assert not left_out
    assert _keys(tracks)["supertuxkart_ravenbridge_mansion.ogg"] == "Db minor"
    assert len(tracks) == 5


def test_csv_lines_that_cannot_be_used(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav", "d.wav", "sub/a.wav"):
        _audio(tmp_path / name)
    lines = [
        ("a.wav", "Am", ""),
        ("gone.wav", "Am", ""),
        ("b.wav", "minor-ish", ""),
        ("c.wav", "", ""),
        ("sub/../a.wav", "A minor", ""),
        ("d.wav", "C", ""),
        ("d.wav", "D", ""),
        ("sub", "Am", ""),
        ("", "Am", ""),
        ("nul\0byte.wav", "Am", ""),
        ("x" * 5000, "Am", ""),
        ("sub/a.wav", "Em", "Test"),
        ("b.wav", "Em", "exam"),
    ]
    rows = [dict(zip(("path", "key", "split"), line, strict=True)) for line in lines if "\0" not in line[0]]
    tracks, left_out = read_source(_listing(tmp_path / "keys.csv", rows))
    assert _keys(tracks) == {"a.wav": "A minor", "sub/a.wav": "E minor"}
    assert {track.source: track.split for track in tracks}["sub/a.wav"] == "test"
    assert len({track.name for track in tracks}) == 2
    reasons = {item.source: item.reason for item in left_out}
    assert "no such file" in reasons["gone.wav"]
    assert "no such file" in reasons["sub"]
    assert "line 5: no key" in reasons["c.wav"]
    assert "line 6: the same file as in line 2" in reasons["sub/../a.wav"]
    assert "C major in line 7, D major in line 8" in reasons["d.wav"]
    assert "line 10" in reasons["line 10"]
    assert "'exam' is not one of train, validation, test" in reasons["b.wav"]
    assert len(left_out) == 9
    assert all("\n" not in item.reason for item in left_out)


@pytest.mark.parametrize("column", ["group", "artist"])
def test_csv_groups_never_stand_on_two_sides(tmp_path: Path, column: str) -> None:
    rows = []
    for number in range(40):
        _audio(tmp_path / f"{number}.wav")
        key = "Am" if number % 3 else "C"
        rows.append({"path": f"{number}.wav", "key": key, column: f"who {number // 4}"})
    tracks = assign_splits(read_source(_listing(tmp_path / "keys.csv", rows))[0], SPLIT)
    sides: dict[str, set[str | None]] = {}
    for track in tracks:
        sides.setdefault(f"who {int(track.path.stem) // 4}", set()).add(track.split)
    assert len(sides) == 10
    assert all(len(side) == 1 for side in sides.values())
    assert len({track.split for track in tracks}) == 3
    for number, row in enumerate(rows):
        row["split"] = "train" if number else "test"
    with pytest.raises(DataError, match="who 0 is in the splits test and train"):
        read_source(_listing(tmp_path / "keys.csv", rows))


def test_splits_do_not_depend_on_where_the_data_lies(tmp_path: Path) -> None:
    found = []
    for place in ("here", "there"):
        rows = [{"path": f"{number}/audio.wav", "key": "Am"} for number in range(20)]
        for row in rows:
            _audio(tmp_path / place / row["path"])
        tracks = assign_splits(read_source(_listing(tmp_path / place / "keys.csv", rows))[0], SPLIT)
        found.append({track.source: track.split for track in tracks})
        assert len(set(found[-1].values())) == 3
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"name,tone\na,b\n", r"columns path \(or file or track\) and key \(or tonic and mode"),
        (b"", r"columns path \("),
        (b"path,key\ngone.wav,Am\n", "no such file"),
        (b'path,key\n"a.wav,Am\n', "quotes"),
        (b"path,key\n\xff\xfe,Am\n", "UTF-8"),
        (b"path,key\n", "no line has both"),
    ],
)
def test_csv_files_that_are_none(tmp_path: Path, text: bytes, complaint: str) -> None:
    path = tmp_path / "keys.csv"
    path.write_bytes(text)
    with pytest.raises(DataError, match=complaint):
        read_source(path)


def _mp4(path: Path) -> Path:
    """An MP4 of one sound track without samples: the atoms that tags need to stand in."""

    def atom(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), name) + content

    handler = atom(b"hdlr", bytes(8) + b"soun" + bytes(13))
    header = atom(b"mdhd", bytes(12) + struct.pack(">II", 44100, 44100) + bytes(4))
    movie = atom(b"moov", atom(b"trak", atom(b"mdia", header + handler)))
    path.write_bytes(atom(b"ftyp", b"M4A " + bytes(4)) + movie)
    return path


def _tag(path: Path, *frames: object, **comments: str) -> None:
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    for frame in frames:
        file.tags.add(frame)
    for name, text in comments.items():
        file[name] = [text]
    file.save()


def test_tags_of_every_kind(tmp_path: Path) -> None:
    _tag(_audio(tmp_path / "train/an album/id3.mp3", "MP3"), TKEY(text=["Abm"]))
    _tag(_audio(tmp_path / "B/id3.wav"), TXXX(desc="Initial key", text=["8A"]))
    _tag(_audio(tmp_path / "A/id3.aiff", "AIFF"), TKEY(text=["F#"]), TXXX(desc="KEY", text=["Gb major"]))
    _tag(_audio(tmp_path / "S/comment.flac", "FLAC"), initialkey="6m")
    _tag(_audio(tmp_path / "comment.ogg", "OGG"), KEY="E♭ minor")
    mp4 = MP4(_mp4(tmp_path / "freeform.m4a"))
    mp4["----:com.apple.iTunes:initialkey"] = [b"Dm"]
    mp4.save()
    _tag(_audio(tmp_path / "wrong.flac", "FLAC"), key="off")
    _tag(_audio(tmp_path / "two.flac", "FLAC"), key="Am", initialkey="C")
    _audio(tmp_path / "untagged.flac", "FLAC")
    (tmp_path / "page.mp3").write_text("<html>Not found</html>")
    (tmp_path / "empty.ogg").write_bytes(b"")
    # "A", "B" and "S" are an alphabet here, not keys.
    tracks, left_out = read_source(tmp_path)
    assert _keys(tracks) == {
        "train/an album/id3.mp3": "Ab minor",
        "B/id3.wav": "A minor",
        "A/id3.aiff": "Gb major",
        "S/comment.flac": "Ab minor",
        "comment.ogg": "Eb minor",
        "freeform.m4a": "D minor",
    }
    assert {track.source: track.split for track in tracks}["train/an album/id3.mp3"] == "train"
    assert len({track.name for track in tracks}) == len(tracks)
    reasons = {item.source: item.reason for item in left_out}
    assert set(reasons) == {"wrong.flac", "two.flac", "untagged.flac", "page.mp3", "empty.ogg"}
    assert "'off' is not a key" in reasons["wrong.flac"]
    assert "more than one key" in reasons["two.flac"]
    assert "no key in its tags" in reasons["untagged.flac"]
    assert all("\n" not in reason for reason in reasons.values())


def test_tags_on_request_beside_key_folders(tmp_path: Path) -> None:
    _tag(_audio(tmp_path / "C-maj" / "a.flac", "FLAC"), key="Am")
    assert _keys(read_source(tmp_path)[0]) == {"C-maj/a.flac": "C major"}
    assert _keys(read_source(tmp_path, labels="tags")[0]) == {"C-maj/a.flac": "A minor"}
    with pytest.raises(UsageError, match="labels=csv"):
        read_source(tmp_path, labels="csv")
    with pytest.raises(UsageError, match="labels=tags"):
        read_source(tmp_path / "C-maj" / "a.flac", labels="tags")


def test_nothing_to_go_by(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read_source(tmp_path / "gone")
    with pytest.raises(DataError, match="no audio files"):
        read_source(tmp_path)
    _audio(tmp_path / "rock" / "a.wav")
    with pytest.raises(DataError, match=r"no folder is named by a key .*TKEY, INITIALKEY, KEY"):
        read_source(tmp_path)


def test_audio_of_a_published_list_is_found_by_number(tmp_path: Path) -> None:
    chosen = {"10089", "61415", "74982"}
    labels = [label for label in select_tracks(load_spec("gs_key"))[0] if label.id in chosen]
    _audio(tmp_path / "10089.LOFI.mp3", "MP3")
    _audio(tmp_path / "audio" / "61415 Somebody - Something (Original Mix).mp3", "MP3")
    tracks, left_out = find_labelled(labels, tmp_path)
    assert [(track.name, track.key) for track in tracks] == [
        ("10089", Key.parse("D major")),
        ("61415", Key.parse("F minor")),
    ]
    assert [item.source for item in left_out] == ["74982"]


def test_one_recording_sold_twice_stands_on_one_side(tmp_path: Path) -> None:
    pairs = [("297696", "299976"), ("297697", "299977"), ("298429", "298535"), ("298431", "298532")]
    labels, _ = select_tracks(load_spec("gs_mtg"))
    for label in labels:
        (tmp_path / f"{label.id}.LOFI.mp3").touch()
    tracks, left_out = find_labelled(labels, tmp_path)
    assert not left_out
    for seed in range(5):
        for turn in (
            policy_splits(tracks, load_spec("gs_mtg").split, SplitConfig(validation=0.5, test=0, seed=seed)),
            fold_splits(tracks, 2, 0, seed),
        ):
            sides = {track.name: track.split for track in turn}
            assert all(sides[first] == sides[second] for first, second in pairs)
