"""From a table of votes to prepared data of every mode."""

from __future__ import annotations

import csv
import io
import json
import tarfile

import numpy as np
import pytest
import soundfile

from pipelines.prepare.intervals import sounding_intervals
from pipelines.prepare.prepare import prepare
from pipelines.prepared.manifest import open_prepared, read_manifest
from pipelines.publishing.packing import pack
from pipelines.tracks import Track
from pipelines.work import Journal
from tests.conftest import RATE, chord
from tests.voted import HEADER, make_vote, write_votes
from tfkey.audio.reading import read
from tfkey.config import changed
from tfkey.files import csv_lines
from tfkey.keys import KEYS, Key
from tfkey.votes import parse_vote, write_vote


def votes_of(folder):
    """The votes in a manifest by track."""
    return {row.track: row.vote for row in read_manifest(folder / "manifest.csv")}


def test_votes_in_every_mode(make_config, tracks_master, tmp_path):
    expected = {
        name: write_vote(vote) for name, vote in write_votes(tmp_path / "votes.csv", tracks_master).items()
    }
    config = make_config(mode="audio")
    summary = prepare(config, "mine", source=tmp_path / "votes.csv")
    assert (summary.intervals, summary.tracks, summary.left_out) == (40, 40, [])
    assert votes_of(summary.folder) == expected
    for row in read_manifest(summary.folder / "manifest.csv"):
        stored, _ = soundfile.read(summary.folder / row.path, dtype="float32")
        start = round(16000 * float(row.track.rpartition("-")[2][:-1]))
        np.testing.assert_allclose(stored, read(row.source, 16000)[start : start + 16000], atol=2**-15)
        assert row.key == KEYS[int(np.argmax(parse_vote(row.vote)))].long

    spectrograms = make_config(mode="spectrograms")
    folder = prepare(spectrograms, "mine", source=tmp_path / "votes.csv", png=True).folder
    assert votes_of(folder) == expected
    archive = tmp_path / "mine.tar.xz"
    prepared = open_prepared(spectrograms, "spectrograms", "mine")
    pack(prepared, archive)
    with tarfile.open(archive) as tar:
        content = tar.extractfile("mine/votes.csv").read().decode()
        names = set(tar.getnames())
    listed = list(csv.DictReader(io.StringIO(content)))
    assert list(listed[0]) == ["path", *(key.long for key in KEYS)]
    assert {f"mine/{line['path']}" for line in listed} == names - {"mine/dataset.json", "mine/votes.csv"}
    assert (folder / "png" / "votes.csv").read_text() == content

    images = make_config(mode="images")
    for name, source in (("packed", archive), ("loose", folder / "png")):
        copy = prepare(images, name, source=source)
        assert (copy.intervals, copy.left_out, votes_of(copy.folder)) == (40, [], expected)
        assert prepare(images, name, source=source).fresh == 0

    # Without votes there is no table, and none is left over from before.
    keys = [
        [row[0], Key.parse("C").long]
        for row in csv.reader((tmp_path / "votes.csv").open())
        if row[0] != "path"
    ]
    (tmp_path / "keys.csv").write_text(csv_lines([["path", "key"], *keys[::8]]))
    prepare(spectrograms, "mine", source=tmp_path / "keys.csv", png=True, replace=True)
    assert not (folder / "png" / "votes.csv").exists()
    pack(open_prepared(spectrograms, "spectrograms", "mine"), archive)
    with tarfile.open(archive) as tar:
        assert "mine/votes.csv" not in tar.getnames()


@pytest.mark.parametrize("mode", ["audio", "spectrograms"])
def test_what_a_journal_says_holds_until_a_vote_changes(make_config, tracks_master, tmp_path, mode):
    table = tmp_path / "votes.csv"
    write_votes(table, tracks_master)
    config = make_config(mode=mode)
    folder = prepare(config, "mine", source=table).folder
    assert prepare(config, "mine", source=table).fresh == 0
    before = votes_of(folder)
    text = table.read_text()
    for old, new in ((write_vote(make_vote(1)), write_vote(make_vote(999))), (",0.1,1.0,", ",0.25,1.0,")):
        assert old in text
        table.write_text(text.replace(old, new, 1))
        assert prepare(config, "mine", source=table).fresh == 1
        assert votes_of(folder) != before
    with pytest.raises(Exception, match=r"voters\.mine=\{\} \(requested: \{\"one\": 2\.0\}\)"):
        prepare(changed(config, {"voters": {"mine": {"one": 2.0}}}, "test"), "mine", source=table)


def test_journals_from_before_there_were_votes(make_config, tracks):
    config = make_config()
    folder = prepare(config, "small", source=tracks).folder
    path = folder / ".journal.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines() if line]
    for entry in entries:
        for row in entry["rows"]:
            assert row.pop("vote") == ""
    path.write_text("\n".join(json.dumps(entry) for entry in entries))
    assert len(Journal(folder)._entries) == 20
    assert prepare(config, "small", source=tracks).fresh == 0


def test_segments_beyond_the_end_are_left_out_and_named(make_config, tmp_path):
    soundfile.write(tmp_path / "a.wav", chord("C-maj", 2.5), RATE)
    vote = write_vote(make_vote(1))
    rows = [
        ["a.wav", start, seconds, "", vote, vote]
        for start, seconds in ((0, 2), (1.5, 1.2), (2, 1.1), (30, 1))
    ]
    (tmp_path / "votes.csv").write_text(csv_lines([HEADER, *rows]))
    summary = prepare(make_config(), "mine", source=tmp_path / "votes.csv")
    # Of the second, the last 0.2 s are silent.
    assert {row.track for row in read_manifest(summary.folder / "manifest.csv")} == {"a-0s", "a-1.5s"}
    assert {(item.source, item.reason) for item in summary.left_out} == {
        ("a.wav", f"the segment from {start} s to {end} s lies beyond its end at 2.50 s; correct the segment")
        for start, end in (("2", "3.1"), ("30", "31"))
    }
    assert summary.intervals == 3
    with (summary.folder / "left_out.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 2


def test_a_segment_is_cut_into_intervals(make_config, tmp_path):
    soundfile.write(tmp_path / "a.wav", chord("C-maj", 4), 16000)
    track = Track("a", tmp_path / "a.wav", KEYS[0], "train", "a.wav", "a", make_vote(0), (0.5, 2.75))
    whole = read(track.path, 16000)
    intervals, left_out = sounding_intervals(make_config(), track)
    assert left_out is None
    assert [number for number, _ in intervals] == [0, 1]
    for number, waveform in intervals:
        start = 8000 + 16000 * number
        np.testing.assert_array_equal(waveform, whole[start : start + 16000])
