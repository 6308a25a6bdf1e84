from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipelines.prepared.records import parse_example, to_example

PICTURE = np.random.default_rng(0).random((5, 3)).astype(np.float16)
VOTE = tuple(np.random.default_rng(1).dirichlet(np.full(24, 0.3)))
CERTAIN = tuple(float(index == 20) for index in range(24))


@pytest.mark.parametrize("vote", [None, VOTE, CERTAIN], ids=["key", "vote", "certain"])
def test_an_example_is_read_as_it_was_written(vote: tuple[float, ...] | None) -> None:
    example = parse_example(tf.constant(to_example(PICTURE, 7, "a track", 12, vote)))
    np.testing.assert_array_equal(example["spectrogram"], PICTURE.astype(np.float32))
    assert (example["label"].dtype, int(example["label"])) == (tf.int32, 7)
    assert (example["track"].numpy(), int(example["part"])) == (b"a track", 12)
    target = np.eye(24)[7] if vote is None else vote
    assert example["target"].dtype == tf.float32
    np.testing.assert_allclose(example["target"], target, rtol=1e-6)


def test_a_known_key_is_written_as_before_there_were_votes() -> None:
    features = tf.train.Example.FromString(to_example(PICTURE, 7, "a", 0)).features.feature
    assert set(features) == {"spectrogram", "shape", "label", "track", "part"}
