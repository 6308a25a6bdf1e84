from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfkey import KeyEstimator, __version__
from tfkey.audio.reading import read
from tfkey.errors import TfkeyError, UsageError
from tfkey.export import FORMATS
from tfkey.export.formats import export_run
from tfkey.export.whole_track import whole_track_function
from tfkey.files import sha256
from tfkey.inference.networks import LiteNetwork
from tfkey.keys import Key
from tfkey.runs import Run, config_digest, create_run
from tfkey.scoring.calibration import Calibration, calibrated
from tfkey.settings import FeatureConfig

REAL = sorted((Path(__file__).parents[2] / "data" / "real").glob("*.ogg"))
LICENCES = {"gs_mtg": "unknown", "ncs": "free to use with naming"}
DATA = {"ncs": {"tracks": 3, "intervals": 9, "learned": "0" * 64}}
TEMPERATURE = 1.7

# What somebody does who has none of tfkey. Arguments: folder of the exports, inputs, answers.
STRANGER = """
import importlib, json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tfkey", "pipelines", "scripts", "tensorflow_io", "librosa"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
try:
    importlib.import_module("tfkey.spectrogram.cqt")
    sys.exit("tfkey is there after all")
except ModuleNotFoundError:
    pass

import numpy as np
import keras
import onnxruntime
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

folder, inputs = sys.argv[1], np.load(sys.argv[2])
signatures = tf.saved_model.load(f"{folder}/saved_model/1").signatures
network = keras.models.load_model(f"{folder}/keras/network.keras", compile=False)
session = onnxruntime.InferenceSession(f"{folder}/onnx/network.onnx")
lite = Interpreter(model_path=f"{folder}/litert/network.tflite")

def litert(x):
    lite.resize_tensor_input(lite.get_input_details()[0]["index"], x.shape)
    lite.allocate_tensors()
    lite.set_tensor(lite.get_input_details()[0]["index"], x)
    lite.invoke()
    return lite.get_tensor(lite.get_output_details()[0]["index"])

answers = {}
for name in inputs:
    x = inputs[name]
    if name.startswith("waveform"):
        for signature in ("serving_default", "waveform"):
            answers[f"{signature} {name}"] = signatures[signature](waveform=tf.constant(x))["probabilities"]
        continue
    answers[f"saved_model {name}"] = signatures["spectrogram"](spectrogram=tf.constant(x))["probabilities"]
    answers[f"keras {name}"] = network.predict(x, verbose=0)
    answers[f"onnx {name}"] = session.run(["probabilities"], {"spectrogram": x})[0]
    answers[f"litert {name}"] = litert(x)
np.savez(sys.argv[3], **answers)
print(json.dumps(session.get_modelmeta().custom_metadata_map))
"""


