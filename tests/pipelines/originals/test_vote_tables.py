from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.originals.own_data import read_source
from pipelines.originals.vote_tables import VOTES, picture_table, picture_votes
from pipelines.prepared.manifest import Row
from pipelines.splits import assign_splits
from tfkey.errors import DataError
from tfkey.files import md5
from tfkey.keys import KEYS
from tfkey.settings import SplitConfig
from tfkey.votes import Vote, parse_vote, write_vote


def make_vote(seed: int) -> Vote:
    return parse_vote(write_vote(tuple(np.random.default_rng(seed).dirichlet(np.full(24, 0.2)))))


def text(seed: int) -> str:
    return write_vote(make_vote(seed))


def audio(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(400), 8000)
    return path


def table(path: Path, rows: list[dict[str, object]]) -> Path:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_form_of_the_votes_on_free_music(tmp_path: Path) -> None:
    """Segments of files, by package, with two voters whose weights are settings."""
    path = audio(tmp_path / "usr" / "share" / "games" / "bgm1.ogg")
    other = audio(tmp_path / "usr" / "share" / "other" / "bgm1.ogg")
    place = {"package": "game-data", "version": "0.1", "path": "usr/share/games/bgm1.ogg", "md5": md5(path)}
    rows: list[dict[str, object]] = [
        {**place, "start_s": "11.14", "seconds": "60.0", "openkeyscan": text(1), "k10": text(2)},
        {**place, "start_s": "0", "seconds": "11.14", "openkeyscan": text(3), "k10": text(4)},
        {**place, "path": "usr/share/other/bgm1.ogg", "md5": md5(other).upper(), "package": "other",
         "start_s": "", "seconds": "", "openkeyscan": text(5), "k10": text(6)},
    ]  # fmt: skip
    source = table(tmp_path / "votes.csv", rows)
    tracks, left_out = read_source(source)
    assert left_out == []
    assert [(track.segment, track.source) for track in tracks] == [
        ((0.0, 11.14), place["path"]),
        ((11.14, 60.0), place["path"]),
        (None, "usr/share/other/bgm1.ogg"),
    ]
    assert [track.name for track in tracks] == ["bgm1-0s", "bgm1-11.14s", "bgm1"]
    assert [track.group for track in tracks] == ["group game-data"] * 2 + ["group other"]
    assert {track.split for track in tracks} == {None}
    for track, (one, two) in zip(tracks, ((3, 4), (1, 2), (5, 6)), strict=True):
        np.testing.assert_allclose(track.vote, (np.array(make_vote(one)) + make_vote(two)) / 2)
        assert track.key == KEYS[int(np.argmax(track.vote))]
    # Mixed by stated weights, whatever the case of the header; what has no weight does not matter.
    weighted, _ = read_source(source, voters={"OpenKeyScan": 3.0, "k10": 1.0})
    np.testing.assert_allclose(
        weighted[0].vote, 0.75 * np.array(make_vote(3)) + 0.25 * np.array(make_vote(4))
    )
    table(source, [{**row, "k10": "broken " * 24} if row is rows[1] else row for row in rows])
    alone, left_out = read_source(source, voters={"openkeyscan": 2.0})
    assert (left_out, alone[0].vote) == ([], pytest.approx(make_vote(3)))


