from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.prepare.prepare import prepare
from pipelines.prepared.manifest import open_prepared, read_manifest
from pipelines.publishing.packing import pack
from tests.conftest import BINS, FRAMES, KEYS, RATE, SPLIT_SIZES, chord, contents, times
from tfkey.errors import DataError
from tfkey.files import sha256
from tfkey.keys import Key
from tfkey.settings import MODES

# 12 train tracks of 2 or 3 intervals in turn, 4 of validation, 4 of test.
N_INTERVALS = {"train": 30, "validation": 10, "test": 10}


@pytest.fixture
def source_of(make_config, tracks):
    """The source of a mode: the tracks, or for images the archive of their spectrograms."""

    def source(mode):
        if mode != "images":
            return tracks
        config = make_config(mode="spectrograms", data_dir=str(tracks.parent / "for images"))
        prepare(config, "small", source=tracks)
        archive = tracks.parent / "small.tar.xz"
        pack(open_prepared(config, "spectrograms", "small"), archive)
        return archive

    return source


@pytest.mark.parametrize("mode", MODES)
def test_prepared_data_is_described_and_not_made_twice(mode, make_config, source_of):
    config = make_config(mode=mode)
    source = source_of(mode)
    summary = prepare(config, "small", source=source)
    assert (summary.intervals, summary.tracks, summary.left_out) == (50, 20, [])
    assert summary.fresh == (3 if mode == "spectrograms" else 20)

    rows = read_manifest(summary.folder / "manifest.csv")
    document = json.loads((summary.folder / "dataset.json").read_text())
    assert document["mode"] == mode
    assert document["intervals"] == N_INTERVALS
    assert document["tracks"] == {
        split: {Key.parse(key).long: size for key in sorted(KEYS, key=lambda key: Key.parse(key).index)}
        for split, size in SPLIT_SIZES.items()
    }
    assert document["parameters"]["intervals.seconds"] == 1.0
    assert ("features.hop_length" in document["parameters"]) == (mode != "audio")
    assert (summary.folder / "left_out.csv").read_text() == "source,reason\n"
    for row in rows:
        assert row.source.startswith(f"{row.split}/{Key.parse(row.key).folder}/track ")
        if mode == "audio":
            info = soundfile.info(summary.folder / row.path)
            assert (info.frames, info.samplerate, info.subtype) == (16000, 16000, "PCM_16")
        if mode == "images":
            with Image.open(summary.folder / row.path) as image:
                assert (image.size, image.mode) == ((FRAMES, BINS), "L")
        if mode != "spectrograms":
            assert sha256(summary.folder / row.path) == row.digest
    files = {row.path for row in rows} | {"dataset.json", "manifest.csv", "left_out.csv"}
    assert set(contents(summary.folder)) == files

    before = times(config.data_dir)
    again = prepare(config, "small", source=source)
    assert again == type(again)(**{**vars(summary), "fresh": 0})
    assert times(config.data_dir) == before


@pytest.mark.parametrize("mode", ["audio", "spectrograms"])
def test_a_changed_source_redoes_its_unit_alone(mode, make_config, tracks):
    config = make_config(mode=mode)
    folder = prepare(config, "small", source=tracks).folder
    before, written = contents(folder), times(folder)

    changed = next((tracks / "validation" / "C-maj").iterdir())
    long_ago = len(read_manifest(folder / "manifest.csv"))
    soundfile.write(changed, chord("C-maj", 1.5, seed=99), RATE)
    summary = prepare(config, "small", source=tracks)
    assert summary.fresh == 1
    after = contents(folder)
    assert summary.intervals < long_ago
    listed = {row.path for row in read_manifest(folder / "manifest.csv")}
    described = {"dataset.json", "manifest.csv", "left_out.csv"}
    assert set(after) == listed | described, "files of the longer track are left behind"
    touched = {path for path, time in times(folder).items() if written.get(path) != time}
    unit = "validation/C-maj/" if mode == "audio" else "validation-00000.tfrecord"
    assert all(unit in path or path.rpartition("/")[2] in described | {".journal.jsonl"} for path in touched)
    assert any(unit in path for path in touched)
    assert {p: b for p, b in after.items() if unit not in p and p not in described} == {
        p: b for p, b in before.items() if unit not in p and p not in described
    }


def test_added_and_removed_sources(make_config, tracks):
    config = make_config()
    folder = prepare(config, "small", source=tracks).folder
    before = contents(folder)
    added = tracks / "train" / "C-maj" / "added.wav"
    soundfile.write(added, chord("C-maj", 2.5, seed=98), RATE)
    assert prepare(config, "small", source=tracks).fresh == 1
    assert (folder / "train/C-maj/added-001.wav").is_file()
    added.unlink()
    summary = prepare(config, "small", source=tracks)
    assert (summary.fresh, contents(folder)) == (0, before)


