from __future__ import annotations

import inspect
import json
import subprocess
import sys

import mir_eval
import numpy as np
import pytest

from tfkey.errors import DataError, UsageError
from tfkey.keys import KEYS, relation
from tfkey.scoring.bootstrap import bootstrap_interval
from tfkey.scoring.mirex import (
    RELATIONS,
    Figure,
    score_matrix,
    summarise,
    track_scores,
    weighted_score,
)


def mir_eval_score(reference, estimate, both_fifths):
    """Ask mir_eval; versions without the option are asked for the fifth below by swapping the keys."""
    score = mir_eval.key.weighted_score
    if "allow_descending_fifths" in inspect.signature(score).parameters:
        return score(reference, estimate, allow_descending_fifths=both_fifths)
    swapped = score(estimate, reference) if both_fifths else 0.0
    return max(score(reference, estimate), swapped if swapped == 0.5 else 0.0)


@pytest.mark.parametrize("both_fifths", [False, True])
def test_all_pairs_equal_mir_eval(both_fifths):
    expected = np.array([[mir_eval_score(r.long, e.long, both_fifths) for e in KEYS] for r in KEYS])
    np.testing.assert_array_equal(score_matrix(both_fifths), expected)
    references, estimates = [r for r in KEYS for _ in KEYS], [e for _ in KEYS for e in KEYS]
    np.testing.assert_array_equal(
        track_scores(references, estimates, both_fifths=both_fifths), expected.ravel()
    )
    assert weighted_score(references, estimates, both_fifths=both_fifths) == pytest.approx(expected.mean())


def test_direction_of_the_fifth():
    c, g = KEYS[0], KEYS[7]
    assert weighted_score([c], [g], both_fifths=False) == 0.5
    assert weighted_score([g], [c], both_fifths=False) == 0.0
    assert weighted_score([g], [c], both_fifths=True) == 0.5
    with pytest.raises(TypeError):
        weighted_score([c], [g])


def test_score_matrix_is_the_callers_own():
    score_matrix(True)[:] = 0
    assert score_matrix(True).trace() == 24


def test_figure_writes_itself_with_its_interval():
    figure = Figure(0.921, 0.0874, 1.0)
    assert f"{figure}" == "92.1 [8.7, 100.0]"
    assert f"{figure:5.1%}" == " 92.1 [  8.7, 100.0]"
    assert f"{figure:.3f}" == "0.921 [0.087, 1.000]"
    assert f"{Figure(-0.02, -0.05, 0.01):+.1%}" == "-2.0 [-5.0, +1.0]"


@pytest.mark.parametrize(
    ("reference", "estimate", "error"),
    [([], [], DataError), ([1], [1, 2], ValueError), ([24], [0], ValueError), ([-1], [0], ValueError),
     ([0.0], [0], ValueError), (["C major"], [0], ValueError)],
)  # fmt: skip
def test_what_cannot_be_scored(reference, estimate, error):
    for function in (summarise, lambda r, e: weighted_score(r, e, both_fifths=True)):
        with pytest.raises(error):
            function(reference, estimate)


def test_interval_agrees_with_an_independent_bootstrap():
    from scipy import stats

    for values in (
        np.random.default_rng(1).choice([0, 0.2, 0.3, 0.5, 1], 150),
        np.random.default_rng(2).normal(size=60),
    ):
        theirs = stats.bootstrap(
            (values,), np.mean, n_resamples=20_000, method="percentile", random_state=3
        ).confidence_interval
        width = theirs.high - theirs.low
        ours = bootstrap_interval(values, resamples=20_000)
        np.testing.assert_allclose(ours, (theirs.low, theirs.high), atol=0.04 * width)
        assert ours == bootstrap_interval(values, resamples=20_000) != bootstrap_interval(values, seed=1)
        narrow = bootstrap_interval(values, level=0.5)
        assert ours[0] < narrow[0] < values.mean() < narrow[1] < ours[1]


def test_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = 0
    for trial in range(400):
        low, high = bootstrap_interval(generator.random(100) < 0.7, resamples=500, seed=trial)
        covered += low <= 0.7 <= high
    assert 0.90 < covered / 400 < 0.985


def test_interval_in_blocks_resamples_all_figures_together(monkeypatch):
    values = np.random.default_rng(0).random((40, 1)) * [1, 2]
    monkeypatch.setattr("tfkey.scoring.bootstrap._COUNTS_AT_ONCE", 40 * 7)
    low, high = bootstrap_interval(values)
    np.testing.assert_allclose([low[1], high[1]], [2 * low[0], 2 * high[0]])
    assert bootstrap_interval([0.5]) == (0.5, 0.5)


def test_intervals_of_a_track_are_drawn_together():
    generator = np.random.default_rng(0)
    sizes = generator.integers(1, 9, 60)
    groups = np.repeat(np.arange(60), sizes)
    references = generator.integers(0, 24, 60)[groups]
    # Every track is right in all of its intervals or in none.
    estimates = np.where((generator.random(60) < 0.6)[groups], references, (references + 1) % 12)
    summary = summarise(references, estimates, groups=groups, resamples=8000)
    assert (summary.n_tracks, summary.n_intervals) == (60, sizes.sum())
    right = references == estimates
    drawn = [np.concatenate([np.flatnonzero(groups == track) for track in generator.integers(0, 60, 60)])
             for _ in range(4000)]  # fmt: skip
    ends = np.quantile([right[rows].mean() for rows in drawn], [0.025, 0.975])
    found = summary.figures["correct"]
    assert found.value == right.mean()
    np.testing.assert_allclose((found.low, found.high), ends, atol=0.02)
    alone = summarise(references, estimates).figures["correct"]
    assert found.high - found.low > 1.5 * (alone.high - alone.low)
    assert (
        summarise(references, estimates, groups=np.arange(len(groups))).figures
        == summarise(references, estimates).figures
    )
    with pytest.raises(ValueError, match="groups do not match"):
        summarise([0, 1], [0, 1], groups=[0])


