"""Data in a bucket: prepared there, trained and evaluated from there, with the result of local data."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import pipelines.originals.source_files
from pipelines.prepare.prepare import prepare
from pipelines.prepared.folder_files import remote_files
from pipelines.prepared.manifest import read_manifest
from tests.conftest import ROOT, SETTINGS, contents, write_settings
from tests.object_store import Fault, ObjectStore
from tfkey.config import load_config
from tfkey.errors import TfkeyError
from tfkey.settings import MODES
from tfkey.storage import located


def visible(files: dict[str, bytes]) -> dict[str, bytes]:
    """What is not only for the next call of prepare."""
    return {name: content for name, content in files.items() if "/." not in f"/{name}"}


@pytest.mark.parametrize("mode", ["audio", "spectrograms"])
@pytest.mark.parametrize("from_bucket", [False, True])
def test_the_result_in_a_bucket_is_that_on_this_machine(mode, from_bucket, make_config, tracks, object_store):
    here = make_config(mode=mode, datasets=["small"])
    there = make_config(mode=mode, data_dir=object_store.url("data"), cache_dir=str(tracks.parent / "cache"))
    source = tracks
    if from_bucket:
        for name, content in contents(tracks).items():
            object_store.write(f"tracks/{name}", content)
        source = located(object_store.url("tracks"))
    png = mode == "spectrograms" and not from_bucket
    expected = prepare(here, "small", source=tracks, png=png)
    summary = prepare(there, "small", source=source, png=png)
    assert visible(object_store.contents(f"data/{mode}/small/")) == visible(contents(expected.folder))
    assert (summary.intervals, summary.fresh) == (50, expected.fresh)

    before = len(object_store.requests)
    assert prepare(there, "small", source=source, png=png).fresh == 0
    written = [r for r in object_store.requests[before:] if r.method in ("PUT", "POST", "DELETE")]
    assert {request.path.rpartition("/")[2] for request in written} <= {".small.lock"}


@pytest.fixture(scope="module")
def lab(tracks_master, tmp_path_factory):
    """A folder with settings, and data prepared in all modes."""
    root = tmp_path_factory.mktemp("elsewhere")
    config = load_config(write_settings(root / "settings.yaml", data_dir=str(root / "data")))
    for mode in MODES:
        source = root / "data/spectrograms/small/png" if mode == "images" else tracks_master
        prepare(config.model_copy(update={"mode": mode}), "small", source=source, png=mode == "spectrograms")
    return root


def put_there(store: ObjectStore, data_dir: Path) -> None:
    for name, content in contents(data_dir).items():
        store.write(f"data/{name}", content)


@pytest.mark.parametrize("mode", MODES)
def test_batches_from_a_bucket_are_those_from_this_machine(mode, lab, object_store, tmp_path):
    from pipelines.prepared.inputs import evaluation_batches, training_batches
    from pipelines.prepared.manifest import open_prepared
    from pipelines.prepared.split_intervals import open_intervals

    config = load_config(lab / "settings.yaml", [f"mode={mode}"])
    put_there(object_store, config.data_dir)
    # Room for a part of the data: copies are removed and fetched again.
    there = load_config(
        lab / "settings.yaml",
        [f"mode={mode}", f"data_dir={object_store.url('data')}", f"cache_dir={tmp_path}", "cache_gb=0.0002"],
    )
    object_store.fail(Fault(status=503), f"*/{mode}/*", "GET", times=2, skip=3)
    object_store.fail(Fault(cut_after=100), f"*/{mode}/small/*[vgd]", "GET", skip=1)
    read = []
    for each in (config, there):
        found = open_intervals(each, [open_prepared(each, mode, "small")], "train")
        batches = [*training_batches(found, 4, seed=3).take(16), *evaluation_batches(found, 4)]
        read.append([np.concatenate([np.ravel(part) for part in batch]) for batch in batches])
    assert len(read[0]) == len(read[1]) == 24
    for here, elsewhere in zip(*read, strict=True):
        assert np.array_equal(here, elsewhere)
    assert object_store.unused == 0


def start(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", "from scripts.main import main; main()", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_killed_preparation_goes_on_where_it_was(make_config, tracks, object_store, tmp_path):
    expected = visible(contents(prepare(make_config(), "small", source=tracks).folder))
    settings = write_settings(tmp_path / "settings.yaml", cache_dir=str(tmp_path / "cache"))
    reached = threading.Event()
    object_store.fail(Fault(status=503), "*.wav", "PUT", times=2, skip=3)
    object_store.fail(Fault(cut="after"), "*.jsonl", "PUT", skip=5)
    object_store.fail(Fault(hold=reached), "*.wav", "PUT", skip=23, times=None)
    arguments = (
        "prepare",
        "--config",
        settings,
        "--data-dir",
        object_store.url("data"),
        "--dataset",
        "small",
    )

    def written(suffix: str) -> int:
        return sum(
            r.method == "PUT" and r.status == 200 and r.path.endswith(suffix) for r in object_store.requests
        )

    with start(*arguments, "--source", tracks) as process:
        while written("wav") < 23 or written("jsonl") < 6:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.kill()
    object_store.heal()
    found = object_store.contents("data/audio/small/")
    done = len([name for name in found if name.startswith(".journal/")])
    partly = visible(found)
    assert 0 < done < 20
    # Nothing is half visible, and nothing says that the data is complete.
    assert partly.items() <= expected.items()
    assert "dataset.json" not in partly
    reached.set()

    there = load_config(settings, [f"data_dir={object_store.url('data')}"])
    object_store.requests.clear()
    summary = prepare(there, "small", source=tracks)
    assert summary.fresh == 20 - done
    assert visible(object_store.contents("data/audio/small/")) == expected
    finished = {
        row["path"]
        for name, content in found.items()
        if name.startswith(".journal/")
        for row in json.loads(content)["rows"]
    }
    assert len(finished) >= 2 * done
    again = {
        r.path.removeprefix("music/data/audio/small/") for r in object_store.requests if r.method == "PUT"
    }
    assert not again & finished


def test_a_second_preparation_is_refused(make_config, tracks, object_store):
    there = make_config(data_dir=object_store.url("data"))
    go_on = threading.Event()
    object_store.fail(Fault(hold=go_on), "*.wav", "PUT")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(prepare, there, "small", source=tracks)
        while object_store.unused:
            time.sleep(0.01)
        with pytest.raises(TfkeyError, match=r"s3://music/data/audio/small: .*already writes there"):
            prepare(there, "small", source=tracks)
        go_on.set()
        assert first.result().fresh == 20
    assert prepare(there, "small", source=tracks).fresh == 0


def test_a_list_of_urls_is_read_where_it_is(make_config, tracks, object_store, tmp_path):
    for name, content in contents(tracks).items():
        object_store.write(f"tracks/{name}", content)
    names = [name for name in contents(tracks) if name.startswith("train/")]
    lines = ["path,key", *(f"{name},{Path(name).parent.name}" for name in names), "train/missing.wav,C major"]
    object_store.write("tracks/list.csv", "\n".join(lines).encode())
    (tmp_path / "list.csv").write_text("\n".join(lines).replace("train/", object_store.url("tracks/train/")))
    found = []
    for number, table in enumerate((located(object_store.url("tracks/list.csv")), tmp_path / "list.csv")):
        summary = prepare(make_config(data_dir=str(tmp_path / str(number))), "mine", source=table)
        (left_out,) = summary.left_out
        assert "line 14: no such file" in left_out.reason
        rows = read_manifest(summary.folder / "manifest.csv")
        found.append([(row.track, row.key, row.digest) for row in rows])
    assert sorted(found[0]) == sorted(found[1])
    assert len(found[0]) == 30


def test_audio_that_is_gone_is_left_out_but_a_failing_storage_stops(
    make_config, tracks, object_store, monkeypatch
):
    for name, content in contents(tracks).items():
        object_store.write(f"tracks/{name}", content)
    object_store.write("tracks/train/C-maj/broken.wav", b"not audio")
    source = located(object_store.url("tracks"))

    def list_and_lose(folder: Path) -> dict:
        found = remote_files(folder)
        object_store.remove("tracks/train/A-min/track 01.flac")
        return found

    monkeypatch.setattr(pipelines.originals.source_files, "remote_files", list_and_lose)
    summary = prepare(make_config(), "small", source=source)
    assert {item.source: item.reason.partition(";")[0] for item in summary.left_out} == {
        "train/A-min/track 01.flac": "no such file",
        "train/C-maj/broken.wav": "cannot be decoded (Format not recognised)",
    }
    # A storage that refuses says nothing about the audio: it must not be left out for good.
    object_store.fail(Fault(status=403), "*/track 02*", "GET", times=None)
    with pytest.raises(TfkeyError, match=r"s3://music/tracks/train/A-min/track 02\.\w+: .*access denied"):
        prepare(make_config(intervals={"seconds": 0.5}), "small", source=source, replace=True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["prepare", "--data-dir", "s3://absent/data"], 1, "s3://absent/data/audio/small"),
        (["prepare", "--data-dir", "zz://music/data"], 2, "fsspec does not know the scheme zz://"),
        (["prepare", "--data-dir", "s3://me:secret@music/data"], 2, "s3://music/data: contains a password"),
        (["prepare", "--source", "s3://music/absent"], 1, "s3://music/absent: no such file or folder"),
        (["prepare", "--source", "s3://music/x", "--mode", "images"], 2, "pictures must be on this machine"),
        (["train", "--data-dir", "s3://music/data"], 1, "'small' is not prepared"),
        (["train", "--runs-dir", "s3://music/runs"], 2, "give a folder on this machine"),
    ],
)
def test_bad_addresses_are_one_line(arguments, code, message, tfkey, tracks, object_store, tmp_path):
    settings = write_settings(tmp_path / "settings.yaml", data_dir=str(tmp_path / "data"))
    command, *rest = arguments
    if "--source" not in rest and command == "prepare":
        rest += ["--source", tracks]
    rest += ["--dataset", "small"]
    found, out, err = tfkey(command, "--config", settings, *rest)
    assert (found, out) == (code, [])
    assert message in " ".join(err)
    assert "secret" not in " ".join(err)
    assert len(err) == (2 if command == "prepare" and code == 1 else 1)


def test_the_datasets_in_a_bucket_are_listed(lab, tfkey, object_store):
    put_there(object_store, lab / "data")
    object_store.remove("data/images/small/dataset.json")
    code, out, _ = tfkey("datasets", "small", "--json", "--data-dir", object_store.url("data"))
    assert code == 0
    prepared = json.loads("\n".join(out))["on_disk"]["prepared"]
    states = {mode: prepared[mode]["state"] for mode in MODES}
    assert states == {"audio": "ready", "spectrograms": "ready", "images": "unfinished"}


TRAIN = """
import json, sys
from pipelines.experiments.evaluate import evaluate
from pipelines.experiments.train import train
from tfkey.config import load_config
from tfkey.files import sha256
from tfkey.training.tensorboard import PictureLogger
# Drawing is most of the time that so small a training takes.
PictureLogger.is_due = lambda self, epoch: False
settings, *places = sys.argv[1:]
for name, place in zip(["here", "there"], places):
    config = load_config(settings, [f"data_dir={place}", "mode=spectrograms"])
    run, history = train(config, name)
    (judged, folder), *_ = evaluate(run, config, ["small"], "test")
    files = [run.history, run.path / "learned.csv", *sorted(folder.glob("*.csv"))]
    print(json.dumps({"history": history, "files": {path.name: sha256(path) for path in files}}))
