"""The search algorithms of keras-tuner, and the translation of a search space to its terms."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any, Literal, get_args

import keras_tuner
import numpy as np

from pipelines.experiments.search_space import Search
from tfkey.config import Config

Algorithm = Literal["random", "bayesian", "hyperband"]
ALGORITHMS: tuple[str, ...] = get_args(Algorithm)


def build_oracle(search: Search, algorithm: str, config: Config) -> keras_tuner.Oracle:
    """Return keras-tuner's oracle for an algorithm and a search space.

    Args:
        search: the search.
        algorithm: one of :data:`ALGORITHMS`.
        config: the settings that are not searched.
    """
    space = _hyper_parameters(search)
    objective = keras_tuner.Objective(search.objective, "min" if search.objective == "val_loss" else "max")
    common = {
        "objective": objective,
        "hyperparameters": space,
        # keras-tuner treats a seed of 0 as no seed.
        "seed": search.seed + 1,
        "max_consecutive_failed_trials": search.trials + 1,
    }
    if algorithm == "random":
        return keras_tuner.oracles.RandomSearchOracle(max_trials=search.trials, **common)
    if algorithm == "bayesian":
        # At most a third of the trials are random; by default keras-tuner takes 3 for every setting.
        initial = max(3, min(2 * len(space.space), search.trials // 3))
        return _Bayesian(max_trials=search.trials, num_initial_points=initial, **common)
    oracle = keras_tuner.oracles.HyperbandOracle(
        max_epochs=config.train.epochs, hyperband_iterations=None, **common
    )
    # Repeat the sweep until this many trials are done.
    oracle.max_trials = search.trials
    return oracle


class _Bayesian(keras_tuner.oracles.BayesianOptimizationOracle):
    """Draws initial points by the trial's number, so that a resumed search draws the same as without a break.

    keras-tuner's own generator starts anew with every process. A resumed search would therefore draw the
    same points again, and propose them where its model is flat.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the settings of the next trial."""
        # Trials are read back in the order of a folder, on which the last digits of a fit depend.
        self.trials: dict[str, Any] = {name: self.trials[name] for name in self.start_order}
        self._random_state = np.random.RandomState([self.seed, len(self.start_order)])
        return super().populate_space(trial_id)


def _hyper_parameters(search: Search) -> keras_tuner.HyperParameters:
    space = keras_tuner.HyperParameters()
    for name, entry in search.entries():
        scope = nullcontext()
        if entry.condition:
            parent, values = entry.condition
            scope = space.conditional_scope(parent, [json.dumps(value) for value in values])
        with scope:
            if entry.choice is not None:
                # keras-tuner does not support nulls, lists or mixed types.
                space.Choice(name, [json.dumps(value) for value in entry.choice])
                continue
            least, most = entry.bounds
            sampling = "log" if entry.log else "linear"
            if entry.integers:
                space.Int(name, least, most, step=int(entry.step) if entry.step else None, sampling=sampling)
            else:
                space.Float(name, least, most, step=entry.step, sampling=sampling)
    return space
