from __future__ import annotations

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT, times
from tfkey.export import FORMATS
from tfkey.settings import MODES


def test_help_and_errors_answer_without_tensorflow(tmp_path):
    cases = [
        (["--help"], 0),
        (["--version"], 0),
        *(([name, "--help"], 0) for name in ("prepare", "train", "evaluate", "export", "predict")),
        (["nosuch"], 2),
        (["train", "--nosuch"], 2),
        (["train", "--mode", "sound"], 2),
        (["train", "-o", "train.batch_size=many"], 2),
        (["train", "-o", "model.name=nosuch"], 2),
        (["prepare", "--source", "nowhere", "--dataset", "mine"], 2),
        (["evaluate", "nowhere"], 2),
        (["export", "nowhere"], 2),
        (["predict"], 2),
        (["predict", str(tmp_path)], 1),
        (["predict", "a.wav", "--reference", "nowhere"], 2),
    ]
    script = f"""
import sys
from scripts.main import main
for arguments, code in {cases!r}:
    sys.argv = ["tfkey", *arguments]
    try:
        main()
    except SystemExit as end:
        assert end.code == code, (arguments, end.code)
    heavy = {{"tensorflow", "keras", "librosa", "tensorflow_io"}} & set(sys.modules)
    assert not heavy, (arguments, heavy)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert all(name in done.stdout for name in ("prepare", "train", "evaluate", "export", "predict"))


USAGE = {
    "train.batchsize=3": "train.batchsize: no such setting (did you mean batch_size?); allowed: average, ",
    "nosuch.thing=3": "nosuch: no such setting",
    "train.batch_size=many": "train.batch_size: 'many' is not allowed",
    "train.batch_size=0": "train.batch_size: 0 is not allowed",
    "train.batch_size=true": "train.batch_size",
    "train.learning_rate=.inf": "train.learning_rate",
    "intervals.seconds=.nan": "intervals.seconds",
    "intervals.remainder=keep": "'drop', 'pad' or 'overlap'",
    "split.test=1.5": "split.test",
    "features.n_bins=400": "lower n_bins, fmin",
    "features=nosuch": "allowed: cqt",
    "model.maps=few": "maps",
    "model.name=nosuch": "allconv",
    "seed=-1": "seed",
    "train=3": "train",
    "batch_size": "section.setting=value",
    "seed=[1": "not YAML",
    "features.n_bins=7": "bins",
    "intervals.seconds=0.1": "intervals.seconds",
}


@pytest.mark.parametrize("override", USAGE)
def test_settings_that_cannot_be_meant(override, tfkey, lab):
    code, out, err = tfkey("train", "--config", lab / "settings.yaml", "--name", "wrong", "-o", override)
    assert (code, out, len(err)) == (2 if "n_bins=7" not in override else code, [], 1)
    assert code in (1, 2)
    assert err[0].startswith("tfkey: ")
    assert USAGE[override] in err[0] or "n_bins=7" in override
    assert not (lab / "runs" / "wrong").exists()


def test_a_run_of_other_settings_is_not_overwritten(tfkey, lab):
    before = times(lab / "runs" / "tiny")
    code, _, err = tfkey("train", "--config", lab / "settings.yaml", "--name", "tiny", "-o", "train.epochs=9")
    assert (code, len(err)) == (2, 1)
    assert "train.epochs=2 (now 9)" in err[0]
    assert err[0].endswith("give another name, or delete the folder (option --name)")
    assert times(lab / "runs" / "tiny") == before


@pytest.mark.parametrize("name", ["", "../x", ".hidden"])
def test_names_that_no_run_can_have(name, tfkey, lab):
    code, _, err = tfkey("train", "--config", lab / "settings.yaml", "--name", name or ".")
    assert (code, len(err)) == (2, 1)
    assert "--name" in err[0]


def test_what_training_leaves(lab):
    run = lab / "runs" / "tiny"
    assert {path.name for path in run.iterdir()} >= {
        "config.yaml",
        "best.keras",
        "history.csv",
        "tensorboard",
    }
    with (run / "history.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [float(line["epoch"]) for line in lines] == [1, 2]
    assert all(np.isfinite([float(value) for value in line.values()]).all() for line in lines)


def test_evaluate_in_every_mode(tfkey, lab):
    """The run was trained on audio; spectrograms and images of the same parameters are judged alike."""
    judged = {}
    for mode in MODES:
        code, out, err = tfkey("evaluate", lab / "runs" / "tiny", "--mode", mode)
        assert (code, err) == (0, [])
        assert "4 tracks" in out[0]
        assert sum("MIREX weighted, fifths both ways" in line for line in out) == 1
        folder = lab / "runs" / "tiny" / "evaluation" / f"small-{mode}-test"
        with (folder / "predictions.csv").open(newline="") as stream:
            lines = list(csv.DictReader(stream))
        assert sorted(line["reference"] for line in lines) == ["A minor", "Bb minor", "C major", "Gb major"]
        assert sum(int(line["intervals"]) for line in lines) == 10
        assert json.loads((folder / "metrics.json").read_text())
        judged[mode] = {line["track"]: float(line["confidence"]) for line in lines}
    assert judged["spectrograms"] == pytest.approx(judged["audio"], abs=1e-3)
    assert judged["images"] == pytest.approx(judged["audio"], abs=5e-3)


def test_export_and_predict_agree(tfkey, lab, tracks_master, tmp_path):
    import tensorflow as tf

    from tfkey.audio.reading import read

    target = tmp_path / "exported"
    code, _, err = tfkey("export", lab / "runs" / "tiny", "--output", target)
    assert (code, err) == (0, [])
    serve = tf.saved_model.load(str(target / "1")).signatures["serving_default"]
    labels = json.loads((target / "1" / "tfkey.json").read_text())["labels"]
    code, out, err = tfkey(
        "predict", tracks_master / "test", "--run", lab / "runs" / "tiny", "--format", "csv"
    )
    assert (code, err, len(out)) == (0, [], 5)
    for line in out[1:]:
        path, key, confidence, *_ = line.split(",")
        probabilities = serve(waveform=tf.constant(read(path, 16000)[np.newaxis]))["probabilities"].numpy()[0]
        assert labels[int(probabilities.argmax())] == key
        assert float(confidence) == pytest.approx(probabilities.max(), abs=6e-4)


@pytest.mark.parametrize("kind", FORMATS)
def test_export_replaces_no_folder_of_somebody_else(lab, tmp_path, kind):
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in ("tfkey.json", "thesis.txt"):
        (kept / name).write_text("precious")
    arguments = ["export", str(lab / "runs" / "tiny"), "--format", kind, "--output", str(kept)]
    # Refused at once, before TensorFlow is loaded.
    code = (
        "import sys; sys.modules['tensorflow'] = None; sys.modules['keras'] = None\n"
        f"sys.argv = ['tfkey', *{arguments!r}]\n"
        "from scripts.main import main; main()"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert outcome.returncode == 2
    foreign = "tfkey.json" if kind == "saved_model" else "thesis.txt"
    assert outcome.stderr.startswith(
        f"tfkey: {kept}: contains '{foreign}', which is not part of a {kind} export"
    )
    assert sorted(path.name for path in kept.iterdir()) == ["tfkey.json", "thesis.txt"]
    assert (kept / "thesis.txt").read_text() == "precious"
