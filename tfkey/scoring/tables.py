"""The tables of an evaluation: ``predictions.csv``, ``intervals.csv`` and ``metrics.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfkey.files import write_csv, write_text
from tfkey.keys import KEYS, relation
from tfkey.scoring.evaluation import Evaluation

PREDICTION_COLUMNS = ("track", "reference", "estimate", "relation", "confidence", "calibrated", "intervals")
INTERVAL_COLUMNS = ("track", "part", "reference", "estimate", "confidence")


def write_tables(evaluation: Evaluation, folder: Path) -> None:
    """Write ``predictions.csv`` (one line a track), ``intervals.csv`` and ``metrics.json``.

    Raises:
        TfkeyError: a file cannot be written.
    """
    columns = [*PREDICTION_COLUMNS, *(key.long for key in KEYS)]
    write_csv(folder / "predictions.csv", columns, _predictions(evaluation))
    write_csv(folder / "intervals.csv", INTERVAL_COLUMNS, _intervals(evaluation))
    write_text(folder / "metrics.json", json.dumps(evaluation.metrics(), indent=1, ensure_ascii=False) + "\n")


def _predictions(evaluation: Evaluation) -> Iterator[list[Any]]:
    judgement, calibrated = evaluation.judgement, evaluation.calibrated_probabilities
    columns = (judgement.tracks, judgement.reference, judgement.estimate, judgement.intervals)
    for number, (track, reference, estimate, intervals) in enumerate(zip(*columns, strict=True)):
        row = judgement.probabilities[number]
        sure = "" if calibrated is None else f"{calibrated[number].max():.6f}"
        yield [track, reference.long, estimate.long, relation(reference, estimate), f"{row.max():.6f}", sure,
               intervals, *(f"{value:.6f}" for value in row)]  # fmt: skip


def _intervals(evaluation: Evaluation) -> Iterator[list[Any]]:
    judgement = evaluation.judgement
    columns = (judgement.owners, judgement.parts, judgement.interval_probabilities)
    for owner, part, row in zip(*columns, strict=True):
        best = int(row.argmax())
        yield [judgement.tracks[owner], part, judgement.reference[owner].long, KEYS[best].long,
               f"{row[best]:.6f}"]  # fmt: skip