@pytest.fixture(scope="module")
def run(small_config, decided_network, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = small_config(f"runs_dir={tmp_path_factory.mktemp('runs')}", "datasets=[gs_mtg, ncs]")
    run = create_run(config, "first")
    decided_network(config, 1).save(run.best)
    calibration = Calibration(TEMPERATURE, 9, ("ncs",), "audio", 2.0, 1.0, sha256(run.best))
    calibration.write(run.path / "calibration.json")
    return run


@pytest.fixture(scope="module")
def exports(run: Run) -> Path:
    """A folder with an export in each format."""
    folder = run.path / "export"
    for kind in FORMATS:
        written = export_run(run, kind, folder / kind, description="For tests.", licences=LICENCES, data=DATA)
        assert written == folder / kind / ("1" if kind == "saved_model" else "")
    return folder


@pytest.fixture(scope="module")
def inputs(run: Run, music) -> dict[str, np.ndarray]:
    """Real files and made ones, as waveforms at 8 kHz and as the spectrograms of their beginnings."""
    estimator = KeyEstimator.from_run(run)
    real = [read(path, 8000) for path in REAL]
    found = {f"waveform real {number}": waveform[np.newaxis] for number, waveform in enumerate(real)}
    for samples in (1, 5000, 15600, 15601):
        found[f"waveform made {samples}"] = np.stack([music(samples, seed) for seed in range(3)])
    for samples in (15600, 40000):
        pictures = [estimator.spectrogram(waveform[:samples]) for waveform in real]
        found[f"spectrogram {samples}"] = np.stack(pictures)[..., np.newaxis]
    return found


@pytest.fixture(scope="module")
def stranger(exports: Path, inputs, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict[str, str]]:
    """Answers of all formats in a process without tfkey, and the metadata of the ONNX file."""
    folder = tmp_path_factory.mktemp("stranger")
    np.savez(folder / "inputs.npz", **inputs)
    command = [sys.executable, "-I", "-c", STRANGER, exports, folder / "inputs.npz", folder / "answers.npz"]
    outcome = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    with np.load(folder / "answers.npz") as answers:
        return dict(answers), json.loads(outcome.stdout.splitlines()[-1])


def test_stranger_gets_the_probabilities_of_whole_tracks(run: Run, stranger, inputs) -> None:
    answers, _ = stranger
    estimator = KeyEstimator.from_run(run, correct_tuning=False)
    waveforms = {name: batch for name, batch in inputs.items() if name.startswith("waveform")}
    assert len(waveforms) == len(REAL) + 4
    for name, batch in waveforms.items():
        expected = np.stack([estimator.estimate(row).probabilities for row in batch])
        for signature in ("serving_default", "waveform"):
            got = answers[f"{signature} {name}"]
            assert (got.dtype, got.shape) == (np.float32, (len(batch), 24))
            np.testing.assert_allclose(got, expected, atol=1e-3, err_msg=name)
    real = np.concatenate([answers[f"waveform waveform real {number}"] for number in range(len(REAL))])
    assert np.ptp(real, axis=0).max() > 0.05, "the network tells the files apart"


@pytest.mark.parametrize("samples", [15600, 40000])
def test_stranger_gets_the_probabilities_of_spectrograms(run: Run, stranger, inputs, samples: int) -> None:
    answers, _ = stranger
    estimator = KeyEstimator.from_run(run)
    pictures = inputs[f"spectrogram {samples}"][..., 0]
    expected = np.stack([estimator.probabilities(picture) for picture in pictures])
    for kind in ("keras", "onnx", "litert"):
        np.testing.assert_allclose(
            answers[f"{kind} spectrogram {samples}"], expected, atol=1e-3, err_msg=kind
        )
    of_saved_model = answers[f"saved_model spectrogram {samples}"]
    np.testing.assert_allclose(of_saved_model, calibrated(expected, TEMPERATURE), atol=1e-3)


def test_metadata_goes_with_every_format(run: Run, exports: Path, stranger) -> None:
    texts = {kind: exports / kind / ("1" if kind == "saved_model" else "") / "tfkey.json" for kind in FORMATS}
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in texts.values()]
    metadata = contents[0]
    assert all(content == metadata for content in contents)
    assert [Key.parse(label).index for label in metadata["labels"]] == list(range(24))
    assert metadata["sample_rate"] == 8000
    assert metadata["interval_seconds"] == 1.95
    assert metadata["temperature"] == TEMPERATURE
    assert metadata["minimum_frames"] == 8
    assert FeatureConfig(**metadata["features"]) == run.config.features
    assert metadata["model"] == {"name": "allconv", "maps": 2, "dropout": 0.5}
    assert (metadata["run"], metadata["trained_on"]) == ("first", ["gs_mtg", "ncs"])
    assert metadata["licence"] == {"tfkey": "Apache-2.0", "data": LICENCES}
    assert metadata["description"] == "For tests."
    assert metadata["tfkey_version"] == __version__
    assert metadata["parameters"] == run.load_network().count_params()
    assert (metadata["seed"], metadata["data"]) == (run.config.seed, DATA)
    assert metadata["config_digest"] == config_digest(run)
    assert metadata["versions"] == {"tensorflow": tf.__version__, "keras": keras.__version__}
    _, inside = stranger
    assert {name: json.loads(text) for name, text in inside.items()} == metadata


