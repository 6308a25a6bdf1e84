"""Training experiments: a configuration and prepared data to a trained run."""

from __future__ import annotations

import keras
import tensorflow as tf

from pipelines.catalogue import dataset_names, load_spec
from pipelines.inputs import (
    evaluation_batches,
    evaluation_steps,
    naming_damage,
    open_source,
    steps_per_epoch,
    training_batches,
)
from pipelines.manifest import open_prepared
from tfkey.config import Config
from tfkey.errors import UsageError
from tfkey.features import build_frontend
from tfkey.models import build_model, minimum_frames
from tfkey.runs import Run, create_run
from tfkey.training import Report, TrainingData, fit


def train(config: Config, name: str, report: Report | None = None) -> tuple[Run, list[dict[str, float]]]:
    """Train a network on prepared data, or go on with a run that was interrupted.

    Args:
        config: everything about the run.
        name: of the run's folder below ``config.runs_dir``.
        report: told about every epoch.

    Returns:
        The run, and the figures of its epochs.

    Raises:
        DataError: the data is not prepared, damaged, or of other parameters.
        UsageError: a run of that name and of another configuration exists; intervals or bands that are too
            small for the network; datasets that hold the same recordings.
    """
    _check_frames(config)
    _check_recordings(config)
    datasets = [open_prepared(config, config.mode, dataset) for dataset in config.datasets]
    wide = config.augment.pitch_shift > 0
    training, validation = (
        open_source(config, datasets, split, wide=wide) for split in ("train", "validation")
    )
    keras.utils.set_random_seed(config.seed)
    if config.train.deterministic:
        tf.config.experimental.enable_op_determinism()
    network = build_model(config.model.name, (None, config.features.n_bins, 1), **config.model.settings)
    run = create_run(config, name)
    batch_size = config.train.batch_size
    data = TrainingData(
        batches=lambda epoch: training_batches(training, batch_size, seed=config.seed, first_epoch=epoch),
        steps=steps_per_epoch(training, batch_size),
        validation=evaluation_batches(validation, batch_size),
        validation_steps=evaluation_steps(validation, batch_size),
    )
    with naming_damage(training, validation):
        history = fit(run, network, _frontend(config, wide), data, report)
    return run, history


def _check_frames(config: Config) -> None:
    frames = config.features.frames(config.intervals.samples(config.features.sample_rate))
    least = minimum_frames(config.model.name)
    if frames < least:
        raise UsageError(
            f"intervals.seconds={config.intervals.seconds:g} gives {frames} frames, "
            f"{config.model.name} needs {least}; raise it, or "
            f"lower features.hop_length={config.features.hop_length}"
        )


def _check_recordings(config: Config) -> None:
    """Refuse datasets of the same recordings: each has splits of its own, so one would stand on two sides."""
    known = dataset_names(config.catalogue)
    for name in config.datasets:
        same = load_spec(name, folder=config.catalogue).same_tracks_as if name in known else ()
        for other in config.datasets:
            if other in same:
                raise UsageError(
                    f"datasets: {name} and {other} hold the same recordings, which would be trained on and "
                    "validated on at once; take one of them"
                )
            if config.datasets.count(other) > 1:
                raise UsageError(f"datasets: {other} stands there twice; name it once")


def _frontend(config: Config, wide: bool) -> keras.Model | None:
    """In audio mode, what turns waveforms into pictures on the training device."""
    if config.mode != "audio":
        return None
    samples = config.intervals.samples(config.features.sample_rate)
    return build_frontend(config.features, samples, wide=wide)