def test_new_settings_leave_nothing_of_the_old(make_config, tracks):
    folder = prepare(make_config(), "small", source=tracks).folder
    config = make_config(intervals={"seconds": 2.0, "remainder": "overlap"})
    with pytest.raises(DataError, match=r"intervals\.seconds=1\.0 \(requested: 2\.0\)"):
        open_prepared(config, "audio", "small")
    before = contents(folder)
    words = r"intervals\.seconds=1\.0 \(requested: 2\.0\), .*or replace \(and lose\) the old data"
    with pytest.raises(DataError, match=words):
        prepare(config, "small", source=tracks)
    with pytest.raises(DataError, match=r"split\.folds=null \(requested: 5\)"):
        prepare(make_config(split={"folds": 5}), "small", source=tracks)
    assert contents(folder) == before
    prepare(config, "small", source=tracks, replace=True)
    listed = {row.path for row in open_prepared(config, "audio", "small").rows}
    assert set(contents(folder)) == listed | {"dataset.json", "manifest.csv", "left_out.csv"}


def test_what_cannot_be_used_is_listed_and_the_rest_is_prepared(make_config, tracks):
    bad = tracks / "train" / "C-maj"
    good = next(bad.iterdir()).read_bytes()
    (bad / "zero.wav").touch()
    (bad / "cut.wav").write_bytes((sorted(bad.glob("*.wav"))[0]).read_bytes()[:3000])
    soundfile.write(bad / "cut.flac", chord("C-maj", 2), RATE)
    (bad / "cut.flac").write_bytes((bad / "cut.flac").read_bytes()[:5000])
    (bad / "text.mp3").write_text("no music\n" * 400)
    soundfile.write(bad / "empty.wav", np.zeros(0, np.float32), RATE)
    soundfile.write(bad / "short.wav", chord("C-maj", 0.7), RATE)
    soundfile.write(bad / "silence.wav", np.zeros(3 * RATE, np.float32), RATE)
    (tracks / "train" / "Unknown").mkdir()
    (tracks / "train" / "Unknown" / "a.wav").write_bytes(good)
    summary = prepare(make_config(), "small", source=tracks)
    assert (summary.intervals, summary.tracks) == (50, 20)
    with (summary.folder / "left_out.csv").open(newline="") as stream:
        listed = {line["source"].rpartition("/")[2]: line["reason"] for line in csv.DictReader(stream)}
    for name, words in {
        "zero.wav": "empty",
        "cut.wav": "truncated",
        "cut.flac": "cannot be decoded|truncated",
        "text.mp3": "cannot be decoded",
        "empty.wav": "no samples",
        "short.wav": r"shorter \(0.70 s\) than an interval of 1 s; .*intervals\.remainder=pad",
        "silence.wav": "silen",
        "Unknown": "not a key; rename it",
    }.items():
        assert re.search(words, listed[name]), (name, listed[name])
    assert len(listed) == 8
    assert all("\n" not in reason for reason in listed.values())


@pytest.mark.parametrize(
    ("rate", "channels", "suffix"),
    [(8000, 1, "wav"), (96000, 1, "flac"), (44100, 6, "wav"), (48000, 2, "ogg")],
)
def test_any_rate_and_channels(rate, channels, suffix, make_config, tmp_path):
    """Pitch survives the way from any rate: the strongest bin is that of the tone."""
    tone = 0.5 * np.sin(2 * np.pi * 261.63 * np.arange(2 * rate) / rate)
    path = tmp_path / "source" / "train" / "C-maj" / f"tone.{suffix}"
    path.parent.mkdir(parents=True)
    soundfile.write(path, np.repeat(tone[:, np.newaxis], channels, axis=1), rate)
    config = make_config(mode="audio")
    summary = prepare(config, "tone", source=tmp_path / "source")
    assert summary.intervals == 2
    waveform, stored_rate = soundfile.read(summary.folder / "train/C-maj/tone-000.wav")
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(waveform.size)))
    assert stored_rate == 16000
    assert spectrum.argmax() == 262
    assert np.abs(waveform[2000:-2000]).max() == pytest.approx(0.5, abs=0.02)


def test_nothing_at_all(make_config, tmp_path):
    (tmp_path / "source" / "C-maj").mkdir(parents=True)
    with pytest.raises(DataError, match="contains no tracks"):
        prepare(make_config(), "small", source=tmp_path / "source")
    (tmp_path / "source" / "C-maj" / "a.wav").touch()
    with pytest.raises(DataError, match=r"nothing could be prepared \(C-maj/a.wav: empty"):
        prepare(make_config(), "small", source=tmp_path / "source")
    with pytest.raises(DataError, match="not prepared in mode audio; prepare it with"):
        open_prepared(make_config(), "audio", "small")


def test_data_of_another_fold_is_not_taken(make_config, tracks):
    """Trained on one fold and judged on another, a network would meet what it has learned."""
    folds = {fold: make_config(mode="audio", split={"folds": 3, "fold": fold}) for fold in (0, 1)}
    prepare(folds[0], "small", source=tracks)
    assert open_prepared(folds[0], "audio", "small").rows
    with pytest.raises(DataError, match=r"split\.fold=0 \(requested: 1\)"):
        open_prepared(folds[1], "audio", "small")
