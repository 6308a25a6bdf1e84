"""The corpus of synthetic clips: its plan, its files, and what happens when a call was cut short."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.demo.render import soundfont_path
from pipelines.synthetic.accompaniments.generator import Tools
from pipelines.synthetic.clip import SAMPLE_RATE, SAMPLES
from pipelines.synthetic.corpus import KINDS, is_held_out, make, plan, render_corpus
from tfkey.errors import UsageError

TOOLS = Tools((soundfont_path(),))
COUNTS = {"electronic": 3}


def test_plan_has_every_key_equally_often_and_keeps_groups_apart() -> None:
    planned = plan(dict.fromkeys(KINDS, 240), 0, TOOLS)
    assert len({clip.name for clip in planned}) == len({clip.path for clip in planned}) == len(KINDS) * 240
    assert set(Counter((clip.kind, clip.key.long) for clip in planned).values()) == {10}
    splits: dict[tuple[str, str], set[str]] = {}
    for clip in planned:
        splits.setdefault((clip.kind, clip.group), set()).add(clip.split)
    assert all(len(found) == 1 for found in splits.values())
    for kind in KINDS:
        assert {clip.split for clip in planned if clip.kind == kind} == {"train", "validation"}
    share = np.mean([is_held_out("songs", f"group {number}") for number in range(4000)])
    assert share == pytest.approx(0.1, abs=0.02)


def test_longer_plan_begins_with_the_shorter_one_and_another_seed_gives_another() -> None:
    short, long = (plan({"songs": count}, 3, TOOLS) for count in (20, 60))
    assert long[:20] == short
    assert plan({"songs": 20}, 4, TOOLS) != short


def test_unknown_kind() -> None:
    with pytest.raises(UsageError, match=r"'opera'.*electronic, accompaniments, songs, tunes"):
        plan({"opera": 1}, 0, TOOLS)


def test_render_lists_resumes_and_gives_the_same_bytes(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    listing = render_corpus(tmp_path / "a", COUNTS, 0, TOOLS, workers=1, progress=lambda *n: calls.append(n))
    assert calls[0] == (0, 3)
    assert calls[-1] == (3, 3)
    rows = list(csv.DictReader(listing.open(encoding="utf-8")))
    assert [row["key"] for row in rows] == ["C major", "Db major", "D major"]
    paths = [tmp_path / "a" / row["path"] for row in rows]
    contents = [path.read_bytes() for path in paths]
    with soundfile.SoundFile(paths[0]) as file:
        assert (file.samplerate, file.channels, len(file)) == (SAMPLE_RATE, 1, SAMPLES)
        assert json.loads(file.comment)["group"] == rows[0]["group"].removeprefix("electronic ")
    # As after a kill: one file is missing, another is half written under a temporary name.
    paths[1].unlink()
    states = [path.stat().st_mtime_ns for path in paths[::2]]
    render_corpus(tmp_path / "a", COUNTS, 0, TOOLS, workers=2)
    assert [path.read_bytes() for path in paths] == contents
    assert [path.stat().st_mtime_ns for path in paths[::2]] == states


def test_clips_of_another_seed_are_made_again(tmp_path: Path) -> None:
    first = render_corpus(tmp_path, {"electronic": 1}, 0, TOOLS, workers=1)
    path = tmp_path / next(csv.DictReader(first.open(encoding="utf-8")))["path"]
    before = path.read_bytes()
    render_corpus(tmp_path, {"electronic": 1}, 1, TOOLS, workers=1)
    assert path.read_bytes() != before
    render_corpus(tmp_path, {"electronic": 1}, 0, TOOLS, workers=1)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", KINDS)
def test_clip_does_not_depend_on_what_was_made_before(kind: str) -> None:
    first, second = plan({kind: 2}, 0, TOOLS)
    alone = make(second, 0, TOOLS).samples
    make(first, 0, TOOLS)
    assert np.array_equal(make(second, 0, TOOLS).samples, alone)
