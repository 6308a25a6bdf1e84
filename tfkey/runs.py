"""Run folders: ``runs/<name>/``, where training stores its results for all later commands.

| file | content |
|---|---|
| ``config.yaml`` | every setting of the run, resolved |
| ``best.keras`` | the network of the epoch with the best validation score |
| ``history.csv`` | one line per epoch |
| ``learned.csv`` | the intervals that the run is trained and validated on |
| ``checkpoints/epoch-NNNN.keras`` | the model and its optimiser after the last finished epoch |
| ``tensorboard/`` | logs for TensorBoard |
| ``evaluation/`` | one folder per dataset and split that the run was evaluated on |
"""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tfkey.config import Config, flat_settings, load_resolved
from tfkey.errors import DataError, TfkeyError, UsageError
from tfkey.files import write_csv, write_text
from tfkey.models import build_network, input_shape, register_layers
from tfkey.models.saved import LOAD_ERRORS, bins_of, difference, load_keras_file

if TYPE_CHECKING:
    import keras

MONITOR: Final = "val_mirex"
"""The figure in ``history.csv`` that decides which epoch's network is kept; higher is better."""

FREE_SETTINGS = frozenset({"cache_dir", "cache_gb", "catalogue", "data_dir", "runs_dir"})
"""Settings that only locate files: changing them does not make a different run."""


@dataclass(frozen=True)
class Run:
    """A run folder and the configuration in it."""

    path: Path
    config: Config

    @property
    def best(self) -> Path:
        """The file of the best network."""
        return self.path / "best.keras"

    @property
    def history(self) -> Path:
        """The table of epochs."""
        return self.path / "history.csv"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoint to resume from."""
        return self.path / "checkpoints"

    def load_network(self, like: keras.Model | None = None) -> keras.Model:
        """Load the best network.

        Args:
            like: a network with the expected architecture; None for the one that the configuration describes.

        Returns:
            A model from float32 ``[batch, frames, bins, 1]``, or ``[batch, samples]`` if it takes waveforms,
            to logits ``[batch, 24]``.

        Raises:
            TfkeyError: there is no network yet, it is lost or damaged, or its model or features differ from
                those of the run.
            DataError: a later Keras than the installed one saved it.
        """
        remedy = f"put it back, or delete {self.path} and train again"
        if not self.best.is_file():
            if self.history.is_file():
                raise TfkeyError(f"{self.best}: is missing; {remedy}")
            raise TfkeyError(
                f"{self.best}: does not exist yet; train the run first",
                remedy="train",
                details={"name": self.path.name},
            )
        register_layers()
        try:
            network = load_keras_file(self.best)
        except LOAD_ERRORS as error:
            raise TfkeyError(f"{self.best}: the network cannot be loaded; {remedy}") from error
        expected = input_shape(self.config.model.name, self.config.features)
        if len(network.input_shape) != len(expected) + 1:
            raise TfkeyError(
                f"{self.best}: its input does not match model.name={self.config.model.name} in "
                f"{self.path / 'config.yaml'}; restore the run's own network"
            )
        bins = bins_of(network)
        if bins not in (None, self.config.features.n_bins):
            raise TfkeyError(
                f"{self.best}: is for {bins} bins, but {self.path / 'config.yaml'} says "
                f"features.n_bins={self.config.features.n_bins}; restore the run's own network"
            )
        what = difference(network, like or build_network(self.config.model, self.config.features))
        if what:
            raise TfkeyError(
                f"{self.best}: has {what} than {self.path / 'config.yaml'} says; "
                "restore the run's own network"
            )
        return network


def create_run(config: Config, name: str) -> Run:
    """Create a run folder, or open the existing one if its configuration is the same.

    Raises:
        UsageError: no folder can have the name, or the configurations differ; names the differences.
    """
    path = run_folder(config, name)
    if (path / "config.yaml").is_file():
        run = open_run(path)
        differing = _differences(run.config, config)
        if differing:
            details = ", ".join(f"{key}={old} (now {new})" for key, old, new in differing)
            length = any(key == "train.epochs" for key, _, _ in differing)
            # The learning rate of every step depends on the length.
            kept = ", and a run keeps the length that it started with" if length else ""
            raise UsageError(
                f"{path}: contains a run with {details}{kept}; give another name, or delete the folder",
                remedy="name",
            )
        return Run(path, config)
    write_text(path / "config.yaml", config.to_yaml())
    return Run(path, config)


def run_folder(config: Config, name: str) -> Path:
    """Return the folder of a run.

    Raises:
        UsageError: no folder can have the name.
    """
    if not name or name.startswith(".") or any(character in '/\\:*?"<>|' for character in name):
        raise UsageError(
            f"name {name!r}: give a valid folder name, without / and not starting with a dot",
            remedy="name",
        )
    return config.runs_dir / name


def open_run(path: Path) -> Run:
    """Open a run folder.

    Raises:
        UsageError: the folder is not a run.
        ConfigError: ``config.yaml`` is damaged.
    """
    if not (path / "config.yaml").is_file():
        what = "not a run folder (it has no config.yaml)" if path.is_dir() else "no such folder"
        raise UsageError(f"{path}: {what}; give the folder of a training run", remedy="train")
    return Run(path, load_resolved(path / "config.yaml"))


def config_digest(run: Run) -> str | None:
    """Return the SHA-256 of a run's settings, without those that only locate files; None without a file.

    Runs with the same digest were trained by the same command, on whichever machine. The digest is that of
    ``config.yaml`` as JSON with sorted names, so that settings of later versions of tfkey do not change it.
    """
    try:
        stated = yaml.safe_load((run.path / "config.yaml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    settings = {name: value for name, value in stated.items() if name not in FREE_SETTINGS}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def latest_run(runs_dir: Path) -> Run:
    """Return the run with the newest network below a folder.

    Raises:
        DataError: there is no trained run.
    """
    found = sorted(runs_dir.glob("*/best.keras"), key=lambda path: (path.stat().st_mtime, path))
    if not found:
        raise DataError(
            f"{runs_dir}: contains no trained run; train one first, or name a run", remedy="train"
        )
    return open_run(found[-1].parent)


def read_history(path: Path) -> list[dict[str, float]]:
    """Return the figures of every epoch in a ``history.csv``, in order; empty if the file does not exist.

    Raises:
        TfkeyError: the file is not a table of epochs.
    """
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            lines = [{name: float(value) for name, value in line.items()} for line in csv.DictReader(stream)]
        if not all({"epoch", MONITOR} <= line.keys() for line in lines):
            raise ValueError("columns are missing")
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise TfkeyError(
            f"{path}: is not a table of epochs; delete the run's checkpoints to train from the start"
        ) from error
    return lines


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write the figures of one or more epochs, all of which have the same names, as ``history.csv``."""
    rows = ({**line, "epoch": int(line["epoch"])} for line in history)
    write_csv(path, list(history[0]), ([row[name] for name in history[0]] for row in rows))


def _differences(old: Config, new: Config) -> list[tuple[str, Any, Any]]:
    before, after = flat_settings(old), flat_settings(new)
    names = [name for name in {**before, **after} if name not in FREE_SETTINGS]
    return [
        (name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    ]