@pytest.mark.parametrize("floor", ["hard", "soft"])
def test_every_format_answers_on_its_floor(
    floor: str, small_config, decided_network, music, tmp_path: Path
) -> None:
    """The floor of an export is that of its run, and that of one without the setting is hard."""
    config = small_config(f"runs_dir={tmp_path}", f"features={{floor: {floor}, db_min: -10}}")
    run = create_run(config, "floor")
    decided_network(config, 1).save(run.best)
    expected = KeyEstimator.from_run(run, correct_tuning=False).estimate(music(20000, 0)).probabilities
    whole = whole_track_function(config, run.load_network())(music(20000, 0)[np.newaxis])
    np.testing.assert_allclose(whole.numpy()[0], expected, atol=1e-4)
    for kind in ("keras", "onnx", "litert"):
        folder = export_run(run, kind, tmp_path / kind)
        answer = KeyEstimator.from_export(folder, correct_tuning=False).estimate(music(20000, 0))
        np.testing.assert_allclose(answer.probabilities, expected, atol=1e-4, err_msg=kind)
    metadata = json.loads((folder / "tfkey.json").read_text(encoding="utf-8"))
    assert metadata["features"].pop("floor") == floor
    (folder / "tfkey.json").write_text(json.dumps(metadata), encoding="utf-8")
    older = KeyEstimator.from_export(folder, correct_tuning=False).estimate(music(20000, 0)).probabilities
    assert np.allclose(older, expected, atol=1e-4) == (floor == "hard")


def test_saved_model_holds_ops_of_tensorflow_alone(exports: Path) -> None:
    content = (exports / "saved_model" / "1" / "saved_model.pb").read_bytes()
    (graph,) = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    nodes = [*graph.graph_def.node, *(n for f in graph.graph_def.library.function for n in f.node_def)]
    ops = {node.op for node in nodes}
    assert {"Conv2D", "Softmax"} < ops
    assert not [op for op in ops if "PyFunc" in op or ">" in op]
    shapes = {
        name: {key: [size.size for size in value.tensor_shape.dim] for key, value in signature.inputs.items()}
        for name, signature in graph.signature_def.items()
        if not name.startswith("__")
    }
    assert shapes == {
        "serving_default": {"waveform": [-1, -1]},
        "waveform": {"waveform": [-1, -1]},
        "spectrogram": {"spectrogram": [-1, -1, 24, 1]},
    }


