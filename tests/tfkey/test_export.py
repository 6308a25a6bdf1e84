from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2

from tfkey import __version__
from tfkey.errors import TfkeyError
from tfkey.estimator import KeyEstimator
from tfkey.export import export_saved_model
from tfkey.keys import Key
from tfkey.runs import Run, create_run
from tfkey.settings import FeatureConfig

# What somebody does who has TensorFlow and nothing of ours. Arguments: SavedModel, waveforms, answers.
STRANGER = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tfkey", "pipelines", "scripts", "tensorflow_io", "librosa"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
try:
    importlib.import_module("tfkey.cqt")
    sys.exit("tfkey is there after all")
except ModuleNotFoundError:
    pass

import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
serve = model.signatures["serving_default"]
waveforms = np.load(sys.argv[2])
answers = {name: serve(waveform=tf.constant(waveforms[name]))["probabilities"] for name in waveforms}
np.savez(sys.argv[3], **answers)
"""

LENGTHS = [1, 5000, 15600, 15601, 100000]


@pytest.fixture(scope="module")
def run(small_config, decided_network, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = small_config(f"runs_dir={tmp_path_factory.mktemp('runs')}", "datasets=[gs_mtg, ncs]")
    run = create_run(config, "first")
    decided_network(config, 1).save(run.best)
    return run


@pytest.fixture(scope="module")
def export(run: Run) -> Path:
    """An export into the place of an older one."""
    older = run.path / "saved_model"
    older.mkdir()
    for name in ("saved_model.pb", "stale"):
        (older / name).write_text("old")
    return export_saved_model(run, older)


def test_stranger_gets_the_same_probabilities(run: Run, export: Path, music, tmp_path: Path) -> None:
    waveforms = {
        f"{samples}x{batch}": np.stack([music(samples, seed) for seed in range(batch)])
        for samples in LENGTHS
        for batch in (1, 4)
    }
    np.savez(tmp_path / "waveforms.npz", **waveforms)
    arguments = [str(export), str(tmp_path / "waveforms.npz"), str(tmp_path / "answers.npz")]
    command = [sys.executable, "-I", "-c", STRANGER, *arguments]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    answers = np.load(tmp_path / "answers.npz")
    estimator = KeyEstimator.from_run(run)
    for name, batch in waveforms.items():
        expected = np.stack([estimator.estimate(row).probabilities for row in batch])
        assert (answers[name].dtype, answers[name].shape) == (np.float32, (len(batch), 24))
        np.testing.assert_allclose(answers[name], expected, atol=1e-5)
        assert len(batch) == 1 or batch.shape[1] == 1 or np.ptp(expected, axis=0).max() > 0.05


def test_graph_holds_ops_of_tensorflow_alone(export: Path) -> None:
    content = saved_model_pb2.SavedModel.FromString((export / "saved_model.pb").read_bytes())
    (graph,) = content.meta_graphs
    nodes = [*graph.graph_def.node, *(n for f in graph.graph_def.library.function for n in f.node_def)]
    ops = {node.op for node in nodes}
    assert {"Conv2D", "Softmax"} < ops
    assert not [op for op in ops if "PyFunc" in op or ">" in op]
    signature = graph.signature_def["serving_default"]
    assert {
        name: [size.size for size in value.tensor_shape.dim] for name, value in signature.inputs.items()
    } == {"waveform": [-1, -1]}
    assert set(signature.outputs) == {"probabilities"}


def test_metadata_tells_what_a_user_has_to_know(run: Run, export: Path) -> None:
    metadata = json.loads((export / "tfkey.json").read_text(encoding="utf-8"))
    assert [Key.parse(label).index for label in metadata["labels"]] == list(range(24))
    assert metadata["sample_rate"] == 8000
    assert metadata["interval_seconds"] == 1.95
    assert FeatureConfig(**metadata["features"]) == run.config.features
    assert metadata["model"] == {"name": "allconv", "maps": 2, "dropout": 0.5}
    assert (metadata["run"], metadata["trained_on"]) == ("first", ["gs_mtg", "ncs"])
    assert metadata["tfkey_version"] == __version__


def test_export_replaced_the_older_one_whole(run: Run, export: Path) -> None:
    assert not (export / "stale").exists()
    assert sorted(path.name for path in run.path.iterdir()) == ["best.keras", "config.yaml", "saved_model"]


def test_full_disk_leaves_the_older_export(run: Run, export: Path) -> None:
    resource = pytest.importorskip("resource")
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(TfkeyError, match=rf"^{export}: cannot be written \(File too large\); choose"):
            export_saved_model(run, export)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()} == before


def test_place_that_is_a_file_or_below_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(TfkeyError, match="file/below: cannot be written"):
        export_saved_model(run, tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "precious"
