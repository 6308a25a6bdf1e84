"""Searching for the settings that train best: keras-tuner chooses them, and each trial is a training run.

The folder of a search, ``runs/<name>/``:

| file | content |
|---|---|
| ``search.yaml`` | the search and the configuration that it varies |
| ``trials/<id>/`` | a run folder for each trial |
| ``trials.csv`` | the settings and outcomes of the trials |
| ``best.yaml`` | the configuration of the best trial, for ``tfkey train --config`` |
| ``tuner/`` | keras-tuner's state after the last step of the search |
| ``tensorboard/`` | what the HParams page shows about the trials |

Each trial trains in a separate process: the process frees its memory when it ends, also on a GPU, and if the
system kills it, nothing else is lost.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.errors import FailedTrialError, FatalError

from pipelines.experiments.search_algorithms import ALGORITHMS, build_oracle
from pipelines.experiments.search_folder import claim, search_document
from pipelines.experiments.search_space import Search, check_search, searched_settings
from pipelines.experiments.trial_process import train_apart
from pipelines.folder_lock import alone_in
from pipelines.prepared.manifest import open_prepared
from tfkey.config import Config, changed
from tfkey.errors import TfkeyError, UsageError
from tfkey.files import atomic_path, write_csv, write_text
from tfkey.runs import MONITOR, run_folder
from tfkey.training.tensorboard_events import EventLog, experiment

Trainer = Callable[[Config, str], list[dict[str, float]]]
"""Trains a configuration under a name and returns the figures of every epoch; TfkeyError if that fails."""


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes:
        name: the name of its run below ``trials/``.
        settings: the searched settings by dotted name.
        value: the objective at the epoch whose network is kept; None if the trial failed or is unfinished.
        reason: why the trial failed; empty if it did not.
        finished: whether the trial has ended.
    """

    name: str
    settings: dict[str, Any]
    value: float | None
    reason: str
    finished: bool


OnTrial = Callable[[Trial, int, Trial | None], None]
"""Called after each trial with the trial, the number of finished trials, and the best so far."""


def tune(
    config: Config,
    search: Search,
    algorithm: str,
    name: str,
    report: OnTrial | None = None,
    train: Trainer | None = None,
) -> tuple[Path, list[Trial]]:
    """Search for the best settings, or continue an interrupted search.

    Finished trials are not repeated; an interrupted one continues after its last finished epoch. With
    Hyperband, a configuration that is promoted is trained from the start for more epochs, because the
    learning rate schedule depends on the number of epochs.

    Args:
        config: the settings that are not searched.
        search: what to search; with more ``trials`` than before, a finished search is extended.
        algorithm: one of :data:`ALGORITHMS`.
        name: the name of the search's folder below ``config.runs_dir``.
        report: called after every trial.
        train: trains a trial; None for :func:`train_apart`.

    Returns:
        The folder, and all trials in the order in which they began.

    Raises:
        ConfigError: the space cannot be searched.
        UsageError: the algorithm is unknown, or the folder contains something else.
        DataError: the data is not prepared.
        TfkeyError: no trial succeeded.
    """
    if algorithm not in ALGORITHMS:
        raise UsageError(
            f"algorithm {algorithm!r} is unknown; choose one of {', '.join(ALGORITHMS)}", remedy="algorithm"
        )
    if search.epochs:
        config = changed(config, {"train.epochs": search.epochs}, "epochs of the search")
    check_search(search, config, sets_epochs=algorithm == "hyperband")
    folder = run_folder(config, name)
    claim(folder, config, search, algorithm)
    if train is None:
        for dataset in config.datasets:
            open_prepared(config, config.mode, dataset)
    with alone_in(folder), tempfile.TemporaryDirectory(prefix="tfkey-tune-") as workplace:
        write_text(folder / "search.yaml", search_document(config, search, algorithm))
        _write_experiment(folder, config, search)
        tuner = _Tuner(config, search, algorithm, folder, Path(workplace), report, train or train_apart)
        try:
            # keras-tuner prints a traceback for every failed trial; the reason is in the table.
            with redirect_stderr(io.StringIO()):
                tuner.search(verbose=0)
        except FatalError as error:
            raise (error.__cause__ or error) from None
        trials = tuner.trials()
        tuner.write_tables()
    if all(trial.value is None for trial in trials):
        raise TfkeyError(
            f"{folder}: none of {len(trials)} trials succeeded; reason of the last: {trials[-1].reason}; "
            f"{folder / 'trials.csv'} lists all reasons"
        )
    return folder, trials


