"""How much longer an epoch takes than the network itself: ``python -m tests.benchmarks.train``.

It trains one AllConv with one batch size on the same intervals: from each mode's prepared data, and held in
memory. It also trains the same network in PyTorch, with its data in memory, too. Every contender is a process
that stays alive; the contenders take turns, so that a busy machine slows all of them alike; compute ratios
within a run. In each turn, one epoch is trained before the clock starts, so that data read ahead during the
turns of others do not count.
PyTorch is not a dependency of tfkey. To compare with it, give it its own environment::

    python -m venv torch-env && torch-env/bin/pip install torch==2.13.0 numpy
    python -m tests.benchmarks.train --torch-python torch-env/bin/python

The intervals are cut from the recordings in ``tests/data/real``; what the network learns does not matter.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.benchmarks.results import add_option, ratio, table, write_results
from tfkey.training.heap import use_one_heap

ROOT = Path(__file__).parents[2]
REAL = ROOT / "tests" / "data" / "real"
IN_MEMORY = "memory"
MODES = ("audio", "spectrograms", "images")
PYTORCH = "PyTorch, memory"
INSTALL = "python -m venv DIR && DIR/bin/pip install torch==2.13.0 numpy"
RATE = 44100


def make_data(folder: Path, intervals: int, overrides: list[str]) -> None:
    """Prepare ``intervals`` intervals in every mode, all of them for training but one for validation."""
    import soundfile

    from pipelines.prepare.prepare import prepare
    from tfkey.audio.reading import read
    from tfkey.config import load_config
    from tfkey.keys import Key

    config = load_config(None, [*overrides, f"data_dir={folder}"])
    with (REAL / "labels.csv").open(newline="") as stream:
        recordings = [
            (read(REAL / row["file"], RATE), Key.parse(f"{row['tonic']} {row['mode']}"))
            for row in csv.DictReader(stream)
        ]
    length = config.intervals.samples(RATE)
    for number in range(intervals + 1):
        waveform, key = recordings[number % len(recordings)]
        path = (
            folder
            / "tracks"
            / ("train" if number < intervals else "validation")
            / key.folder
            / f"{number}.wav"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.resize(np.roll(waveform, -number * RATE), length), RATE)
    for mode in ("audio", "spectrograms"):
        made = prepare(
            config.model_copy(update={"mode": mode}), "clips", source=folder / "tracks", png=mode != "audio"
        )
    prepare(config.model_copy(update={"mode": "images"}), "clips", source=made.folder / "png")


def by_keras(contender: str, folder: Path, overrides: list[str]) -> Callable[[int], list[float]]:
    """A function that trains some epochs in Keras, from prepared data or from memory: seconds of each."""
    import keras
    import tensorflow as tf

    from pipelines.prepared.inputs import steps_per_epoch, training_batches
    from pipelines.prepared.manifest import open_prepared
    from pipelines.prepared.split_intervals import open_intervals
    from tfkey.config import load_config
    from tfkey.models import build_model
    from tfkey.spectrogram.frontend import build_frontend
    from tfkey.training.fit import compile_model

    mode = "spectrograms" if contender == IN_MEMORY else contender
    config = load_config(None, [*overrides, f"data_dir={folder}", f"mode={mode}"])
    if config.train.deterministic:
        # As a training does; nothing else makes tf.data wait for the order that it began with.
        keras.utils.set_random_seed(config.seed)
        tf.config.experimental.enable_op_determinism()
    source = open_intervals(config, [open_prepared(config, mode, "clips")], "train")
    batch_size = config.train.batch_size
    steps = steps_per_epoch(source, batch_size)
    batches = training_batches(source, batch_size, seed=0)
    if contender == IN_MEMORY:
        arrays = [
            np.concatenate(parts) for parts in zip(*batches.take(steps).as_numpy_iterator(), strict=True)
        ]
        batches = tf.data.Dataset.from_tensor_slices(tuple(arrays)).repeat().batch(batch_size).prefetch(1)
    network = build_model(config.model.name, (None, config.features.n_bins, 1), **config.model.settings)
    samples = config.intervals.samples(config.features.sample_rate)
    frontend = build_frontend(config.features, samples) if mode == "audio" else None
    model = compile_model(network, frontend, config, steps)

    def train(epochs: int) -> list[float]:
        marks: list[float] = []
        mark = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: marks.append(time.perf_counter()))
        model.fit(batches, steps_per_epoch=steps, epochs=epochs, callbacks=[mark], verbose=0)
        return np.diff(marks).tolist()

    return train


def by_pytorch(pictures: Path, settings: dict[str, float], threads: int) -> Callable[[int], list[float]]:
    """The same in PyTorch: AllConv as :mod:`tfkey.models.allconv` has it, from memory."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    maps, dropout, batch_size = int(settings["maps"]), settings["dropout"], int(settings["batch_size"])
    layers: list[nn.Module] = []

    def convolution(inputs: int, outputs: int, kernel: int) -> None:
        layers.extend(
            [
                nn.Conv2d(inputs, outputs, kernel, padding="same", bias=False),
                nn.BatchNorm2d(outputs),
                nn.ELU(inplace=True),
            ]
        )

    widths = [1, maps, 2 * maps, 4 * maps]
    for block, kernel in enumerate((5, 3, 3)):
        convolution(widths[block], widths[block + 1], kernel)
        convolution(widths[block + 1], widths[block + 1], 3)
        layers.extend([nn.MaxPool2d(2), nn.Dropout2d(dropout)])
    for inputs in (4 * maps, 8 * maps):
        convolution(inputs, 8 * maps, 3)
        layers.append(nn.Dropout2d(dropout))
    layers.extend([nn.Conv2d(8 * maps, 24, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()])
    network = nn.Sequential(*layers)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4)
    loss_of = nn.CrossEntropyLoss()
    arrays = np.load(pictures)
    x = torch.from_numpy(arrays["x"].transpose(0, 3, 1, 2).copy())
    y = torch.from_numpy(arrays["y"].astype(np.int64))

    def train(epochs: int) -> list[float]:
        network.train()
        marks = []
        for _ in range(epochs):
            for start in range(0, len(x) - batch_size + 1, batch_size):
                optimiser.zero_grad()
                loss_of(network(x[start : start + batch_size]), y[start : start + batch_size]).backward()
                optimiser.step()
            marks.append(time.perf_counter())
        return np.diff(marks).tolist()

    return train


