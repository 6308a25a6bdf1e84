"""The search algorithms: keras-tuner's, with a search's space in its terms."""

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
    """An algorithm, with the space that it searches, as keras-tuner has it.

    Args:
        search: the search.
        algorithm: one of :data:`ALGORITHMS`.
        config: all settings that are not searched.
    """
    space = _hyper_parameters(search)
    objective = keras_tuner.Objective(search.objective, "min" if search.objective == "val_loss" else "max")
    common = {
        "objective": objective,
        "hyperparameters": space,
        # It takes 0 for none.
        "seed": search.seed + 1,
        "max_consecutive_failed_trials": search.trials + 1,
    }
    if algorithm == "random":
        return keras_tuner.oracles.RandomSearchOracle(max_trials=search.trials, **common)
    if algorithm == "bayesian":
        # Of the trials, a third at most are random; left to itself it takes 3 for every setting.
        initial = max(3, min(2 * len(space.space), search.trials // 3))
        return _Bayesian(max_trials=search.trials, num_initial_points=initial, **common)
    oracle = keras_tuner.oracles.HyperbandOracle(
        max_epochs=config.train.epochs, hyperband_iterations=None, **common
    )
    # Sweep after sweep, until so many trials are done.
    oracle.max_trials = search.trials
    return oracle


class _Bayesian(keras_tuner.oracles.BayesianOptimizationOracle):
    """Draws the points to start from by the trial's number: a search that goes on draws what it would have.

    keras-tuner's own generator begins anew with every process, so that a search which was interrupted would
    draw, and where its model is flat propose, what it had before.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The settings of the next trial."""
        # Read back, trials come in the order of a folder, which the last digits of a fit depend on.
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
                # keras-tuner knows no nulls, lists or mixed types.
                space.Choice(name, [json.dumps(value) for value in entry.choice])
                continue
            least, most = entry.bounds
            sampling = "log" if entry.log else "linear"
            if entry.integers:
                space.Int(name, least, most, step=int(entry.step) if entry.step else None, sampling=sampling)
            else:
                space.Float(name, least, most, step=entry.step, sampling=sampling)
    return space
