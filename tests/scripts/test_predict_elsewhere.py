"""``tfkey predict`` on files elsewhere, with results elsewhere."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from scripts import predict_target
from tests.conftest import ROOT
from tests.faulty_server import FaultyServer
from tests.media import chord
from tests.object_store import Fault, ObjectStore
from tests.scripts.test_predict import at_once  # noqa: F401

Tfkey = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("songs")
    for name in ("a.mp3", "b.flac", "c.wav"):
        soundfile.write(folder / name, chord(2), 44100)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def store(
    impatient: ObjectStore, songs: dict[str, bytes], at_once: None, tmp_path: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ObjectStore]:  # fmt: skip
    """A bucket with three songs; nothing is left of them here."""
    for name, content in songs.items():
        impatient.write(f"songs/{name}", content)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    yield impatient
    assert not list(scratch.iterdir())
    assert not [key for key in impatient.contents() if key.endswith(".lock")]


def results(store: ObjectStore, key: str) -> dict[str, str]:
    """The keys by file, of results in CSV."""
    text = (store.read(key) or b"").decode()
    return {row["file"]: row["key"] for row in csv.DictReader(io.StringIO(text))}


def test_a_folder_to_a_bucket(
    store: ObjectStore, tfkey: Tfkey, songs: dict[str, bytes], tmp_path: Path
) -> None:
    code, out, err = tfkey("predict", store.url("songs/"), "--output", store.url("out/keys.csv"))
    assert (code, out) == (0, [])
    assert err[0].startswith("network: general")
    here = tmp_path / "songs"
    here.mkdir()
    for name, content in songs.items():
        (here / name).write_bytes(content)
    assert tfkey("predict", here, "--output", tmp_path / "keys.csv")[0] == 0
    local = (tmp_path / "keys.csv").read_text()
    assert (store.read("out/keys.csv") or b"").decode() == local.replace(f"{here}/", store.url("songs/"))


def test_results_are_continued(store: ObjectStore, tfkey: Tfkey) -> None:
    output = store.url("keys.csv")
    assert tfkey("predict", store.url("songs/a.mp3"), "--output", output)[0] == 0
    first = store.read("keys.csv")
    code, _, err = tfkey("predict", store.url("songs"), "--output", output, "--skip-existing")
    assert code == 0
    assert err[-1] == "2 analysed, 1 skipped"
    assert (store.read("keys.csv") or b"").startswith(first or b"?")
    assert [name.removeprefix(store.url("songs/")) for name in results(store, "keys.csv")] == [
        "a.mp3", "b.flac", "c.wav",
    ]  # fmt: skip
    asked = len([request for request in store.requests if request.path.endswith("b.flac")])
    assert tfkey("predict", store.url("songs"), "--output", output, "--skip-existing")[2] == [
        "0 analysed, 3 skipped"
    ]
    assert len([request for request in store.requests if request.path.endswith("b.flac")]) == asked


def test_faults_in_between_lose_nothing(store: ObjectStore, tfkey: Tfkey) -> None:
    for fault in (Fault(status=503), Fault(cut="before"), Fault(cut_after=100)):
        store.fail(fault, "music/songs/*", "GET")
        store.fail(fault, "music", "GET")
    for fault in (Fault(status=503), Fault(cut="before"), Fault(cut="after")):
        store.fail(fault, "music/keys.csv", "PUT")
    store.fail(Fault(status=503), "*.lock", times=2)
    code, _, err = tfkey("predict", store.url("songs"), "--output", store.url("keys.csv"))
    assert (code, store.unused, len(results(store, "keys.csv"))) == (0, 0, 3), err


def test_bad_files_are_listed_and_the_rest_goes_on(
    store: ObjectStore, tfkey: Tfkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("songs/broken.mp3", b"this is no music" * 100)
    store.write("songs/empty.mp3", b"")
    store.fail(Fault(status=403), "*/b.flac", times=None)
    names = ["songs", "songs/missing.mp3"]
    code, out, err = tfkey("predict", *map(store.url, names), "nope.mp3", "--format", "csv")
    assert code == 1
    assert [line.split(",")[0] for line in out[1:]] == [store.url("songs/a.mp3"), store.url("songs/c.wav")]
    failures = err[err.index("not analysed (5):") + 1 :]
    assert [line.strip().partition(": ")[0] for line in failures] == [
        store.url("songs/b.flac"), store.url("songs/broken.mp3"), store.url("songs/empty.mp3"),
        store.url("songs/missing.mp3"), "nope.mp3",
    ]  # fmt: skip
    assert "access denied (" in failures[0]
    assert "empty (0 bytes)" in failures[2]
    assert "no such file; check the address" in failures[3]
    assert "content" not in "".join(failures)


def test_a_list_on_stdin(store: ObjectStore, tfkey: Tfkey, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{store.url('songs/a.mp3')}\nnope://x/a.mp3\r\n{store.url('songs/c.wav')}\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, out, err = tfkey("predict", "-", "--format", "jsonl")
    assert code == 1
    assert [json.loads(line)["file"] for line in out] == [store.url("songs/a.mp3"), store.url("songs/c.wav")]
    assert "nope://x/a.mp3: fsspec does not know the scheme" in err[-1]


def test_the_web(songs: dict[str, bytes], tfkey: Tfkey, tmp_path: Path) -> None:
    with FaultyServer({"a b.mp3": songs["a.mp3"]}) as server:
        url = server.url("a b.mp3")
        secret = url.replace("//", "//me:secret@") + "?token=secret"
        code, out, err = tfkey("predict", secret, "--format", "csv", "--picture", tmp_path)
        assert code == 0
        assert out[1].startswith(f"{url}?token=...,")
        assert "secret" not in "".join(out + err)
        assert [path.name for path in tmp_path.iterdir()] == ["a b.png"]
        code, _, err = tfkey("predict", server.url("missing.mp3"))
        assert (code, err[-1]) == (1, f"  {server.url('missing.mp3')}: no such file; check the address")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nope://b/a.mp3"], 2, "nope://b/a.mp3: fsspec does not know the scheme nope://; use another"),
        (["gs://b/a.mp3"], 2, "gs://b/a.mp3: gs:// needs gcsfs, which is not installed; pip install gcsfs"),
        (["{a}", "--output", "nope://b/k.csv"], 2, "nope://b/k.csv: fsspec does not know the scheme nope://"),
        (["{a}", "--output", "https://e.org/k.csv"], 2, "https://e.org/k.csv: a web server cannot"),
        (["{a}", "--output", "s3://music/songs"], 2, "--output s3://music/songs: is a folder; name a file"),
        (["{a}", "--output", "{a}"], 2, "--output {a}: is one of the files to analyse; name another"),
        (["{a}", "--output", "s3://no-such-bucket/k.csv"], 1, "s3://no-such-bucket/k.csv: no such bucket;"),
        (["{a}", "--output", "s3://music/denied/k.csv"], 1, "s3://music/denied/k.csv: access denied ("),
        (["{a}", "--output", "s3://music/busy.csv"], 1, "s3://music/busy.csv: another run (process 1 "),
        (["{a}", "--write-tags"], 2, "--write-tags: {a} is not on this computer; copy the files"),
        (["{a}", "--reference", "s3://music/k.csv"], 2, "--reference s3://music/k.csv: is not on"),
        (["{a}", "--picture", "s3://music/p/"], 2, "--picture s3://music/p/: pictures are written to"),
        (["{a}", "--output", "s3://music/t.txt", "--skip-existing", "--format", "csv"], 1,
         "--output s3://music/t.txt: the columns are not file,key"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(
    store: ObjectStore, tfkey: Tfkey, arguments: list[str], code: int, message: str
) -> None:
    lock = json.dumps({"host": "far away", "process": 1, "token": "x", "time": time.time()}).encode()
    store.write(".busy.csv.lock", lock)
    store.write("t.txt", b"hello\n")
    store.fail(Fault(status=403), "music/denied/*", "PUT", times=None)
    a = store.url("songs/a.mp3")
    found, out, err = tfkey("predict", *(argument.format(a=a) for argument in arguments))
    store.remove(".busy.csv.lock")
    assert out == []
    assert len(err) == 1
    assert err[0].startswith(f"tfkey: {message.format(a=a)}")
    assert found == (2 if "columns" in message else code)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, tfkey: Tfkey) -> None:
    from tfkey.storage import addresses

    addresses._wrong_with.cache_clear()
    monkeypatch.setitem(sys.modules, "upath", None)
    code, out, err = tfkey("predict", "s3://b/a.mp3")
    addresses._wrong_with.cache_clear()
    assert (code, out) == (2, [])
    assert err == [
        "tfkey: s3://b/a.mp3: storage elsewhere needs the extra remote; pip install 'tfkey[remote]'"
    ]


def test_a_place_that_was_taken_over(
    store: ObjectStore, tfkey: Tfkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run has taken the lock: this one does not write over its results."""
    lock = json.dumps({"host": "far away", "process": 1, "token": "x", "time": time.time()}).encode()
    add = predict_target.Results.add

    def taken(self: Any, text: str) -> None:
        add(self, text)
        store.write(".keys.csv.lock", lock)
        store.write("keys.csv", b"theirs")

    monkeypatch.setattr(predict_target.Results, "add", taken)
    code, _, err = tfkey("predict", store.url("songs"), "--output", store.url("keys.csv"))
    assert code == 1
    assert err[-1].startswith(
        f"tfkey: {store.url('keys.csv')}: another run (process 1 on far away) has taken it"
    )
    assert store.contents("keys") == {".csv": b"theirs"}
    assert store.read(".keys.csv.lock") == lock
    store.remove(".keys.csv.lock")


def test_saving_in_between_may_fail(
    store: ObjectStore, tfkey: Tfkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage is away for a while; the results are written later."""
    monkeypatch.setattr(predict_target, "_SAVE_SECONDS", -1.0)
    monkeypatch.setattr(predict_target.Elsewhere, "is_due", True)
    store.fail(Fault(status=503), "music/keys.csv", "PUT", times=5)
    code, _, _ = tfkey("predict", store.url("songs"), "--output", store.url("keys.csv"))
    assert (code, store.unused, len(results(store, "keys.csv"))) == (0, 0, 3)


def test_in_processes_of_their_own(
    object_store: ObjectStore, songs: dict[str, bytes], tmp_path: Path
) -> None:
    for name, content in songs.items():
        object_store.write(f"songs/{name}", content)
    command = [
        sys.executable, "-m", "scripts.main", "predict", object_store.url("songs"), "--workers", "2",
        "--output", object_store.url("keys.csv"),
    ]  # fmt: skip
    command[1:3] = ["-c", "from scripts.main import main; main()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert len(results(object_store, "keys.csv")) == 3
    assert sorted(object_store.contents()) == ["keys.csv", *(f"songs/{name}" for name in sorted(songs))]
