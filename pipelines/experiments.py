"""Whole experiments: a configuration to a trained run, a trained run to its judgement."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from pipelines.catalogue import dataset_names, load_spec
from pipelines.inputs import (
    Source,
    evaluation_batches,
    evaluation_steps,
    find_damaged,
    open_source,
    steps_per_epoch,
    training_batches,
)
from pipelines.manifest import open_prepared
from tfkey.config import Config
from tfkey.errors import DataError, UsageError
from tfkey.evaluation import Judgement, judge, softmax, write_judgement
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
    training, validation = (open_source(config, datasets, split) for split in ("train", "validation"))
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
    with _naming_damage(training, validation):
        history = fit(run, network, _frontend(config), data, report)
    return run, history


def evaluate(run: Run, config: Config, datasets: Sequence[str], split: str) -> tuple[Judgement, Path]:
    """Judge a run on whole tracks of prepared data; writes ``evaluation/<datasets>-<split>/`` into the run.

    Args:
        run: a trained run.
        config: the run's configuration; mode and data_dir may differ.
        datasets: names, prepared in ``config.mode``.
        split: ``train``, ``validation`` or ``test``.

    Returns:
        The judgement, and the folder that it was written to.
    """
    source = open_source(config, [open_prepared(config, config.mode, name) for name in datasets], split)
    network = run.load_network()
    frontend = _frontend(config)
    model = network if frontend is None else keras.Model(frontend.input, network(frontend.output))
    batches = evaluation_batches(source, config.train.batch_size).map(lambda picture, _: picture)
    with _naming_damage(source):
        logits = model.predict(batches, steps=evaluation_steps(source, config.train.batch_size), verbose=0)
    owners = [f"{part.name}/{row.track}" for part, rows in source.parts for row in rows]
    judgement = judge(owners, source.labels, softmax(logits))
    folder = run.path / "evaluation" / f"{'+'.join(datasets)}-{config.mode}-{split}"
    write_judgement(judgement, folder)
    return judgement, folder


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


def _frontend(config: Config) -> keras.Model | None:
    """In audio mode, what turns waveforms into pictures on the training device."""
    if config.mode != "audio":
        return None
    return build_frontend(config.features, config.intervals.samples(config.features.sample_rate))


@contextlib.contextmanager
def _naming_damage(*sources: Source) -> Iterator[None]:
    """Turn TensorFlow's complaint about a file that it cannot read into one line that names the file."""
    try:
        yield
    except tf.errors.OpError as error:
        for source in sources:
            for dataset, rows in source.parts:
                if damaged := find_damaged(dataset, rows):
                    command = f"tfkey prepare --mode {dataset.mode} --dataset {dataset.name}"
                    raise DataError(f"{damaged}: damaged; delete it and run {command} again") from error
        raise
