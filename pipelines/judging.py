"""Judging: a trained run on whole tracks of prepared data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from pipelines.inputs import evaluation_batches, evaluation_steps, naming_damage, open_source
from pipelines.manifest import open_prepared
from tfkey.config import Config
from tfkey.evaluation import Judgement, judge, softmax, write_judgement
from tfkey.features import build_frontend
from tfkey.runs import Run


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
    frontend = None
    if config.mode == "audio":
        samples = config.intervals.samples(config.features.sample_rate)
        frontend = build_frontend(config.features, samples)
    model = network if frontend is None else keras.Model(frontend.input, network(frontend.output))
    batches = evaluation_batches(source, config.train.batch_size).map(lambda picture, _: picture)
    with naming_damage(source):
        logits = model.predict(batches, steps=evaluation_steps(source, config.train.batch_size), verbose=0)
    owners = [f"{part.name}/{row.track}" for part, rows in source.parts for row in rows]
    judgement = judge(owners, source.labels, softmax(logits))
    folder = run.path / "evaluation" / f"{'+'.join(datasets)}-{config.mode}-{split}"
    write_judgement(judgement, folder)
    return judgement, folder
