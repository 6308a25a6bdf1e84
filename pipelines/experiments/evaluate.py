"""Evaluating a trained run on whole tracks of prepared data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from pipelines.catalogue.specs import find_spec
from pipelines.experiments.learned import check_unlearned
from pipelines.experiments.same_recordings import same_by_catalogue, same_by_content
from pipelines.prepared.find_damaged import naming_damage
from pipelines.prepared.inputs import evaluation_batches, evaluation_steps
from pipelines.prepared.manifest import open_prepared, read_description
from pipelines.prepared.split_intervals import SplitIntervals, open_intervals
from tfkey.config import Config
from tfkey.errors import DataError, TfkeyError, UsageError
from tfkey.files import sha256
from tfkey.models import check_mode, takes_waveforms
from tfkey.runs import Run
from tfkey.scoring.calibration import (
    Calibration,
    calibrated,
    fit_temperature,
    log_probabilities,
    negative_log_likelihood,
    read_calibration,
    softmax,
)
from tfkey.scoring.evaluation import Evaluation, Judgement, join, judge
from tfkey.scoring.report import write_report
from tfkey.scoring.tables import write_tables
from tfkey.spectrogram.frontend import build_frontend


def evaluate(
    run: Run,
    config: Config,
    datasets: Sequence[str],
    split: str,
    report: Callable[[str], None] | None = None,
) -> list[tuple[Evaluation, Path]]:
    """Evaluate a run on whole tracks; the figures go to ``evaluation/<dataset>-<mode>-<split>/``.

    A run without ``calibration.json`` gets one first, if its validation data is available.

    Args:
        run: a trained run.
        config: the run's configuration; mode and data_dir may differ.
        datasets: names of datasets prepared in ``config.mode``, each once.
        split: ``train``, ``validation`` or ``test``.
        report: called with a line for everything that is left out, and the reason.

    Returns:
        The evaluation of each dataset whose split is not empty, in order, and the folder that it was written
        to. For several datasets, also the evaluation of all of them together, unless two of them contain the
        same recordings, which would then count twice.

    Raises:
        UsageError: a dataset contains recordings that the run was trained on, under another name or in
            another split.
        DataError: the data is not prepared or is damaged, or the split is empty in all datasets.
        TfkeyError: there is no network, or it returns NaN or infinity.
    """
    check_mode(config.model.name, config.mode)
    _check_recordings(run, datasets)
    say = report or (lambda line: None)
    prepared = [open_prepared(config, config.mode, name) for name in datasets]
    check_unlearned(run, prepared, split)
    # It is an error if the split is empty in all datasets.
    open_intervals(config, prepared, split)
    named: list[tuple[tuple[str, ...], SplitIntervals]] = []
    for dataset in prepared:
        if dataset.split(split):
            named.append(((dataset.name,), open_intervals(config, [dataset], split)))
        else:
            say(f"{dataset.name}: left out because its {split} split is empty")
    model = _model(run, config)
    calibration = _calibration_or_none(run, config, model, say)
    judged = [(names, _judge(run, model, intervals)) for names, intervals in named]
    voted = {names: _voted_tracks(intervals) for names, intervals in named}
    if len(judged) > 1:
        together = tuple(name for (name,), _ in named)
        voted[together] = sum(voted.values())
        pair = same_by_catalogue(together, together, run.config.catalogue)
        pair = pair or same_by_content(prepared, split, prepared, split)
        if pair:
            say(f"no combined figures: {pair[0]} and {pair[1]} contain the same recordings")
        else:
            judged.append((together, join([judgement for _, judgement in judged])))
    found = []
    for names, judgement in judged:
        evaluation = Evaluation(
            run.path.name, names, config.mode, split, judgement, calibration, voted[names]
        )
        folder = run.path / "evaluation" / evaluation.folder_name
        write_tables(evaluation, folder)
        write_report(evaluation, folder, config=run.config.to_yaml(), about=_about(config, names))
        found.append((evaluation, folder))
    return found


def calibrate(run: Run, config: Config, model: keras.Model | None = None) -> Calibration | None:
    """Return the temperature of a run, after fitting it on the validation split if necessary.

    Args:
        run: a trained run.
        config: the run's configuration; mode and data_dir may differ.
        model: the run's network, with a frontend in audio mode, if it is loaded already.

    Returns:
        The calibration that is now in ``calibration.json``; None if there is no validation data to fit it on.

    Raises:
        DataError: the validation data is damaged.
    """
    path, network = run.path / "calibration.json", sha256(run.best)
    before = read_calibration(path)
    if before is not None and before.network == network:
        return before
    try:
        datasets = [open_prepared(config, config.mode, name) for name in run.config.datasets]
        intervals = open_intervals(config, datasets, "validation")
    except DataError:
        return None
    judgement = _judge(run, model or _model(run, config), intervals)
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


def _calibration_or_none(
    run: Run, config: Config, model: keras.Model, say: Callable[[str], None]
) -> Calibration | None:
    """Like :func:`calibrate`, but errors in the validation data must not stop an evaluation of other data."""
    try:
        found = calibrate(run, config, model)
    except TfkeyError as error:
        say(f"not calibrated: {error}")
        return None
    if found is None:
        say(f"not calibrated: no validation data of {', '.join(run.config.datasets)} in {config.mode} mode")
    return found


def _model(run: Run, config: Config) -> keras.Model:
    """Return the run's network, from the data of the mode to logits."""
    network = run.load_network()
    if config.mode != "audio" or takes_waveforms(config.model.name):
        return network
    frontend = build_frontend(config.features, config.intervals.samples(config.features.sample_rate))
    return keras.Model(frontend.input, network(frontend.output))


