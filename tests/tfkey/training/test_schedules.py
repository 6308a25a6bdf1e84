from __future__ import annotations

import keras
import numpy as np
import pytest

from tfkey.config import load_config
from tfkey.training.schedules import WarmUpThen, build_schedule


def rates(schedule: WarmUpThen, steps: int) -> np.ndarray:
    return np.array([float(schedule(step)) for step in range(steps)])


def test_cosine_is_that_of_keras() -> None:
    reference = keras.optimizers.schedules.CosineDecay(0.01, 50)
    assert rates(WarmUpThen(0.01, 50), 60) == pytest.approx(
        [float(reference(step)) for step in range(60)], abs=1e-8
    )


def test_it_rises_in_a_line_then_stays_or_falls_to_nothing() -> None:
    rising = np.arange(1, 11) / 10
    constant, falling = (rates(WarmUpThen(2.0, 40, 10, falls), 41) for falls in (False, True))
    assert constant[:10] == pytest.approx(2 * rising)
    assert (constant[10:] == 2).all()
    assert falling[:10] == pytest.approx(2 * rising)
    assert (np.diff(falling[10:]) < 0).all()
    assert falling[-1] == pytest.approx(0, abs=1e-6)


def test_settings_reach_it() -> None:
    config = load_config(
        None,
        ["train.epochs=5", "train.warmup_epochs=0.5", "train.schedule=constant", "train.learning_rate=0.3"],
    )
    schedule = build_schedule(config.train, steps=8)
    assert schedule.get_config() == {"highest": 0.3, "steps": 40, "rising_steps": 4, "falls": False}
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert rates(again, 8) == pytest.approx(rates(schedule, 8))


def test_schedules_of_earlier_checkpoints_load() -> None:
    """The module has moved since they were written; Keras finds the class by its registered name."""
    settings = {"highest": 0.003, "steps": 24, "rising_steps": 24, "falls": True}
    schedule = keras.optimizers.schedules.deserialize(
        {
            "module": "tfkey.schedules",
            "class_name": "WarmUpThen",
            "config": settings,
            "registered_name": "tfkey>WarmUpThen",
        }
    )
    assert isinstance(schedule, WarmUpThen)
    assert schedule.get_config() == settings
