"""What several processes read is, together, what a single one reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.prepared.inputs import evaluation_batches, evaluation_steps, training_batches
from pipelines.prepared.manifest import open_prepared
from pipelines.prepared.shares import Share
from pipelines.prepared.split_intervals import SplitIntervals, open_intervals
from tfkey.config import load_config

BATCH, SEED = 8, 5


def intervals(lab: Path, split: str, *settings: str) -> SplitIntervals:
    config = load_config(lab / "settings.yaml", [f"data_dir={lab / 'data'}", *settings])
    return open_intervals(config, [open_prepared(config, config.mode, "small")], split)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        (["mode=spectrograms"], 4),
        (["mode=images"], 2),
        (["mode=spectrograms", "major_shares={small: 0.75}"], 2),
    ],
    ids=["spectrograms", "images", "streams"],
)
def test_parts_of_batches_make_up_the_batches(lab: Path, settings: list[str], count: int) -> None:
    data = intervals(lab, "train", *settings)
    # On into a second epoch, which is shuffled again.
    whole = list(training_batches(data, BATCH, seed=SEED).take(6).as_numpy_iterator())
    parts = [
        training_batches(data, BATCH, seed=SEED, share=Share(index, count)).take(6).as_numpy_iterator()
        for index in range(count)
    ]
    for batch, own in zip(whole, zip(*parts, strict=True), strict=True):
        assert {len(part[0]) for part in own} == {BATCH // count}
        for place, values in enumerate(batch):
            np.testing.assert_array_equal(values, np.concatenate([part[place] for part in own]))
    assert not np.array_equal(whole[0][0], whole[1][0])


@pytest.mark.parametrize(("mode", "count"), [("spectrograms", 3), ("images", 11)])
def test_every_interval_is_validated_once(lab: Path, mode: str, count: int) -> None:
    data = intervals(lab, "validation", f"mode={mode}")
    (whole,) = evaluation_batches(data, len(data.rows)).as_numpy_iterator()
    seen = 0
    for index in range(count):
        share = Share(index, count)
        batches = list(evaluation_batches(data, 2, share).as_numpy_iterator())
        assert len(batches) == evaluation_steps(data, 2, share)
        pictures = np.concatenate([batch[0] for batch in batches]) if batches else whole[0][:0]
        np.testing.assert_array_equal(pictures, whole[0][index::count])
        seen += len(pictures)
    assert seen == len(data.rows)