"""


def test_training_and_evaluating_from_a_bucket_give_the_same(lab, object_store, tmp_path):
    put_there(object_store, lab / "data")
    object_store.fail(Fault(status=503), "*.tfrecord", "GET", times=2)
    object_store.fail(Fault(cut_after=1000), "*.tfrecord", "GET", skip=1)
    settings = write_settings(
        tmp_path / "settings.yaml",
        runs_dir=str(tmp_path / "runs"),
        cache_dir=str(tmp_path / "cache"),
        train={**SETTINGS["train"], "epochs": 1},
    )
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(settings), str(lab / "data"), object_store.url("data")],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    here, there = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    for each in (here, there):
        for figures in each["history"]:
            # Times and rates are those of the machine.
            for name in [name for name in figures if "second" in name or "wait" in name]:
                del figures[name]
    assert here == there
    assert object_store.unused == 0
    # Each shard came over the network once, for two epochs and the evaluation.
    fetched = [r.path for r in object_store.requests if r.method == "GET" and r.path.endswith("tfrecord")]
    answered = [r for r in object_store.requests if r.path.endswith("tfrecord") and r.status in (200, 206)]
    assert len(set(fetched)) == 3
    assert len(answered) <= 4 + 1
    assert "s3://music/data" in (tmp_path / "runs" / "there" / "config.yaml").read_text()
    assert not any(
        "secret" in path.read_text(errors="ignore") for path in tmp_path.rglob("*") if path.is_file()
    )


@pytest.mark.parametrize("harm", ["missing", "damaged", "damaged copy", "no rights"])
def test_a_shard_that_cannot_be_read_is_one_error_that_names_it(lab, object_store, tmp_path, harm):
    from pipelines.prepared.find_damaged import naming_damage
    from pipelines.prepared.inputs import training_batches
    from pipelines.prepared.manifest import open_prepared
    from pipelines.prepared.split_intervals import open_intervals

    put_there(object_store, lab / "data")
    place = [f"data_dir={object_store.url('data')}", f"cache_dir={tmp_path}", "mode=spectrograms"]
    config = load_config(lab / "settings.yaml", place)
    key = "data/spectrograms/small/train-00000.tfrecord"
    content = object_store.read(key)
    if harm == "damaged":
        object_store.write(key, content[:5000] + b"x" + content[5001:])
    intervals = open_intervals(config, [open_prepared(config, config.mode, "small")], "train")
    if harm == "missing":
        object_store.remove(key)
    elif harm == "no rights":
        object_store.fail(Fault(status=403), f"*/{key}", times=None)
    elif harm == "damaged copy":
        list(training_batches(intervals, 4, seed=1).take(2))
        (copy,) = (tmp_path / "prepared" / "files").glob("*/*")
        # Not in place: the copy has links.
        copy.unlink()
        copy.write_bytes(content[:5000] + b"x" + content[5001:])
    expected = {
        "missing": "no such file",
        "damaged": "is damaged; delete it and prepare small again",
        "no rights": "access denied",
        "damaged copy": "its copy in .* was damaged and has been replaced; start again",
    }
    batches = training_batches(intervals, 4, seed=1).take(8)
    with pytest.raises(TfkeyError, match=f"s3://music/{key}: .*{expected[harm]}"), naming_damage(intervals):
        list(batches)
    if harm == "damaged copy":
        with naming_damage(intervals):
            assert len(list(batches)) == 8
