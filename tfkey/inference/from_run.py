"""The parts of a run for an export or an estimator: its network, temperature and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkey._version import __version__
from tfkey.errors import MissingExtraError
from tfkey.files import sha256
from tfkey.inference.bundle import Metadata
from tfkey.inference.networks import Network, keras_network
from tfkey.keys import KEYS
from tfkey.models import minimum_frames, takes_waveforms
from tfkey.runs import Run, config_digest, open_run
from tfkey.scoring.calibration import Calibration, read_calibration

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


def run_calibration(run: Run) -> Calibration | None:
    """Return what calibrates a run's best network; None if nothing was fitted for it."""
    found = read_calibration(run.path / "calibration.json")
    return found if found and run.best.is_file() and found.network == sha256(run.best) else None


def export_metadata(
    run: Run,
    *,
    description: str | None = None,
    licences: Mapping[str, str] | None = None,
    data: Mapping[str, Any] | None = None,
    network: keras.Model | None = None,
    level_db: float | None = None,
) -> dict[str, Any]:
    """Return what is needed to use a network, and where it comes from; the content of ``tfkey.json``.

    Args:
        run: the run.
        description: a description of the weights; None for the names of the network and of the data.
        licences: the licences of the training data, by dataset.
        data: digests of the training data, by dataset; None if they are not known.
        network: the run's network, to state its number of parameters and the versions of the packages that
            export it; None to leave these out.
        level_db: see :class:`tfkey.inference.bundle.Metadata`.
    """
    config = run.config
    if description is None:
        description = (
            f"The {config.model.name} network of the run {run.path.name}, trained on "
            f"{', '.join(config.datasets)}."
        )
    temperatures = _temperatures(run)
    return {
        "tfkey_version": __version__,
        "run": run.path.name,
        "description": description,
        "labels": [key.long for key in KEYS],
        "sample_rate": config.features.sample_rate,
        "interval_seconds": config.intervals.seconds,
        "minimum_frames": minimum_frames(config.model.name),
        "takes_waveforms": takes_waveforms(config.model.name),
        **temperatures,
        **({} if level_db is None else {"level_db": level_db}),
        "features": config.features.model_dump(mode="json"),
        "model": config.model.model_dump(mode="json"),
        **({} if network is None else {"parameters": int(network.count_params())}),
        "trained_on": config.datasets,
        **_provenance(run, data, network),
        "licence": {"tfkey": "Apache-2.0", "data": dict(licences or {})},
    }


def _temperatures(run: Run) -> dict[str, float]:
    """The temperatures of the metadata: 1 if none was fitted, and that of intervals if it has its own."""
    found = run_calibration(run)
    if found is None:
        return {"temperature": 1.0}
    own = found.interval_temperature
    return {"temperature": found.temperature} | ({} if own is None else {"interval_temperature": own})


def _provenance(run: Run, data: Mapping[str, Any] | None, network: keras.Model | None) -> dict[str, Any]:
    """What a network was made from, as far as it is known."""
    found: dict[str, Any] = {"seed": run.config.seed}
    if digest := config_digest(run):
        found["config_digest"] = digest
    if data is not None:
        found["data"] = dict(data)
    if network is not None:
        found["versions"] = {name: version(name) for name in ("tensorflow", "keras")}
    return found
