from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.experiments.search_space import Search, check_search, load_search
from pipelines.experiments.trial_process import train_apart
from pipelines.experiments.tune import ALGORITHMS, tune
from tests.conftest import ROOT
from tfkey.config import Config, load_config
from tfkey.errors import ConfigError, TfkeyError, UsageError

SPACE = {
    "train.learning_rate": {"float": [1e-4, 1e-1], "log": True},
    "model.maps": {"int": [1, 8]},
    "augment.crop_seconds": {"choice": [None, 5]},
    "model.pooling": {"choice": ["global", "time"]},
    "model.dropout": {"float": [0.1, 0.5], "when": {"model.pooling": "time"}},
}


def configuration(folder: Path) -> Config:
    return load_config(None, [f"runs_dir={folder / 'runs'}", "mode=audio", "train.epochs=9"])


def make_search(trials: int = 8, **values: object) -> Search:
    return Search.model_validate({"space": SPACE, "trials": trials, **values})


class Training:
    """Stands in for training: the score is known, and so is what was called."""

    def __init__(self, log: Path, fail: set[str] = frozenset(), die_at: int = -1) -> None:
        self.log, self.fail, self.die_at = log, fail, die_at

    def __call__(self, config: Config, name: str) -> list[dict[str, float]]:
        with self.log.open("a") as stream:
            stream.write(f"{name} {config.model.settings['maps']} {config.train.learning_rate!r}\n")
        if len(self.log.read_text().splitlines()) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if name in self.fail:
            raise TfkeyError("out of\nmemory")
        # The epoch before the last is the one that a run keeps.
        score = config.model.settings["maps"] / 10 + (0.05 if config.augment.crop_seconds else 0)
        epochs = [score / 2, score, score / 3]
        return [{"epoch": n + 1, "val_mirex": s, "val_loss": 1 - n / 10} for n, s in enumerate(epochs)]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_search_finds_the_best_and_writes_it_down(tmp_path: Path, algorithm: str, capfd) -> None:
    # So many that Hyperband promotes twice, and that Bayesian search stops drawing at random.
    count = {"random": 10, "bayesian": 6, "hyperband": 20}[algorithm]
    training = Training(tmp_path / "log", fail={"01", "1"})
    config = configuration(tmp_path)
    folder, trials = tune(config, make_search(count), algorithm, "found", train=training)
    assert len(trials) == count
    for trial in trials:
        settings = trial.settings
        assert 1e-4 <= settings["train.learning_rate"] <= 1e-1
        assert settings["model.maps"] in range(1, 9)
        assert ("model.dropout" in settings) == (settings["model.pooling"] == "time")
    failed = [trial for trial in trials if trial.value is None]
    assert [(int(trial.name), trial.reason) for trial in failed] == [(1, "out of memory")]
    best = max((trial for trial in trials if trial.value is not None), key=lambda trial: trial.value)
    crop = best.settings["augment.crop_seconds"]
    assert best.value == pytest.approx(best.settings["model.maps"] / 10 + (0.05 if crop else 0))

    written = load_config(folder / "best.yaml")
    assert written.model.settings["maps"] == best.settings["model.maps"]
    assert written.train.learning_rate == best.settings["train.learning_rate"]
    assert written.augment.crop_seconds == crop
    epochs = best.settings.get("train.epochs", 9)
    assert (
        written.model_copy(update={"model": config.model, "augment": config.augment, "train": config.train})
        == config
    )
    assert written.train.epochs == epochs
    if algorithm == "hyperband":
        assert {trial.settings["train.epochs"] for trial in trials} == {1, 3, 9}
    table = rows(folder)
    names = [trial.name for trial in trials]
    assert [line["trial"] for line in table] == names
    assert [line["status"] for line in table] == ["failed" if int(n) == 1 else "completed" for n in names]

    before = (tmp_path / "log").read_text()
    assert tune(config, make_search(count), algorithm, "found", train=training)[1] == trials
    assert (tmp_path / "log").read_text() == before, "what is finished is not done again"
    assert "Traceback" not in capfd.readouterr().err
    more = tune(config, make_search(count + 1), algorithm, "found", train=training)[1]
    assert (len(more), more[:count]) == (count + 1, trials)