def test_versions_are_numbered_upwards_and_others_replaced(run: Run, tmp_path: Path) -> None:
    for number in (7, 10):
        (tmp_path / "served" / str(number)).mkdir(parents=True)
        (tmp_path / "served" / str(number) / "saved_model.pb").write_text("older")
    assert export_run(run, "saved_model", tmp_path / "served") == tmp_path / "served" / "11"
    assert (tmp_path / "served" / "10" / "saved_model.pb").read_text() == "older"
    (tmp_path / "keras").mkdir()
    for name in ("network.keras", "tfkey.json", ".network.partial.keras", "card.md"):
        (tmp_path / "keras" / name).write_text("old")
    (tmp_path / "link").symlink_to("keras", target_is_directory=True)
    export_run(run, "keras", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    # A model card is written by hand, and stays.
    names = sorted(path.name for path in (tmp_path / "keras").iterdir())
    assert names == ["card.md", "network.keras", "tfkey.json"]
    assert (tmp_path / "keras" / "card.md").read_text() == "old"
    assert (tmp_path / "keras" / "tfkey.json").read_text() != "old"


@pytest.mark.parametrize(
    ("kind", "files", "named"),
    [
        ("litert", ["thesis.txt"], "thesis.txt"),
        ("litert", ["network.tflite", "tfkey.json", "thesis.txt"], "thesis.txt"),
        ("litert", ["network.tflite", "tfkey.json", ".hidden"], ".hidden"),
        ("litert", ["network.tflite", "tfkey.json", ".thesis.partial.txt"], ".thesis.partial.txt"),
        ("litert", ["network.keras", "tfkey.json"], "network.keras"),
        ("litert", ["tfkey.json/thesis.txt"], "tfkey.json"),
        ("litert", ["network.tflite"], "has no tfkey.json"),
        ("onnx", ["network.tflite", "tfkey.json"], "network.tflite"),
        ("keras", ["1/saved_model.pb"], "'1'"),
        ("saved_model", ["1/saved_model.pb", "2023/diary.txt"], "2023"),
        ("saved_model", ["1/saved_model.pb", "thesis.txt"], "thesis.txt"),
        ("saved_model", ["1/saved_model.pb", ".git/config"], ".git"),
        ("saved_model", ["7"], "'7'"),
    ],
)
@pytest.mark.parametrize("is_link", [False, True])
def test_folder_of_somebody_else_is_left_alone(
    run: Run, tmp_path: Path, kind: str, files: list[str], named: str, is_link: bool
) -> None:
    folder = tmp_path / "my_documents"
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    target = folder
    if is_link:
        target = tmp_path / "link"
        target.symlink_to(folder, target_is_directory=True)
    # Before anything is built: this run has no network.
    empty = Run(run.path.parent / "untrained", run.config)
    with pytest.raises(UsageError) as caught:
        export_run(empty, kind, target)
    assert str(target) in str(caught.value)
    assert named in str(caught.value)
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == sorted(folder / n for n in files)
    assert all((folder / name).read_text() == name for name in files)
    assert not list(tmp_path.glob(".*"))


def test_file_put_there_meanwhile_is_left_alone(run: Run, tmp_path: Path, monkeypatch) -> None:
    def convert(*_: object) -> bytes:
        (tmp_path / "target").mkdir()
        (tmp_path / "target" / "thesis.txt").write_text("precious")
        return b"network"

    monkeypatch.setattr("tfkey.export.formats._litert", convert)
    with pytest.raises(UsageError, match="thesis"):
        export_run(run, "litert", tmp_path / "target")
    assert (tmp_path / "target" / "thesis.txt").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


@pytest.mark.parametrize("kind", ["saved_model", "litert"])
def test_full_disk_leaves_the_older_export(run: Run, exports: Path, kind: str) -> None:
    resource = pytest.importorskip("resource")
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(
            TfkeyError, match=rf"^{exports / kind}.*: cannot be written \(File too large\); choose"
        ):
            export_run(run, kind, exports / kind)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()} == before


def test_place_that_is_a_file_or_below_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(TfkeyError, match=r"file/below.*: cannot be written"):
        export_run(run, "saved_model", tmp_path / "file" / "below")
    for kind in FORMATS:
        with pytest.raises(UsageError, match=r"file: is not a folder; choose"):
            export_run(run, kind, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "precious"
    with pytest.raises(
        UsageError, match="'torch' is unknown; choose one of saved_model, keras, litert, onnx"
    ):
        export_run(run, "torch", tmp_path / "torch")


def test_quantised_litert_is_smaller_and_gives_nearly_the_same(
    run: Run, exports: Path, inputs, tmp_path: Path
) -> None:
    folder = export_run(run, "litert", tmp_path / "small", quantize=True, card="# A card\n")
    assert (folder / "card.md").read_text() == "# A card\n"
    sizes = [(path / "network.tflite").stat().st_size for path in (folder, exports / "litert")]
    # Of this tiny network, weights are only a part of the file.
    assert sizes[0] < 0.7 * sizes[1]
    small, whole = (LiteNetwork(path / "network.tflite") for path in (folder, exports / "litert"))
    pictures = [value for name, value in inputs.items() if name.startswith("spectrogram")]
    assert pictures
    for picture in pictures:
        np.testing.assert_allclose(small(picture), whole(picture), atol=0.1)
        assert np.array_equal(small(picture).argmax(axis=1), whole(picture).argmax(axis=1))
    with pytest.raises(UsageError, match="format onnx is not quantised"):
        export_run(run, "onnx", tmp_path / "other", quantize=True)
