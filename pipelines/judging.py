"""Judging: a trained run on whole tracks of prepared data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from pipelines.catalogue import dataset_names, load_spec
from pipelines.inputs import Source, evaluation_batches, evaluation_steps, naming_damage, open_source
from pipelines.manifest import open_prepared, read_description
from tfkey.calibration import (
    Calibration,
    calibrated,
    fit_temperature,
    log_probabilities,
    negative_log_likelihood,
    read_calibration,
)
from tfkey.config import Config
from tfkey.errors import DataError, UsageError
from tfkey.evaluation import Evaluation, Judgement, join, judge, softmax
from tfkey.features import build_frontend
from tfkey.files import sha256
from tfkey.models import check_mode, takes_waveforms
from tfkey.report import write_report
from tfkey.runs import Run


def evaluate(run: Run, config: Config, datasets: Sequence[str], split: str) -> list[tuple[Evaluation, Path]]:
    """Judge a run on whole tracks; each dataset's figures go to ``evaluation/<dataset>-<mode>-<split>/``.

    A run that has no ``calibration.json`` gets one first, if its validation data is there.

    Args:
        run: a trained run.
        config: the run's configuration; mode and data_dir may differ.
        datasets: names, prepared in ``config.mode``, each once.
        split: ``train``, ``validation`` or ``test``.

    Returns:
        What each dataset came to, in order, and the folder that it was written to; of several datasets also
        what they came to together.

    Raises:
        UsageError: a dataset holds recordings that the run was trained on under another name.
        DataError: data that is not prepared, or damaged; an empty split.
    """
    check_mode(config)
    _check_recordings(run, datasets)
    sources = [open_source(config, [open_prepared(config, config.mode, name)], split) for name in datasets]
    model = _model(run, config)
    calibration = calibrate(run, config, model)
    judgements = [_judge(model, source) for source in sources]
    named: list[tuple[tuple[str, ...], Judgement]] = [
        ((name,), judgement) for name, judgement in zip(datasets, judgements, strict=True)
    ]
    if len(named) > 1:
        named.append((tuple(datasets), join(judgements)))
    found = []
    for names, judgement in named:
        evaluation = Evaluation(run.path.name, names, config.mode, split, judgement, calibration)
        folder = run.path / "evaluation" / evaluation.folder_name
        evaluation.write_tables(folder)
        write_report(evaluation, folder, config=run.config.to_yaml(), about=_about(config, names))
        found.append((evaluation, folder))
    return found


def calibrate(run: Run, config: Config, model: keras.Model | None = None) -> Calibration | None:
    """The temperature of a run, fitted on its validation split where that has not been done.

    Args:
        run: a trained run.
        config: the run's configuration; mode and data_dir may differ.
        model: the run's network, behind a frontend in audio mode, if it is at hand.

    Returns:
        The calibration that ``calibration.json`` holds now; None if there is no validation data to fit it on.
    """
    path, network = run.path / "calibration.json", sha256(run.best)
    before = read_calibration(path)
    if before is not None and before.network == network:
        return before
    try:
        datasets = [open_prepared(config, config.mode, name) for name in run.config.datasets]
        source = open_source(config, datasets, "validation")
    except DataError:
        return None
    judgement = _judge(model or _model(run, config), source)
    labels = judgement.labels
    temperature = fit_temperature(log_probabilities(judgement.probabilities), labels)
    calibration = Calibration(
        temperature,
        len(labels),
        tuple(run.config.datasets),
        config.mode,
        negative_log_likelihood(judgement.probabilities, labels),
        negative_log_likelihood(calibrated(judgement.probabilities, temperature), labels),
        network,
    )
    calibration.write(path)
    return calibration


def _model(run: Run, config: Config) -> keras.Model:
    """The run's network, from what the mode's data are to logits."""
    network = run.load_network()
    if config.mode != "audio" or takes_waveforms(config.model.name):
        return network
    frontend = build_frontend(config.features, config.intervals.samples(config.features.sample_rate))
    return keras.Model(frontend.input, network(frontend.output))


def _judge(model: keras.Model, source: Source) -> Judgement:
    size = source.config.train.batch_size
    batches = evaluation_batches(source, size).map(lambda data, _: data)
    with naming_damage(source):
        logits = model.predict(batches, steps=evaluation_steps(source, size), verbose=0)
    owners = [f"{part.name}/{row.track}" for part, rows in source.parts for row in rows]
    return judge(owners, source.labels, softmax(np.asarray(logits)), [row.part for row in source.rows])


def _about(config: Config, datasets: Sequence[str]) -> dict[str, str]:
    """Licence and citation of datasets, as far as their prepared data states them."""
    found = {}
    for name in datasets:
        document = read_description(config, config.mode, name)
        stated = [document.get(entry) for entry in ("title", "licence", "citation")]
        found[name] = "; ".join(text for text in stated if text) or "nothing is stated of it"
    return found


def _check_recordings(run: Run, datasets: Sequence[str]) -> None:
    """Refuse to judge a network on recordings that it learned under another name."""
    known = dataset_names(run.config.catalogue)
    for name in datasets:
        if datasets.count(name) > 1:
            raise UsageError(f"--dataset {name}: stands there twice; name it once")
        same = load_spec(name, folder=run.config.catalogue).same_tracks_as if name in known else ()
        for trained in run.config.datasets:
            if trained in same:
                raise UsageError(
                    f"{run.path}: was trained on {trained}, whose recordings {name} holds, too; "
                    "judge it on others"
                )
