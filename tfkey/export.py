"""Export of a trained run for use without tfkey."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfkey import __version__
from tfkey.estimator import whole_track_function
from tfkey.files import atomic_path
from tfkey.keys import KEYS
from tfkey.runs import Run


def export_saved_model(run: Run, folder: Path) -> Path:
    """Write a run's best network as a SavedModel that judges whole tracks, constant-Q transform included.

    The signature ``serving_default`` takes ``waveform``, float32 ``[batch, samples]``, mono at the sample
    rate that ``tfkey.json`` beside it states, any batch and any length, and gives the probabilities of the
    24 keys, ``probabilities``, float32 ``[batch, 24]``. It holds TensorFlow's own ops only. An export that is
    already there is replaced.

    Returns:
        The folder of the SavedModel.

    Raises:
        TfkeyError: the run has no sound network (see :meth:`tfkey.runs.Run.load_network`), or the folder
            cannot be written.
    """
    network = run.load_network()
    judge = whole_track_function(run.config, network)
    serve = tf.function(
        lambda waveform: {"probabilities": judge(waveform)}, input_signature=judge.input_signature
    )
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint("serve", serve)
    with atomic_path(folder) as temporary:
        try:
            archive.write_out(str(temporary), verbose=False)
        except tf.errors.OpError as error:
            # "<place>; <reason> [Op:<name>]"
            raise OSError(error.message.rpartition("; ")[2].partition(" [Op:")[0]) from error
        (temporary / "tfkey.json").write_text(
            json.dumps(export_metadata(run), indent=1) + "\n", encoding="utf-8"
        )
    return folder


def export_metadata(run: Run) -> dict[str, Any]:
    """What a user of an export has to know: labels by class index, sample rate, parameters, origin."""
    return {
        "tfkey_version": __version__,
        "run": run.path.name,
        "labels": [key.long for key in KEYS],
        "sample_rate": run.config.features.sample_rate,
        "interval_seconds": run.config.intervals.seconds,
        "features": run.config.features.model_dump(mode="json"),
        "model": run.config.model.model_dump(mode="json"),
        "trained_on": run.config.datasets,
    }
