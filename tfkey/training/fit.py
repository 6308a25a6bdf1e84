"""Fitting a network: epochs that leave a checkpoint, a table and the best network behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tfkey.config import Config
from tfkey.errors import TfkeyError
from tfkey.models.saved import LOAD_ERRORS, difference
from tfkey.runs import Run
from tfkey.spectrogram.frontend import frontend_of
from tfkey.training.augmentation import KeyShift, build_augmentation
from tfkey.training.callbacks import EpochSeeds, OnEpoch, RunRecorder, Suspects
from tfkey.training.losses import build_loss
from tfkey.training.metrics import MirexScore
from tfkey.training.schedules import build_schedule
from tfkey.training.tensorboard import CurveLogger, Meter, PictureLogger


@dataclass(frozen=True)
class TrainingData:
    """What :func:`fit` trains on.

    Attributes:
        batches: makes endless shuffled batches, starting at an epoch.
        steps: batches an epoch.
        validation: the validation batches, once.
        validation_steps: their number.
        meter: counts the training batches, for TensorBoard.
        suspects: tells which files were in a batch, for the error at a loss that is no number.
        broken: tells which validation files hold what is no number, for the same.
    """

    batches: Callable[[int], Iterable[Any]]
    steps: int
    validation: Iterable[Any]
    validation_steps: int
    meter: Meter | None = None
    suspects: Suspects | None = None
    broken: Callable[[], list[str]] | None = None


def compile_model(
    network: keras.Model,
    frontend: keras.Model | None,
    config: Config,
    steps: int,
    *,
    schedule: Any = None,
) -> keras.Model:
    """Put an optimiser, a loss and metrics on a network, with all that training puts around it.

    Args:
        network: from pictures to logits.
        frontend: from waveforms to pictures, run on the training device; None if the data are pictures.
        config: how to train.
        steps: batches an epoch.
        schedule: of the learning rate, in place of the configured one.

    Returns:
        The network itself if there is neither a frontend nor augmentation, else a model around it.
    """
    settings = config.train
    model = _training_model(network, frontend, config)
    optimizer: keras.optimizers.Optimizer = keras.optimizers.AdamW(
        schedule or build_schedule(settings, steps),
        weight_decay=settings.weight_decay,
        global_clipnorm=settings.clip_norm,
    )
    if settings.precision == "mixed_float16":
        # Small gradients would vanish in half precision.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(
        optimizer=optimizer,
        loss=build_loss(config.loss),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy"), MirexScore()],
        weighted_metrics=[],
        # Left to itself, Keras would choose XLA where it thinks it can.
        jit_compile=settings.xla,
        auto_scale_loss=False,
    )
    # A training step that finds its variables made is traced once, not twice.
    optimizer.build(model.trainable_variables)
    return model


def _training_model(network: keras.Model, frontend: keras.Model | None, config: Config) -> keras.Model:
    augmentation = build_augmentation(config.augment, config.features, config.seed)
    if augmentation is None:
        if frontend is None:
            return network
        return keras.Model(frontend.input, network(frontend.output), name="training_model")
    if frontend is None:
        features = config.features
        frames = features.frames(config.intervals.samples(features.sample_rate))
        bins = features.stored_bins if config.augment.pitch_shift else features.n_bins
        inputs = pictures = keras.Input((frames, bins, 1), name="pictures")
    else:
        inputs, pictures = frontend.input, frontend.output
    varied, shift = augmentation(pictures)
    logits = network(varied)
    if config.augment.pitch_shift:
        logits = KeyShift(name="key_shift")([logits, shift])
    return keras.Model(inputs, logits, name="training_model")


def fit(
    run: Run,
    network: keras.Model,
    frontend: keras.Model | None,
    data: TrainingData,
    report: OnEpoch | None = None,
) -> list[dict[str, float]]:
    """Train until the epochs are over or the validation score has long stopped rising.

    A run that was interrupted goes on after its last finished epoch; one that is finished is left as it is.

    Args:
        run: where everything goes; its configuration says how to train.
        network: from pictures to logits; its name tells it in checkpoints.
        frontend: see :func:`compile_model`.
        data: what to train on.
        report: told about every epoch.

    Returns:
        The figures of every epoch, as in ``history.csv``.

    Raises:
        TfkeyError: the loss is no longer a number; a checkpoint or the table cannot be read or written; the
            checkpoint is of another network or of other features; the best network so far is lost or damaged.
    """
    settings = run.config.train
    checkpoint = _last_checkpoint(run.checkpoints)
    model, first_epoch = compile_model(network, frontend, run.config, data.steps), 0
    if checkpoint is not None:
        first_epoch = int(checkpoint.stem.rpartition("-")[2])
        _restore(model, checkpoint)
    recorder = RunRecorder(run, network, first_epoch, report, data.suspects, data.broken)
    if recorder.history:
        # Lost or damaged, it would be missed only once the training is over.
        run.load_network(like=network)
    if not recorder.is_finished:
        model.fit(
            data.batches(first_epoch),
            validation_data=data.validation,
            initial_epoch=first_epoch,
            epochs=settings.epochs,
            steps_per_epoch=data.steps,
            validation_steps=data.validation_steps,
            callbacks=[
                EpochSeeds(run.config.seed),
                CurveLogger(run, recorder.history, data.meter),
                recorder,
                PictureLogger(run, first_epoch, frontend or frontend_of(network), data.validation),
            ],
            shuffle=False,
            verbose=0,
        )
    return recorder.history


def _last_checkpoint(folder: Path) -> Path | None:
    return max(folder.glob("epoch-*.keras"), default=None)


def _restore(model: keras.Model, path: Path) -> None:
    """Give a model, and its optimiser, the state of a checkpoint, which has to be built like it.

    The checkpoint's own model is not gone on with: Keras loads some layers with other settings than were
    saved (of spatial dropout it forgets the precision).
    """
    try:
        saved = keras.models.load_model(path)
    except LOAD_ERRORS as error:
        raise TfkeyError(
            f"{path}: not a checkpoint that can be loaded; delete it to train from the start"
        ) from error
    what = difference(saved, model)
    if what:
        raise TfkeyError(
            f"{path}: of {what} than the run's config.yaml says; put back the run's own, or "
            "delete it to train from the start"
        )
    model.set_weights(saved.get_weights())
    for variable, value in zip(model.optimizer.variables, saved.optimizer.variables, strict=True):
        variable.assign(value)
