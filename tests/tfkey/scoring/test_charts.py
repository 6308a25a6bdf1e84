from __future__ import annotations

import io

import matplotlib.colors
import numpy as np
import pytest
from PIL import Image

from tfkey.keys import KEYS, Key
from tfkey.scoring.calibration import calibrated, reliability, softmax
from tfkey.scoring.charts import confusion_figure, png, reliability_figure, spectrogram_figure
from tfkey.settings import FeatureConfig

RNG = np.random.default_rng(0)


def cells(figure):
    """The numbers drawn, by the labels of their row and column."""
    (axes,) = figure.axes
    rows = [label.get_text() for label in axes.get_yticklabels()]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    return {
        (rows[int(text.get_position()[1])], columns[int(text.get_position()[0])]): text.get_text()
        for text in axes.texts
    }


def test_confusion_is_drawn_where_the_keys_are():
    matrix = np.zeros((24, 24), int)
    named = {("C", "G"): 3, ("Abm", "Ab"): 2, ("Fm", "Fm"): 7, ("B", "Gbm"): 1}
    for (row, column), count in named.items():
        matrix[Key.parse(row).index, Key.parse(column).index] = count
    figure = confusion_figure(matrix)
    assert cells(figure) == {place: str(count) for place, count in named.items()}
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels[:3] == ["C", "G", "D"]
    assert [Key.parse(minor).relative.short for minor in labels[12:]] == labels[:12]
    assert set(labels) == {key.short for key in KEYS}


@pytest.mark.parametrize("wrong", [np.zeros((24, 23)), -np.eye(24)])
def test_confusion_refuses(wrong):
    with pytest.raises(ValueError, match="24 references"):
        confusion_figure(wrong)


@pytest.mark.parametrize("dark", [False, True])
def test_reliability_shows_both_and_fits_its_page(dark):
    probabilities = softmax(RNG.normal(0, 2, (80, 24)))
    labels = RNG.integers(0, 24, 80)
    before, after = (
        reliability(rows, labels, resamples=50) for rows in (probabilities, calibrated(probabilities, 3))
    )
    figure = reliability_figure(before, after, dark=dark)
    drawn = [line for line in figure.axes[0].get_lines() if line.get_marker() in ("o", "D")]
    for line, item in zip(drawn, (before, after), strict=True):
        full = [entry for entry in item.bins if entry.tracks]
        np.testing.assert_allclose(line.get_xydata(), [(entry.confidence, entry.correct) for entry in full])
    heights = [patch.get_height() for patch in figure.axes[1].patches]
    assert sum(heights) == 2 * 80
    paper = np.array(matplotlib.colors.to_rgb(figure.get_facecolor()))
    assert (paper.mean() < 0.5) == dark
    assert len(reliability_figure(before).axes[0].containers) == 1


def test_spectrogram_names_its_octaves():
    features = FeatureConfig(extra_semitones=3)
    for bins in (features.n_bins, features.stored_bins):
        figure = spectrogram_figure(RNG.random((65, bins, 1)), features, "a title")
        axes = figure.axes[0]
        labels = dict(
            zip([text.get_text() for text in axes.get_yticklabels()], axes.get_yticks(), strict=True)
        )
        shift = features.extra_bins if bins == features.stored_bins else 0
        assert labels["C2"] == pytest.approx(shift, abs=0.01)
        assert labels["C5"] == pytest.approx(shift + 3 * 24, abs=0.01)
        assert axes.get_xlim()[1] == pytest.approx(65 * 2048 / 44100)
    with pytest.raises(ValueError, match="frames, bins"):
        spectrogram_figure(np.zeros((5, 7, 2)), features)


def test_pictures_are_whole_and_leave_nothing_behind():
    import matplotlib.pyplot as plt

    figure = confusion_figure(np.eye(24, dtype=int))
    content = png(figure)
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG"
        size = image.size
    # Inches at 110 dots each.
    assert size == tuple(round(110 * inches) for inches in figure.get_size_inches())
    assert content == png(confusion_figure(np.eye(24, dtype=int)))
    assert plt.get_fignums() == []
