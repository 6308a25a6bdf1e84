from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.catalogue.parts import ArchiveAudio, ArchiveLabels, FileAudio, ListLabels, VoteLabels
from pipelines.catalogue.specs import dataset_names, find_spec, load_spec
from tfkey.config_layers import config_root
from tfkey.errors import ConfigError, UsageError

HOST = "https://jr-personal-stuff.s3.eu-central-1.amazonaws.com"


def test_every_description_is_sound_and_offline() -> None:
    names = dataset_names()
    assert set(names) >= {"gs_mtg", "gs_key", "ncs", "beatport", "gs_plus", "demo"}
    for name in names:
        spec = load_spec(name)
        assert spec.title
        assert spec.licence
        assert spec.citation
        assert all(other in names for other in spec.same_tracks_as)
        if isinstance(spec.labels, ListLabels | VoteLabels):
            assert spec.labels.path.is_file()
            assert spec.labels.path.is_relative_to(config_root())


def test_mirrors_in_order() -> None:
    mtg, key = load_spec("gs_mtg").audio, load_spec("gs_key").audio
    assert isinstance(mtg, FileAudio)
    assert isinstance(key, FileAudio)
    assert mtg.track_urls("5061") == (
        "http://www.cp.jku.at/datasets/giantsteps/mtg_key_backup/5061.LOFI.mp3",
        "http://geo-samples.beatport.com/lofi/5061.LOFI.mp3",
    )
    assert key.track_urls("10089") == (
        "https://www.cp.jku.at/datasets/giantsteps/backup/10089.LOFI.mp3",
        "https://geo-samples.beatport.com/lofi/10089.LOFI.mp3",
    )
    ncs = load_spec("ncs").audio
    assert isinstance(ncs, ArchiveAudio)
    assert ncs.archives["full"].urls == (f"{HOST}/ncs-dataset.zip",)
    assert ncs.archives["small"].urls == (f"{HOST}/ncs-dataset-small.zip",)
    for name in ("ncs", "gs_mtg", "gs_key"):
        images = load_spec(name).images
        assert images is not None
        assert images.urls == (f"{HOST}/{name}.tar.xz",)


@pytest.mark.parametrize(
    ("name", "record", "audio", "keys"),
    [
        ("beatport", "1101082", "f490ee6c23578482d6fcfa11b82636a1", "939abc05f36121badfac4087241ac172"),
        ("gs_plus", "1095691", "8ec9ade888d5a88ce435d7fda031929b", "775b7d17e009f5818544cf505b6a96fd"),
    ],
)
def test_records_with_checksums(name: str, record: str, audio: str, keys: str) -> None:
    spec = load_spec(name)
    assert isinstance(spec.audio, ArchiveAudio)
    assert isinstance(spec.labels, ArchiveLabels)
    for archive, file, md5 in (
        (spec.audio.archives["full"], "audio.zip", audio),
        (spec.labels.archive, "keys.zip", keys),
    ):
        assert archive.urls == (f"https://zenodo.org/records/{record}/files/{file}",)
        assert archive.checksum == f"md5:{md5}"


def test_what_is_for_testing_is_not_trained_on() -> None:
    for name in dataset_names():
        spec = load_spec(name)
        assert (spec.role == "test") == (spec.split.test == 1)
        assert spec.role != "train" or spec.split.test == 0
    assert load_spec("ncs").split.test == 0.15


def _write(folder: Path, changes: dict[str, object]) -> None:
    text = (config_root() / "datasets" / "gs_mtg.yaml").read_text(encoding="utf-8")
    values = {**yaml.safe_load(text), "name": "mine", **changes}
    (folder / "mine.yaml").write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"mirror": 1}, "mirror"),
        ({"name": "other"}, "'mine'"),
        ({"audio": {"kind": "files", "urls": []}}, "audio"),
        ({"audio": {"kind": "files", "urls": ["http://a/b.mp3"]}}, "{id}"),
        ({"audio": {"kind": "files", "urls": ["/etc/{id}"]}}, "address"),
        ({"images": {"urls": ["http://a/b"], "checksum": "md5:12"}}, "checksum"),
        ({"subsets": {}}, "default"),
        ({"subsets": {"default": {"meaning": "all", "archive": "full"}}}, "archive"),
        ({"split": {"test": 1.5}}, "split.test"),
    ],
)
def test_damaged_descriptions_are_refused_in_one_line(
    tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    _write(tmp_path, {})
    spec = load_spec("mine", folder=tmp_path)
    assert isinstance(spec.labels, ListLabels)
    assert spec.labels.path == tmp_path / "gs_mtg.csv"
    _write(tmp_path, changes)
    with pytest.raises(ConfigError) as caught:
        load_spec("mine", folder=tmp_path)
    assert complaint in str(caught.value)
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean gs_mtg"):
        load_spec("GS-MTG")
    with pytest.raises(UsageError, match="not in the catalogue"):
        load_spec("../train")
    with pytest.raises(UsageError, match="name of a folder"):
        load_spec("../train", source=tmp_path)
    assert load_spec("my-own", source=tmp_path).name == "my-own"
    with pytest.raises(UsageError, match="default, literature, all"):
        load_spec("gs_mtg").subset("letters")


def test_lookup_in_one_catalogue_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("{name: mine, title: t, licence: l, citation: c}")
    mine, tfkeys = find_spec("mine", tmp_path), find_spec("gs_mtg", None)
    assert mine is not None
    assert tfkeys is not None
    assert (mine.folder, tfkeys.folder) == (tmp_path, config_root() / "datasets")
    assert find_spec("gs_mtg", tmp_path) is None
    assert find_spec("mine", None) is None
    own = load_spec("my-own", source=tmp_path)
    assert own.folder is None
    assert "folder" not in tfkeys.model_dump()
    with pytest.raises(ConfigError, match="is not a folder"):
        find_spec("mine", tmp_path / "nowhere")


def test_no_tensorflow() -> None:
    modules = "scripts.datasets, pipelines.datasets_on_disk, pipelines.originals.own_data, pipelines.splits"
    code = f"import sys, {modules}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