def best_of(trials: Sequence[Trial], search: Search) -> Trial | None:
    """Return the best trial, the first of them if several are equal; None if none succeeded."""
    found = [trial for trial in trials if trial.value is not None]
    sign = -1 if search.objective == "val_loss" else 1
    return max(found, key=lambda trial: sign * (trial.value or 0.0), default=None)


class _Tuner(BaseTuner):
    """keras-tuner's loop around whole training runs.

    keras-tuner writes its state to several files, one after another. It does so in ``workplace``; the
    complete state then replaces that in the search's folder in one step.
    """

    def __init__(
        self,
        config: Config,
        search: Search,
        algorithm: str,
        folder: Path,
        workplace: Path,
        report: OnTrial | None,
        train: Trainer,
    ) -> None:
        self._config = config
        self._search = search
        self._folder = folder
        self._state = workplace / "tuner"
        self._report = report
        self._train = train
        self._entries = list(search.entries())
        if (folder / "tuner").is_dir():
            shutil.copytree(folder / "tuner", self._state)
        # keras-tuner prints where it reads its state from.
        with redirect_stdout(io.StringIO()):
            super().__init__(
                build_oracle(search, algorithm, config), directory=workplace, project_name="tuner"
            )

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        """Train a trial, or return the figures of an earlier one with the same settings."""
        try:
            self._keep()
            settings = self._settings(trial)
            for other in self.trials():
                if other.settings == settings and other.value is not None:
                    return {self._search.objective: other.value}
        except Exception as error:
            raise FatalError(str(error)) from error
        try:
            config = changed(self._config, settings, "the search space")
            config = config.model_copy(update={"runs_dir": self._folder / "trials"})
            history = self._train(config, trial.trial_id)
            # The epoch whose network is kept, whatever the objective.
            best = max(history, key=lambda line: line[MONITOR])
        except (TfkeyError, ValueError) as error:
            raise FailedTrialError(" ".join(str(error).split())) from error
        return {self._search.objective: best[self._search.objective]}

    def on_trial_end(self, trial: Any) -> None:
        """Save the state and the tables, and report the trial."""
        super().on_trial_end(trial)
        self._keep()
        self.write_tables()
        if self._report:
            trials = self.trials()
            ended = next(each for each in trials if each.name == trial.trial_id)
            done = sum(each.finished for each in trials)
            self._report(ended, done, best_of(trials, self._search))

    def trials(self) -> list[Trial]:
        """Return all trials in the order in which they began."""
        found = []
        for name in self.oracle.start_order:
            trial = self.oracle.trials[name]
            completed = trial.status == "COMPLETED"
            found.append(
                Trial(
                    name,
                    self._settings(trial),
                    float(trial.score) if completed else None,
                    (trial.message or "").strip().rpartition("FailedTrialError: ")[2],
                    completed or trial.status == "FAILED",
                )
            )
        return found

    def write_tables(self) -> None:
        """Write ``trials.csv`` and ``best.yaml``."""
        trials = self.trials()
        names = list(dict.fromkeys(name for trial in trials for name in trial.settings))
        rows = []
        for trial in trials:
            status = "completed" if trial.value is not None else "failed" if trial.finished else "running"
            values = [trial.settings.get(name, "") for name in names]
            rows.append([trial.name, status, trial.value, *values, trial.reason])
        header = ["trial", "status", self._search.objective, *names, "reason"]
        write_csv(self._folder / "trials.csv", header, rows)
        best = best_of(trials, self._search)
        if best is not None:
            title = f"# {self._folder.name}, trial {best.name}: {self._search.objective} {best.value:.4f}\n"
            config = changed(self._config, best.settings, "the search space")
            write_text(self._folder / "best.yaml", title + config.to_yaml())

    def _settings(self, trial: Any) -> dict[str, Any]:
        """Return the settings of a trial by dotted name."""
        values = trial.hyperparameters.values
        settings = {}
        for name, entry in self._entries:
            parent, wanted = entry.condition or ("", [])
            if name in values and (not parent or json.loads(values[parent]) in wanted):
                value = values[name]
                # Bayesian search can exceed the maximum of a whole number by one.
                value = json.loads(value) if entry.choice is not None else min(value, entry.bounds[1])
                settings[name] = value
        if "tuner/epochs" in values:
            settings["train.epochs"] = values["tuner/epochs"]
        return settings

    def _keep(self) -> None:
        self.save()
        self.oracle.save()
        with atomic_path(self._folder / "tuner") as temporary:
            shutil.copytree(self._state, temporary)


def _write_experiment(folder: Path, config: Config, search: Search) -> None:
    """Write, once, which settings and figures are the columns of the HParams page."""
    if not (folder / "tensorboard").is_dir():
        EventLog(folder / "tensorboard", 0).write(0, [experiment(searched_settings(search, config))])
