"""``POST /estimate``: good files are answered as ``tfkey predict`` answers, all others with a sentence."""

from __future__ import annotations

import concurrent.futures
import json
import os
import select
import shutil
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT
from tests.media import chord, encode
from tests.tfkey.serving.running import (
    Moody,
    Running,
    answer,
    error_of,
    form,
    head,
    open_moody,
    running,
    waited,
    wav,
)

REAL = ROOT / "tests" / "data" / "real"


def predicted(tfkey, *arguments: object) -> dict:
    code, out, _ = tfkey("predict", *arguments, "--format", "json", "--top", "24", "--over-time")
    assert code == 0
    return json.loads("\n".join(out))[0]


@pytest.mark.parametrize(
    ("name", "query", "options"),
    [
        ("supertuxkart_lava.ogg", {"over_time": 10}, ()),
        ("naev_empire1.ogg", {"over_time": 10, "min_confidence": 0.99}, ("--min-confidence", "0.99")),
    ],
)
def test_answer_is_that_of_predict(server: Running, tfkey, name, query, options) -> None:
    found = server.post((REAL / name).read_bytes(), name, **query)
    assert found.status_code == 200
    values = found.json()
    expected = predicted(tfkey, REAL / name, *options)
    assert values.pop("file") == name
    notations = values.pop("notations")
    mixes = values.pop("mixes_with")
    for entry in values["ranked"]:
        assert entry.pop("notations")["long"] == entry["key"]
    del expected["file"]
    assert values == expected
    if values["key"] is None:
        assert (notations, mixes) == (None, [])
    else:
        assert notations["long"] == values["key"] == mixes[0]["key"]
        relations = [(entry["relation"], entry["notations"]["camelot"]) for entry in mixes]
        assert relations == [("same", "5A"), ("fifth up", "6A"), ("fifth down", "4A"), ("relative", "5B")]


@pytest.mark.parametrize("suffix", ["mp3", "flac", "m4a", "webm", "unknown"])
def test_every_format(server: Running, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"song.{suffix}"
    if suffix == "m4a":
        encode(path, "aac", chord(2.5, channels=2), container="ipod")
    elif suffix == "webm":
        encode(path, "libopus", chord(2.5, 48000, channels=2), 48000)
    else:
        soundfile.write(path, chord(2.5), 44100, format="WAV" if suffix == "unknown" else None)
    found = server.post(path.read_bytes(), path.name)
    assert (found.status_code, found.json()["key"]) == (200, "C major"), found.text


def test_silence_has_no_key(server: Running) -> None:
    values = server.post(wav(2.5, silent=True)).json()
    assert (values["key"], values["confidence"], values["reason"]) == (None, None, "silent")
    assert (values["notations"], values["mixes_with"], values["tuning_cents"]) == (None, [], None)


def test_picture(server: Running) -> None:
    values = server.post(wav(2.5), picture=1).json()
    assert values["key"] == "C major"
    assert values["picture"]["seconds"] == pytest.approx(2.5)
    assert set(values["picture"]["spectrogram"]) >= {"columns", "bins", "lowest_hz", "values"}
    assert "picture" not in server.post(wav(2.5), picture=0).json()


@pytest.mark.parametrize(
    "name", ["a/../../b.wav", "C:\\x\\y.mp3", "ä ♭.ogg", "x" * 300 + ".wav", "a\x01b", "."]
)
def test_names_are_only_repeated(server: Running, name: str) -> None:
    found = server.say(head(len(body := form(wav(0.6), name.replace('"', "%22")))), body)
    assert found[0] == 200, found
    assert json.loads(found[2])["file"] in (name, name[:255], "y.mp3")


BROKEN = {
    b"": "empty (0 bytes)",
    b"not audio at all" * 100: "cannot be decoded",
    b"RIFF\xff\xff\xff\xffWAVEfmt ": "",
    b"\xff\xfb\x90\x00" * 3: "",
}


@pytest.mark.parametrize(("content", "words"), BROKEN.items())
def test_files_that_predict_refuses(server: Running, content: bytes, words: str) -> None:
    found = server.post(content)
    assert found.status_code == 422
    assert words in error_of(found)


def test_samples_that_are_not_numbers_and_absurd_rates(server: Running, tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    for value in (np.nan, np.inf):
        soundfile.write(path, np.full(44100, value, np.float32), 44100, subtype="FLOAT")
        found = server.post(path.read_bytes())
        assert (found.status_code, "not finite" in error_of(found)) == (422, True)
    content = bytearray(wav(2.5))
    for rate in (0, 1, 2**31, 2**32 - 1):
        content[24:28] = rate.to_bytes(4, "little")
        found = server.post(bytes(content))
        assert found.status_code in (413, 422), found.text
        error_of(found)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("over_time=0", "over_time"),
        ("over_time=nan", "over_time"),
        ("over_time=1_0", "over_time"),
        ("over_time=", "over_time"),
        ("min_confidence=2", "min_confidence"),
        ("min_confidence=-inf", "min_confidence"),
        ("picture=yes", "picture"),
        ("picture=1&picture=1", "more than once"),
        ("path=/etc/passwd", "unknown parameter"),
        ("%ff%00=1", "unknown parameter"),
    ],
)
def test_wrong_queries(server: Running, query: str, words: str) -> None:
    with server.client() as client:
        found = client.post(f"/estimate?{query}", files={"file": ("a.wav", wav(0.6))})
    assert found.status_code == 400
    assert words in error_of(found)