def search_and_die(folder: str, algorithm: str, die_at: int) -> None:
    path = Path(folder)
    tune(configuration(path), make_search(), algorithm, "s", train=Training(path / "log", {"2"}, die_at))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_killed_search_goes_on_without_repeating_a_trial(tmp_path: Path, algorithm: str) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    _, expected = tune(
        configuration(whole), make_search(), algorithm, "s", train=Training(whole / "log", {"2"})
    )
    code = (
        f"from tests.pipelines.experiments.test_tune import search_and_die; search_and_die({str(killed)!r}, "
    )
    for die_at in (1, 5):
        done = subprocess.run(
            [sys.executable, "-c", f"{code}{algorithm!r}, {die_at})"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
    _, resumed = tune(
        configuration(killed), make_search(), algorithm, "s", train=Training(killed / "log", {"2"})
    )
    assert resumed == expected
    lines = (killed / "log").read_text().splitlines()
    interrupted = {lines[0], lines[4]}
    for line in set(lines):
        assert lines.count(line) == (2 if line in interrupted else 1), "the trial under way, and no other"
    assert set(lines) == set((whole / "log").read_text().splitlines())


def test_trial_in_a_process_of_its_own(lab: Path, tmp_path: Path) -> None:
    config = load_config(lab / "settings.yaml", [f"runs_dir={tmp_path}", "train.epochs=1"])
    search = Search.model_validate(
        {
            "trials": 2,
            "seed": 4,
            # Of six semitones, the second network has no room.
            "space": {"model.maps": {"choice": [1, 2]}, "features.n_bins": {"choice": [24]}},
        }
    )
    folder, trials = tune(config, search, "random", "real")
    assert sorted(trial.settings["model.maps"] for trial in trials) == [1, 2]
    for trial in trials:
        run = folder / "trials" / trial.name
        assert (run / "best.keras").is_file()
        with (run / "history.csv").open(newline="") as stream:
            (line,) = csv.DictReader(stream)
        assert trial.value == pytest.approx(float(line["val_mirex"]))
        assert (
            yaml.safe_load((run / "config.yaml").read_text())["model"]["maps"] == trial.settings["model.maps"]
        )
    assert load_config(folder / "best.yaml").runs_dir == tmp_path

    with pytest.raises(TfkeyError, match="contains a run with"):
        train_apart(config.model_copy(update={"runs_dir": folder / "trials", "seed": 9}), trials[0].name)


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        (
            {"train.learningrate": {"float": [1, 2]}},
            "learningrate.*no such setting.*did you mean learning_rate",
        ),
        ({"train.learning_rate": {"float": [-1, 2]}}, r"space.train.learning_rate: -1.0 cannot be tried"),
        (
            {"model.pooling": {"choice": ["global", "nowhere"]}},
            "space.model.pooling: 'nowhere' cannot be tried",
        ),
        ({"model.depth": {"int": [1, 2]}}, "space.model.depth: .*model.depth: no such setting; allowed"),
        ({"train.batch_size": {"int": [4, 4]}}, "train.batch_size: .*the minimum must be below the maximum"),
        (
            {"train.batch_size": {"int": [0, 4], "log": True}},
            "train.batch_size: .*log needs a minimum above 0",
        ),
        ({"train.batch_size": {"int": [1, 4], "step": 9}}, "train.batch_size: .*step 9 does not fit"),
        ({"train.batch_size": {"whole": [1, 4]}}, "train.batch_size"),
        ({"train.batch_size": {}}, "has no kind; give exactly one of choice, int, float"),
        ({"train.batch_size": {"choice": []}}, "train.batch_size"),
        ({"train.batch_size": {"choice": [2, 2]}}, "names a value twice"),
        ({"split.seed": {"choice": [1, 2]}}, "space.split.seed: cannot be searched"),
        ({"train": {"choice": [1, 2]}}, "space.train: cannot be searched"),
        ({"train.limit": {"float": [0.1, 1]}}, "space.train.limit: cannot be searched"),
        (
            {"features.n_bins": {"choice": [60, 120]}},
            "features.n_bins=60 does not match the data .*in mode audio",
        ),
        (
            {"model.dropout": {"float": [0, 0.5], "when": {"model.pooling": "time"}}},
            "space.model.dropout: when: model.pooling is not an unconditional choice",
        ),
        ({}, "has no settings below space:"),
    ],
)
def test_space_that_cannot_be_searched(tmp_path: Path, space: dict, complaint: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump({"space": space}))
    with pytest.raises(ConfigError, match=complaint) as caught:
        check_search(load_search(path), load_config(None), sets_epochs=False)
    assert "\n" not in str(caught.value)


def test_features_are_searched_in_audio_mode_and_the_space_that_comes_along_is_whole() -> None:
    search = Search.model_validate({"space": {"features.n_bins": {"choice": [60, 120]}}})
    check_search(search, load_config(None, ["mode=audio"]), sets_epochs=False)
    for mode in ("audio", "spectrograms", "images"):
        check_search(load_search("tune"), load_config("demo", [f"mode={mode}"]), sets_epochs=True)


def test_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    config, training = configuration(tmp_path), Training(tmp_path / "log")
    folder, _ = tune(config, make_search(2), "random", "s", train=training)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    other = {**SPACE, "model.maps": {"int": [1, 9]}}
    for search, algorithm, complaint in (
        (make_search(2, space=other), "random", "space.model.maps=.*give the search another name"),
        (make_search(2, seed=7), "random", r"seed=0 \(now 7\)"),
        (make_search(2), "bayesian", r"algorithm=random \(now bayesian\)"),
        (make_search(1), "random", r"2 trials \(now 1\)"),
        (make_search(2), "genetic", "algorithm 'genetic' is unknown"),
    ):
        with pytest.raises(UsageError, match=complaint):
            tune(config, search, algorithm, "s", train=training)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    (tmp_path / "runs" / "run").mkdir()
    (tmp_path / "runs" / "run" / "config.yaml").touch()
    with pytest.raises(UsageError, match="contains a training run"):
        tune(config, make_search(2), "random", "run", train=training)


def test_search_of_which_every_trial_fails(tmp_path: Path) -> None:
    training = Training(tmp_path / "log", fail={"0", "1", "2", "3", "4"})
    with pytest.raises(
        TfkeyError, match=r"none of 5 trials succeeded; reason of the last: out of memory; .*trials\.csv"
    ):
        tune(configuration(tmp_path), make_search(5), "random", "s", train=training)
    assert [line["status"] for line in rows(tmp_path / "runs" / "s")] == ["failed"] * 5
