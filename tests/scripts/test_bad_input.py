from __future__ import annotations

import csv
import io
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.conftest import FRAMES, RATE, SETTINGS, chord, contents, in_subprocess, write_settings
from tfkey.settings import MODES


def bad_files(folder):
    """Files of every bad kind, each with a word of what is to be said of it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zero.wav").touch()
    soundfile.write(folder / "cut.wav", chord("C-maj", 2), RATE)
    (folder / "cut.wav").write_bytes((folder / "cut.wav").read_bytes()[:15000])
    soundfile.write(folder / "lost.flac", chord("C-maj", 2), RATE)
    (folder / "lost.flac").write_bytes((folder / "lost.flac").read_bytes()[:5000])
    (folder / "text.ogg").write_text("no music\n" * 400)
    soundfile.write(folder / "empty.flac", np.zeros(0, np.float32), RATE)
    soundfile.write(folder / "silence.wav", np.zeros(3 * RATE, np.float32), RATE)
    return {
        "zero.wav": "empty", "cut.wav": "truncated", "lost.flac": "", "text.ogg": "cannot be decoded",
        "empty.flac": "", "silence.wav": "silent",
    }  # fmt: skip


def good_files(folder):
    """Sound of every rate and number of channels; also shorter than an interval."""
    for name, rate, channels, seconds in (
        ("8k.wav", 8000, 1, 1.5), ("96k.flac", 96000, 1, 1.5), ("six.wav", 44100, 6, 1.5),
        ("long.ogg", 44100, 2, 3.7), ("short.wav", 22050, 1, 0.3), ("naïve\nname.wav", 22050, 1, 1.0),
    ):  # fmt: skip
        sound = np.repeat(chord("C-maj", seconds, rate)[:, np.newaxis], channels, axis=1)
        soundfile.write(folder / name, sound, rate)


def test_predict_goes_on_and_lists_what_it_cannot_judge(tfkey, lab, tmp_path):
    bad = bad_files(tmp_path / "music")
    good_files(tmp_path / "music")
    (tmp_path / "known.csv").write_text("file,key\n8k.wav,C major\nsix.wav,8B\n")
    missing = tmp_path / "missing.wav"
    code, out, err = tfkey(
        "predict", tmp_path / "music", missing, "--runs-dir", lab / "runs", "--notation", "camelot",
        "--reference", tmp_path / "known.csv", "--format", "csv",
    )  # fmt: skip
    assert code == 1
    judged = {row["file"].rpartition("/")[2]: row for row in csv.DictReader(io.StringIO("\n".join(out)))}
    good = {"8k.wav", "96k.flac", "six.wav", "long.ogg", "short.wav", "naïve\nname.wav"}
    assert set(judged) == {*good, "silence.wav"}
    # Silence is no failure: it has no key.
    assert (judged["silence.wav"]["key"], judged["silence.wav"]["reason"]) == ("", bad.pop("silence.wav"))
    assert [row["reference"] for row in judged.values()].count("8B") == 2
    assert any("of 2 keys agree with" in line for line in err)
    listed = err[err.index(f"not analysed ({len(bad) + 1}):") + 1 :]
    assert len(listed) == len(bad) + 1
    for name, words in {**bad, "missing.wav": "no such file"}.items():
        (line,) = [line for line in listed if f"/{name}: " in line]
        assert words in line


def test_prepare_goes_on_and_lists_what_it_left_out(tfkey, lab, tracks, tmp_path):
    bad = bad_files(tracks / "train" / "C-maj")
    (tracks / "train" / "My Songs").mkdir()
    soundfile.write(tracks / "train" / "C-maj" / "short.wav", chord("C-maj", 0.3), RATE)
    arguments = ["prepare", "--config", lab / "settings.yaml", "--dataset", "mine", "--source", tracks,
                 "--data-dir", tmp_path / "data"]  # fmt: skip
    for mode, done in (("audio", "done"), ("audio", "nothing new to do"), ("spectrograms", "done")):
        code, out, err = tfkey(*arguments, "--mode", mode)
        assert code == 1
        assert out[0].endswith(f"50 intervals of 20 tracks; {done}")
        assert len(out) == 1
        listed = err[err.index(f"mine: left out ({len(bad) + 2}):") + 1 :]
        for name, words in {**bad, "short.wav": "intervals.seconds", "My Songs": "rename it"}.items():
            (line,) = [line for line in listed if f"/{name}: " in line]
            assert words in line


def test_prepared_data_that_does_not_fit_or_is_damaged(tfkey, lab, tracks_master, tmp_path):
    run, data = lab / "runs" / "tiny", tmp_path / "data"
    settings = write_settings(tmp_path / "other.yaml", features={**SETTINGS["features"], "db_min": -50.0})
    code, _, _ = tfkey("prepare", "--config", settings, "--mode", "spectrograms", "--dataset", "small",
                       "--source", tracks_master, "--data-dir", data)  # fmt: skip
    assert code == 0

    def complaint(mode):
        code, out, err = tfkey("evaluate", run, "--mode", mode, "--data-dir", data)
        assert (code, out, len(err)) == (1, [], 1)
        return err[0]

    assert "features.db_min=-50.0 (requested: -40.0)" in complaint("spectrograms")
    assert complaint("images").endswith(
        "is not prepared in mode images; prepare it with this configuration "
        "(run tfkey prepare --mode images --dataset small --source YOUR_DATA)"
    )

    for mode in MODES:
        shutil.rmtree(data / mode, ignore_errors=True)
        shutil.copytree(lab / "data" / mode, data / mode)
    shard = data / "spectrograms" / "small" / "test-00000.tfrecord"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1000])
    assert f"{shard}: has {len(whole) - 1000} bytes instead of {len(whole)}; delete it" in complaint(
        "spectrograms"
    )
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    shard.write_bytes(changed)
    assert f"{shard}: is damaged; delete it and prepare small again (run tfkey prepare --mode" in complaint(
        "spectrograms"
    )

    picture = sorted((data / "images" / "small" / "test").rglob("*.png"))[0]
    Image.new("L", (FRAMES + 3, 24)).save(picture)
    assert f"{picture}: is damaged; delete it" in complaint("images")
    clip = sorted((data / "audio" / "small" / "test").rglob("*.wav"))[0]
    content = clip.read_bytes()
    for damaged in (content[:5000], b"no audio at all" * 100):
        clip.write_bytes(damaged)
        assert f"{clip}: is damaged; delete it" in complaint("audio")
    clip.write_bytes(b"")
    assert f"{clip}: is missing or empty" in complaint("audio")

    manifest = data / "audio" / "small" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("A minor", "A mineur?", 1))
    assert f"{manifest}, line 2: " in complaint("audio")
    (data / "audio" / "small" / "dataset.json").write_text("[]")
    assert "dataset.json: is damaged" in complaint("audio")


def test_outputs_that_cannot_be_written(tfkey, lab, tracks_master, tmp_path):
    """A file where a folder should be stops even an administrator, whom rights do not."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    small = ["--config", lab / "settings.yaml", "--dataset", "small"]
    for arguments in (
        *(["prepare", "--mode", mode, *small, "--source", tracks_master, "--data-dir", blocked]
          for mode in ("audio", "spectrograms")),
        ["train", *small, "--runs-dir", blocked],
        ["export", lab / "runs" / "tiny", "--output", blocked / "model"],
    ):  # fmt: skip
        code, out, err = tfkey(*arguments)
        assert (code, out) == (1, [])
        assert [line for line in err if not line.startswith("not prepared")] == err[-1:]
        assert str(blocked) in err[-1]
    if Path("/proc/self").exists():
        # No folder can be made there either, but the folder itself exists.
        for arguments in (
            ["export", lab / "runs" / "tiny", "--output", "/proc/tfkey"],
            [
                "prepare",
                "--mode",
                "spectrograms",
                *small,
                "--source",
                tracks_master,
                "--data-dir",
                "/proc/tfkey",
            ],
        ):
            code, out, err = tfkey(*arguments)
            assert (code, out) == (1, [])
            assert [line for line in err if not line.startswith("not prepared")] == err[-1:]
            assert "/proc/tfkey" in err[-1]