@pytest.mark.parametrize(
    ("seconds", "limits", "status", "words"),
    [
        (Moody.CRASH, {}, 422, "the process crashed over this request (exit code 3)"),
        (Moody.GREEDY, {}, 422, "needs more memory"),
        (Moody.FAULTY, {}, 422, "cannot be analysed (KeyError)"),
        (Moody.HANG, {"timeout_seconds": 2.0}, 422, "took longer than 2 s"),
        (21.0, {"max_seconds": 20.0}, 413, "longer than 20 s"),
    ],
    ids=["crash", "greed", "fault", "hang", "length"],
)
def test_crash_hang_and_greed_cost_one_request(
    server: Running, monkeypatch: pytest.MonkeyPatch, seconds: float, limits, status: int, words: str
) -> None:
    with monkeypatch.context() as patch:
        server.limited(patch, **limits)
        found = server.post(wav(seconds))
    assert (found.status_code, words in error_of(found)) == (status, True), found.text
    # Without the limits: a new process may take its time.
    assert server.post(wav(2.5)).status_code == 200


def test_uploads_go_when_they_are_answered(server: Running) -> None:
    server.post(wav(2.5))
    server.post(b"not audio")
    with server.connection() as connection:
        connection.sendall(head(10**6) + form(wav(1.5))[:10000])
        waited(server.uploads)
    waited(lambda: not server.uploads())


def test_upload_folder_that_is_emptied(server: Running) -> None:
    for folder in server.folder.iterdir():
        shutil.rmtree(folder)
    assert server.post(wav(2.5)).status_code == 200


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no file for a full disk")
@pytest.mark.parametrize("content", [b"not audio", wav(2.5)], ids=["short", "long"])
def test_disk_that_is_full(server: Running, monkeypatch, content: bytes) -> None:
    full = partial(os.open, "/dev/full", os.O_WRONLY)
    with monkeypatch.context() as patch:
        patch.setattr("tfkey.serving.uploads.os.open", lambda *_: full())
        found = server.post(content)
    assert (found.status_code, "no room" in error_of(found)) == (503, True)


def test_upload_that_vanishes_before_it_is_read(server: Running, monkeypatch) -> None:
    from tfkey.serving.workers import WorkerPool

    real = WorkerPool.run

    async def remove_first(self, task, *arguments):
        task.path.unlink()
        return await real(self, task, *arguments)

    monkeypatch.setattr(WorkerPool, "run", remove_first)
    found = server.post(wav(2.5))
    assert (found.status_code, "send it again" in error_of(found)) == (503, True)


