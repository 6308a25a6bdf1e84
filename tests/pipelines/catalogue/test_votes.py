"""The list of votes of free_music, and lists with errors."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from pipelines.catalogue.parts import RecordingAudio, VoteLabels
from pipelines.catalogue.specs import load_spec
from pipelines.catalogue.votes import is_safe_member, read_votes
from tests.corpora import HEADER, line, vote, write_list
from tfkey.errors import DataError
from tfkey.votes import mixed


def test_what_comes_with_tfkey() -> None:
    spec = load_spec("free_music")
    assert isinstance(spec.labels, VoteLabels)
    assert isinstance(spec.audio, RecordingAudio)
    votes, left_out = read_votes(spec.labels.path, spec.labels.weights)
    assert len(votes) == spec.tracks == spec.subset().tracks == 1494
    assert all(item.by_choice and "the same recording as" in item.reason for item in left_out)
    works = {item.work for item in votes}
    assert {work.origin for work in works if work.kind == "debian"} == set(spec.audio.packages)
    assert len({work.origin for work in works if work.kind == "git"}) == 18
    # Attribution is a condition of most licences.
    assert all(work.licence and work.title and (work.artist or work.holders) for work in works)
    assert all("@" not in work.holders for work in works)
    for item in votes:
        assert set(item.votes) == {"openkeyscan", "k10"}
        assert sum(mixed(item.votes, spec.labels.weights)) == pytest.approx(1)
    groups = Counter(item.work.origin for item in votes)
    held_out = sum(groups[name] for name in spec.split.validation_groups)
    assert set(spec.split.validation_groups) <= set(groups)
    assert 0.08 < held_out / len(votes) < 0.12


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0.5 0.5", "24 probabilities, not 2"),
        ("", "24 probabilities, not 0"),
        (f"{vote(0)} 0", "24 probabilities, not 25"),
        (vote(0).replace("1.0", "nan"), "is nan"),
        (vote(0).replace("1.0", "inf"), "is inf"),
        (vote(0).replace("1.0", "1.2 -0.2", 1).rsplit(" ", 1)[0], "is -0.2"),
        (vote(0).replace("1.0", "0.97"), "sum to 0.970, not 1"),
        (vote(0).replace("1.0", "1.03"), "sum to 1.030, not 1"),
        (vote(0).replace("1.0", "much"), "'much' is not a number"),
    ],
)
def test_bad_votes_are_left_out(tmp_path: Path, text: str, complaint: str) -> None:
    path = write_list(tmp_path / "v.csv", [line(one=text), line(start="9", one=vote(3))])
    votes, left_out = read_votes(path, ["one"])
    assert [item.start for item in votes] == [9]
    assert len(left_out) == 1
    assert complaint in left_out[0].reason
    assert left_out[0].reason.startswith("line 2: ")
    assert "votes of one: " in left_out[0].reason
    assert not left_out[0].by_choice


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"source": "web"}, "source 'web'"),
        ({"origin": "../x"}, "origin"),
        ({"origin": "a/../b", "source": "git"}, "origin"),
        ({"version": "1 2"}, "version"),
        ({"source": "git", "origin": "a/b", "version": "main"}, "version 'main'"),
        ({"md5": "12"}, "md5"),
        ({"path": "/etc/passwd"}, "path"),
        ({"path": "usr/../../x.ogg"}, "path"),
        ({"path": ""}, "path"),
        ({"start": "nan"}, "start"),
        ({"start": "-1"}, "start"),
        ({"seconds": "0"}, "seconds"),
        ({"seconds": "a minute"}, "seconds 'a minute'"),
    ],
)
def test_lines_that_cannot_be_understood(tmp_path: Path, change: dict[str, str], complaint: str) -> None:
    path = write_list(tmp_path / "v.csv", [line(**change)])
    with pytest.raises(DataError) as caught:
        read_votes(path, ["one"])
    assert complaint in str(caught.value)
    assert str(caught.value).startswith(f"{path}, line 2: ")


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    path = write_list(tmp_path / "v.csv", [line()])
    with pytest.raises(DataError, match="no column two"):
        read_votes(path, ["one", "two"])
    with pytest.raises(DataError, match="cannot be read"):
        read_votes(tmp_path / "nowhere.csv", ["one"])
    path.write_text(path.read_text().replace("Somebody", "S" * 200_000))
    with pytest.raises(DataError, match="is not CSV"):
        read_votes(path, ["one"])
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="cannot be read"):
        read_votes(path, ["one"])


def test_the_same_twice(tmp_path: Path) -> None:
    lines = [line(), line(start="0.0"), line(origin="other-package"), line(start="20")]
    votes, left_out = read_votes(write_list(tmp_path / "v.csv", lines), ["one"])
    assert [item.start for item in votes] == [0, 20]
    assert [item.by_choice for item in left_out] == [False, True]
    assert "same segment as in line 2" in left_out[0].reason
    assert "same recording as a-package/usr/a.ogg" in left_out[1].reason


def test_short_lines(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerow(HEADER)
        csv.writer(stream).writerow(["debian", "a-package"])
    with pytest.raises(DataError, match="line 2: version ''"):
        read_votes(path, ["one"])


@pytest.mark.parametrize(
    ("name", "is_safe"),
    [
        ("a/b.ogg", True), ("a/.b/c d.ogg", True), ("..a/b", True), ("/a", False), ("a/../b", False),
        ("..", False), (".", False), ("", False), ("a\\b", False),
        (".git/config", False), ("a/.gitmodules", False),
    ],
)  # fmt: skip
def test_safe_members(name: str, is_safe: bool) -> None:
    assert is_safe_member(name) is is_safe
