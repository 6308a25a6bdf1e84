"""What an export, and an estimator, takes from a run: its network, its temperature and its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkey._version import __version__
from tfkey.errors import MissingExtraError
from tfkey.files import sha256
from tfkey.inference.bundle import Metadata
from tfkey.inference.networks import Network, keras_network
from tfkey.keys import KEYS
from tfkey.models import minimum_frames, takes_waveforms
from tfkey.runs import Run, open_run
from tfkey.scoring.calibration import read_calibration

if TYPE_CHECKING:
    import keras


def load_run_network(run: Run | Path | str) -> tuple[Metadata, Network]:
    """The best network of a run by Keras, as :class:`tfkey.inference.estimator.KeyEstimator` takes it.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        TfkeyError: the run has no sound network (see :meth:`tfkey.runs.Run.load_network`).
    """
    run = run if isinstance(run, Run) else open_run(Path(run))
    try:
        network = keras_network(with_probabilities(run.load_network()))
    except ImportError as error:
        raise MissingExtraError(f"{run.best}", "TensorFlow", "tfkey[train]") from error
    return Metadata.of(export_metadata(run)), network


def with_probabilities(network: keras.Model) -> keras.Model:
    """A network that gives probabilities for one that gives logits."""
    import keras

    # Half precision is too coarse for probabilities.
    softmax = keras.layers.Softmax(dtype="float32", name="probabilities")
    return keras.Model(network.input, softmax(network.output), name=network.name)


def temperature(run: Run) -> float:
    """The temperature that calibrates a run's best network; 1 if there is none for it."""
    found = read_calibration(run.path / "calibration.json")
    return found.temperature if found and run.best.is_file() and found.network == sha256(run.best) else 1.0


def export_metadata(
    run: Run, *, description: str | None = None, licences: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What a user of a network has to know; the content of ``tfkey.json``.

    Args:
        run: the run.
        description: what the weights are; None for the name of the network and of the data.
        licences: of the data that the network was trained on, by dataset.
    """
    config = run.config
    if description is None:
        description = (
            f"The {config.model.name} network of the run {run.path.name}, trained on "
            f"{', '.join(config.datasets)}."
        )
    return {
        "tfkey_version": __version__,
        "run": run.path.name,
        "description": description,
        "labels": [key.long for key in KEYS],
        "sample_rate": config.features.sample_rate,
        "interval_seconds": config.intervals.seconds,
        "minimum_frames": minimum_frames(config.model.name),
        "takes_waveforms": takes_waveforms(config.model.name),
        "temperature": temperature(run),
        "features": config.features.model_dump(mode="json"),
        "model": config.model.model_dump(mode="json"),
        "trained_on": config.datasets,
        "licence": {"tfkey": "Apache-2.0", "data": dict(licences or {})},
    }