def test_many_at_once_of_every_kind(tmp_path: Path) -> None:
    song = wav(2.5)
    good = form(song)
    with running(tmp_path, open_moody, workers=2, max_upload_mb=1, body_timeout_seconds=10) as server:

        def one(number: int) -> tuple[int, int]:
            kind = number % 8
            if kind == 1:
                found = server.say(head(len(good)), good[:1000])[0]
            elif kind == 2:
                found = server.say(head(2**30), good)[0]
            elif kind == 3:
                with server.connection() as connection:
                    connection.sendall(head(len(good)) + good)
                found = 0
            elif kind == 4:
                found = server.post(wav(Moody.CRASH)).status_code
            elif kind == 5:
                found = server.say(b"nonsense\r\n\r\n")[0]
            else:
                values = server.post(song).json()
                assert values["key"] == "C major", values
                found = 200
            return kind, found

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            # Those that wait for a limit begin first, together.
            found = set(threads.map(one, sorted(range(32), key=lambda number: number % 8 != 1)))
        assert found == {
            (0, 200), (1, 408), (2, 413), (3, 0), (4, 422), (5, 400), (6, 200), (7, 200),
        }  # fmt: skip
        waited(lambda: not server.uploads())


def test_client_that_goes_frees_its_place(tmp_path: Path) -> None:
    with running(tmp_path, open_moody, max_requests=1) as server:
        body = form(wav(Moody.HANG))
        with server.connection() as connection:
            connection.sendall(head(len(body)) + body)
            waited(server.uploads)
            waited(lambda: server.post(wav(2.5)).status_code == 503)
            refused = server.post(wav(2.5))
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
            assert "its limit" in error_of(refused)
        # The task is given up, long before its time is over.
        waited(lambda: server.post(wav(2.5)).status_code == 200)


def test_request_that_waits_too_long_for_a_process(server: Running, monkeypatch) -> None:
    song = wav(Moody.HANG)
    body = form(song)
    with server.connection() as connection:
        connection.sendall(head(len(body)) + body)
        # The file is whole, so the task is about to begin, or has begun.
        waited(lambda: [path.stat().st_size for path in server.folder.rglob("*.wav")] == [len(song)])
        with server.client() as client:
            waited(lambda: client.get("/healthz").json()["queued"] == 0)
            # What needs no process does not wait for one.
            assert client.get("/v1/models/tfkey").status_code == 200
        with monkeypatch.context() as patch:
            server.limited(patch, timeout_seconds=0.5)
            found = server.post(wav(2.5))
        assert (found.status_code, "in time" in error_of(found)) == (503, True)
    # The client has gone, so its task is given up.
    assert server.post(wav(2.5)).status_code == 200


def test_stop_finishes_what_has_begun_and_takes_no_more(tmp_path: Path) -> None:
    with running(tmp_path, open_moody) as server:
        body = form(wav(Moody.SLOW))
        with server.connection() as working, server.connection() as sending:
            sending.sendall(head(len(body)) + body[:1000])
            waited(server.uploads)
            working.sendall(head(len(body)) + body)
            # On a slow machine, the answer may be there before both files have been seen.
            waited(lambda: len(server.uploads()) == 2 or select.select([working], [], [], 0)[0])
            server.stop()
            time.sleep(0.5)
            sending.sendall(body[1000:])
            assert [answer(connection)[0] for connection in (working, sending)] == [200, 200]
        server.thread.join(20)
        with pytest.raises(OSError, match=r"refused|reset"), server.connection() as late:
            late.recv(1)


def test_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    with running(tmp_path, open_moody, stop_seconds=1) as server:
        body = form(wav(Moody.HANG))
        with server.connection() as connection:
            connection.sendall(head(len(body)) + body)
            waited(server.uploads)
            server.stop()
            status, _, content = answer(connection)
        assert (status, "stopping" in error_of(content)) == (503, True)
