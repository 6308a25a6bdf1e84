"""Which backend trains what, and which of several processes this is."""

from __future__ import annotations

import importlib.util

import pytest

from tfkey.config import load_config
from tfkey.errors import MissingExtraError, UsageError
from tfkey.training import backend
from tfkey.training.backend import Launch, check_backend, launch

ADDRESS = "node01:12345"
BY_HAND = {"JAX_COORDINATOR_ADDRESS": ADDRESS, "JAX_NUM_PROCESSES": "4", "JAX_PROCESS_ID": "3"}
SLURM = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Launch()),
        (BY_HAND, Launch(4, 3, ADDRESS)),
        (BY_HAND | {"JAX_NUM_PROCESSES": "1", "JAX_PROCESS_ID": "0"}, Launch()),
        (SLURM, Launch(8, 5)),
        (SLURM | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, Launch()),
        # A batch script, outside srun, is alone, however many tasks the job has.
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, Launch()),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}, Launch(2, 1)),
        (SLURM | BY_HAND, Launch(4, 3, ADDRESS)),
    ],
)
def test_the_launcher_says_which_process_this_is(environment: dict[str, str], expected: Launch) -> None:
    assert launch(environment) == expected
    assert expected.is_first == (expected.index == 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"JAX_PROCESS_ID": ""},
            "JAX_PROCESS_ID is not set; processes that train together need all of",
        ),
        ({"JAX_COORDINATOR_ADDRESS": ""}, "JAX_COORDINATOR_ADDRESS is not set"),
        ({"JAX_COORDINATOR_ADDRESS": "node01"}, "JAX_COORDINATOR_ADDRESS=node01: must be HOST:PORT"),
        ({"JAX_PROCESS_ID": "4"}, "JAX_PROCESS_ID=4: must be a whole number, from 0 to 3"),
        ({"JAX_NUM_PROCESSES": "0"}, "JAX_NUM_PROCESSES=0: must be a whole number, at least 1"),
        ({"JAX_NUM_PROCESSES": "two"}, "JAX_NUM_PROCESSES=two: must be"),
    ],
)
def test_variables_that_do_not_fit_are_named(changes: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        launch(BY_HAND | changes)


def test_tensorflow_is_always_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BY_HAND.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(backend, "backend_name", lambda: "tensorflow")
    assert launch() == Launch()
    monkeypatch.setattr(backend, "backend_name", lambda: "jax")
    assert launch() == Launch(4, 3, ADDRESS)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("tensorflow", ["mode=audio"], None),
        ("tensorflow", ["mode=audio", "model.name=cqt_allconv"], None),
        ("jax", ["mode=spectrograms"], None),
        ("jax", ["mode=images", "model.name=octave"], None),
        ("jax", ["mode=audio"], "KERAS_BACKEND=jax: mode=audio .*; use mode spectrograms, or set"),
        (
            "jax",
            ["mode=audio", "model.name=cqt_allconv"],
            "KERAS_BACKEND=jax: model cqt_allconv .*; use another model in mode spectrograms, or set",
        ),
        ("torch", ["mode=spectrograms"], "KERAS_BACKEND=torch: tfkey trains with tensorflow or jax"),
    ],
)
def test_a_backend_is_refused_for_what_it_cannot_train(
    name: str, settings: list[str], words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "backend_name", lambda: name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    config = load_config(None, settings)
    if words is None:
        check_backend(config)
    else:
        with pytest.raises(UsageError, match=words):
            check_backend(config)


def test_jax_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "backend_name", lambda: "jax")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"JAX, which is not installed; run pip install"):
        check_backend(load_config(None, ["mode=spectrograms"]))
