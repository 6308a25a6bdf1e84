from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfkey.files
from tfkey.config import Config, changed, load_config
from tfkey.errors import TfkeyError
from tfkey.runs import Run, create_run, read_history
from tfkey.scoring.calibration import softmax
from tfkey.scoring.mirex import score_matrix
from tfkey.spectrogram.frontend import build_frontend
from tfkey.training.callbacks import EpochSeeds
from tfkey.training.fit import TrainingData, compile_model, fit
from tfkey.training.losses import build_loss

BINS, FRAMES, CLIPS, BATCH = 24, 16, 48, 8
STEPS = CLIPS // BATCH
FEATURES = {"sample_rate": 8000, "hop_length": 1024, "fmin": 200.0, "n_bins": BINS, "bins_per_octave": 12}
REPOSITORY = Path(__file__).parents[3]


def make_config(folder: Path, **train: float) -> Config:
    train = {"epochs": 5, "learning_rate": 0.05, "batch_size": BATCH, **train}
    values = [f"features.{name}={value}" for name, value in FEATURES.items()]
    values += [f"train.{name}={value}" for name, value in train.items()]
    return load_config(None, [*values, "seed=3", "intervals.seconds=1.95", f"runs_dir={folder}"])


def make_network() -> keras.Model:
    """A small network with all that a resumed run has to restore: moving averages, dropout, weights."""
    keras.utils.set_random_seed(3)
    picture = keras.Input((None, BINS, 1))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="elu")(picture)
    x = keras.layers.BatchNormalization(momentum=0.8)(x)
    x = keras.layers.SpatialDropout2D(0.3)(x)
    x = keras.layers.Conv2D(24, (1, BINS))(x)
    return keras.Model(picture, keras.layers.GlobalAveragePooling2D()(x), name="tiny")


def make_clips(mode: str) -> tuple[np.ndarray, np.ndarray]:
    """One tone a clip: the label is its bin."""
    rng = np.random.default_rng(0)
    labels = np.arange(CLIPS, dtype=np.int32) % 24
    if mode == "audio":
        samples = np.arange(FEATURES["sample_rate"] * 1.95)
        pitch = FEATURES["fmin"] * 2 ** (labels / FEATURES["bins_per_octave"])
        tones = 0.3 * np.sin(2 * np.pi * pitch[:, np.newaxis] * samples / FEATURES["sample_rate"])
        return (tones + 0.01 * rng.standard_normal(tones.shape)).astype(np.float32), labels
    pictures = 0.3 * rng.random((CLIPS, FRAMES, BINS, 1), np.float32)
    pictures[np.arange(CLIPS), :, labels] += 0.5
    return pictures, labels


def make_data(mode: str, mislabelled_from: int = 99, broken_from: int = 99) -> TrainingData:
    clips, labels = make_clips(mode)

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(tf.range(CLIPS), tf.stack([0, number]))
        x, y = tf.gather(clips, order), tf.gather(labels, order)
        x = tf.where(number >= broken_from, np.float32(np.nan), x)
        y = tf.where(number >= mislabelled_from, (y + 6) % 24, y)
        return tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH)

    # A batch size that leaves a rest, and a length that only reading tells: every clip counts once.
    validation = tf.data.Dataset.from_tensor_slices((clips[:20], labels[:20])).filter(lambda *_: True)
    validation = validation.batch(BATCH)
    return TrainingData(
        lambda first: tf.data.Dataset.range(first, 2**31).flat_map(epoch), STEPS, validation, 3,
        suspects=lambda epoch, batch: ([f"file {epoch}/{batch}/{n}" for n in range(6)], ["bad"][:epoch - 2]),
    )  # fmt: skip


def train(run: Run, mode: str = "pictures", report: Callable | None = None, **data: int) -> list[dict]:
    frontend = build_frontend(run.config.features, round(1.95 * 8000)) if mode == "audio" else None
    return fit(run, make_network(), frontend, make_data(mode, **data), report)


class StoppedError(Exception):
    pass


def stop_after(last: int) -> Callable[[int, int, dict[str, float]], None]:
    def report(epoch: int, epochs: int, figures: dict[str, float]) -> None:
        if epoch == last:
            raise StoppedError

    return report


def train_and_die(folder: str) -> None:
    """Die by SIGKILL in epoch 3 with the table written and the checkpoint not yet in place."""
    rename = os.replace

    def kill_at_checkpoint(source: str, target: Path) -> None:
        if Path(target).name == "epoch-0003.keras":
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)

    tf.config.experimental.enable_op_determinism()
    tfkey.files.os.replace = kill_at_checkpoint
    train(create_run(make_config(Path(folder)), "killed"), "audio")


