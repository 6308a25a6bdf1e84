"""Run folders: ``runs/<name>/``, where training leaves what it made and everything later finds it.

| file | content |
|---|---|
| ``config.yaml`` | every setting of the run, resolved |
| ``best.keras`` | the network of the epoch with the best validation score |
| ``history.csv`` | one line an epoch |
| ``learned.csv`` | the intervals that it is trained and validated on |
| ``checkpoints/epoch-NNNN.keras`` | the model and its optimiser after the last finished epoch |
| ``tensorboard/`` | logs for TensorBoard |
| ``evaluation/`` | one folder per dataset and split that the run was judged on |
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tfkey.config import Config, flat_settings, load_resolved
from tfkey.errors import DataError, TfkeyError, UsageError
from tfkey.files import write_csv, write_text
from tfkey.models import build_network, input_shape, register_layers
from tfkey.models.saved import LOAD_ERRORS, bins_of, difference

if TYPE_CHECKING:
    import keras

MONITOR: Final = "val_mirex"
"""The figure of ``history.csv`` that decides which epoch's network is kept: the higher the better."""

FREE_SETTINGS = frozenset({"catalogue", "data_dir", "runs_dir"})
"""Where things lie is no part of what a run is."""


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
            like: a network that it has to be built like; None for the one that the configuration describes.

        Returns:
            A model from float32 ``[batch, frames, bins, 1]``, or ``[batch, samples]`` if it is one that takes
            waveforms, to logits ``[batch, 24]``.

        Raises:
            TfkeyError: there is none yet, it is lost or damaged, or it is of another model or of other
                features than the run states.
        """
        import keras

        mend = f"put it back, or delete {self.path} and train again"
        if not self.best.is_file():
            if self.history.is_file():
                raise TfkeyError(f"{self.best}: lost; {mend}")
            raise TfkeyError(
                f"{self.best}: not there; train the run first",
                remedy="train",
                details={"name": self.path.name},
            )
        register_layers()
        try:
            network = keras.models.load_model(self.best, compile=False)
        except LOAD_ERRORS as error:
            raise TfkeyError(f"{self.best}: not a network that can be loaded; {mend}") from error
        expected = input_shape(self.config.model.name, self.config.features)
        if len(network.input_shape) != len(expected) + 1:
            raise TfkeyError(
                f"{self.best}: does not take what {self.path / 'config.yaml'} says by "
                f"model.name={self.config.model.name}; put back the one that belongs"
            )
        bins = bins_of(network)
        if bins not in (None, self.config.features.n_bins):
            raise TfkeyError(
                f"{self.best}: is for {bins} bins, but {self.path / 'config.yaml'} says "
                f"features.n_bins={self.config.features.n_bins}; put back the one that belongs"
            )
        what = difference(network, like or build_network(self.config.model, self.config.features))
        if what:
            raise TfkeyError(
                f"{self.best}: of {what} than {self.path / 'config.yaml'} says; put back the one that belongs"
            )
        return network


def create_run(config: Config, name: str) -> Run:
    """Make a run folder, or open the one of that name if it is of the same configuration.

    Raises:
        UsageError: a name that no folder can have, or a run of another configuration; names the differences.
    """
    path = run_folder(config, name)
    if (path / "config.yaml").is_file():
        run = open_run(path)
        differing = _differences(run.config, config)
        if differing:
            details = ", ".join(f"{key}={old} (now {new})" for key, old, new in differing)
            length = any(key == "train.epochs" for key, _, _ in differing)
            # The learning rate of every step was set by it.
            kept = ", and a run keeps the length that it began with" if length else ""
            raise UsageError(
                f"{path}: holds a run with {details}{kept}; give another name, or delete the folder",
                remedy="name",
            )
        return Run(path, config)
    write_text(path / "config.yaml", config.to_yaml())
    return Run(path, config)


def run_folder(config: Config, name: str) -> Path:
    """Where a run of a name lies.

    Raises:
        UsageError: a name that no folder can have.
    """
    if not name or name.startswith(".") or any(character in '/\\:*?"<>|' for character in name):
        raise UsageError(
            f"name {name!r}: give one that can be a folder's, without / and not starting with a dot",
            remedy="name",
        )
    return config.runs_dir / name


def open_run(path: Path) -> Run:
    """Open a run folder.

    Raises:
        UsageError: not one.
        ConfigError: its ``config.yaml`` has been damaged.
    """
    if not (path / "config.yaml").is_file():
        what = "not a run folder (it has no config.yaml)" if path.is_dir() else "no such folder"
        raise UsageError(f"{path}: {what}; give one that a training made", remedy="train")
    return Run(path, load_resolved(path / "config.yaml"))


def latest_run(runs_dir: Path) -> Run:
    """The run with the newest network below a folder.

    Raises:
        DataError: there is none.
    """
    found = sorted(runs_dir.glob("*/best.keras"), key=lambda path: (path.stat().st_mtime, path))
    if not found:
        raise DataError(f"{runs_dir}: holds no trained run; train one first, or name a run", remedy="train")
    return open_run(found[-1].parent)


def read_history(path: Path) -> list[dict[str, float]]:
    """The figures of every epoch in a ``history.csv``, in order; none if there is no such file.

    Raises:
        TfkeyError: it is not such a table.
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
            f"{path}: not a table of epochs; delete the run's checkpoints to train from the start"
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
