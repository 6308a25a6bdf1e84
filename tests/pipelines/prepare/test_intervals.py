from __future__ import annotations

import numpy as np
import pytest

from pipelines.prepare.intervals import cut, interval_starts
from tfkey.settings import IntervalConfig


@pytest.mark.parametrize("remainder", ["drop", "pad", "overlap"])
@pytest.mark.parametrize("step", [3, 10, 14])
@pytest.mark.parametrize("samples", [0, 1, 9, 10, 11, 19, 20, 21, 37])
def test_starts(samples, step, remainder):
    length = 10
    starts = interval_starts(samples, length, step, remainder)
    assert starts == sorted(set(starts))
    whole = [start for start in range(0, samples, step) if start + length <= samples]
    assert starts[: len(whole)] == whole
    extra = starts[len(whole) :]
    covered = whole[-1] + length if whole else 0
    if remainder == "drop" or covered == samples:
        assert not extra
    elif remainder == "overlap":
        assert extra == ([samples - length] if samples >= length else [])
    else:
        following = whole[-1] + step if whole else 0
        assert extra == ([following] if following < samples else []), "an interval of nothing but padding"


def test_cut_pads_and_keeps_every_sample():
    waveform = np.arange(1, 26, dtype=np.float32)
    parts = cut(waveform, IntervalConfig(seconds=1, remainder="pad"), 10)
    assert [part.dtype for part in parts] == [np.float32] * 3
    np.testing.assert_array_equal(np.concatenate(parts), np.pad(waveform, (0, 5)))
    parts = cut(waveform, IntervalConfig(seconds=1, step_seconds=0.5, remainder="overlap"), 10)
    np.testing.assert_array_equal(np.stack(parts)[:, 0], [1, 6, 11, 16])
