"""Training experiments: from a configuration and prepared data to a trained run."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from pipelines.experiments.learned import remember
from pipelines.experiments.same_recordings import same_by_catalogue, same_by_content
from pipelines.folder_lock import alone_in
from pipelines.prepared.find_damaged import naming_damage
from pipelines.prepared.input_meter import InputMeter
from pipelines.prepared.inputs import (
    batch_members,
    broken_members,
    evaluation_batches,
    evaluation_steps,
    steps_per_epoch,
    training_batches,
)
from pipelines.prepared.manifest import open_prepared
from pipelines.prepared.shares import EVERYTHING, Share
from pipelines.prepared.split_intervals import SplitIntervals, open_intervals
from tfkey.config import Config
from tfkey.errors import TfkeyError, UsageError
from tfkey.models import build_network, check_mode, minimum_frames, takes_waveforms
from tfkey.runs import Run, create_run, run_folder
from tfkey.spectrogram.frontend import build_frontend
from tfkey.training.backend import check_backend
from tfkey.training.fit import OnEpoch, TrainingData, fit
from tfkey.training.jax_devices import JaxDevices, naming_losses, start
from tfkey.training.learning_rate import Sweep, sweep


@dataclass(frozen=True)
class Experiment:
    """Prepared data and a configuration that have been checked against each other.

    Attributes:
        config: everything about the run.
        training: the intervals for training.
        validation: the intervals for choosing the best network.
    """

    config: Config
    training: SplitIntervals
    validation: SplitIntervals

    @classmethod
    def open(cls, config: Config) -> Experiment:
        """Open the data that a configuration names.

        Raises:
            DataError: the data is not prepared, is damaged or has other parameters, or a split is empty.
            UsageError: intervals or bands are too small for the network, a network that takes waveforms is
                used outside audio mode, or datasets contain the same recordings.
        """
        check_mode(config.model.name, config.mode, config.augment)
        check_backend(config)
        _check_frames(config)
        _check_recordings(config)
        datasets = [open_prepared(config, config.mode, dataset) for dataset in config.datasets]
        _refuse_same(same_by_content(datasets, "train", datasets, "validation"))
        weighted = bool(config.weights) or config.train.class_weights != "none"
        training, validation = (
            open_intervals(
                config,
                datasets,
                split,
                wide=config.augment.needs_stored_bins,
                weighted=weighted,
                limit=config.train.limit,
            )
            for split in ("train", "validation")
        )
        return cls(config, training, validation)

    def seed(self) -> None:
        """Seed all random number generators; called before the network is built."""
        keras.utils.set_random_seed(self.config.seed)
        if self.config.train.deterministic:
            tf.config.experimental.enable_op_determinism()

    def network(self) -> keras.Model:
        """Return an untrained network that computes in the configured precision, with float32 weights."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.config.train.precision)
        try:
            return build_network(self.config.model, self.config.features)
        finally:
            keras.config.set_dtype_policy(before)

    def frontend(self) -> keras.Model | None:
        """Return the model that turns waveforms into spectrograms on the device in audio mode.

        None in other modes, and for networks that take waveforms.
        """
        config = self.config
        if config.mode != "audio" or takes_waveforms(config.model.name):
            return None
        samples = config.intervals.samples(config.features.sample_rate)
        return build_frontend(config.features, samples, wide=self.training.wide)

    def batches(self, epoch: int, share: Share = EVERYTHING) -> tf.data.Dataset:
        """Return training batches without end, from the start of an epoch, or a process' share of each."""
        size, seed = self.config.train.batch_size, self.config.seed
        return training_batches(self.training, size, seed=seed, first_epoch=epoch, share=share)

    def suspects(self, epoch: int, batch: int) -> tuple[list[str], list[str]]:
        """Return the files in a training batch, and those of them that contain NaN or infinity."""
        size, seed = self.config.train.batch_size, self.config.seed
        return batch_members(self.training, size, seed=seed, epoch=epoch, batch=batch)

    def data(
        self, meter: InputMeter | None = None, most_steps: int | None = None, devices: int = 1
    ) -> TrainingData:
        """Return the data for :func:`tfkey.training.fit.fit`, with at most ``most_steps`` batches per epoch.

        Raises:
            UsageError: the devices cannot share the batches.
        """
        size = self._shared_size(devices)
        steps = (
            steps_per_epoch(self.training, self.config.train.batch_size),
            evaluation_steps(self.validation, size),
        )
        training_steps, validation_steps = (min(count, most_steps or count) for count in steps)
        return TrainingData(
            batches=lambda epoch: meter.watch(self.batches(epoch)) if meter else self.batches(epoch),
            steps=training_steps,
            validation=evaluation_batches(self.validation, size).take(validation_steps),
            validation_steps=validation_steps,
            meter=meter,
            suspects=self.suspects,
            broken=lambda: broken_members(self.validation),
        )

    def shared_data(self, devices: JaxDevices, most_steps: int | None = None) -> TrainingData:
        """Return the part of the data that this process reads for the devices of all processes.

        Raises:
            UsageError: the devices cannot share the batches.
        """
        self._check_shared(devices.count, devices.launch.processes)
        share = Share(devices.launch.index, devices.launch.processes)
        size = max(1, self.config.train.batch_size // share.count)
        steps = steps_per_epoch(self.training, self.config.train.batch_size)
        return TrainingData(
            batches=lambda epoch: self.batches(epoch, share),
            steps=min(steps, most_steps or steps),
            validation=evaluation_batches(self.validation, size, share).take(most_steps or -1),
            validation_steps=0,
            suspects=self.suspects,
            broken=lambda: broken_members(self.validation),
            drawn=evaluation_batches(self.validation, size).take(most_steps or -1),
        )

    def _shared_size(self, devices: int) -> int:
        """Return the size of a validation batch, chosen so that every device always gets an interval.

        The last batch may be smaller; the devices then take their full shares in turn until it is used up. A
        network without any input fails or returns NaN.
        """
        size = self.config.train.batch_size
        if devices == 1:
            return size
        self._check_shared(devices)
        count = len(self.validation.rows)
        for share in range(size // devices, 0, -1):
            rest = count % (share * devices)
            if rest == 0 or rest > share * (devices - 1):
                return share * devices
        raise UsageError(
            f"validation: {devices} GPUs cannot share {count} intervals; prepare more, or select one GPU "
            "with CUDA_VISIBLE_DEVICES"
        )

    def _check_shared(self, devices: int, processes: int = 1) -> None:
        size, rows = self.config.train.batch_size, len(self.training.rows)
        if devices > 1 and (size % devices or rows < size):
            where = f" in {processes} processes" if processes > 1 else ""
            fewer = "start fewer processes" if processes > 1 else "select one GPU with CUDA_VISIBLE_DEVICES"
            raise UsageError(
                f"train.batch_size={size}: {devices} GPUs{where} cannot share batches of {size} out of "
                f"{rows} intervals; choose a multiple of {devices} that is not larger, or {fewer}"
            )


def train(
    config: Config, name: str, report: OnEpoch | None = None, *, most_steps: int | None = None
) -> tuple[Run, list[dict[str, float]]]:
    """Train a network on prepared data, or continue an interrupted run.

    Args:
        config: everything about the run.
        name: the name of the run's folder below ``config.runs_dir``.
        report: called after every epoch.
        most_steps: maximum number of batches per epoch, for a trial.

    Returns:
        The run, and the figures of its epochs.

    Raises:
        DataError: see :meth:`Experiment.open`.
        UsageError: see there; or a run of that name exists with another configuration or other data.
    """
    experiment = Experiment.open(config)
    experiment.seed()
    if keras.backend.backend() == "jax":
        return _train_on_jax(experiment, name, report, most_steps)
    strategy = _strategy()
    # Waiting cannot be measured across several devices.
    devices = strategy.num_replicas_in_sync if strategy else 1
    data = experiment.data(InputMeter() if strategy is None else None, most_steps, devices)
    scope = strategy.scope() if strategy else contextlib.nullcontext()
    with naming_damage(experiment.training, experiment.validation), scope:
        network = experiment.network()
        # Create the folder only now that the configuration has proved valid.
        with alone_in(run_folder(config, name)):
            run = create_run(config, name)
            remember(run, (experiment.training, experiment.validation))
            history = fit(run, network, experiment.frontend(), data, report)
    return run, history


def _train_on_jax(
    experiment: Experiment, name: str, report: OnEpoch | None, most_steps: int | None
) -> tuple[Run, list[dict[str, float]]]:
    """Train with all devices of all processes, of which the first alone writes."""
    # TensorFlow only reads the data; it would take the memory of GPUs.
    tf.config.set_visible_devices([], "GPU")
    devices = start(experiment.config.train.deterministic)
    data = experiment.shared_data(devices, most_steps)
    folder = run_folder(experiment.config, name)
    used = experiment.training, experiment.validation
    with naming_damage(*used), naming_losses(), devices.scope():
        network = experiment.network()
        with alone_in(folder) if devices.launch.is_first else contextlib.nullcontext():
            if devices.launch.is_first:
                remember(create_run(experiment.config, name), used)
            devices.gather(np.zeros(1))
            if not (folder / "config.yaml").is_file():
                raise TfkeyError(
                    f"{folder}: is not on this host; choose runs_dir on a disk that all hosts share"
                )
            # The others, too, compare their settings and data with those of the run.
            run = create_run(experiment.config, name)
            remember(run, used)
            history = fit(run, network, None, data, report, devices)
            devices.gather(np.zeros(1))
    return run, history


def find_learning_rate(config: Config, steps: int = 150) -> Sweep:
    """Try learning rates on a temporary network (see :mod:`tfkey.training.learning_rate`)."""
    experiment = Experiment.open(config)
    experiment.seed()
    with naming_damage(experiment.training):
        return sweep(experiment.network(), experiment.frontend(), config, experiment.batches(0), steps)


def _strategy() -> tf.distribute.Strategy | None:
    """Return the strategy that shares every batch among several GPUs; None for a single device."""
    if len(tf.config.list_logical_devices("GPU")) < 2:
        return None
    return tf.distribute.MirroredStrategy()


def _check_frames(config: Config) -> None:
    frames = config.features.frames(config.intervals.samples(config.features.sample_rate))
    least = minimum_frames(config.model.name)
    if frames < least:
        raise UsageError(
            f"intervals.seconds={config.intervals.seconds:g} gives {frames} frames, "
            f"but {config.model.name} needs {least}; raise it, or "
            f"lower features.hop_length={config.features.hop_length}"
        )


def _check_recordings(config: Config) -> None:
    """Refuse datasets with the same recordings: a recording could be in different splits of each dataset."""
    _refuse_same(same_by_catalogue(config.datasets, config.datasets, config.catalogue))
    for name in config.datasets:
        if config.datasets.count(name) > 1:
            raise UsageError(f"datasets: {name} is named twice; name it only once")


def _refuse_same(pair: tuple[str, str] | None) -> None:
    if pair:
        raise UsageError(
            f"datasets: {pair[0]} and {pair[1]} contain the same recordings, which would be used for both "
            "training and validation; use only one of them"
        )