def test_runs_that_are_none(tfkey, lab, tmp_path):
    code, _, err = tfkey("predict", "a.wav", "--runs-dir", tmp_path / "runs")
    assert (code, len(err)) == (1, 1)
    assert err[0].endswith("contains no trained run; train one first, or name a run (run tfkey train)")
    shutil.copytree(lab / "runs" / "tiny", tmp_path / "broken")
    best = tmp_path / "broken" / "best.keras"
    best.write_bytes(best.read_bytes()[:500])
    for arguments in (["evaluate", tmp_path / "broken"], ["export", tmp_path / "broken"]):
        code, _, err = tfkey(
            *arguments, *(["--data-dir", lab / "data"] if arguments[0] == "evaluate" else [])
        )
        assert (code, len(err)) == (1, 1)
        assert f"{best}: the network cannot be loaded" in err[0]
    (tmp_path / "broken" / "config.yaml").write_text("features: {n_bins: many}\n")
    code, _, err = tfkey("evaluate", tmp_path / "broken")
    assert (code, len(err)) == (2, 1)
    assert "config.yaml" in err[0]


def test_references_that_cannot_be_read(tfkey, lab, tmp_path):
    path = tmp_path / "known.csv"
    for content, words in (
        ("name,key\na.wav,C\n", "must name the columns file"),
        ("file,key\na.wav\n", "none of its 1 rows has both a file and a key"),
        ("file,key\na.wav,H-flat\n", "is not a key"),
        ("file\x00,key\n\x00", ""),
    ):
        path.write_text(content)
        code, _, err = tfkey("predict", "a.wav", "--runs-dir", lab / "runs", "--reference", path)
        assert code == 2
        assert words in err[0]
        if words:
            assert f"--reference {path}" in err[0]


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on processes")
@pytest.mark.parametrize("mode", MODES)
def test_a_disk_without_room_is_one_line_and_the_next_call_goes_on(mode, tfkey, lab, tracks, tmp_path):
    """The limit on a file's size stands for the full disk: it fails where that would, while writing."""
    import resource

    room = {"audio": 20_000, "spectrograms": 20_000, "images": 300}[mode]
    source = lab / "data" / "spectrograms" / "small" / "png" if mode == "images" else tracks
    arguments = ["prepare", "--config", lab / "settings.yaml", "--mode", mode, "--dataset", "small",
                 "--source", source, "--data-dir", tmp_path]  # fmt: skip
    arguments += ["--png"] if mode == "spectrograms" else []
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    done = in_subprocess(*arguments, before=limit)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) <= 2
    assert "cannot be written" in lines[-1]
    assert not (tmp_path / mode / "small" / "dataset.json").exists()
    assert not list(tmp_path.rglob("*.partial*"))
    code, _, err = tfkey(*arguments)
    assert (code, err) == (0, [])
    assert contents(tmp_path / mode) == contents(lab / "data" / mode)
