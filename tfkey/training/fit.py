"""Fitting a network: each epoch leaves a checkpoint, a table and the best network so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tfkey.config import Config
from tfkey.errors import TfkeyError
from tfkey.models.saved import LOAD_ERRORS, difference, load_keras_file
from tfkey.runs import Run
from tfkey.spectrogram.frontend import frontend_of
from tfkey.training.augmentation import KeyShift, build_augmentation
from tfkey.training.averaging import AverageInValidation
from tfkey.training.callbacks import EpochSeeds, OnEpoch, RunRecorder, Suspects
from tfkey.training.clipping import build_clipping
from tfkey.training.jax_devices import JaxDevices, LocalNetwork, SharedValidation, undistributed
from tfkey.training.losses import build_loss
from tfkey.training.metrics import KeyAccuracy, MirexScore
from tfkey.training.roughening import build_roughening
from tfkey.training.schedules import build_schedule
from tfkey.training.tensorboard import CurveLogger, Meter, PictureLogger


@dataclass(frozen=True)
class TrainingData:
    """What :func:`fit` trains on.

    Attributes:
        batches: returns endless shuffled batches from a given epoch on.
        steps: batches per epoch.
        validation: the validation batches, once.
        validation_steps: their number.
        meter: counts the training batches, for TensorBoard.
        suspects: names the files of a batch, for the error if the loss is NaN or infinite.
        broken: names the validation files that hold such values, for the same error.
        drawn: all validation batches, if ``validation`` holds only the part of one of several processes.
    """

    batches: Callable[[int], Iterable[Any]]
    steps: int
    validation: Iterable[Any]
    validation_steps: int
    meter: Meter | None = None
    suspects: Suspects | None = None
    broken: Callable[[], list[str]] | None = None
    drawn: Iterable[Any] | None = None


def compile_model(
    network: keras.Model,
    frontend: keras.Model | None,
    config: Config,
    steps: int,
    *,
    schedule: Any = None,
) -> keras.Model:
    """Compile a network for training, with its frontend and augmentation, an optimiser, a loss and metrics.

    Args:
        network: from pictures, or in audio mode from waveforms, to logits.
        frontend: from waveforms to pictures, run on the training device; None if the data are already
            pictures.
        config: how to train.
        steps: batches per epoch.
        schedule: a learning rate schedule to use instead of the configured one.

    Returns:
        The network itself without a frontend or augmentation, otherwise a model around it.
    """
    settings = config.train
    model = _training_model(network, frontend, config)
    optimizer: keras.optimizers.Optimizer = keras.optimizers.AdamW(
        schedule or build_schedule(settings, steps),
        weight_decay=settings.weight_decay,
        global_clipnorm=settings.clip_norm,
        use_ema=settings.average > 0,
        ema_momentum=settings.average,
    )
    if settings.precision == "mixed_float16":
        # Small gradients would vanish in half precision.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(
        optimizer=optimizer,
        loss=build_loss(config.loss),
        metrics=[KeyAccuracy(), MirexScore()],
        weighted_metrics=[],
        # By default, Keras would choose XLA wherever it considers it possible.
        jit_compile=settings.xla,
        auto_scale_loss=False,
    )
    if keras.backend.backend() == "jax":
        # JAX has nothing else. Checkpoints keep the setting, which is TensorFlow's.
        model.jit_compile = True
    # If the optimiser's variables exist already, the training step is traced once, not twice.
    optimizer.build(model.trainable_variables)
    return model


def _training_model(network: keras.Model, frontend: keras.Model | None, config: Config) -> keras.Model:
    settings, features, seed = config.augment, config.features, config.seed
    clipping = build_clipping(settings, seed)
    roughening = build_roughening(settings, features, seed)
    augmentation = build_augmentation(settings, features, seed)
    if frontend is None and clipping is roughening is augmentation is None:
        return network
    samples = config.intervals.samples(features.sample_rate)
    if clipping is not None:
        inputs = keras.Input((samples,), name="waveforms")
        x = clipping(inputs) if frontend is None else frontend(clipping(inputs))
    elif frontend is not None:
        inputs, x = frontend.input, frontend.output
    else:
        bins = features.stored_bins if settings.needs_stored_bins else features.n_bins
        inputs = x = keras.Input((features.frames(samples), bins, 1), name="pictures")
    if roughening is not None:
        x = roughening(x)
    if augmentation is not None:
        x, shift = augmentation(x)
    logits = network(x)
    if settings.pitch_shift:
        logits = KeyShift(name="key_shift")([logits, shift])
    return keras.Model(inputs, logits, name="training_model")


def fit(
    run: Run,
    network: keras.Model,
    frontend: keras.Model | None,
    data: TrainingData,
    report: OnEpoch | None = None,
    devices: JaxDevices | None = None,
) -> list[dict[str, float]]:
    """Train until all epochs are done or the validation score has not risen for ``patience`` epochs.

    An interrupted run resumes after its last finished epoch; a finished run is left unchanged.

    Args:
        run: the folder to write to; its configuration says how to train.
        network: from pictures to logits; its name identifies it in checkpoints.
        frontend: see :func:`compile_model`.
        data: the data to train on.
        report: called after every epoch.
        devices: what trains on JAX, each process with its own part of the data; None on TensorFlow.

    Returns:
        The figures of every epoch, as in ``history.csv``.

    Raises:
        TfkeyError: the loss is NaN or infinite; a checkpoint or the table cannot be read or written; the
            checkpoint belongs to another network or other features; the best network is missing or damaged.
    """
    settings = run.config.train
    checkpoint = _last_checkpoint(run.checkpoints)
    model, first_epoch = compile_model(network, frontend, run.config, data.steps), 0
    if checkpoint is not None:
        first_epoch = int(checkpoint.stem.rpartition("-")[2])
    if devices is not None:
        devices.agree(first_epoch, f"{run.path}: differs from host to host; choose runs_dir on a shared disk")
    if checkpoint is not None:
        _restore(model, checkpoint)
    writes = devices is None or devices.launch.is_first
    recorder = RunRecorder(run, network, first_epoch, report, data.suspects, data.broken, writes=writes)
    if recorder.history and writes:
        # If it is missing or damaged, say so now and not after the training.
        with undistributed():
            run.load_network(like=network)
    if not recorder.is_finished:
        model.fit(
            data.batches(first_epoch),
            validation_data=data.validation if devices is None else None,
            initial_epoch=first_epoch,
            epochs=settings.epochs,
            steps_per_epoch=data.steps,
            validation_steps=data.validation_steps if devices is None else None,
            callbacks=_callbacks(
                run, model, recorder, first_epoch, frontend or frontend_of(network), data, devices
            ),
            shuffle=False,
            verbose=0,
        )
    return recorder.history


def _callbacks(
    run: Run,
    model: keras.Model,
    recorder: RunRecorder,
    first_epoch: int,
    frontend: keras.Model | None,
    data: TrainingData,
    devices: JaxDevices | None,
) -> list[keras.callbacks.Callback]:
    """What happens around the epochs, in order."""
    before: list[keras.callbacks.Callback] = [EpochSeeds(run.config.seed)]
    network = None
    if devices is not None:
        network = LocalNetwork(model)
        before.append(SharedValidation(devices, network, data.validation))
        if not devices.launch.is_first:
            return [*before, recorder]
    elif run.config.train.average:
        before.append(AverageInValidation())
    drawn = data.validation if data.drawn is None else data.drawn
    return [
        *before,
        CurveLogger(run, recorder.history, data.meter),
        recorder,
        PictureLogger(run, first_epoch, frontend, drawn, network),
    ]


def _last_checkpoint(folder: Path) -> Path | None:
    return max(folder.glob("epoch-*.keras"), default=None)


def _restore(model: keras.Model, path: Path) -> None:
    """Copy the state of a checkpoint, built like the model, into the model and its optimiser.

    The checkpoint's own model is not trained further: Keras loads some layers with settings other than the
    saved ones (it forgets the precision of spatial dropout).
    """
    try:
        with undistributed():
            saved = load_keras_file(path, compiled=True)
    except LOAD_ERRORS as error:
        raise TfkeyError(
            f"{path}: cannot be loaded as a checkpoint; delete it to train from the start"
        ) from error
    what = difference(saved, model)
    if what:
        raise TfkeyError(
            f"{path}: belongs to {what} than the run's config.yaml says; restore the run's own "
            "checkpoint, or delete this one to train from the start"
        )
    model.set_weights(saved.get_weights())
    for variable, value in zip(model.optimizer.variables, saved.optimizer.variables, strict=True):
        variable.assign(keras.ops.convert_to_numpy(value))
