"""Quick checks that a set-up can learn at all, before a long training."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import keras
import tensorflow as tf

from pipelines.experiments.train import Experiment, train
from pipelines.prepared.find_damaged import naming_damage
from tfkey.config import Config
from tfkey.errors import TfkeyError
from tfkey.models import model_settings
from tfkey.settings import AugmentConfig, LossConfig
from tfkey.training.fit import compile_model
from tfkey.training.soft_labels import most_probable

ENOUGH = 0.02
"""A loss, in nats, that a network reaches only by overfitting a batch."""

_CHECKED_AT_A_TIME = 25


def overfit(config: Config, most_steps: int = 500) -> tuple[int, float]:
    """Train on one batch over and over: if network and training are correct, the network overfits it.

    Augmentation, dropout, weight decay and soft targets are switched off, as their purpose is to prevent
    overfitting.

    Returns:
        The number of steps it took, and the mean loss of the last 25.

    Raises:
        TfkeyError: the loss is still above :data:`ENOUGH` after ``most_steps``.
    """
    settings = {**config.model.settings}
    if hasattr(model_settings(config.model.name, **settings), "dropout"):
        settings["dropout"] = 0.0
    changes = {"weight_decay": 0.0, "schedule": "constant", "warmup_epochs": 0.0}
    config = config.model_copy(
        update={
            "augment": AugmentConfig(),
            "loss": LossConfig(),
            "model": type(config.model)(name=config.model.name, **settings),
            "train": config.train.model_copy(update=changes),
        }
    )
    experiment = Experiment.open(config)
    experiment.seed()
    network = experiment.network()
    model = compile_model(network, experiment.frontend(), config, most_steps)
    with naming_damage(experiment.training):
        inputs, labels, *_ = next(iter(experiment.batches(0)))

    def stop_at_enough(_: int, logs: dict[str, float]) -> None:
        model.stop_training = logs["loss"] <= ENOUGH or not math.isfinite(logs["loss"])

    losses = model.fit(
        # A soft label cannot be met better than to its entropy.
        tf.data.Dataset.from_tensors((inputs, most_probable(labels))).repeat(),
        steps_per_epoch=_CHECKED_AT_A_TIME,
        epochs=most_steps // _CHECKED_AT_A_TIME,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=stop_at_enough)],
        shuffle=False,
        verbose=0,
    ).history["loss"]
    loss, steps = losses[-1], len(losses) * _CHECKED_AT_A_TIME
    if loss <= ENOUGH:
        return steps, loss
    raise TfkeyError(
        f"the network cannot overfit one batch of {len(labels)} intervals: the loss is {loss:.3f} after "
        f"{steps} steps and should be {ENOUGH:g}; check train.learning_rate, the model's size and the labels"
    )


def one_step(config: Config) -> dict[str, float]:
    """Run one training step and one validation step, write a checkpoint, and load the best network.

    Returns:
        The figures of that epoch.
    """
    return _for_a_trial(config, {"epochs": 1}, most_steps=1)


def one_percent(config: Config) -> dict[str, float]:
    """Train for one epoch on 1 % of the tracks.

    Returns:
        The figures of that epoch.
    """
    return _for_a_trial(config, {"epochs": 1, "limit": 0.01})


def _for_a_trial(
    config: Config, changes: dict[str, float], most_steps: int | None = None
) -> dict[str, float]:
    """Train in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        update = {"runs_dir": Path(folder), "train": config.train.model_copy(update=changes)}
        trial = config.model_copy(update=update)
        run, history = train(trial, "trial", most_steps=most_steps)
        run.load_network()
        # The second call loads the checkpoint and must find that there is nothing left to train.
        if train(trial, "trial", most_steps=most_steps)[1] != history:
            raise TfkeyError(
                "training continued from the checkpoint of a finished run; this is a bug in tfkey"
            )
    return history[-1]
