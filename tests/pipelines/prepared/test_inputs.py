from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.prepare.intervals import cut
from pipelines.prepare.prepare import prepare
from pipelines.prepared.find_damaged import find_damaged
from pipelines.prepared.inputs import (
    batch_members,
    evaluation_batches,
    evaluation_steps,
    steps_per_epoch,
    training_batches,
)
from pipelines.prepared.manifest import open_prepared
from pipelines.prepared.split_intervals import open_intervals
from pipelines.publishing.packing import pack
from tests.conftest import BINS, FRAMES, SETTINGS
from tfkey.audio.reading import read
from tfkey.config import Config
from tfkey.errors import DataError
from tfkey.keys import Key
from tfkey.settings import MODES, TrainConfig
from tfkey.spectrogram.frontend import build_frontend

BATCH = 4


@pytest.fixture(scope="module")
def prepared(tracks_master, tmp_path_factory):
    """Two datasets, ``small`` and ``few``, in all modes: configurations by mode."""
    root = tmp_path_factory.mktemp("inputs")
    few = root / "few"
    for split, key in (("train", "C-maj"), ("test", "A-min"), ("validation", "A-min")):
        shutil.copytree(tracks_master / split / key, few / split / key)
    configs = {
        mode: Config.model_validate({**SETTINGS, "mode": mode, "data_dir": root / "data"}) for mode in MODES
    }
    for name, source in (("small", tracks_master), ("few", few)):
        for mode in ("audio", "spectrograms"):
            prepare(configs[mode], name, source=source)
        archive = root / f"{name}.tar.xz"
        pack(open_prepared(configs["spectrograms"], "spectrograms", name), archive)
        prepare(configs["images"], name, source=archive)
    return configs


def source_of(config, split, *names):
    return open_intervals(config, [open_prepared(config, config.mode, name) for name in names], split)


def original(config, tracks, row):
    """The waveform of an interval, straight from the recording."""
    waveform = read(tracks / row.source, config.features.sample_rate)
    return cut(waveform, config.intervals, config.features.sample_rate)[row.part]


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_clip_gives_the_same_picture_in_every_mode(split, prepared, tracks_master):
    config = prepared["audio"]
    rows = {mode: source_of(prepared[mode], split, "small").rows for mode in MODES}
    frontend = build_frontend(config.features, config.intervals.samples(config.features.sample_rate))
    found = {}
    for mode in MODES:
        source = source_of(prepared[mode], split, "small")
        batches = list(evaluation_batches(source, BATCH).as_numpy_iterator())
        assert len(batches) == evaluation_steps(source, BATCH)
        inputs = np.concatenate([batch for batch, _ in batches])
        labels = np.concatenate([labels for _, labels in batches])
        assert (inputs.dtype, labels.dtype) == (np.float32, np.int32)
        assert list(labels) == source.labels
        pictures = frontend(inputs).numpy() if mode == "audio" else inputs
        assert pictures.shape == (len(rows[mode]), FRAMES, BINS, 1)
        found[mode] = {
            (row.track, row.part): picture for row, picture in zip(rows[mode], pictures, strict=True)
        }
    waveforms = np.stack([original(config, tracks_master, row) for row in rows["audio"]])
    exact = dict(zip(found["audio"], frontend(waveforms).numpy(), strict=True))
    assert np.ptp(np.stack(list(exact.values()))) > 0.5
    # 16 bits: noise of 9e-6, 1e-3 of the least magnitude shown (-40 dB), is 0.009 dB of 80; some sigmas.
    # float16: half of a last place below 1. PNG: half of a level of 255, made from the float16.
    for mode, tolerance in (("audio", 6e-4), ("spectrograms", 2**-12), ("images", 0.5 / 255 + 2**-12)):
        assert found[mode].keys() == exact.keys()
        error = max(np.abs(found[mode][name] - exact[name]).max() for name in exact)
        assert 0 < error < tolerance + 1e-5, (mode, error)


