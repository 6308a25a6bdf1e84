"""All devices of one or more processes train one network: Keras' data parallelism on JAX.

Every process runs the same program on its own part of each batch. A step computes what a single device would
compute from the whole batch, batch normalisation included, up to rounding. The first process alone writes.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np

from tfkey.errors import TfkeyError
from tfkey.scoring.mirex import score_matrix
from tfkey.training.averaging import averages_of
from tfkey.training.backend import Launch, launch
from tfkey.training.soft_labels import most_probable


@dataclass(frozen=True)
class JaxDevices:
    """The devices that train together.

    Attributes:
        count: the number of devices, those of the other processes included.
        launch: the processes, and which of them this is.
    """

    count: int
    launch: Launch

    def scope(self) -> AbstractContextManager[Any]:
        """Return a context in which networks are built for, and trained on, all devices."""
        if self.count == 1:
            return contextlib.nullcontext()
        # Each process reads only its own part of a batch.
        return keras.distribution.DataParallel(auto_shard_dataset=False).scope()

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Return the values of all processes, float64 ``[processes, *shape]``; each must call this.

        It is also how processes wait for each other.
        """
        values = np.asarray(values, np.float64)
        if self.launch.processes == 1:
            return values[np.newaxis]
        from jax.experimental import multihost_utils

        # JAX would round to float32.
        words = multihost_utils.process_allgather(np.atleast_1d(values).view(np.uint32))
        return np.ascontiguousarray(words).view(np.float64).reshape(self.launch.processes, *values.shape)

    def agree(self, value: float, complaint: str) -> None:
        """Check that all processes have the same value.

        Raises:
            TfkeyError: they differ; with the complaint as its message.
        """
        values = self.gather(np.array(value))
        if (values != values[0]).any():
            raise TfkeyError(complaint)


@cache
def start(deterministic: bool = False) -> JaxDevices:
    """Join the other processes, if there are any, and find all devices.

    Args:
        deterministic: whether GPUs must compute the same every time; it takes effect at the first use of JAX.

    Raises:
        TfkeyError: the first process does not answer.
        UsageError: see :func:`tfkey.training.backend.launch`.
    """
    import jax

    flags = os.environ.get("XLA_FLAGS", "")
    if deterministic and "xla_gpu_deterministic_ops" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    here = launch()
    if here.processes > 1:
        _join(here)
    return JaxDevices(jax.device_count(), here)


def _join(here: Launch) -> None:
    import jax

    if "JAX_CPU_COLLECTIVES_IMPLEMENTATION" not in os.environ:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    before = signal.getsignal(signal.SIGTERM)
    given = (here.address, here.processes, here.index) if here.address else ()
    try:
        jax.distributed.initialize(*given)
    except (RuntimeError, ValueError) as error:
        raise TfkeyError(
            f"process {here.index} of {here.processes} cannot join the others"
            f"{f' at {here.address}' if here.address else ''}: {_first_line(error)}; "
            "check that all are started, and that their hosts reach the first one"
        ) from error
    if threading.current_thread() is threading.main_thread() and before is not None:
        # JAX takes the signal for a notice that it may ignore.
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """Make what is built and saved inside the block a matter of this process alone."""
    before = keras.distribution.distribution()
    if before is None:
        yield
        return
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


@contextlib.contextmanager
def naming_losses() -> Iterator[None]:
    """Turn JAX's error about a process that has gone into one line."""
    import jax

    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        text = _first_line(error)
        # Some calls raise a plain ValueError with the code of the failure in front.
        if launch().processes == 1 or not re.match(r"[A-Z_]+: ", text):
            raise
        raise TfkeyError(
            f"the processes lost each other ({text}); see what the others report, and start all of them again"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


class LocalNetwork:
    """A network in inference on the devices of this process, with the averages of its weights if it has any.

    Its weights are those of the moment of :meth:`take`.

    Args:
        model: from spectrograms to logits; compiled if it has averages.
    """

    def __init__(self, model: keras.Model) -> None:
        import jax

        self._model = model
        mesh = jax.sharding.Mesh(np.array(jax.local_devices()), ("batch",))
        self._split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
        self._whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
        self._weights: Any = None

        def call(weights: Any, inputs: Any) -> Any:
            return model.stateless_call(*weights, inputs, training=False)[0]

        self._call = jax.jit(call)

    def take(self) -> None:
        """Copy the model's weights as they are now."""
        import jax

        trained = averages_of(self._model) or self._model.trainable_variables
        sets = [
            [_local(variable) for variable in part] for part in (trained, self._model.non_trainable_variables)
        ]
        self._weights = jax.device_put(sets, self._whole)

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Return the logits, float32 ``[batch, 24]``."""
        import jax

        count = len(inputs)
        rest = -count % self._split.mesh.size
        padded = np.concatenate([inputs, np.repeat(inputs[-1:], rest, axis=0)]) if rest else inputs
        with undistributed():
            logits = self._call(self._weights, jax.device_put(padded, self._split))
        return np.asarray(logits, np.float32)[:count]


def _local(variable: Any) -> np.ndarray:
    """A variable, which every device holds whole, as this process has it."""
    return np.asarray(variable.value.addressable_data(0))


class SharedValidation(keras.callbacks.Callback):
    """Validates at the end of each epoch: each process judges its part, and all add up what they find.

    Keras' own validation on JAX needs batches that the devices share evenly; here every interval counts once,
    whatever their number. It must be the first of the callbacks that read the figures.

    Args:
        devices: the devices that train.
        network: takes the weights and judges.
        batches: this process' part of the validation split.
    """

    def __init__(self, devices: JaxDevices, network: LocalNetwork, batches: Iterable[Any]) -> None:
        super().__init__()
        self._devices, self._network, self._batches = devices, network, batches

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the figures of the validation split."""
        self._network.take()
        table = score_matrix(both_fifths=True)
        sums = np.zeros(4)
        for inputs, labels in _numpy(self._batches):
            logits = self._network(inputs)
            with undistributed():
                losses = np.asarray(self.model.loss.call(labels, logits), np.float64)
                references = np.asarray(most_probable(keras.ops.convert_to_tensor(labels)))
            estimates = np.argmax(logits, axis=-1)
            scores = table[references, estimates]
            sums += losses.sum(), (references == estimates).sum(), scores.sum(), len(inputs)
        loss, right, score, count = self._devices.gather(sums).sum(axis=0)
        if logs is not None:
            logs |= {"val_accuracy": right / count, "val_loss": loss / count, "val_mirex": score / count}


def _numpy(batches: Iterable[Any]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for inputs, labels, *_ in batches:
        yield np.asarray(inputs), np.asarray(labels)
