from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tfkey import KeyEstimator
from tfkey.audio.reading import read
from tfkey.config import load_config
from tfkey.errors import AudioError, DataError, UsageError
from tfkey.export.formats import export_run
from tfkey.export.whole_track import whole_track_function
from tfkey.inference.bundle import Metadata
from tfkey.inference.from_run import export_metadata, load_run_network
from tfkey.keys import Key
from tfkey.runs import Run, create_run
from tfkey.scoring.calibration import calibrated, softmax
from tfkey.spectrogram.frontend import build_frontend
from tfkey.spectrogram.parameters import Features

INTERVAL = 15600
LEAST = 7 * 1024
LENGTHS = [1, 999, LEAST - 1, LEAST, INTERVAL - 1, INTERVAL, INTERVAL + 1, 2 * INTERVAL, 47017]
REAL = sorted((Path(__file__).parents[2] / "data" / "real").glob("*.ogg"))
RATE = 44100


@pytest.fixture(scope="module")
def config(small_config):
    return small_config()


@pytest.fixture(scope="module")
def network(config, decided_network):
    return decided_network(config, 1)


@pytest.fixture(scope="module")
def run(config, network, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = create_run(config.model_copy(update={"runs_dir": tmp_path_factory.mktemp("runs")}), "run")
    network.save(run.best)
    return run


@pytest.fixture(scope="module")
def by_the_rule(config, network):
    """The documented rule in Python: the mean over the fewest intervals that cover the track evenly."""
    frontend = build_frontend(config.features)

    def estimate(waveform: np.ndarray) -> np.ndarray:
        if waveform.size < INTERVAL:
            parts = [np.pad(waveform, (0, max(0, LEAST - waveform.size)))]
        else:
            count = math.ceil(waveform.size / INTERVAL)
            step = (waveform.size - INTERVAL) / max(count - 1, 1)
            starts = [math.floor(number * step + 1e-9) for number in range(count)]
            assert (starts[0], starts[-1] + INTERVAL) == (0, waveform.size)
            assert all(later <= earlier + INTERVAL for earlier, later in itertools.pairwise(starts))
            parts = [waveform[start : start + INTERVAL] for start in starts]
        pictures = [frontend(part[np.newaxis]) for part in parts]
        logits = [network(picture, training=False).numpy() for picture in pictures]
        return np.mean([softmax(row)[0] for row in logits], axis=0)

    return estimate


@pytest.fixture(scope="module")
def judges(config, network, run: Run, tmp_path_factory: pytest.TempPathFactory):
    """Every way to judge a whole track, from float32 ``[samples]`` to probabilities ``[24]``."""
    full = whole_track_function(config, network)
    estimators = {"run": KeyEstimator.from_run(run, correct_tuning=False)}
    for kind in ("litert", "onnx", "keras"):
        folder = export_run(run, kind, tmp_path_factory.mktemp("exports") / kind)
        estimators[kind] = KeyEstimator.from_export(folder, correct_tuning=False)
    found = {name: lambda w, e=e: e.estimate_waveform(w).probabilities for name, e in estimators.items()}
    return {"whole_track_function": lambda w: full(w[np.newaxis]).numpy()[0], **found}


@pytest.mark.parametrize("samples", LENGTHS)
def test_every_way_judges_a_track_by_the_rule(judges, by_the_rule, music, samples: int) -> None:
    waveforms = [music(samples, seed) for seed in range(2)]
    expected = [by_the_rule(waveform) for waveform in waveforms]
    for name, judge in judges.items():
        for waveform, row in zip(waveforms, expected, strict=True):
            np.testing.assert_allclose(judge(waveform), row, atol=2e-5, err_msg=name)
    if samples > 999:
        assert np.ptp(expected, axis=0).max() > 0.01, "the case tells the rows apart"


def test_batches_of_the_tensorflow_function(config, network, by_the_rule, music) -> None:
    judge = whole_track_function(config, network)
    for samples in (1000, INTERVAL, 47017):
        batch = np.stack([music(samples, seed) for seed in range(3)])
        probabilities = judge(batch).numpy()
        assert (probabilities.dtype, probabilities.shape) == (np.float32, (3, 24))
        np.testing.assert_allclose(probabilities, [by_the_rule(row) for row in batch], atol=1e-5)
        assert judge(np.zeros((0, samples), np.float32)).shape == (0, 24)
    warm = whole_track_function(config, network, temperature=2.5)(batch).numpy()
    np.testing.assert_allclose(warm, calibrated(probabilities, 2.5), atol=1e-5)


def test_light_runtime_is_the_full_stack_on_real_files(decided_network, tmp_path: Path) -> None:
    config = load_config(None, [f"runs_dir={tmp_path}", "model={maps: 2}"])
    network = decided_network(config, 3)
    head = network.get_layer("class_maps").kernel
    head.assign(head / 15)
    run = create_run(config, "real")
    network.save(run.best)
    light = KeyEstimator.from_export(export_run(run, "litert", tmp_path / "light"))
    full = whole_track_function(config, network)
    answers = []
    for path in REAL:
        expected = full(read(path)[np.newaxis]).numpy()[0]
        answers.append(light.estimate(path).probabilities)
        np.testing.assert_allclose(answers[-1], expected, atol=1e-3)
    assert len(answers) == 5
    assert np.ptp(answers, axis=0).max() > 0.05, "the network tells the files apart"


def test_both_ends_of_a_track_count(judges, music) -> None:
    waveform = music(47017, 4)
    plain = judges["litert"](waveform)
    for part in (slice(0, 300), slice(-300, None)):
        changed = waveform.copy()
        changed[part] = 0.9 * np.sign(np.sin(np.arange(300)))
        assert np.abs(judges["litert"](changed) - plain).max() > 1e-4


def test_estimate_of_a_file_of_its_waveform_and_by_steps(run: Run, music, tmp_path: Path) -> None:
    sound = soxr.resample(music(15000, 7), 8000, 44100)
    soundfile.write(tmp_path / "clip.wav", np.stack([sound, sound], axis=1), 44100, subtype="FLOAT")
    # A glide, which this is, has no key as a rule.
    estimator = KeyEstimator.from_run(str(run.path), least_tonality=0.0)
    of_file = estimator.estimate(tmp_path / "clip.wav")
    assert of_file.key is not None
    assert of_file.key.index == int(of_file.probabilities.argmax())
    assert of_file.confidence == of_file.probabilities.max()
    assert of_file.seconds == pytest.approx(15000 / 8000)
    assert of_file.ranked(2)[0] == (of_file.key, of_file.confidence)
    assert [p for _, p in of_file.ranked(24)] == sorted(of_file.probabilities, reverse=True)
    for recording in (sound, sound.astype(np.float64)):
        of_waveform = estimator.estimate(recording, 44100)
        np.testing.assert_allclose(of_waveform.probabilities, of_file.probabilities, atol=1e-5)
    again = estimator.estimate(str(tmp_path / "clip.wav"))
    np.testing.assert_array_equal(again.probabilities, of_file.probabilities)
    picture = estimator.spectrogram(soxr.resample(sound, 44100, 8000))
    np.testing.assert_allclose(estimator.probabilities(picture), of_file.probabilities, atol=1e-5)


def test_calibration_of_the_run_is_applied(run: Run, network, config, music, tmp_path: Path) -> None:
    from tfkey.files import sha256
    from tfkey.scoring.calibration import Calibration

    other = create_run(config.model_copy(update={"runs_dir": tmp_path}), "calibrated")
    network.save(other.best)
    waveform = music(47017, 2)
    plain = KeyEstimator.from_run(other).estimate(waveform).probabilities
    for digest, temperature in ((sha256(other.best), 3.0), ("of another network", 1.0)):
        Calibration(3.0, 9, ("ncs",), "audio", 2.0, 1.0, digest).write(other.path / "calibration.json")
        found = KeyEstimator.from_run(other)
        assert found.metadata.temperature == temperature
        expected = calibrated(plain, temperature)
        np.testing.assert_allclose(found.estimate(waveform).probabilities, expected, atol=1e-9)
        assert KeyEstimator.from_export(export_run(other, "litert", tmp_path / "e")).metadata.temperature == (
            temperature
        )


# ---- What follows is about the logic around a network, so the network is one whose answers are known.


def loudest_pitch_class(inputs: np.ndarray) -> np.ndarray:
    """A network: the major key of the loudest pitch class, 0.7; of the others the rest."""
    found = np.full((len(inputs), 24), 0.3 / 23, np.float32)
    # Bin 0 is C, of 24 bins an octave.
    classes = inputs[:, :, ::2, 0].mean(axis=1).reshape(len(inputs), 5, 12).sum(axis=1)
    found[np.arange(len(inputs)), classes.argmax(axis=1)] = 0.7
    return found


@pytest.fixture(scope="module")
def simple() -> KeyEstimator:
    features = Features.of(load_config().features.model_dump())
    return KeyEstimator(
        Metadata(features, 5.0, 8, 1.0, 1.0, False, "the loudest pitch class"), loudest_pitch_class
    )


def tone(name: str, seconds: float, a4: float = 440.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = a4 * 2 ** ((Key.parse(name).tonic - 9) / 12)
    return (0.2 * sum(np.sin(2 * np.pi * pitch * part * time) for part in (1, 2, 4))).astype(np.float32)


def test_modulation_shows_in_the_segments(simple: KeyEstimator) -> None:
    waveform = np.concatenate([tone("C", 40), tone("D", 4), tone("C", 20), tone("F#", 60)])
    for step, precision in ((None, 5.0), (1.0, 1.5)):
        found = simple.estimate(waveform, step_seconds=step)
        assert [part.key for part in found.segments] == [Key.parse("C"), Key.parse("F#")]
        (first, second) = found.segments
        assert (first.start, second.end, first.end) == (0.0, 124.0, second.start)
        assert first.end == pytest.approx(64, abs=precision)
        assert second.confidence == pytest.approx(0.7, abs=0.1)
    assert found.key == Key.parse("F#") or found.key == Key.parse("C")


def test_pause_in_a_track_has_no_key(simple: KeyEstimator) -> None:
    waveform = np.concatenate([tone("G", 20), np.zeros(20 * RATE, np.float32), tone("G", 20)])
    found = simple.estimate(waveform)
    assert found.key == Key.parse("G")
    assert [part.key for part in found.segments] == [Key.parse("G"), None, Key.parse("G")]


def test_detuned_recording_is_judged_in_its_own_tuning(simple: KeyEstimator) -> None:
    for cents in (-45, -30, 0, 20, 45):
        found = simple.estimate(tone("Eb", 6, 440 * 2 ** (cents / 1200)))
        assert found.key == Key.parse("Eb")
        assert found.tuning_cents == pytest.approx(cents, abs=2)
    # By the bins of A4 = 440 Hz alone, what is heard as E flat 45 cents low is no such clear thing.
    seen = []
    listening = KeyEstimator(simple.metadata, lambda x: seen.append(x) or loudest_pitch_class(x))
    listening.estimate(tone("Eb", 5, 440 * 2 ** (-45 / 1200)))
    assert len(seen) == 2
    assert seen[1][0, 50, 6::24, 0].max() > seen[0][0, 50, 6::24, 0].max() + 0.02


def test_no_key_where_there_is_none(simple: KeyEstimator) -> None:
    random = np.random.default_rng(0)
    noise = (0.1 * random.standard_normal(12 * RATE)).astype(np.float32)
    for waveform, reason in (
        (noise, "no tones"),
        (np.zeros(12 * RATE, np.float32), "silent"),
        (1e-5 * noise, "silent"),
        (np.full(12 * RATE, 0.5, np.float32), "no tones"),
    ):
        found = simple.estimate(waveform)
        assert found.key is None
        assert found.reason is not None
        assert found.reason.startswith(reason)
        assert found.tuning_cents is None
        assert found.confidence == found.probabilities.max()
        assert [part.key for part in found.segments] == [None]
    # The threshold is a setting.
    lenient = KeyEstimator(simple.metadata, loudest_pitch_class, least_tonality=0.0)
    assert lenient.estimate(noise).key is not None
    strict = KeyEstimator(simple.metadata, loudest_pitch_class, least_tonality=0.9)
    assert strict.estimate(tone("C", 6)).key is None


def test_every_recording_has_a_key(simple: KeyEstimator) -> None:
    for path in REAL:
        found = simple.estimate(path)
        assert found.key is not None, path
        assert found.reason is None
        assert found.tuning_cents is not None


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(0, np.float32), "no samples"),
        (np.ones((2, 100), np.float32), r"\(2, 100\)"),
        (np.array([0.1, np.nan]), "finite"),
        (np.array([1000, -1000], np.int16), "int16"),
    ],
)
def test_waveform_that_is_none(simple: KeyEstimator, waveform: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        simple.estimate(waveform)


def test_network_that_takes_waveforms(config) -> None:
    metadata = Metadata.of({**export_metadata(Run(Path("run"), config)), "takes_waveforms": True})
    shapes = []
    estimator = KeyEstimator(metadata, lambda x: shapes.append(x.shape) or np.full((1, 24), 1 / 24))
    estimator.estimate(np.ones(2 * INTERVAL, np.float32))
    assert shapes == [(1, INTERVAL)] * 2
    with pytest.raises(UsageError, match="takes waveforms"):
        estimator.probabilities(np.zeros((20, 24), np.float32))


def test_pretrained_says_what_it_is() -> None:
    estimator = KeyEstimator.from_pretrained()
    assert "free recordings" in estimator.description
    with pytest.raises(UsageError, match=r"'hits' does not come with tfkey; available: .*general"):
        KeyEstimator.from_pretrained("hits")
    right = 0
    for line in (REAL[0].parent / "labels.csv").read_text(encoding="utf-8").splitlines()[1:]:
        file, tonic, mode = line.split(",")[:3]
        found = estimator.estimate(REAL[0].parent / file)
        assert found.key is not None
        right += found.key == Key.parse(f"{tonic} {mode}")
    # It is a small network, and yet no guess: of five right by chance is less than one in 1,000.
    assert right >= 2


def test_damaged_exports(run: Run, tmp_path: Path) -> None:
    folder = export_run(run, "litert", tmp_path / "export")
    text = (folder / "tfkey.json").read_text(encoding="utf-8")
    with pytest.raises(DataError, match="not an export"):
        KeyEstimator.from_export(tmp_path / "nowhere")
    for damaged in (text[:50], "[]", json.dumps({**json.loads(text), "features": {}})):
        (folder / "tfkey.json").write_text(damaged, encoding="utf-8")
        with pytest.raises(DataError, match=r"tfkey\.json: is damaged"):
            KeyEstimator.from_export(folder)
    (folder / "tfkey.json").write_text(text, encoding="utf-8")
    (folder / "network.tflite").write_bytes(b"no network")
    with pytest.raises(DataError, match=r"network\.tflite: the network cannot be loaded"):
        KeyEstimator.from_export(folder)
    (folder / "network.tflite").unlink()
    with pytest.raises(DataError, match="contains none of"):
        KeyEstimator.from_export(folder)


def test_without_tensorflow(run: Run, tmp_path: Path) -> None:
    """An export answers where nothing of the extra is installed, and what needs the extra says so."""
    folder = export_run(run, "litert", tmp_path / "light")
    script = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras", "librosa", "scipy", "onnxruntime", "matplotlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import tfkey, tfkey.errors
assert "numpy" not in sys.modules
from tfkey import KeyEstimator
assert "pydantic" not in sys.modules and "yaml" not in sys.modules
found = KeyEstimator.from_export(sys.argv[1]).estimate(sys.argv[2])
assert "pydantic" not in sys.modules
print(found.key.long, found.confidence)
try:
    KeyEstimator.from_run(sys.argv[3])
except tfkey.errors.MissingExtraError as error:
    print(error)
"""
    command = [sys.executable, "-c", script, str(folder), str(REAL[0]), str(run.path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    # Not even LiteRT's greeting.
    assert done.stderr == ""
    answer, complaint = done.stdout.splitlines()
    expected = KeyEstimator(*load_run_network(run)).estimate(REAL[0])
    assert expected.key is not None
    name, confidence = answer.rsplit(" ", 1)
    assert (name, float(confidence)) == (expected.key.long, pytest.approx(expected.confidence, abs=1e-3))
    assert complaint.endswith("needs TensorFlow, which is not installed; run pip install 'tfkey[train]'")