@pytest.mark.parametrize("mode", MODES)
def test_evaluation_follows_the_rows_of_several_datasets(mode, prepared, tracks_master):
    source = source_of(prepared[mode], "train", "small", "few")
    assert len(source.rows) == 30 + len(source.parts[1][1]) > 35
    assert source.parts[1][0].name == "few"
    inputs = np.concatenate([batch for batch, _ in evaluation_batches(source, 7).as_numpy_iterator()])
    labels = np.concatenate([labels for _, labels in evaluation_batches(source, 7).as_numpy_iterator()])
    assert list(labels) == source.labels == [Key.parse(row.key).index for row in source.rows]
    config = prepared["audio"]
    frontend = build_frontend(config.features, config.intervals.samples(config.features.sample_rate))
    sources = [row.source for row in source.rows]
    if mode == "images":
        # The rows name the PNGs of the archive; those of audio mode, in the same order here, the recordings.
        audio = source_of(config, "train", "small", "few")
        names = {(d.name, row.track, row.part): row.source for d, rows in audio.parts for row in rows}
        sources = [names[d.name, row.track, row.part] for d, rows in source.parts for row in rows]
    exact = frontend(
        np.stack(
            [
                original(config, tracks_master, dataclasses.replace(row, source=name))
                for row, name in zip(source.rows, sources, strict=True)
            ]
        )
    ).numpy()
    pictures = frontend(inputs).numpy() if mode == "audio" else inputs
    assert np.abs(pictures - exact).max() < 0.003


def stream(source, *, seed, first_epoch=0, epochs, batch_size=BATCH):
    """Which interval stands where, epoch by epoch; intervals told apart by their content."""
    every = [x.tobytes() for x, _ in evaluation_batches(source, 1).as_numpy_iterator()]
    index = {content: number for number, content in enumerate(every)}
    assert len(index) == len(source.rows)
    steps = steps_per_epoch(source, batch_size)
    batches = training_batches(source, batch_size, seed=seed, first_epoch=first_epoch).take(steps * epochs)
    order = []
    for inputs, labels in batches.as_numpy_iterator():
        assert len(inputs) == len(labels) == min(batch_size, len(source.rows))
        numbers = [index[x[np.newaxis].tobytes()] for x in inputs]
        assert [source.labels[number] for number in numbers] == list(labels)
        order.append(numbers)
    return [np.concatenate(order[start : start + steps]).tolist() for start in range(0, len(order), steps)]


@pytest.mark.parametrize("mode", MODES)
def test_the_order_of_training_depends_on_seed_and_epoch(mode, prepared):
    source = source_of(prepared[mode], "train", "small")
    tf.random.set_seed(0)
    epochs = stream(source, seed=1, epochs=4)
    for numbers in epochs:
        assert len(set(numbers)) == len(numbers) == 28
    assert len({tuple(numbers) for numbers in epochs}) == 4
    assert all(numbers != sorted(numbers) for numbers in epochs)
    # What an epoch leaves over is not always the same.
    assert len({frozenset(numbers) for numbers in epochs}) > 1
    tf.random.set_seed(5)
    assert stream(source, seed=1, epochs=2) == epochs[:2]
    assert stream(source, seed=1, first_epoch=2, epochs=2) == epochs[2:]
    assert stream(source, seed=2, epochs=1) != epochs[:1]


@pytest.mark.parametrize("mode", MODES)
def test_fewer_intervals_than_a_batch(mode, prepared):
    source = source_of(prepared[mode], "test", "few")
    assert steps_per_epoch(source, 64) == 1
    tf.random.set_seed(0)
    (first, second) = stream(source, seed=0, epochs=2, batch_size=64)
    assert sorted(first) == sorted(second) == list(range(len(source.rows)))


def test_an_empty_split(prepared, tmp_path, make_config, tracks):
    shutil.rmtree(tracks / "validation")
    config = make_config(split={"validation": 0, "test": 0})
    prepare(config, "small", source=tracks)
    with pytest.raises(DataError, match="the validation split is empty"):
        source_of(config, "validation", "small")


