from __future__ import annotations

import os
import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.prepare.prepare import prepare
from pipelines.prepared.manifest import read_manifest
from pipelines.splits import assign_splits
from pipelines.tracks import Track, scan_key_folders, unique_names
from tests.conftest import RATE, chord
from tfkey.audio.finding import find_audio
from tfkey.errors import DataError
from tfkey.keys import KEYS
from tfkey.settings import SplitConfig


def many_tracks(per_key, members=1):
    return [
        Track(f"{key.folder} {n} {m}", Path(), key, None, f"{key.folder}/{n}/{m}", f"{key.folder} {n}")
        for key in KEYS
        for n in range(per_key)
        for m in range(members)
    ]


@pytest.mark.parametrize("per_key", [1, 2, 3, 7, 40])
def test_splits_are_stratified_and_their_shares_come_out_right(per_key):
    shares = SplitConfig(validation=0.15, test=0.2)
    tracks = assign_splits(many_tracks(per_key), shares)
    for name, share in (("test", 0.2), ("validation", 0.15)):
        counts = Counter(track.key for track in tracks if track.split == name)
        assert abs(counts.total() - 24 * per_key * share) <= 2
        assert all(abs(counts[key] - per_key * share) < 1.0001 for key in KEYS)
    assert {track.split for track in assign_splits(tracks, shares)} == {"train", "validation", "test"}
    everything = assign_splits(many_tracks(per_key), SplitConfig(validation=0, test=0))
    assert {track.split for track in everything} == {"train"}


def test_splits_depend_on_seed_and_names_alone():
    tracks = many_tracks(12, members=2)
    chosen = {track.name: track.split for track in assign_splits(tracks, SplitConfig())}
    shuffled = random.Random(1).sample(tracks, len(tracks))
    assert {track.name: track.split for track in assign_splits(shuffled, SplitConfig())} == chosen
    assert [track.name for track in assign_splits(shuffled, SplitConfig())] == [t.name for t in shuffled]
    other = {track.name: track.split for track in assign_splits(tracks, SplitConfig(seed=1))}
    assert other != chosen
    # One track more moves tracks of its own key only.
    more = {
        track.name: track.split for track in assign_splits([*tracks, *many_tracks(13)[-1:]], SplitConfig())
    }
    moved = {name for name, split in chosen.items() if more[name] != split}
    assert all(name.startswith(KEYS[-1].folder) for name in moved)


def test_a_group_never_stands_in_two_splits():
    """Whatever its keys, and however many members have a split already."""
    tracks = many_tracks(20, members=3)
    tracks += [
        Track("a", Path(), KEYS[0], "test", "test/a", "C-maj 0"),
        Track("b", Path(), KEYS[5], None, "b", "D-maj 1"),
    ]
    for order in (tracks, tracks[::-1]):
        splits: dict[str, set] = {}
        for track in assign_splits(order, SplitConfig(validation=0.3, test=0.3)):
            splits.setdefault(track.group, set()).add(track.split)
        assert all(len(found) == 1 for found in splits.values())
        assert splits["C-maj 0"] == {"test"}


@pytest.mark.parametrize("step", [None, 0.25])
def test_no_track_stands_in_two_splits_of_a_manifest(step, make_config, tmp_path):
    """Tracks of 1 to 5 intervals, and two recordings each of which lies there twice, under other keys."""
    for number in range(24):
        path = tmp_path / "source" / ("C-maj", "A-min", "Eb-maj")[number % 3] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, chord("C-maj", 1 + number % 5, seed=number), RATE)
    for number in (0, 1):
        soundfile.write(tmp_path / "source" / "Eb-maj" / f"{number}.flac", chord("C-maj", 2, seed=9), RATE)
    config = make_config(intervals={"step_seconds": step}, split={"validation": 0.25, "test": 0.25})
    rows = read_manifest(prepare(config, "mine", source=tmp_path / "source").folder / "manifest.csv")
    stems = {row.source: Path(row.source).stem for row in rows}
    assert len(stems) == 26
    splits: dict[str, set] = {}
    for row in rows:
        splits.setdefault(stems[row.source], set()).add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == {"train", "validation", "test"}
    assert len({(row.track, row.part) for row in rows}) == len(rows) == len({row.path for row in rows})


AWKWARD = (
    "plain",
    "PLAIN",
    'quo"ted, with commas',
    "new\nline",
    "return\rline\u2028separator\x85",
    "naïve Ünïcode 調性",
    "back\\slash:colon*?",
    "dots..",
    " ",
    "調" * 80,
    "調" * 80 + "x",
    "100%{brace}$HOME",
    "=1+1",
)


@pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be made there")
@pytest.mark.parametrize("mode", ["audio", "spectrograms"])
def test_awkward_names(mode, make_config, tmp_path):
    folder = tmp_path / "source" / "train" / "C-maj"
    (folder / "album").mkdir(parents=True)
    names = [os.fsencode(name) + b".wav" for name in AWKWARD] + [b"latin-1 \xe9.wav"]
    for number, name in enumerate(names):
        soundfile.write(os.path.join(os.fsencode(folder), name), chord("C-maj", 1.2, seed=number), RATE)
    # One name in two places is two recordings.
    soundfile.write(folder / "album" / "plain.wav", chord("C-maj", 1.2, seed=98), RATE)
    config = make_config(mode=mode)
    summary = prepare(config, "mine", source=tmp_path / "source")
    rows = read_manifest(summary.folder / "manifest.csv")
    expected = len(names) + 1
    assert (summary.tracks, len(rows), len({row.digest for row in rows})) == (expected, expected, expected)
    assert len({row.track.casefold() for row in rows}) == expected
    assert (summary.folder / "manifest.csv").read_text().count("\n") == expected + 1
    assert all((summary.folder / row.path).is_file() for row in rows)
    assert prepare(config, "mine", source=tmp_path / "source").fresh == 0


def test_scan(tmp_path):
    for path in (
        "train/C-maj/a.wav",
        "test/Am/b.mp3",
        "G# min/sub/c.FLAC",
        "8B/d.ogg",
        ".git/e.wav",
        "x/f.wav",
    ):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    (tmp_path / "8B" / ".hidden.wav").touch()
    (tmp_path / "8B" / "cover.jpg").touch()
    tracks, left_out = scan_key_folders(tmp_path, find_audio)
    assert [(track.source, track.key.long, track.split) for track in tracks] == [
        ("8B/d.ogg", "C major", None),
        ("G# min/sub/c.FLAC", "Ab minor", None),
        ("test/Am/b.mp3", "A minor", "test"),
        ("train/C-maj/a.wav", "C major", "train"),
    ]
    assert [item.source for item in left_out] == [str(tmp_path / "x")]
    with pytest.raises(DataError, match="no such folder"):
        scan_key_folders(tmp_path / "nowhere", find_audio)


def test_unique_names_do_not_depend_on_order():
    tracks = [
        Track(name, Path(), KEYS[0], None, f"{number}", name)
        for number, name in enumerate(["a", "A", "b", "a", "c"])
    ]
    named = unique_names(tracks)
    assert len({track.name.casefold() for track in named}) == 5
    assert [track.name for track in named[2::2]] == ["b", "c"]
    assert np.all(
        [
            track.name == other.name
            for track, other in zip(named, unique_names(tracks[::-1])[::-1], strict=True)
        ]
    )
