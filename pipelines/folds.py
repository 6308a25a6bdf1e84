"""Splits beyond the configured shares: k-fold cross-validation, and the policy of a catalogue entry."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pipelines.catalogue import SplitPolicy
from pipelines.tracks import Track, assign_splits
from tfkey.errors import UsageError
from tfkey.keys import Key
from tfkey.settings import SplitConfig

_GOLDEN_RATIO = 0.6180339887498949


def fold_splits(
    tracks: Sequence[Track], folds: int, fold: int, seed: int, *, validation: float = 0.15
) -> list[Track]:
    """Split for one turn of k-fold cross-validation: one fold is tested on, the others are trained on.

    Over all turns every track is tested exactly once. Folds are stratified by key and decided by a hash of
    seed and group, so that the order of the tracks does not matter, and a new track moves others of the same
    key only. Tracks of one group go together, by the key of the first (by source) of them. A split that a
    track had before is not kept.

    Args:
        tracks: of one dataset.
        folds: how many, 2 to the number of groups.
        fold: the one to test on, 0 to ``folds - 1``.
        seed: another one gives other folds.
        validation: share of the other folds' tracks to choose the best network by.

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
        groups.sort(key=lambda group: _digest(f"{seed}/fold/{group}"))
        # Were every key dealt from fold 0, the first folds would hold all that does not divide evenly.
        start = int(folds * ((key.index + 1) * _GOLDEN_RATIO % 1.0))
        tested.update(groups[(fold - start) % folds :: folds])
    parted = [replace(track, split="test" if track.group in tested else None) for track in tracks]
    return assign_splits(parted, SplitConfig(validation=validation, test=0.0, seed=seed))


def policy_splits(tracks: Sequence[Track], policy: SplitPolicy, split: SplitConfig) -> list[Track]:
    """Split by the policy of a dataset's catalogue entry; what that leaves open is as configured.

    With ``split.folds``, a dataset that is not wholly for testing is split into folds instead.

    A dataset that is wholly for testing is, whatever splits its tracks had before; elsewhere a split that a
    track has already (from the folders of an archive) stays.

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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
