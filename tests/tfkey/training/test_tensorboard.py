from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import soundfile
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util.tensor_util import make_ndarray

from tests.tfkey.training.test_fit import StoppedError, make_config, stop_after, train
from tfkey.errors import TfkeyError
from tfkey.runs import Run, create_run
from tfkey.training.tensorboard import EXAMPLES, PictureLogger
from tfkey.training.tensorboard_events import EventLog, image, scalar


def read(folder: Path) -> EventAccumulator:
    """Everything in a log, as TensorBoard reads it."""
    return EventAccumulator(str(folder), {"tensors": 0}).Reload()


def curve(log: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in log.Tensors(f"epoch/{tag}")]


def steps(log: EventAccumulator) -> dict[str, list[int]]:
    return {
        tag.removeprefix("epoch/"): [event.step for event in log.Tensors(tag)]
        for tag in log.Tags()["tensors"]
    }


def resumed(folder: Path, **settings: float) -> Run:
    """A run that was stopped between the log and the checkpoint of epoch 3, and went on."""
    run = create_run(make_config(folder, **settings), "resumed")
    with pytest.raises(StoppedError):
        train(run, report=stop_after(2))
    kept = shutil.copytree(run.checkpoints, folder / "kept")
    with pytest.raises(StoppedError):
        train(run, report=stop_after(3))
    shutil.rmtree(run.checkpoints)
    kept.rename(run.checkpoints)
    train(run)
    return run


def test_what_is_logged_of_a_run_and_of_one_that_resumed(tmp_path: Path) -> None:
    whole = create_run(make_config(tmp_path), "whole")
    history = train(whole)
    for run in (whole, resumed(tmp_path)):
        training, validation = (read(run.path / "tensorboard" / name) for name in ("train", "validation"))
        every = [1, 2, 3, 4, 5]
        pictures = ["confusion", *(f"spectrogram/{number}" for number in range(EXAMPLES))]
        assert steps(validation) == {
            **{tag: [*every] for tag in ("loss", "accuracy", "mirex", "best_mirex")},
            **{tag: [1, 5] for tag in pictures},
        }
        names = ("loss", "accuracy", "mirex", "learning_rate", "intervals_per_second")
        assert steps(training) == {tag: [*every] for tag in names}
        for tag, column in (("loss", "loss"), ("mirex", "mirex"), ("learning_rate", "learning_rate")):
            expected = [(line["epoch"], pytest.approx(line[column], rel=1e-6)) for line in history]
            assert curve(training, tag) == expected
        scores = [line["val_mirex"] for line in history]
        assert curve(validation, "mirex") == [(n + 1, pytest.approx(s)) for n, s in enumerate(scores)]
        best = np.maximum.accumulate(scores)
        assert [value for _, value in curve(validation, "best_mirex")] == pytest.approx(best)

    for tag in pictures:
        for event in validation.Tensors(tag):
            width, height, encoded = make_ndarray(event.tensor_proto)
            picture = Image.open(io.BytesIO(encoded))
            assert picture.size == (int(width), int(height))
            assert min(picture.size) > 200
            assert np.asarray(picture.convert("L")).std() > 5, "something is drawn"

    settings = read(whole.path / "tensorboard")
    (tag,) = settings.Tags()["tensors"]
    assert tag == hparams_metadata.SESSION_START_INFO_TAG
    content = settings.SummaryMetadata(tag).plugin_data.content
    values = HParamsPluginData.FromString(content).session_start_info.hparams
    assert values["train.learning_rate"].number_value == 0.05
    assert values["model.name"].string_value == "allconv"


