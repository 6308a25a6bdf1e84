"""``POST /estimate``: good files are answered as ``tfkey predict`` answers, all others with a sentence."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import shutil
import time
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
    wav,
)

REAL = ROOT / "tests" / "data" / "real"


def waited(condition) -> None:
    """Wait until something is so."""
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("in vain")


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


def test_crash_hang_and_greed_cost_one_request(tmp_path: Path) -> None:
    with running(tmp_path, open_moody, timeout_seconds=3, max_seconds=20, max_memory_mb=1024) as server:
        cases = [
            (Moody.CRASH, 422, "the decoder crashed (exit code 3)"),
            (Moody.GREEDY, 422, "needs more memory"),
            (Moody.FAULTY, 422, "cannot be analysed (KeyError)"),
            (Moody.HANG, 422, "took longer than 3 s"),
            (21.0, 413, "longer than 20 s"),
        ]
        for seconds, status, words in cases:
            found = server.post(wav(seconds))
            assert (found.status_code, words in error_of(found)) == (status, True), found.text
            waited(lambda: server.post(wav(2.5)).status_code == 200)


def test_uploads_go_when_they_are_answered(server: Running) -> None:
    server.post(wav(2.5))
    server.post(b"not audio")
    with server.connection() as connection:
        connection.sendall(head(10**6) + form(wav(1.5))[:10000])
        waited(server.uploads)
    waited(lambda: not server.uploads())


def test_upload_folder_that_is_emptied_and_a_disk_that_is_full(server: Running, monkeypatch) -> None:
    for folder in server.folder.iterdir():
        shutil.rmtree(folder)
    assert server.post(wav(2.5)).status_code == 200

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tfkey.serving.uploads.os.open", full)
        found = server.post(wav(2.5))
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
    with running(tmp_path, open_moody, workers=2, max_upload_mb=1, body_timeout_seconds=1) as server:

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
            found = set(threads.map(one, range(32)))
        assert found == {
            (0, 200), (1, 408), (2, 413), (3, 0), (4, 422), (5, 400), (6, 200), (7, 200),
        }  # fmt: skip
        waited(lambda: not server.uploads())


def test_client_that_goes_frees_its_place(tmp_path: Path) -> None:
    with running(tmp_path, open_moody, max_requests=1, timeout_seconds=20) as server:
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


def test_request_that_waits_too_long_for_a_process(tmp_path: Path) -> None:
    with running(tmp_path, open_moody, timeout_seconds=2) as server:
        body = form(wav(Moody.HANG))
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(server.connection()) for _ in range(2)]
            for connection in connections:
                connection.sendall(head(len(body)) + body)
            found = sorted(answer(connection)[0] for connection in connections)
        assert found == [422, 503]


def test_stop_finishes_what_has_begun_and_takes_no_more(tmp_path: Path) -> None:
    with running(tmp_path, open_moody) as server:
        body = form(wav(Moody.SLOW))
        with server.connection() as working, server.connection() as sending:
            working.sendall(head(len(body)) + body)
            sending.sendall(head(len(body)) + body[:1000])
            waited(server.uploads)
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
