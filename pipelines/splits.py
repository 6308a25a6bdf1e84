"""Splits: by configured shares, into folds for cross-validation, and by the policy of a catalogue entry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pipelines.catalogue.parts import SplitPolicy
from pipelines.text import stable_digest
from pipelines.tracks import Track
from tfkey.errors import UsageError
from tfkey.keys import Key
from tfkey.settings import SplitConfig

_GOLDEN_RATIO = 0.6180339887498949


def assign_splits(tracks: Sequence[Track], split: SplitConfig) -> list[Track]:
    """Assign a split to every track without one.

    The split is stratified by key and decided by a hash of seed and name: the order of the tracks does not
    matter, and a new track moves at most one track of the same key per split. Tracks of one group stay
    together: in the split that one of them already has, otherwise in that of the first by source.

    Returns:
        The tracks in the order given.
    """
    ordered = sorted(tracks, key=lambda track: track.source)
    chosen = {track.group: track.split for track in reversed(ordered) if track.split}
    by_key: dict[Key, list[str]] = defaultdict(list)
    for group, track in {track.group: track for track in reversed(ordered)}.items():
        if group not in chosen:
            by_key[track.key].append(group)
    for key, groups in by_key.items():
        groups.sort(key=lambda group: stable_digest(f"{split.seed}/{group}"))
        # Rounding to the nearest integer would give no share at all to keys with few tracks. Multiples of the
        # golden ratio spread the thresholds evenly over the keys, so that the overall shares are right.
        threshold = _spread(key)
        n_test = int(len(groups) * split.test + threshold)
        n_held_out = int(len(groups) * (split.test + split.validation) + threshold)
        for position, group in enumerate(groups):
            is_test, is_validation = position < n_test, position < n_held_out
            chosen[group] = "test" if is_test else "validation" if is_validation else "train"
    return [track if track.split else replace(track, split=chosen[track.group]) for track in tracks]


def fold_splits(
    tracks: Sequence[Track], folds: int, fold: int, seed: int, *, validation: float = 0.15
) -> list[Track]:
    """Split for one turn of k-fold cross-validation: one fold for testing, the others for training.

    Over all turns, every track is tested exactly once. Folds are stratified by key and decided by a hash of
    seed and group: the order of the tracks does not matter, and a new track moves only tracks of the same
    key. Tracks of one group stay together, by the key of the first of them (by source). Existing splits of
    tracks are ignored.

    Args:
        tracks: the tracks of one dataset.
        folds: the number of folds, from 2 to the number of groups.
        fold: the fold to test on, 0 to ``folds - 1``.
        seed: the seed of the folds.
        validation: share of the other folds' tracks for choosing the best network.

    Returns:
        The tracks in the order given, each with its split.

    Raises:
        UsageError: ``folds`` or ``fold`` out of range.
    """
    by_key: dict[Key, list[str]] = defaultdict(list)
    ordered = sorted(tracks, key=lambda track: track.source, reverse=True)
    for group, key in {track.group: track.key for track in ordered}.items():
        by_key[key].append(group)
    n_groups = sum(len(groups) for groups in by_key.values())
    if not 2 <= folds <= n_groups:
        raise UsageError(f"folds: {folds} is out of range; give 2 to {n_groups}, the number of tracks")
    if not 0 <= fold < folds:
        raise UsageError(f"fold: {fold} is out of range; give 0 to {folds - 1}")
    tested = set()
    for key, groups in by_key.items():
        groups.sort(key=lambda group: stable_digest(f"{seed}/fold/{group}"))
        # If every key started at fold 0, the first folds would get all the remainders.
        start = int(folds * _spread(key))
        tested.update(groups[(fold - start) % folds :: folds])
    parted = [replace(track, split="test" if track.group in tested else None) for track in tracks]
    return assign_splits(parted, SplitConfig(validation=validation, test=0.0, seed=seed))


def policy_splits(tracks: Sequence[Track], policy: SplitPolicy, split: SplitConfig) -> list[Track]:
    """Split by the policy of a dataset's catalogue entry; the configuration supplies what that leaves open.

    With ``split.folds``, a dataset is split into folds instead, unless it is entirely for testing.

    All tracks of a dataset that is entirely for testing are test tracks, whatever splits they had before;
    otherwise a track keeps a split that it already has (from the folders of an archive).

    Returns:
        The tracks in the order given, each with its split.
    """
    if policy.test == 1.0:
        return [replace(track, split="test") for track in tracks]
    if split.folds is not None:
        return fold_splits(tracks, split.folds, split.fold, split.seed, validation=split.validation)
    test = split.test if policy.test is None else policy.test
    validation = split.validation if policy.validation is None else policy.validation
    return assign_splits(tracks, SplitConfig(validation=validation, test=test, seed=split.seed))


def _spread(key: Key) -> float:
    """Return a number in [0, 1) for each key; the numbers of consecutive keys are evenly spread."""
    return (key.index + 1) * _GOLDEN_RATIO % 1.0