def test_confusion_and_examples_are_what_the_network_says(tmp_path: Path, monkeypatch) -> None:
    drawn: dict[str, Any] = {}
    monkeypatch.setattr("tfkey.scoring.charts.confusion_figure", lambda matrix: drawn.update(matrix=matrix))
    monkeypatch.setattr(
        "tfkey.scoring.charts.spectrogram_figure",
        lambda picture, features, title: drawn.setdefault("examples", []).append((picture, title)),
    )
    monkeypatch.setattr(
        "tfkey.training.tensorboard.image", lambda tag, figure, description="": scalar(tag, 0)
    )
    given = np.zeros((6, 8, 28, 1), np.float32)
    labels = np.array([0, 0, 21, 3, 7, 8])
    given[np.arange(6), :, 2 + labels] = 1
    network = keras.Sequential(
        [
            keras.Input((8, 28, 1)),
            keras.layers.Lambda(lambda x: keras.ops.roll(keras.ops.mean(x[:, :, 2:26, 0], 1), 7, axis=-1)),
        ]
    )
    run = create_run(make_config(tmp_path), "run")
    pictures = PictureLogger(run, 0, None, [(given[:4], labels[:4]), (given[4:], labels[4:])])
    pictures.set_model(network)
    pictures.on_epoch_end(0)
    expected = np.zeros((24, 24), int)
    np.add.at(expected, (labels, (labels + 7) % 24), 1)
    np.testing.assert_array_equal(drawn["matrix"], expected)
    assert [title for _, title in drawn["examples"]] == [
        "C major: taken for G major",
        "A minor: taken for E major",
        "Eb major: taken for Bb major",
        "G major: taken for D minor",
    ]
    for (picture, _), label in zip(drawn["examples"], (0, 21, 3, 7), strict=True):
        np.testing.assert_array_equal(picture.argmax(axis=1), np.full(8, label))
    pictures.on_epoch_end(1)
    assert len(drawn["examples"]) == 4, "not every epoch"


def test_sound_in_audio_mode_once(tmp_path: Path) -> None:
    run = create_run(make_config(tmp_path, epochs=2), "run")
    train(run, "audio")
    log = read(run.path / "tensorboard" / "validation")
    assert steps(log)["spectrogram/3"] == [1, 2]
    for number in range(EXAMPLES):
        (event,) = log.Tensors(f"sound/{number}")
        encoded, label = make_ndarray(event.tensor_proto)[0]
        waveform, rate = soundfile.read(io.BytesIO(encoded))
        assert (rate, len(waveform)) == (8000, round(1.95 * 8000))
        assert np.abs(waveform).max() == pytest.approx(0.3, abs=0.1)
        assert label.decode().endswith("major")


def counting(seconds: float) -> Callable[[], tuple[int, float]]:
    """A meter of a pipeline of which every batch is waited for so long."""
    calls = iter(range(1000))
    return lambda: (10 * (calls_now := next(calls)), seconds * calls_now)


@pytest.mark.parametrize(("waited", "stall"), [(0.0, 0.0), (1e6, 1.0)])
def test_stall_is_the_share_of_time_that_was_waited(tmp_path, monkeypatch, waited, stall) -> None:
    from tests.tfkey.training import test_fit

    make_data = test_fit.make_data
    monkeypatch.setattr(
        test_fit,
        "make_data",
        lambda mode: test_fit.TrainingData(**{**vars(make_data(mode)), "meter": counting(waited)}),
    )
    run = create_run(make_config(tmp_path, epochs=3), "run")
    train(run)
    log = read(run.path / "tensorboard" / "train")
    assert curve(log, "input_stall") == [(epoch, stall) for epoch in (1, 2, 3)]
    assert all(value > 0 for _, value in curve(log, "intervals_per_second"))


def test_log_forgets_what_was_undone_and_outlives_a_torn_record(tmp_path: Path) -> None:
    first = EventLog(tmp_path, 1)
    for step in (1, 2, 3):
        first.write(step, [scalar("epoch/loss", step)])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    second = EventLog(tmp_path, 2)
    for step in (2, 3):
        second.write(step, [scalar("epoch/loss", 10 * step)])
    assert curve(read(tmp_path), "loss") == [(1, 1.0), (2, 20.0), (3, 30.0)]


def test_figures_do_not_pile_up() -> None:
    import gc

    from matplotlib.figure import Figure

    from tfkey.scoring.charts import confusion_figure

    for _ in range(3):
        image("confusion", confusion_figure(np.eye(24, dtype=int)))
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing) is Figure]


def test_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log", 1)
    shutil.rmtree(tmp_path / "log")
    with pytest.raises(TfkeyError, match=r"events\S+: cannot be written \(No such file"):
        log.write(1, [scalar("loss", 1.0)])