@pytest.mark.parametrize("both_fifths", [False, True])
def test_random_lists_equal_mir_eval(both_fifths):
    generator = np.random.default_rng(3)
    for tracks in (1, 7, 604):
        references, estimates = generator.integers(0, 24, (2, tracks))
        scores = [
            mir_eval_score(KEYS[r].long, KEYS[e].long, both_fifths)
            for r, e in zip(references, estimates, strict=True)
        ]
        assert weighted_score(references, estimates, both_fifths=both_fifths) == np.mean(scores)


@pytest.mark.parametrize(
    ("settings", "error"),
    [({"level": 1.0}, UsageError), ({"level": 0}, UsageError), ({"resamples": 0}, UsageError),
     ({"values": []}, DataError), ({"values": [np.nan]}, ValueError), ({"values": 3.0}, ValueError)],
)  # fmt: skip
def test_interval_refuses(settings, error):
    with pytest.raises(error):
        bootstrap_interval(**{"values": [0.0, 1.0], **settings})


def test_summary_holds_every_figure():
    generator = np.random.default_rng(0)
    references = generator.integers(0, 24, 604)
    estimates = np.where(generator.random(604) < 0.6, references, generator.integers(0, 24, 604))
    estimates[:40] = (references[:40] // 12) * 12 + (references[:40] + 5) % 12
    summary = summarise(references, estimates)
    figures = summary.figures
    found = [relation(KEYS[r], KEYS[e], directed=True) for r, e in zip(references, estimates, strict=True)]
    shares = {name: found.count(name) / 604 for name in RELATIONS}
    assert summary.n_tracks == 604
    assert summary.level == 0.95
    assert figures["weighted"].value == weighted_score(references, estimates, both_fifths=True)
    assert figures["weighted_ascending"].value == weighted_score(references, estimates, both_fifths=False)
    assert figures["weighted"].value > figures["weighted_ascending"].value
    assert figures["correct"].value == shares["same"]
    assert figures["fifth"].value == pytest.approx(shares["fifth_up"] + shares["fifth_down"])
    for name in ("fifth_up", "fifth_down", "relative", "parallel", "other"):
        assert figures[name].value == shares[name]
    assert all(figure.low <= figure.value <= figure.high for figure in figures.values())
    assert figures["correct"].low < figures["correct"].value < figures["correct"].high
    assert json.loads(json.dumps(summary.as_dict()))["weighted"]["low"] == figures["weighted"].low


def test_functions_do_not_import_keras():
    code = (
        "import sys, tfkey.scoring.mirex, tfkey.models; tfkey.models.model_settings('allconv', maps=3);"
        "print({'keras', 'tensorflow'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.parametrize("both_fifths", [False, True])
@pytest.mark.parametrize("column", [False, True])
def test_metric_streams_the_same_score(both_fifths, column):
    from tfkey.training.metrics import MirexScore

    metric = MirexScore(both_fifths)
    assert metric.name == "mirex"
    references, estimates = np.divmod(np.random.default_rng(0).permutation(576), 24)
    logits = np.random.default_rng(1).normal(size=(576, 24)).astype("float32")
    logits[np.arange(576), estimates] = 9
    shape = (-1, 1) if column else (-1,)
    for part in (slice(0, 5), slice(5, 400), slice(400, 576)):
        metric.update_state(references[part].astype("int32").reshape(shape), logits[part])
    expected = weighted_score(references, estimates, both_fifths=both_fifths)
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)

    weights = np.random.default_rng(2).random(576).astype("float32")
    scores = track_scores(references, estimates, both_fifths=both_fifths)
    metric.reset_state()
    metric.update_state(references.reshape(shape), logits, sample_weight=weights.reshape(shape))
    assert float(metric.result()) == pytest.approx(np.average(scores, weights=weights), abs=1e-6)


def test_metric_is_saved_with_its_convention_and_refuses_other_classes():
    import keras

    from tfkey.training.metrics import MirexScore

    metric = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(MirexScore(both_fifths=False, name="strict"))
    )
    assert (type(metric), metric.both_fifths, metric.name) == (MirexScore, False, "strict")
    with pytest.raises(UsageError, match="24 classes"):
        metric.update_state([0], np.zeros((1, 12), "float32"))


def test_metric_in_training_is_what_callbacks_maximise():
    import keras

    from tfkey.training.metrics import MirexScore

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((24,)), keras.layers.Dense(24)])
    model.compile(
        "sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), weighted_metrics=[MirexScore()]
    )
    x, y = np.eye(24, dtype="float32"), np.arange(24, dtype="int32")
    stop = keras.callbacks.EarlyStopping("val_mirex", mode="auto")
    history = model.fit(
        x, y, batch_size=7, epochs=2, verbose=0, validation_data=(x, y), callbacks=[stop]
    ).history
    expected = weighted_score(y, model.predict(x, verbose=0).argmax(axis=1), both_fifths=True)
    assert history["val_mirex"][-1] == pytest.approx(expected, abs=1e-6)
