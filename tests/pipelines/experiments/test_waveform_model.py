"""A model that makes its spectrogram itself, from prepared audio to an export."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.experiments.train import train
from pipelines.prepare.prepare import prepare
from tests.conftest import ROOT, chord
from tfkey.errors import UsageError
from tfkey.export.formats import export_run
from tfkey.inference.estimator import KeyEstimator
from tfkey.models import build_network
from tfkey.spectrogram.frontend import frontend_of

MODEL = {"name": "cqt_allconv", "maps": 1, "dropout": 0.0}


def test_it_trains_saves_loads_predicts_and_exports(make_config, tracks: Path, tmp_path: Path) -> None:
    config = make_config(model=MODEL, train={"epochs": 1, "deterministic": False})
    prepare(config, "small", source=tracks)
    run, history = train(config, "first")
    assert np.isfinite(history[0]["loss"])

    network = run.load_network()
    filters = frontend_of(network)
    start = frontend_of(build_network(config.model, config.features)).get_weights()
    assert any(np.abs(new - old).max() > 0 for new, old in zip(filters.get_weights(), start, strict=True))

    waveform = chord("C-maj", 2.2, config.features.sample_rate)
    estimate = KeyEstimator.from_run(run).estimate(waveform)
    folder = export_run(run, "saved_model", tmp_path / "exported")
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    served = serve(waveform=tf.constant(waveform[np.newaxis]))["probabilities"][0]
    np.testing.assert_allclose(served, estimate.probabilities, atol=1e-5)

    # A process that never built such a network.
    np.save(tmp_path / "waveform.npy", waveform)
    code = (
        "import numpy as np\n"
        "from tfkey.inference.estimator import KeyEstimator\n"
        f"estimator = KeyEstimator.from_run({str(run.path)!r})\n"
        f"estimate = estimator.estimate(np.load({str(tmp_path / 'waveform.npy')!r}))\n"
        "print(' '.join(map(str, estimate.probabilities)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.array(done.stdout.split(), float), estimate.probabilities, atol=1e-5)


def test_it_is_refused_before_anything_is_read_where_there_are_no_waveforms(make_config) -> None:
    with pytest.raises(UsageError, match="cqt_allconv takes waveforms, but mode=spectrograms has none"):
        train(make_config(model=MODEL, mode="spectrograms"), "first")
