"""The learning rate over a training."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from tfkey.settings import TrainConfig


@keras.saving.register_keras_serializable(package="tfkey")
class WarmUpThen(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from 0, then stays constant or falls to 0 along half a cosine.

    The cosine follows Loshchilov and Hutter 2017 (arXiv 1608.03983), without restarts; the rise follows Goyal
    et al. 2017 (arXiv 1706.02677).

    ``keras.optimizers.schedules.CosineDecay`` falls alike. But its warm-up starts with a step at rate 0, its
    rate cannot stay constant after the warm-up, and it refuses a warm-up as long as the training.

    Args:
        highest: the learning rate at the end of the rise.
        steps: the steps of the whole training.
        rising_steps: the steps of the rise; 0 to start at the highest rate.
        falls: whether the rate falls after the rise.
    """

    def __init__(self, highest: float, steps: int, rising_steps: int = 0, falls: bool = True) -> None:
        super().__init__()
        self.highest, self.steps = float(highest), int(steps)
        self.rising_steps, self.falls = int(rising_steps), bool(falls)

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step, from 0."""
        step = ops.cast(step, "float32")
        # With step + 1 the first step of a rise learns something, too.
        rise = ops.minimum((step + 1) / self.rising_steps, 1.0) if self.rising_steps else 1.0
        fall = 1.0
        if self.falls:
            left = max(1, self.steps - self.rising_steps)
            done = ops.clip((step - self.rising_steps) / left, 0.0, 1.0)
            fall = 0.5 * (1 + ops.cos(math.pi * done))
        return self.highest * rise * fall * ops.ones_like(step)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "highest": self.highest,
            "steps": self.steps,
            "rising_steps": self.rising_steps,
            "falls": self.falls,
        }


def build_schedule(settings: TrainConfig, steps: int) -> WarmUpThen:
    """The schedule that a configuration asks for, with ``steps`` batches per epoch."""
    rising = round(settings.warmup_epochs * steps)
    return WarmUpThen(settings.learning_rate, settings.epochs * steps, rising, settings.schedule == "cosine")
