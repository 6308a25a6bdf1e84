"""The originals of the synthetic dataset, with and without tools from packages."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipelines.catalogue.parts import SyntheticAudio
from pipelines.catalogue.specs import load_spec
from pipelines.data_folders import DataFolders
from pipelines.originals import synthetic_music
from pipelines.originals.acquire import Acquirer
from pipelines.originals.debian import PackageFiles
from pipelines.originals.originals import original_tracks
from pipelines.synthetic.accompaniments.generator import Tools
from tfkey.config import load_config
from tfkey.errors import ConfigError, DataError, UsageError


def synthetic() -> SyntheticAudio:
    audio = load_spec("synthetic_accompaniments").audio
    assert isinstance(audio, SyntheticAudio)
    return audio


def test_without_apt_get_the_tools_are_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        tools = synthetic_music.fetch_tools(synthetic(), tmp_path)
    assert tools.mma is None
    assert [path.name for path in tools.soundfonts] == ["TimGM6mb.sf2"]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert all("apt-get is not installed" in line and line.endswith("made without it") for line in said)


def test_tools_are_taken_from_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def files(package: str, wanted: list[str], folder: Path) -> PackageFiles:
        if package == "mma":
            assert wanted == ["usr/share/mma/", "usr/bin/mma"]
            return PackageFiles("1", {"usr/bin/mma": folder / "mma/usr/bin/mma"})
        if package == "broken":
            raise DataError("broken: cannot be fetched")
        name = "usr/share/sounds/sf2/FluidR3_GM.sf2"
        return PackageFiles("1", {name: folder / package / name, "copyright": folder / "copyright"})

    monkeypatch.setattr(synthetic_music, "check_apt", lambda what: None)
    monkeypatch.setattr(synthetic_music, "debian_files", files)
    tools = synthetic_music.fetch_tools(synthetic(), tmp_path)
    assert tools.mma == tmp_path / "mma/usr/share/mma"
    assert [path.name for path in tools.soundfonts] == ["TimGM6mb.sf2", "FluidR3_GM.sf2"]


def test_a_small_corpus_as_tracks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one_font = Tools((synthetic_music.soundfont_path(),))
    monkeypatch.setattr(synthetic_music, "fetch_tools", lambda audio, folder: one_font)
    audio = SyntheticAudio(kind="synthetic", clips={"default": {"electronic": 2}})
    spec = load_spec("synthetic_accompaniments").model_copy(update={"audio": audio})
    acquirer = Acquirer(spec, load_config(overrides=[f"data_dir={tmp_path}"]))
    tracks, left_out = original_tracks(acquirer, workers=1)
    assert left_out == []
    assert [track.key.long for track in tracks] == ["C major", "Db major"]
    assert all(track.path.is_file() and track.split in ("train", "validation") for track in tracks)
    assert all(track.path.is_relative_to(DataFolders(tmp_path, spec.name).originals) for track in tracks)


def test_unknown_subset(tmp_path: Path) -> None:
    config = load_config(
        overrides=[
            "datasets=[synthetic_accompaniments]",
            "subsets={synthetic_accompaniments: huge}",
            f"data_dir={tmp_path}",
        ]
    )
    with pytest.raises(UsageError, match="subset 'huge' is unknown; known subsets: default, small"):
        original_tracks(Acquirer(load_spec("synthetic_accompaniments"), config), workers=1)


def test_every_subset_has_clips_and_a_meaning() -> None:
    spec = load_spec("synthetic_accompaniments")
    assert set(synthetic().clips) == set(spec.subsets)
    for name, counts in synthetic().clips.items():
        assert sum(counts.values()) == spec.subset(name).tracks
    with pytest.raises(ConfigError):
        load_config(overrides=["shares={synthetic_songs: 0.3}"])
