"""The parts of a run for an export or an estimator: its network, temperature and metadata."""

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
    """Load the best network of a run with Keras, for :class:`tfkey.inference.estimator.KeyEstimator`.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        TfkeyError: the run has no intact network (see :meth:`tfkey.runs.Run.load_network`).
    """
    run = run if isinstance(run, Run) else open_run(Path(run))
    try:
        network = keras_network(with_probabilities(run.load_network()))
    except ImportError as error:
        raise MissingExtraError(f"{run.best}", "TensorFlow", "tfkey[train]") from error
    return Metadata.of(export_metadata(run)), network


def with_probabilities(network: keras.Model) -> keras.Model:
    """Return a network that outputs probabilities for one that outputs logits."""
    import keras

    # Half precision is too coarse for probabilities.
    softmax = keras.layers.Softmax(dtype="float32", name="probabilities")
    return keras.Model(network.input, softmax(network.output), name=network.name)


def temperature(run: Run) -> float:
    """Return the temperature that calibrates a run's best network; 1 if none was fitted for it."""
    found = read_calibration(run.path / "calibration.json")
    return found.temperature if found and run.best.is_file() and found.network == sha256(run.best) else 1.0


def export_metadata(
    run: Run, *, description: str | None = None, licences: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return what is needed to use a network; the content of ``tfkey.json``.

    Args:
        run: the run.
        description: a description of the weights; None for the names of the network and of the data.
        licences: the licences of the training data, by dataset.
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
