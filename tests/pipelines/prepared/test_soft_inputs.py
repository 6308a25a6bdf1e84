"""Batches with soft labels, and with shares of datasets."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pipelines.prepare.prepare import prepare
from pipelines.prepared.inputs import (
    batch_members,
    evaluation_batches,
    steps_per_epoch,
    training_batches,
    turns,
)
from pipelines.prepared.manifest import open_prepared
from pipelines.prepared.split_intervals import open_intervals
from pipelines.publishing.packing import pack
from tests.conftest import SETTINGS
from tests.voted import write_votes
from tfkey.config import Config, load_config
from tfkey.errors import ConfigError, DataError
from tfkey.keys import Key
from tfkey.settings import MODES, TrainConfig

BATCH = 4
SHARES = {"voted": 3.0, "small": 1.0}


@pytest.fixture(scope="module")
def prepared(tracks_master, tmp_path_factory):
    """Datasets in all modes: ``small`` with known keys, ``voted`` with votes; configurations by mode."""
    root = tmp_path_factory.mktemp("soft")
    write_votes(root / "votes.csv", tracks_master)
    configs = {
        mode: Config.model_validate(
            {**SETTINGS, "mode": mode, "datasets": ["small", "voted"], "data_dir": root / "data"}
        )
        for mode in MODES
    }
    for name, source in (("small", tracks_master), ("voted", root / "votes.csv")):
        for mode in ("audio", "spectrograms"):
            prepare(configs[mode], name, source=source)
        pack(open_prepared(configs["spectrograms"], "spectrograms", name), root / f"{name}.tar.xz")
        prepare(configs["images"], name, source=root / f"{name}.tar.xz")
    return configs


def opened(config, *names, weighted=False, **changes):
    config = config.model_copy(update=changes)
    datasets = [open_prepared(config, config.mode, name) for name in names]
    return open_intervals(config, datasets, "train", weighted=weighted)


def expected(row):
    """The soft label of a row."""
    words = [float(word) for word in row.vote.split()]
    return words or [float(index == Key.parse(row.key).index) for index in range(24)]


@pytest.mark.parametrize("mode", MODES)
def test_labels_are_soft_if_any_of_the_intervals_has_a_vote(mode, prepared):
    known = opened(prepared[mode], "small")
    assert not known.has_votes
    for batches in (evaluation_batches(known, BATCH), training_batches(known, BATCH, seed=0).take(1)):
        for _, labels in batches.as_numpy_iterator():
            assert (labels.dtype, labels.ndim) == (np.int32, 1)

    both = opened(prepared[mode], "small", "voted")
    assert both.has_votes
    assert sum(bool(row.vote) for row in both.rows) == 24 < len(both.rows) == 54
    wanted = np.array([expected(row) for row in both.rows])
    np.testing.assert_allclose(both.targets(), wanted, atol=1e-7)
    labels = np.concatenate([batch for _, batch in evaluation_batches(both, 5).as_numpy_iterator()])
    assert labels.dtype == np.float32
    # Records hold more digits than the manifest.
    np.testing.assert_allclose(labels, wanted, atol=1e-4)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    found = [row for _, y in training_batches(both, BATCH, seed=3).take(13).as_numpy_iterator() for row in y]
    assert len(found) == 52
    counts = Counter(tuple(row.round(3)) for row in labels)
    assert not Counter(tuple(row.round(3)) for row in found) - counts


@pytest.mark.parametrize("mode", MODES)
def test_class_weights_are_of_the_most_probable_key(mode, prepared):
    train = TrainConfig(class_weights="balanced", shuffle_buffer=8)
    source = opened(prepared[mode], "small", "voted", weighted=True, train=train)
    counts = np.bincount(source.labels, minlength=24)
    batches = training_batches(source, 1, seed=0).take(len(source.rows))
    found = [(label[0].argmax(), float(weight[0])) for _, label, weight in batches.as_numpy_iterator()]
    assert np.mean([weight for _, weight in found]) == pytest.approx(1, rel=1e-5)
    assert len({round(weight * counts[label], 4) for label, weight in found}) == 1


def test_turns_follow_the_shares_from_the_start():
    assert turns([3, 1], 8).tolist() == [0, 0, 1, 0, 0, 0, 1, 0]
    assert turns([1, 1], 4).tolist() == [0, 1, 0, 1]
    for shares in ([3, 1], [0.6, 0.3, 0.1], [5, 5, 1, 1], [1e-3, 1]):
        pattern = turns(shares, 3000)
        share = np.array(shares) / np.sum(shares)
        counts = np.cumsum(np.eye(len(shares))[pattern], axis=0)
        ideal = share * np.arange(1, 3001)[:, np.newaxis]
        assert np.abs(counts - ideal).max() <= 1
        np.testing.assert_array_equal(turns(np.multiply(shares, 8), 3000), pattern)


def stream(source, *, seed, first_epoch=0, epochs=1):
    """The numbers of the intervals by epoch, told apart by their content."""
    every = [x.tobytes() for x, _ in evaluation_batches(source, 1).as_numpy_iterator()]
    index = {content: number for number, content in enumerate(every)}
    assert len(index) == len(source.rows)
    steps = steps_per_epoch(source, BATCH)
    batches = training_batches(source, BATCH, seed=seed, first_epoch=first_epoch).take(steps * epochs)
    found = [index[one[np.newaxis].tobytes()] for x, *_ in batches.as_numpy_iterator() for one in x]
    return [found[start : start + steps * BATCH] for start in range(0, len(found), steps * BATCH)]


@pytest.mark.parametrize("mode", MODES)
def test_shares_of_every_batch(mode, prepared):
    """Three of four intervals are of the dataset with votes, which is therefore read twice in an epoch."""
    source = opened(prepared[mode], "small", "voted", shares=SHARES)
    for _, labels in training_batches(source, BATCH, seed=1).take(13).as_numpy_iterator():
        assert (labels.max(axis=1) == 1).sum() == 1
    epochs = stream(source, seed=1, epochs=3)
    assert [len(epoch) for epoch in epochs] == [52] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert stream(source, seed=1, epochs=1) == epochs[:1]
    assert stream(source, seed=1, first_epoch=2) == epochs[2:]
    assert stream(source, seed=2) != epochs[:1]
    # The first 30 are of the dataset with known keys; in a quarter of an epoch, none of them comes twice.
    small = [number for number in epochs[0] if number < 30]
    assert len(small) == len(set(small)) == 13


@pytest.mark.parametrize("mode", MODES)
def test_members_of_a_batch_with_shares(mode, prepared):
    source = opened(prepared[mode], "small", "voted", shares=SHARES)
    labels = {}
    for dataset, rows in source.parts:
        for row in rows:
            path = str(dataset.folder / row.path)
            name = f"{row.track}, part {row.part} in {path}" if mode == "spectrograms" else path
            labels[name] = expected(row)
    batches = list(training_batches(source, BATCH, seed=5, first_epoch=2).take(13).as_numpy_iterator())
    # In one batch of the whole epoch the order is the same; then the last of the batches alone.
    members, broken = batch_members(source, 52, seed=5, epoch=2, batch=0)
    assert broken == []
    read = np.concatenate([batch for _, batch in batches])
    np.testing.assert_allclose([labels[name] for name in members], read, atol=1e-4)
    assert batch_members(source, BATCH, seed=5, epoch=2, batch=12) == (members[48:], [])
    voted = [name for name in members if "/voted/" in name]
    # All 24 of them once, and then some of them again, in another order.
    assert len(voted) == 39
    assert len(set(voted[:24])) == 24
    assert len(set(voted[24:])) == 15
    assert voted[24:] != voted[:15]


@pytest.mark.parametrize("class_weights", ["balanced", "none"])
def test_weights_are_one_in_the_mean_with_shares_too(class_weights, prepared):
    train = TrainConfig(class_weights=class_weights)
    changes = {"shares": SHARES, "weights": {"voted": 0.25}, "train": train}
    source = opened(prepared["audio"], "small", "voted", weighted=True, **changes)
    by_key, mean, frequent = source.key_weights(), 0.0, np.zeros(24)
    for (dataset, rows), weight in zip(source.parts, source.dataset_weights, strict=True):
        labels = [Key.parse(row.key).index for row in rows]
        share = SHARES[dataset.name] / sum(SHARES.values())
        mean += share * weight * by_key[labels].mean()
        frequent += share * np.bincount(labels, minlength=24) / len(rows)
    assert mean == pytest.approx(1, rel=1e-5)
    occurs = frequent > 0
    products = (by_key * frequent)[occurs]
    assert np.allclose(products, products[0]) == (class_weights == "balanced")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shares", [SHARES, {}], ids=["with shares", "without"])
def test_shares_of_major_keys(mode, shares, prepared):
    """They hold within a dataset, whatever its own share, from the first batch on."""
    source = opened(prepared[mode], "small", "voted", shares=shares, major_shares={"small": 0.75})
    small = source.parts[0][1]
    modes = [Key.parse(row.key).mode for row in source.rows]
    assert 0 < modes[:30].count("major") < 30
    drawn = [number for epoch in stream(source, seed=1, epochs=4) for number in epoch]
    of_small = [modes[number] for number in drawn if number < len(small)]
    assert len(of_small) == pytest.approx(len(drawn) * (0.25 if shares else 30 / 54), abs=4)
    assert of_small.count("major") / len(of_small) == pytest.approx(0.75, abs=0.05)
    assert of_small[:20].count("major") == pytest.approx(15, abs=2)
    # The other dataset is as it was: in each epoch, all of its intervals are about equally frequent.
    voted = Counter(number for number in drawn if number >= len(small))
    assert len(voted) == 24
    assert max(voted.values()) - min(voted.values()) <= 4


def test_weights_are_one_in_the_mean_with_shares_of_major_keys(prepared):
    source = opened(prepared["audio"], "small", "voted", weighted=True, major_shares={"small": 0.75})
    labels = np.array(source.labels)
    often = np.ones(54)
    major, minor = labels[:30] < 12, labels[:30] >= 12
    often[:30][major] = 30 * 0.75 / major.sum()
    often[:30][minor] = 30 * 0.25 / minor.sum()
    assert np.average(source.key_weights()[labels], weights=often) == pytest.approx(1, rel=1e-5)


def test_share_of_major_keys_in_a_dataset_of_one_mode(prepared):
    source = opened(prepared["audio"], "small", major_shares={"small": 0.75})
    dataset, rows = source.parts[0]
    alone = replace(source, parts=((dataset, tuple(r for r in rows if "major" in r.key)),))
    with pytest.raises(DataError, match="no minor keys to mix; remove small from major_shares"):
        training_batches(alone, BATCH, seed=0)


@pytest.mark.parametrize("share", ["0", "1", "1.5", "many"])
def test_shares_of_major_keys_that_are_not_between_0_and_1(share):
    with pytest.raises(ConfigError, match="major_shares"):
        load_config(None, ["datasets=[small]", f"major_shares={{small: {share}}}"])


def test_shares_of_a_single_dataset_change_nothing(prepared):
    plain = opened(prepared["audio"], "small")
    alone = opened(prepared["audio"], "small", shares={"small": 2.0})
    assert stream(alone, seed=1) == stream(plain, seed=1)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ("{small: 1}", "shares: voted, third is missing; give the share of every dataset"),
        ("{small: 1, voted: 1, third: 1, fourth: 1}", "shares: fourth is not among datasets"),
        ("{small: 1, voted: 0, third: 1}", "greater than 0"),
        ("{small: 1, voted: -1, third: 1}", "greater than 0"),
    ],
)
def test_shares_that_do_not_fit_the_datasets(shares, words):
    with pytest.raises(ConfigError, match=words):
        load_config(None, ["datasets=[small, voted, third]", f"shares={shares}"])