def test_a_voter_without_a_vote_on_a_row(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        audio(tmp_path / f"{name}.wav")
    rows: list[dict[str, object]] = [
        {"path": "a.wav", "one": "", "two": text(2)},
        {"path": "b.wav", "one": text(3), "two": text(4)},
        {"path": "c.wav", "one": "", "two": ""},
    ]
    source = table(tmp_path / "votes.csv", rows)
    tracks, left_out = read_source(source)
    np.testing.assert_allclose(tracks[0].vote, make_vote(2))
    assert [(item.source, item.reason) for item in left_out] == [("c.wav", "line 4: no votes")]
    # With weights, the mixture would be another one.
    tracks, left_out = read_source(source, voters={"one": 1.0, "two": 1.0})
    assert [track.source for track in tracks] == ["b.wav"]
    assert left_out[0].reason == "line 2: there is no vote of one"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vote": " ".join(["0.04"] * 23)}, "a vote has 24 probabilities, not 23"),
        ({"vote": "nan " * 24}, "the probability of C major is nan"),
        ({"vote": "-0.5 1.5 " + "0 " * 22}, r"the probability of C major is -0\.5"),
        ({"vote": "0.5 " * 24}, r"sum to 12\.000"),
        ({"vote": "0.5 half " + "0 " * 22}, "'half' is not a number"),
        ({"vote": ""}, "no votes"),
        ({"path": "gone.wav"}, "no such file; give its path"),
        ({"path": ""}, "no such file"),
        ({"md5": "0" * 32}, r"the file has changed \(MD5 [0-9a-f]{32}, not 0{32}\); fetch it again"),
        ({"start": "3", "seconds": ""}, "has a start but no length; fill in the column seconds"),
        ({"start": "x", "seconds": "3"}, "'x' is not a number of seconds"),
        ({"start": "nan", "seconds": "3"}, "'nan' is not a number of seconds"),
        ({"start": "0", "seconds": "inf"}, "'inf' is not a number of seconds"),
        ({"start": "-1", "seconds": "3"}, "the segment of 3 s from -1 s is impossible"),
        ({"start": "1", "seconds": "0"}, "the segment of 0 s from 1 s is impossible"),
        ({"split": "exam"}, "split 'exam' is not one of train, validation, test"),
        ({"path": "./a.wav", "start": "0", "seconds": "9"}, "the same segment as in line 2; delete one"),
    ],
)
def test_a_row_that_cannot_be_used(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    for name in ("a.wav", "b.wav"):
        audio(tmp_path / name)
    good: dict[str, object] = {
        "path": "a.wav",
        "vote": text(1),
        "start": "0",
        "seconds": "5",
        "md5": "",
        "split": "",
    }
    bad = {**good, "path": "b.wav", **changes}
    tracks, left_out = read_source(table(tmp_path / "votes.csv", [good, bad]))
    assert [track.source for track in tracks] == ["a.wav"]
    (item,) = left_out
    assert item.source == (bad["path"] or "line 3")
    assert not item.by_choice
    assert re.match(f"line 3: .*{words}", item.reason), item.reason
    if "same segment" not in words:
        nothing = "no line has both votes and an existing audio file|must name the columns path .* and key"
        with pytest.raises(DataError, match=nothing):
            read_source(table(tmp_path / "votes.csv", [bad]))


def test_groups_are_artists_packages_or_files(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav", "sub/c.wav", "c.flac"):
        audio(tmp_path / name)
    vote = text(1)
    rows: list[dict[str, object]] = [
        {"path": "a.wav", "artist": "A", "package": "p", "vote": vote},
        {"path": "b.wav", "repository": "r", "vote": vote},
        {"path": "c.wav", "start": "0", "seconds": "5", "vote": vote},
        # The same file by another name, and of an artist that the row before does not know.
        {"path": str(tmp_path / "c.wav"), "start": "5", "seconds": "5", "artist": "C", "vote": vote},
        {"path": "sub/c.wav", "vote": vote},
        {"path": "c.flac", "vote": vote},
    ]
    source = table(tmp_path / "votes.csv", rows)
    tracks, _ = read_source(source)
    groups = {(track.source, track.segment): track.group for track in tracks}
    assert groups["a.wav", None] == "group A"
    assert groups["b.wav", None] == "group r"
    assert (
        groups["c.wav", (0.0, 5.0)] == groups[str(tmp_path / "c.wav"), (5.0, 5.0)] == groups["c.flac", None]
    )
    assert groups["sub/c.wav", None] != groups["c.wav", (0.0, 5.0)]
    # Stated splits are kept; a group in two of them is an error.
    split = [
        {**row, "split": split} for row, split in zip(rows, ["test", "", "train", "", "", ""], strict=True)
    ]
    tracks, _ = read_source(table(source, split))
    assert {track.source: track.split for track in tracks if track.split} == {
        "a.wav": "test",
        "c.wav": "train",
    }
    split[3]["split"] = "validation"
    with pytest.raises(
        DataError, match=r"votes\.csv: .*file c is in the splits train and validation; put all"
    ):
        read_source(table(source, split))


def test_segments_of_a_recording_are_never_in_two_splits(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    for number in range(12):
        audio(tmp_path / f"{number}.wav")
        rows += [
            {"path": f"{number}.wav", "start": start, "seconds": "0.5", "vote": text(10 * number + start)}
            for start in range(5)
        ]
    tracks, left_out = read_source(table(tmp_path / "votes.csv", rows))
    assert (len(tracks), left_out) == (60, [])
    split = assign_splits(tracks, SplitConfig(validation=0.25, test=0.25, seed=0))
    by_file = {
        source: {track.split for track in split if track.source == source}
        for source in {t.source for t in tracks}
    }
    assert all(len(found) == 1 for found in by_file.values())
    assert len(set.union(*by_file.values())) == 3


def test_names_of_segments_differ(tmp_path: Path) -> None:
    audio(tmp_path / "a.wav")
    audio(tmp_path / "A-5s.wav")
    starts = ["5", "10000.001", "10000.002", "0.0000001"]
    rows: list[dict[str, object]] = [
        {"path": "a.wav", "start": start, "seconds": "1", "vote": text(1)} for start in starts
    ]
    rows.append({"path": "A-5s.wav", "start": "", "seconds": "", "vote": text(1)})
    tracks, left_out = read_source(table(tmp_path / "votes.csv", rows))
    assert left_out == []
    assert len({track.name.casefold() for track in tracks}) == 5
    assert {"a-10000.001s", "a-10000.002s"} <= {track.name for track in tracks}


def test_a_length_alone_is_that_of_the_recording(tmp_path: Path) -> None:
    audio(tmp_path / "a.wav")
    (track,), _ = read_source(
        table(tmp_path / "v.csv", [{"file": "a.wav", "seconds": "0.05", "vote": text(1)}])
    )
    assert track.segment is None


def test_24_columns_and_a_key(tmp_path: Path) -> None:
    """Where there are votes, they count, and not the key beside them."""
    audio(tmp_path / "a.wav")
    columns = dict(zip([key.long for key in reversed(KEYS)], reversed(text(7).split()), strict=True))
    rows: list[dict[str, object]] = [{"file": "a.wav", "key": "Gb minor", **columns}]
    (track,), _ = read_source(table(tmp_path / "v.csv", rows))
    assert track.vote == pytest.approx(make_vote(7))
    assert (track.key, track.group) == (KEYS[int(np.argmax(make_vote(7)))], "file a")
    del rows[0]["Db major"]
    with pytest.raises(DataError, match=r"v\.csv: there is no column for Db major; a vote needs"):
        read_source(table(tmp_path / "v.csv", rows))


@pytest.mark.parametrize("voters", [{"k11": 1.0}, {"k10": 1.0, "k11": 0.5}])
def test_a_voter_that_the_table_does_not_have(tmp_path: Path, voters: dict[str, float]) -> None:
    audio(tmp_path / "a.wav")
    source = table(tmp_path / "v.csv", [{"path": "a.wav", "k10": text(1), "other": text(2)}])
    with pytest.raises(DataError, match=r"v\.csv: has no votes of k11; voters in it: k10, other"):
        read_source(source, voters=voters)
    columns = dict(zip([key.long for key in KEYS], text(7).split(), strict=True))
    with pytest.raises(DataError, match=r"has no votes of k.*; voters in it: only one, without a name"):
        read_source(table(source, [{"path": "a.wav", **columns}]), voters=voters)


def test_weights_of_voters_without_votes(tmp_path: Path) -> None:
    audio(tmp_path / "C-maj" / "a.wav")
    keys = table(tmp_path / "keys.csv", [{"path": "C-maj/a.wav", "key": "C"}])
    for source in (keys, tmp_path):
        assert len(read_source(source, voters={})[0]) == 1
        with pytest.raises(DataError, match="has no votes, but voters says how to weight them"):
            read_source(source, voters={"k10": 1.0})


def row(track: str, part: int, vote: Vote | None) -> Row:
    return Row(track, part, "x", "Ab minor", "train", 1.0, "s", "d", "" if vote is None else write_vote(vote))


def test_the_table_beside_pictures(tmp_path: Path) -> None:
    assert picture_table([row("a", 0, None)]) is None
    assert picture_votes(tmp_path) == {}
    rows = [
        row("a", 0, make_vote(1)),
        row("a", 12, make_vote(1)),
        row("b", 0, None),
        row("c", 0, make_vote(2)),
    ]
    content = picture_table(rows)
    assert content is not None
    (tmp_path / VOTES).write_text(content)
    found = picture_votes(tmp_path)
    assert list(found) == [f"train/Ab-min/{name}.png" for name in ("a-000", "a-012", "c-000")]
    assert [write_vote(vote) for vote in found.values()] == [row.vote for row in rows if row.vote]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "path,mine\na.png," + "0.1 " * 24,
            r"votes\.csv, line 2: the probabilities sum to 2\.400, not 1; fetch",
        ),
        ("path,mine\na.png,x\nb.png," + text(1), "line 2: 'x' is not a number; fetch the archive again"),
        ("path,mine\na.png,x\n", r"votes\.csv: has no columns of votes"),
        ("file,mine\na.png,x\n", "must name the columns path"),
        (f"path,{','.join(key.long for key in KEYS[1:])}\na,{'0,' * 23}", "there is no column for C major"),
    ],
)
def test_a_damaged_table_beside_pictures(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / VOTES).write_text(content)
    with pytest.raises(DataError, match=words):
        picture_votes(tmp_path)