@pytest.fixture(scope="module", autouse=True)
def _determinism() -> None:
    """As in every run by default; there is no way back within a process."""
    tf.config.experimental.enable_op_determinism()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was interrupted after two epochs."""
    run = create_run(make_config(tmp_path_factory.mktemp("stopped")), "run")
    with pytest.raises(StoppedError):
        train(run, report=stop_after(2))
    return run.path


def copy_of(folder: Path, parent: Path) -> Run:
    shutil.copytree(folder, parent / folder.name)
    return create_run(make_config(parent), folder.name)


def files_of(run: Run) -> dict[str, bytes]:
    names = [
        path for path in sorted(run.path.rglob("*")) if path.is_file() and "tensorboard" not in path.parts
    ]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in names}


def state_of(run: Run) -> list[np.ndarray]:
    """All numbers in the last checkpoint, those of the optimiser included."""
    (checkpoint,) = run.checkpoints.iterdir()
    model = keras.models.load_model(checkpoint)
    return [keras.ops.convert_to_numpy(value) for value in [*model.weights, *model.optimizer.variables]]


def assert_same_outcome(resumed: Run, whole: Run) -> None:
    assert resumed.history.read_bytes() == whole.history.read_bytes()
    assert [path.name for path in resumed.checkpoints.iterdir()] == ["epoch-0005.keras"]
    for one, other in zip(state_of(resumed), state_of(whole), strict=True):
        np.testing.assert_array_equal(one, other)
    best = [keras.models.load_model(run.best, compile=False).get_weights() for run in (resumed, whole)]
    for one, other in zip(*best, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("mode", ["pictures", "audio"])
def test_interrupted_run_ends_like_an_uninterrupted_one(tmp_path: Path, mode: str, stopped: Path) -> None:
    whole = create_run(make_config(tmp_path), "whole")
    history = train(whole, mode)
    assert [line["epoch"] for line in history] == [1, 2, 3, 4, 5]
    assert history == read_history(whole.history)
    assert history[-1]["val_loss"] < history[0]["val_loss"]
    assert history[0]["learning_rate"] > history[-1]["learning_rate"] == pytest.approx(0, abs=1e-9)

    if mode == "audio":
        code = f"from tests.tfkey.training.test_fit import train_and_die; train_and_die({str(tmp_path)!r})"
        outcome = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
        assert outcome.returncode == -signal.SIGKILL, outcome.stderr
        resumed = create_run(make_config(tmp_path), "killed")
        assert len(read_history(resumed.history)) == 3
    else:
        resumed = copy_of(stopped, tmp_path)
    assert train(resumed, mode) == history
    assert_same_outcome(resumed, whole)

    before = files_of(resumed)
    assert train(resumed, mode, stop_after(1)) == history, "a finished run is left as it is"
    assert files_of(resumed) == before


def test_best_network_patience_and_validation(tmp_path: Path) -> None:
    run = create_run(make_config(tmp_path, epochs=20, patience=2, learning_rate=0.02), "run")
    history = train(run, mislabelled_from=3)
    scores = [line["val_mirex"] for line in history]
    best = int(np.argmax(scores))
    assert 0 < best < len(scores) - 1, "the case tells the best from the first and the last"
    assert len(scores) == best + 1 + 2, "two epochs without a better score, then it stops"

    # By hand, on all validation clips, without dropout: what the table says of that epoch.
    clips, labels = (part[:20] for part in make_clips("pictures"))
    logits = keras.models.load_model(run.best, compile=False)(clips, training=False).numpy()
    estimates = logits.argmax(axis=1)
    assert scores[best] == pytest.approx(score_matrix(True)[labels, estimates].mean(), abs=1e-6)
    assert history[best]["val_accuracy"] == pytest.approx((estimates == labels).mean(), abs=1e-6)
    losses = -np.log(softmax(logits)[np.arange(20), labels])
    assert history[best]["val_loss"] == pytest.approx(losses.mean(), rel=1e-4)


def test_neither_augmentation_nor_dropout_is_on_in_validation(tmp_path: Path) -> None:
    config = changed(
        make_config(tmp_path, epochs=2),
        {"features.extra_semitones": 2, "augment.pitch_shift": 2, "augment.noise_db": 20.0,
         "augment.time_masks": 3, "augment.gain_db": 20.0, "augment.crop_seconds": 1.0},
        "test",
    )  # fmt: skip
    run = create_run(config, "run")
    clips, labels = make_clips("pictures")
    wide = np.pad(clips, ((0, 0), (0, 0), (2, 2), (0, 0)), constant_values=0.3)
    batches = tf.data.Dataset.from_tensor_slices((wide, labels)).batch(BATCH)
    validation = batches.take(3)
    data = TrainingData(lambda first: batches.repeat(), STEPS, validation, 3)
    network = make_network()
    history = fit(run, network, None, data)
    # By hand, on the band in the middle: the network as it was at the end of the last epoch.
    for training, same in ((False, True), (True, False)):
        logits = network(clips[: 3 * BATCH], training=training).numpy()
        loss = -np.log(softmax(logits)[np.arange(3 * BATCH), labels[: 3 * BATCH]]).mean()
        assert (history[-1]["val_loss"] == pytest.approx(loss, rel=1e-4)) == same


def test_nan_loss_keeps_what_was_reached(tmp_path: Path, stopped: Path) -> None:
    run = copy_of(stopped, tmp_path)
    before = files_of(run)
    files = ", ".join(f"file 2/0/{number}" for number in range(4))
    message = rf"run: the loss became NaN or infinite in epoch 3, batch 1 \(of {files} and 2 more\); lower"
    with pytest.raises(TfkeyError, match=message):
        train(run, broken_from=2)
    assert files_of(run) == before
    with pytest.raises(TfkeyError, match="in epoch 4, batch 1: NaN or infinite values in bad; delete"):
        train(run, broken_from=3)


def test_nan_validation_keeps_what_was_reached(tmp_path: Path, stopped: Path) -> None:
    run = copy_of(stopped, tmp_path)
    before = files_of(run)
    data = make_data("pictures")
    bad = replace(data, validation=data.validation.map(lambda x, y: (x * np.float32(np.nan), y)))
    for broken, words in (
        (["a file"], "such values are in a file; delete"),
        ([], "end of epoch 3; lower"),
    ):
        with pytest.raises(TfkeyError, match=words):
            fit(run, make_network(), None, replace(bad, broken=lambda found=broken: found))
        assert files_of(run) == before


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_in_half_precision_a_run_goes_on_as_it_was(tmp_path: Path, precision: str) -> None:
    """Keras loads spatial dropout with another precision than it saved, and so with other masks."""
    config = changed(make_config(tmp_path, epochs=3), {"train.precision": precision}, "test")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        whole, resumed = (create_run(config, name) for name in ("whole", "resumed"))
        history = train(whole)
        with pytest.raises(StoppedError):
            train(resumed, report=stop_after(1))
        assert train(resumed) == history
    finally:
        keras.config.set_dtype_policy(before)
    for one, other in zip(state_of(resumed), state_of(whole), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_best_network_is_of_an_epoch_that_counts(tmp_path: Path, stopped: Path) -> None:
    """It waits beside the checkpoint: with that it is taken, without it goes, whatever epoch it is of."""
    run = copy_of(stopped, tmp_path)
    best = run.best.read_bytes()
    waiting = run.checkpoints / "best-0003.keras"
    waiting.write_bytes(b"of an epoch that was lost")
    with pytest.raises(StoppedError):
        train(run, report=stop_after(3))
    assert b"lost" not in run.best.read_bytes()
    assert not waiting.exists()
    other = copy_of(stopped, tmp_path / "other")
    (other.checkpoints / "best-0002.keras").write_bytes(best)
    other.best.write_bytes(b"the one before")
    with pytest.raises(StoppedError):
        train(other, report=stop_after(3))
    assert b"before" not in other.best.read_bytes()
    keras.models.load_model(other.best, compile=False)


def test_a_best_network_that_is_lost_is_missed_at_once(tmp_path: Path, stopped: Path) -> None:
    run = copy_of(stopped, tmp_path)
    run.best.unlink()
    with pytest.raises(
        TfkeyError, match=rf"best\.keras: is missing; put it back, or delete {run.path} and train"
    ):
        train(run)
    run.best.write_bytes(b"cut")
    with pytest.raises(TfkeyError, match=r"best\.keras: the network cannot be loaded; put it back"):
        train(run)


def test_every_setting_reaches_what_it_is_for(tmp_path: Path) -> None:
    config = changed(
        make_config(tmp_path),
        {"train.weight_decay": 0.25, "train.clip_norm": 3.0, "train.precision": "mixed_float16",
         "train.deterministic": False, "train.xla": True, "loss.name": "mirex"},
        "test",
    )  # fmt: skip
    model = compile_model(make_network(), None, config, STEPS)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    inner = model.optimizer.inner_optimizer
    assert (inner.weight_decay, inner.global_clipnorm) == (0.25, 3.0)
    # What was asked for: where operations are to be deterministic, as here, Keras does without.
    assert model.get_compile_config()["jit_compile"] is True
    labels, logits = np.array([0, 5]), np.zeros((2, 24), np.float32)
    logits[:, 7] = 3.0
    expected = build_loss(config.loss)(labels, logits)
    assert float(model.loss(labels, logits)) == pytest.approx(float(expected))
    plain = compile_model(make_network(), None, make_config(tmp_path), STEPS)
    assert plain.get_compile_config()["jit_compile"] is False
    assert not isinstance(plain.optimizer, keras.optimizers.LossScaleOptimizer)
    assert float(plain.loss(labels, logits)) != pytest.approx(float(expected), abs=1e-3)


def test_every_epoch_draws_numbers_of_its_own() -> None:
    network = make_network()
    (state,) = [variable for variable in network.variables if variable.name == "seed_generator_state"]
    seeds = EpochSeeds(3)
    seeds.set_model(network)
    drawn = []
    for epoch in (0, 1, 0):
        seeds.on_epoch_begin(epoch)
        drawn.append(tuple(keras.ops.convert_to_numpy(state)))
    assert drawn[0] == drawn[2] != drawn[1]


def test_checkpoint_of_another_model_or_other_features(tmp_path: Path, stopped: Path) -> None:
    run = copy_of(stopped, tmp_path)
    before = files_of(run)
    picture = keras.Input((None, BINS, 1))
    other = keras.Model(picture, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(24, 3)(picture)))
    with pytest.raises(
        TfkeyError, match=r"epoch-0002\.keras: belongs to another model than .*config\.yaml says"
    ):
        fit(run, other, None, make_data("pictures"))
    # Of the same weights, but before it another transform, or none where there was one.
    network = make_network()
    frontend = build_frontend(run.config.features, round(1.95 * 8000))
    fit(create_run(make_config(tmp_path, epochs=1), "audio"), network, frontend, make_data("audio"))
    audio = create_run(make_config(tmp_path, epochs=1), "audio")
    quieter = build_frontend(run.config.features.model_copy(update={"db_min": -50.0}), round(1.95 * 8000))
    for wrong in (None, quieter):
        with pytest.raises(
            TfkeyError, match=r"epoch-0001\.keras: belongs to (other features|another model) than"
        ):
            fit(audio, make_network(), wrong, make_data("audio"))
    assert files_of(run) == before


def test_checkpoint_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copy_of(stopped, tmp_path)
    before = (run.checkpoints / "epoch-0002.keras").read_bytes()
    save = keras.Model.save

    def fail(model: keras.Model, path: Path, **given: object) -> None:
        save(model, path, **given)
        if "epoch-0003" in Path(path).name:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(TfkeyError, match=r"epoch-0003\.keras: cannot be written \(No space left"):
        train(run)
    assert [path.name for path in run.checkpoints.iterdir()] == ["epoch-0002.keras"]
    assert (run.checkpoints / "epoch-0002.keras").read_bytes() == before


def test_what_cannot_be_read_is_named(tmp_path: Path, stopped: Path) -> None:
    run = copy_of(stopped, tmp_path)
    table = run.history.read_bytes()
    for damaged in (b"", b"\x00\xff" * 9, b"epoch,val_mirex\n1,0.5,7\n2\n", table.splitlines()[0] + b"\n"):
        run.history.write_bytes(damaged)
        with pytest.raises(TfkeyError, match=r"history\.csv: .*delete .*checkpoints"):
            train(run)
    run.history.write_bytes(table)
    (checkpoint,) = run.checkpoints.iterdir()
    whole = checkpoint.read_bytes()
    for damaged in (b"", whole[:5000], whole[:2000] + bytes(200) + whole[2200:]):
        checkpoint.write_bytes(damaged)
        with pytest.raises(TfkeyError, match=r"epoch-0002\.keras: .*delete it"):
            train(run)


def test_place_that_is_taken_is_named(tmp_path: Path) -> None:
    run = create_run(make_config(tmp_path), "run")
    (run.path / "tensorboard").write_text("in the way")
    with pytest.raises(TfkeyError, match=r"tensorboard: cannot be created"):
        train(run)


def test_full_disk_is_named(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    run = create_run(make_config(tmp_path), "run")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The table still fits, a network does not.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        with pytest.raises(TfkeyError, match=r"best-0001\.keras: cannot be written"):
            train(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in run.path.iterdir() if path.suffix == ".keras"] == []