@pytest.mark.parametrize("mode", MODES)
def test_damaged_files_are_found(mode, make_config, tracks, prepared):
    config = make_config(mode=mode)
    shutil.copytree(prepared[mode].data_dir / mode / "small", config.data_dir / mode / "small")
    source = source_of(config, "test", "small")
    (dataset, rows), *_ = source.parts
    assert find_damaged(dataset, rows) is None
    path = dataset.folder / rows[-1].path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert find_damaged(dataset, rows) == path
    path.write_bytes(content[:-9])
    assert find_damaged(dataset, rows) == path
    if mode == "spectrograms":
        with pytest.raises(
            DataError, match=r"test-00000\.tfrecord: has \d+ bytes instead of \d+; delete it and"
        ):
            source_of(config, "test", "small")
    path.unlink()
    with pytest.raises(DataError, match="missing or empty; delete it and prepare"):
        source_of(config, "test", "small")


def test_a_picture_of_another_size_stops_the_reading(make_config, prepared):
    config = make_config(mode="images")
    shutil.copytree(prepared["images"].data_dir / "images" / "small", config.data_dir / "images" / "small")
    source = source_of(config, "test", "small")
    Image.new("L", (FRAMES - 1, BINS)).save(source.parts[0][0].folder / source.rows[0].path)
    with pytest.raises(tf.errors.OpError):
        list(evaluation_batches(source, BATCH))


@pytest.mark.parametrize("mode", MODES)
def test_weights_are_of_the_dataset_and_the_key_and_one_in_the_mean(mode, prepared):
    config = prepared[mode].model_copy(
        update={"weights": {"few": 3.0}, "train": TrainConfig(class_weights="balanced", shuffle_buffer=8)}
    )
    datasets = [open_prepared(config, mode, name) for name in ("small", "few")]
    source = open_intervals(config, datasets, "train", weighted=True)
    counts = np.bincount(source.labels, minlength=24)
    batches = training_batches(source, 1, seed=0).take(len(source.rows))
    found = [(int(label[0]), float(weight[0])) for _, label, weight in batches.as_numpy_iterator()]
    assert np.mean([weight for _, weight in found]) == pytest.approx(1, rel=1e-5)
    few = {Key.parse(row.key).index for row in source.parts[1][1]}
    ratios = {
        round(weight * counts[label] / (found[0][1] * counts[found[0][0]]), 3) for label, weight in found
    }
    assert ratios in ({1.0, 3.0}, {1.0, 0.333})
    heavy = max(weight * counts[label] for label, weight in found)
    assert {label for label, weight in found if weight * counts[label] > 0.9 * heavy} == few
    assert len(next(evaluation_batches(source, 4).as_numpy_iterator())) == 2


@pytest.mark.parametrize("mode", MODES)
def test_a_limit_takes_whole_tracks_of_many_keys(mode, prepared):
    config = prepared[mode]
    dataset = open_prepared(config, mode, "small")
    whole = open_intervals(config, [dataset], "train")
    source = open_intervals(config, [dataset], "train", limit=0.4)
    tracks = {row.track for row in source.rows}
    assert len(tracks) == round(0.4 * len({row.track for row in whole.rows}))
    assert len({row.key for row in source.rows}) == min(len(tracks), len({row.key for row in whole.rows}))
    assert [row for row in whole.rows if row.track in tracks] == source.rows
    labels = [
        int(label) for _, batch in evaluation_batches(source, BATCH).as_numpy_iterator() for label in batch
    ]
    assert labels == source.labels
    assert len({row.track for row in open_intervals(config, [dataset], "train", limit=1e-9).rows}) == 1


@pytest.mark.parametrize("mode", MODES)
def test_the_members_of_a_batch_can_be_told_afterwards(mode, prepared):
    config = prepared[mode]
    source = source_of(config, "train", "small", "few")
    labels = {}
    for dataset, rows in source.parts:
        for row in rows:
            path = str(dataset.folder / row.path)
            name = f"{row.track}, part {row.part} in {path}" if mode == "spectrograms" else path
            labels[name] = Key.parse(row.key).index
    steps = steps_per_epoch(source, BATCH)
    batches = list(training_batches(source, BATCH, seed=5, first_epoch=2).take(steps).as_numpy_iterator())
    for number in (0, steps - 1):
        members, broken = batch_members(source, BATCH, seed=5, epoch=2, batch=number)
        assert broken == []
        assert [labels[name] for name in members] == list(batches[number][1])