def _judge(run: Run, model: keras.Model, intervals: SplitIntervals) -> Judgement:
    size = intervals.config.train.batch_size
    batches = evaluation_batches(intervals, size).map(lambda data, _: data)
    with naming_damage(intervals):
        logits = model.predict(batches, steps=evaluation_steps(intervals, size), verbose=0)
    if not np.isfinite(logits).all():
        raise TfkeyError(f"{run.best}: the network returns NaN or infinity; train the run again")
    owners = [f"{part.name}/{row.track}" for part, rows in intervals.parts for row in rows]
    return judge(owners, intervals.labels, softmax(logits), [row.part for row in intervals.rows])


def _voted_tracks(intervals: SplitIntervals) -> int:
    """Return the number of tracks with a vote in place of a key."""
    return len({(part.name, row.track) for part, rows in intervals.parts for row in rows if row.vote})


def _about(config: Config, datasets: Sequence[str]) -> dict[str, str]:
    """Return the licence and citation of datasets, as far as their prepared data includes them."""
    found = {}
    for name in datasets:
        document = read_description(config, config.mode, name)
        stated = [document.get(entry) for entry in ("title", "licence", "citation")]
        found[name] = "; ".join(text for text in stated if text) or "no title, licence or citation known"
    return found


def _check_recordings(run: Run, datasets: Sequence[str]) -> None:
    """Refuse to evaluate a network on recordings that it was trained on under another name."""
    for name in datasets:
        if datasets.count(name) > 1:
            raise UsageError(f"dataset {name}: is named more than once; name it only once", remedy="dataset")
    catalogue = run.config.catalogue
    # A run may name a test-only dataset, but is never trained on it.
    specs = {name: find_spec(name, catalogue) for name in run.config.datasets}
    trained = [name for name, spec in specs.items() if spec is None or spec.split.test != 1]
    pair = same_by_catalogue(datasets, trained, catalogue)
    if pair:
        raise UsageError(
            f"{run.path}: was trained on {pair[1]}, which contains the same recordings as {pair[0]}; "
            "evaluate it on other data"
        )
