"""Calibrating a network, exported or in a run, on labelled recordings judged as a user would judge them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tfkey.errors import UsageError
from tfkey.files import sha256
from tfkey.inference.bundle import METADATA, Metadata, open_bundle, read_metadata, write_metadata
from tfkey.inference.key_over_time import STEP_SECONDS
from tfkey.inference.many_files import Judging, Model, judge_files
from tfkey.keys import N_CLASSES
from tfkey.known_keys import KnownKey
from tfkey.scoring.confidence import Answers, Confidence

if TYPE_CHECKING:
    from tfkey.inference.estimator import KeyEstimator

SET_COLUMN = "set"
"""The optional column of a table of labelled recordings that divides them into sets."""

_DIGITS = 6


@dataclass(frozen=True)
class Network:
    """A network that can be calibrated.

    Attributes:
        path: the folder of the export or the run.
        kind: which of these it is.
        temperature: its present temperature for whole recordings.
        interval_temperature: its present temperature for single intervals.
    """

    path: Path
    kind: Literal["export", "run"]
    temperature: float
    interval_temperature: float

    @property
    def target(self) -> Path:
        """The file that states the temperatures."""
        return self.path / (METADATA if self.kind == "export" else "calibration.json")


def find_network(path: Path) -> Network:
    """Find out what is in a folder, without loading the network.

    Raises:
        UsageError: the folder contains neither an export nor a run.
        DataError: the export is damaged, or a SavedModel, into which its temperature is built.
        ConfigError: the run's configuration is damaged.
    """
    if (path / METADATA).is_file():
        metadata = open_bundle(path).metadata
        return Network(path, "export", metadata.temperature, metadata.interval_temperature)
    if (path / "config.yaml").is_file():
        from tfkey.inference.from_run import export_metadata
        from tfkey.runs import open_run

        metadata = Metadata.of(export_metadata(open_run(path)))
        return Network(path, "run", metadata.temperature, metadata.interval_temperature)
    raise UsageError(
        f"{path}: is neither a run nor an export (it has no config.yaml and no {METADATA}); give the folder "
        "of a run, or of an export as litert, onnx or keras"
    )


def judge_labelled(
    network: Network,
    known: Mapping[Path, KnownKey],
    workers: int = 1,
    on_file: Callable[[int], None] | None = None,
) -> tuple[Answers, list[tuple[str, str]]]:
    """Name the keys of labelled recordings from audio, without calibration.

    Args:
        network: the network.
        known: the row of the table for each file; a cell ``set`` in it names the file's set.
        workers: the number of processes.
        on_file: called with the number of files that are done.

    Returns:
        The answers for the files that could be analysed, and the others with the reasons.

    Raises:
        TfkeyError: the network cannot be loaded.
    """
    judging = Judging(partial(_open_uncalibrated, network), step_seconds=STEP_SECONDS)
    failures: list[tuple[str, str]] = []
    rows, estimates = [], []
    for done, outcome in enumerate(judge_files(list(known), judging, workers), 1):
        if outcome.estimate is None:
            failures.append((str(outcome.path), outcome.error or "not analysed"))
        else:
            rows.append(known[outcome.path])
            estimates.append(outcome.estimate)
        if on_file is not None:
            on_file(done)
    counts = [len(estimate.interval_probabilities) for estimate in estimates]
    empty = np.empty((0, N_CLASSES))
    answers = Answers(
        labels=np.array([row.key.index for row in rows], np.intp),
        probabilities=np.array([estimate.probabilities for estimate in estimates]).reshape(-1, N_CLASSES),
        has_key=np.array([estimate.key is not None for estimate in estimates], bool),
        sets=[row.cells.get(SET_COLUMN, "").strip() for row in rows],
        owners=np.repeat(np.arange(len(rows)), counts),
        intervals=np.concatenate([empty, *(estimate.interval_probabilities for estimate in estimates)]),
    )
    return answers, failures


def store(network: Network, found: Confidence, recordings: str) -> None:
    """Write the fitted temperatures where the network's users read them, atomically.

    Args:
        network: the network.
        found: the temperatures.
        recordings: the name of the table of recordings, for the run's ``calibration.json``.

    Raises:
        TfkeyError: the file cannot be written.
    """
    # More digits mean nothing; rounding also makes the file the same on other machines.
    temperature = round(found.temperature, _DIGITS)
    interval_temperature = round(found.interval_temperature, _DIGITS)
    if network.kind == "export":
        values = read_metadata(network.path)
        new = {"temperature": temperature, "interval_temperature": interval_temperature}
        values.pop("interval_temperature", None)
        ordered: dict[str, Any] = {}
        for name, value in values.items():
            ordered |= new if name == "temperature" else {name: value}
        write_metadata(network.path, ordered)
        return
    from tfkey.runs import open_run
    from tfkey.scoring.calibration import Calibration

    Calibration(
        temperature,
        found.n_tracks,
        (),
        "audio",
        found.nll_before,
        found.nll_after,
        sha256(open_run(network.path).best),
        interval_temperature,
        recordings,
    ).write(network.target)


def _open_uncalibrated(network: Network) -> KeyEstimator:
    estimator = Model(network.kind, network.path).open()
    estimator.metadata = dataclasses.replace(estimator.metadata, temperature=1.0, interval_temperature=1.0)
    return estimator