class Contender:
    """A process that trains on request."""

    def __init__(self, name: str, python: str, folder: Path, threads: int, overrides: list[str]) -> None:
        self.name = name
        names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
        environment = os.environ | dict.fromkeys(names, str(threads))
        self._process = subprocess.Popen(
            [python, str(Path(__file__)), "--contender", name, str(folder), str(threads), *overrides],
            cwd=ROOT,
            env=environment | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def turn(self, epochs: int) -> list[float]:
        """Train one epoch and then ``epochs`` more: seconds of each of those."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{epochs + 1}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("["):
                return json.loads(line)
        raise SystemExit(f"{self.name}: ended too early; see its errors above")

    def end(self) -> None:
        """Let it go."""
        self._process.communicate()


def contend(name: str, folder: Path, threads: int, overrides: list[str]) -> None:
    """Be a contender: for every number read, train so many epochs and print what each took."""
    if name == PYTORCH:
        train = by_pytorch(
            folder / "pictures.npz", json.loads((folder / "settings.json").read_text()), threads
        )
    else:
        # As ``tfkey train`` does.
        use_one_heap()
        train = by_keras(name, folder, overrides)
    for line in sys.stdin:
        print(json.dumps(train(int(line))), flush=True)


def keep_pictures(folder: Path, overrides: list[str]) -> None:
    """Write what the training sees as NumPy arrays, for a framework that reads none of the formats."""
    from pipelines.prepared.inputs import steps_per_epoch, training_batches
    from pipelines.prepared.manifest import open_prepared
    from pipelines.prepared.split_intervals import open_intervals
    from tfkey.config import load_config

    config = load_config(None, [*overrides, f"data_dir={folder}", "mode=spectrograms"])
    source = open_intervals(config, [open_prepared(config, "spectrograms", "clips")], "train")
    batch_size = config.train.batch_size
    taken = training_batches(source, batch_size, seed=0).take(steps_per_epoch(source, batch_size))
    x, y = (np.concatenate(parts) for parts in zip(*taken.as_numpy_iterator(), strict=True))
    np.savez(folder / "pictures.npz", x=x, y=y)
    settings = {**config.model.settings, "batch_size": batch_size}
    (folder / "settings.json").write_text(json.dumps(settings))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--torch-python", metavar="PATH", help="interpreter of an environment with PyTorch")
    parser.add_argument(
        "--features", default="demo", help="features of configs/ (demo: 162 frames, cqt: 646)"
    )
    parser.add_argument("--maps", type=int, default=16, help="of AllConv")
    parser.add_argument("--intervals", type=int, default=128, help="in an epoch")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=2, help="in a turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--undetermined", action="store_true", help="train.deterministic=false, which is not the default"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--contender", nargs="+", help=argparse.SUPPRESS)
    add_option(parser)
    options = parser.parse_args()
    if options.contender:
        name, folder, threads, *overrides = options.contender
        contend(name, Path(folder), int(threads), overrides)
        return
    overrides = [
        f"features={options.features}",
        f"model={{name: allconv, maps: {options.maps}, dropout: 0.5}}",
        f"train.batch_size={options.batch_size}",
        f"train.deterministic={str(not options.undetermined).lower()}",
        "datasets=[clips]",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_data(folder, options.intervals, overrides)
        keep_pictures(folder, overrides)
        pythons = dict.fromkeys((IN_MEMORY, *MODES), sys.executable)
        if options.torch_python:
            pythons[PYTORCH] = options.torch_python
        else:
            print(f"without PyTorch: {INSTALL}, then --torch-python DIR/bin/python")
        contenders = [
            Contender(name, python, folder, options.threads, overrides) for name, python in pythons.items()
        ]
        seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
        for _ in range(options.rounds):
            for contender in contenders:
                seconds[contender.name].append(statistics.mean(contender.turn(options.epochs)))
        for contender in contenders:
            contender.end()
    print(
        f"AllConv, {options.maps} maps, {options.intervals} intervals, batches of {options.batch_size}, "
        f"features {options.features}, {options.threads} threads, "
        f"{'not deterministic' if options.undetermined else 'deterministic'}; {options.rounds} rounds"
    )
    print(f"{'':18}{'s/epoch, median (least to greatest)':>38}{'against memory':>28}")
    figures, rows = {}, []
    for name, times in seconds.items():
        ratios = [own / other for own, other in zip(times, seconds[IN_MEMORY], strict=True)]
        columns = [f"{statistics.median(v):.2f} ({min(v):.2f} to {max(v):.2f})" for v in (times, ratios)]
        print(f"{name:18}{columns[0]:>38}{columns[1]:>28}")
        if name != IN_MEMORY:
            figures[name.partition(",")[0].lower()] = ratio(f"an epoch, {name}, against memory", ratios)
        rows.append([name, columns[0], columns[1] if name != IN_MEMORY else ""])
    head = ["", "s per epoch", "against the same data in memory"]
    epochs = table(f"An epoch of AllConv, {options.rounds} rounds", head, rows)
    write_results(
        options.results, "Training: speed", figures=figures, tables={"epochs": epochs},
        packages=("tensorflow", "keras"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
