from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.catalogue.labels import select_tracks
from pipelines.catalogue.parts import SplitPolicy
from pipelines.catalogue.specs import load_spec
from pipelines.splits import fold_splits, policy_splits
from pipelines.tracks import Track
from tfkey.errors import UsageError
from tfkey.keys import KEYS
from tfkey.settings import SplitConfig


def _tracks(groups: int = 200, most: int = 3) -> list[Track]:
    """Groups of 1 to ``most`` tracks, whose keys may differ inside a group, as remixes' do."""
    source = random.Random(5)
    return [
        Track(name := f"{group}-{part}", Path(name), source.choice(KEYS), None, name, f"g{group}")
        for group in range(groups)
        for part in range(source.randint(1, most))
    ]


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_each_track_is_tested_exactly_once_and_no_group_on_two_sides(folds: int) -> None:
    tracks = _tracks()
    tested: Counter[str] = Counter()
    for fold in range(folds):
        turn = fold_splits(tracks, folds, fold, seed=1)
        assert [replace(track, split=None) for track in turn] == tracks
        sides: dict[str, set[str | None]] = {}
        for track in turn:
            sides.setdefault(track.group, set()).add(track.split)
        assert all(len(side) == 1 for side in sides.values())
        assert {track.split for track in turn} == {"train", "validation", "test"}
        tested.update(track.name for track in turn if track.split == "test")
    assert tested == Counter(track.name for track in tracks)


def test_folds_of_a_real_list_are_even_and_stratified() -> None:
    labels, _ = select_tracks(load_spec("gs_mtg"))
    tracks = [Track(item.id, Path(item.id), item.key, "test", item.id, item.id) for item in labels]
    per_fold = []
    for fold in range(5):
        tested = [track for track in fold_splits(tracks, 5, fold, seed=0) if track.split == "test"]
        per_fold.append(Counter(track.key for track in tested))
    sizes = [sum(counts.values()) for counts in per_fold]
    assert max(sizes) - min(sizes) <= 5
    for key in KEYS:
        counts = [fold[key] for fold in per_fold]
        assert max(counts) - min(counts) <= 1


def test_folds_depend_on_the_seed_and_not_on_the_order() -> None:
    tracks = _tracks()
    first = {track.name: track.split for track in fold_splits(tracks, 5, 2, seed=0)}
    assert {track.name: track.split for track in fold_splits(tracks[::-1], 5, 2, seed=0)} == first
    assert {track.name: track.split for track in fold_splits(tracks, 5, 2, seed=1)} != first


@pytest.mark.parametrize(("folds", "fold"), [(1, 0), (0, 0), (11, 0), (5, 5), (5, -1)])
def test_folds_out_of_range(folds: int, fold: int) -> None:
    with pytest.raises(UsageError, match="out of range"):
        fold_splits(_tracks(groups=10, most=1), folds, fold, seed=0)


def test_policies() -> None:
    tracks = _tracks(groups=2000, most=1)
    split = SplitConfig(validation=0.1, test=0.3, seed=0)

    def shares(policy: SplitPolicy) -> dict[str | None, float]:
        counts = Counter(track.split for track in policy_splits(tracks, policy, split))
        return {name: round(count / len(tracks), 2) for name, count in counts.items()}

    assert shares(SplitPolicy()) == {"train": 0.6, "validation": 0.1, "test": 0.3}
    assert shares(load_spec("ncs").split) == {"train": 0.75, "validation": 0.1, "test": 0.15}
    assert shares(load_spec("gs_mtg").split) == {"train": 0.9, "validation": 0.1}
    assert shares(load_spec("gs_key").split) == {"test": 1.0}
    trained = [replace(track, split="train") for track in tracks]
    assert {track.split for track in policy_splits(trained, SplitPolicy(test=1), split)} == {"test"}
    assert {track.split for track in policy_splits(trained, SplitPolicy(test=0.15), split)} == {"train"}
