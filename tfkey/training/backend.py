"""Which Keras backend trains, and which of several processes this is; read from the environment.

TensorFlow trains everything, on the GPUs of one host. JAX trains on spectrograms and images, on the GPUs of
one or several hosts (:mod:`tfkey.training.jax_devices`). Nothing here imports Keras: what does not fit is
refused before.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tfkey.config import Config
from tfkey.errors import MissingExtraError, UsageError
from tfkey.models import takes_waveforms

BACKENDS = ("tensorflow", "jax")
"""The values of ``KERAS_BACKEND`` with which tfkey trains."""

# Launchers that JAX asks for the address of the first process: the variables for how many, and which.
_LAUNCHERS = (("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"), ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"))
_BY_HAND = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


@dataclass(frozen=True)
class Launch:
    """How this process was started.

    Attributes:
        processes: the number of processes that train together.
        index: which of them this is, from 0.
        address: ``host:port`` of the first; None if JAX finds it out from the launcher.
    """

    processes: int = 1
    index: int = 0
    address: str | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes the run and reports on it."""
        return self.index == 0


def backend_name() -> str:
    """The Keras backend, without importing Keras."""
    loaded = sys.modules.get("keras")
    if loaded is not None:
        return str(loaded.backend.backend())
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def launch(environment: Mapping[str, str] | None = None) -> Launch:
    """Read how this process was started: by hand, by ``srun`` or by Open MPI's ``mpirun``.

    Several processes train together only on JAX; on TensorFlow, this is always a single one. By hand, each
    gets ``JAX_COORDINATOR_ADDRESS``, ``JAX_NUM_PROCESSES`` and ``JAX_PROCESS_ID``, which take precedence.

    Args:
        environment: the environment variables; None for those of this process.

    Raises:
        UsageError: one of the variables is missing or wrong.
    """
    values = os.environ if environment is None else environment
    if environment is None and backend_name() != "jax":
        return Launch()
    address, count, index = (values.get(name) for name in _BY_HAND)
    if address or count or index:
        missing = [name for name in _BY_HAND if not values.get(name)]
        if missing:
            raise UsageError(
                f"{missing[0]} is not set; processes that train together need all of {', '.join(_BY_HAND)}"
            )
        processes = _whole(values, _BY_HAND[1], 1)
        found = Launch(processes, _whole(values, _BY_HAND[2], 0, processes - 1), address)
        if not str(address).rpartition(":")[2].isdecimal():
            raise UsageError(f"{_BY_HAND[0]}={address}: must be HOST:PORT of the first process")
        return found if processes > 1 else Launch()
    for size, rank in _LAUNCHERS:
        if values.get(size) and (processes := _whole(values, size, 1)) > 1:
            return Launch(processes, _whole(values, rank, 0, processes - 1))
    return Launch()


def _whole(values: Mapping[str, str], name: str, least: int, most: int | None = None) -> int:
    text = values.get(name, "")
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        span = f"at least {least}" if most is None else f"from {least} to {most}"
        raise UsageError(f"{name}={text}: must be a whole number, {span}")
    return int(text)


def check_backend(config: Config) -> None:
    """Refuse a backend that cannot train what a configuration asks for.

    Raises:
        UsageError: tfkey does not train with the backend; or the mode or the model needs TensorFlow.
        MissingExtraError: the backend is JAX, which is not installed.
    """
    name = backend_name()
    if name not in BACKENDS:
        raise UsageError(f"KERAS_BACKEND={name}: tfkey trains with {' or '.join(BACKENDS)}; set one of these")
    if name == "tensorflow":
        return
    back = "or set KERAS_BACKEND=tensorflow"
    if takes_waveforms(config.model.name):
        raise UsageError(
            f"KERAS_BACKEND=jax: model {config.model.name} transforms waveforms with TensorFlow; "
            f"use another model in mode spectrograms, {back}"
        )
    if config.mode == "audio":
        raise UsageError(
            "KERAS_BACKEND=jax: mode=audio transforms waveforms with TensorFlow; "
            f"use mode spectrograms, {back}",
            remedy="mode",
        )
    if importlib.util.find_spec("jax") is None:
        raise MissingExtraError("KERAS_BACKEND=jax", "JAX", "tfkey[train,jax]")
