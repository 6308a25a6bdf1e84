"""Originals: from the user's own files, from archives of every shape, and what is wrong with them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from pipelines.originals.unpacking import unpack, unpack_once
from pipelines.prepare.prepare import prepare
from pipelines.prepared.manifest import read_manifest
from tests.conftest import contents, times, write_settings
from tests.faulty_server import FaultyServer
from tests.published import GS_HOST, GS_KEY, mp3, png, published_files, tar_xz, write_catalogue, zipped
from tfkey.errors import DataError, UsageError


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return published_files()


@pytest.fixture
def server(files, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FaultyServer(dict(files)) as running:
        yield running


@pytest.fixture
def config(make_config, files, server, tmp_path):
    return make_config(catalogue=str(write_catalogue(tmp_path / "catalogue", files, [server])))


def as_images(config):
    return config.model_copy(update={"mode": "images"})


def songs(*names: str) -> dict[str, bytes]:
    """Songs by paths ``<key>/[<folder>/]<song>.mp3``, as they lie in an archive of ncs."""
    return {name: mp3(Path(name).parts[0], 1.2, seed) for seed, name in enumerate(names)}


def test_own_files_are_verified_and_copied_and_nothing_is_fetched(config, files, server, tmp_path):
    own = tmp_path / "my files"
    own.mkdir()
    for track in GS_KEY:
        (own / f"{track}.LOFI.mp3").write_bytes(files[f"{GS_HOST}/backup/{track}.LOFI.mp3"])
    good, wrong, html, missing = (own / f"{track}.LOFI.mp3" for track in GS_KEY)
    wrong.write_bytes(good.read_bytes())
    html.write_text("<!DOCTYPE html><title>Moved</title>")
    missing.unlink()
    before = times(own)
    summary = prepare(config, "gs_key", source=own)
    assert {row.track for row in read_manifest(summary.folder / "manifest.csv")} == {GS_KEY[0]}
    reasons = {item.source: item.reason for item in summary.left_out if not item.by_choice}
    assert list(reasons) == [path.name for path in (wrong, html, missing)]
    assert "wrong content (md5:" in reasons[wrong.name]
    assert "web page" in reasons[html.name]
    assert "no such file" in reasons[missing.name]
    assert (times(own), server.requests) == (before, [])
    # What the user does not have is fetched by a call without a source, and no more than that.
    assert prepare(config, "gs_key").tracks == len(GS_KEY)
    assert {Path(request.path).name for request in server.requests} == set(reasons)


@pytest.mark.parametrize("named", ["folder", "ncs-dataset.zip", "my copy.zip"])
def test_an_own_archive_is_used_where_it_lies(named, config, files, server, tmp_path):
    own = tmp_path / "mine"
    own.mkdir()
    archive = own / ("ncs-dataset.zip" if named == "folder" else named)
    archive.write_bytes(files["ncs-dataset.zip"])
    # Beside another archive that goes by the published name, the one asked for is taken.
    if named == "my copy.zip":
        (own / "ncs-dataset.zip").write_bytes(b"something else")
    summary = prepare(config, "ncs", source=own if named == "folder" else archive)
    assert (summary.tracks, summary.left_out, server.requests) == (22, [], [])
    assert not (config.data_dir / "originals" / "ncs" / "archives").exists()
    assert archive.read_bytes() == files["ncs-dataset.zip"]


def test_own_image_archives(config, files, server, tmp_path):
    path = tmp_path / "gs_key.tar.xz"
    path.write_bytes(files[path.name])
    results = {}
    for source in (tmp_path, path):
        folder = prepare(as_images(config), "gs_key", source=source).folder
        results[source] = contents(folder)
    prepare(as_images(config), "gs_key")
    assert results[tmp_path] == results[path] == contents(folder)
    assert len(server.requests) == 1
    description = Path(str(config.catalogue)) / "gs_key.yaml"
    document = yaml.safe_load(description.read_text())
    document["images"]["checksum"] = f"md5:{hashlib.md5(b'other').hexdigest()}"
    description.write_text(yaml.safe_dump(document))
    with pytest.raises(DataError, match="wrong content"):
        prepare(as_images(config), "gs_key", source=path)


def test_folders_above_the_keys_and_below_them(config, server):
    """A zip made on a Mac, with a folder of its own, one of no key, and one name twice."""
    server.files["ncs-dataset.zip"] = zipped(
        {
            **{
                f"NCS dataset/audio/{path}": content
                for path, content in songs("C-maj/a.mp3", "A-min/a.mp3", "C-maj/cd/c.mp3").items()
            },
            "NCS dataset/audio/other/b.mp3": mp3("C-maj", 1.2, 9),
            "__MACOSX/NCS dataset/audio/C-maj/._a.mp3": b"Mac",
            "NCS dataset/audio/.DS_Store": b"Mac",
            "NCS dataset/README.txt": b"Hello",
        }
    )
    summary = prepare(config, "ncs")
    rows = read_manifest(summary.folder / "manifest.csv")
    assert {row.source for row in rows} == {"C-maj/a.mp3", "A-min/a.mp3", "C-maj/cd/c.mp3"}
    assert len({row.track for row in rows}) == 3
    assert len({row.digest for row in rows}) == 3
    (left_out,) = summary.left_out
    assert left_out.source.endswith("/other")
    assert left_out.by_choice


def test_an_archive_that_changed_is_unpacked_again(config, server, tmp_path):
    archive = tmp_path / "ncs-dataset.zip"
    archive.write_bytes(zipped(songs("C-maj/a.mp3", "A-min/b.mp3")))
    folder = prepare(config, "ncs", source=archive).folder
    unpacked = times(config.data_dir / "originals")
    assert prepare(config, "ncs", source=archive).fresh == 0
    assert times(config.data_dir / "originals") == unpacked
    archive.write_bytes(zipped(songs("C-maj/a.mp3", "Gb-maj/b.mp3", "Gb-maj/c.mp3")))
    prepare(config, "ncs", source=archive)
    found = {row.source for row in read_manifest(folder / "manifest.csv")}
    assert found == {"C-maj/a.mp3", "Gb-maj/b.mp3", "Gb-maj/c.mp3"}
    assert {Path(path).name for path in times(config.data_dir / "originals") if path.endswith("mp3")} == {
        "a.mp3",
        "b.mp3",
        "c.mp3",
    }


@pytest.mark.parametrize("source", [None, "folder", "file"])
def test_audio_and_labels_in_two_archives(source, config, server, tmp_path):
    """As beatport and gs_plus come: audio.zip and keys.zip, with checksums."""
    names = ("1 A.mp3", "0002 B - C (Mix).mp3", "9.LOFI.mp3")
    audio = zipped({f"audio/{name}": mp3("C-maj", 1.2, seed) for seed, name in enumerate(names)})
    keys = zipped({"keys/1 A.txt": b"C major", "keys/0002 B - C (Mix).txt": b"X", "keys/3 D.txt": b"F minor"})
    stored = {"records/1/audio.zip": audio, "records/1/keys.zip": keys}
    server.files.update(stored)

    def archive(name):
        return {
            "urls": [f"{server.url()}records/1/{name}.zip"],
            "checksum": f"md5:{hashlib.md5(stored[f'records/1/{name}.zip']).hexdigest()}",
        }

    document = {
        "name": "two",
        "title": "Two archives",
        "licence": "none",
        "citation": "none",
        "audio": {"kind": "archives", "archives": {"full": archive("audio")}},
        "labels": {"kind": "archive", "archive": archive("keys")},
        "subsets": {"default": {"meaning": "all", "archive": "full"}},
    }
    (Path(str(config.catalogue)) / "two.yaml").write_text(yaml.safe_dump(document))
    for path, content in stored.items():
        (tmp_path / Path(path).name).write_bytes(content)
    summary = prepare(
        config, "two", source={None: None, "folder": tmp_path, "file": tmp_path / "audio.zip"}[source]
    )
    assert [row.track for row in read_manifest(summary.folder / "manifest.csv")] == ["1"]
    assert {item.source: item.by_choice for item in summary.left_out} == {"2": True, "3": False}
    assert len(server.requests) == (0 if source else 2)
    with pytest.raises(UsageError, match="no image archive"):
        prepare(as_images(config), "two")
    (tmp_path / "keys.zip").write_bytes(audio)
    if source:
        shutil.rmtree(config.data_dir)
        with pytest.raises(DataError, match=r"keys\.zip: .*wrong content"):
            prepare(config, "two", source=tmp_path)


def test_two_calls_at_once_unpack_an_archive_once(tmp_path, monkeypatch):
    """Modes that are prepared at the same time share the originals."""
    members = {f"d/C-maj/{number}.png": b"x" * number for number in range(200)}
    (tmp_path / "x.zip").write_bytes(zipped(members))
    calls = []
    monkeypatch.setattr(
        "pipelines.originals.unpacking.unpack",
        lambda *args, **named: (calls.append(args), unpack(*args, **named)),
    )
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(unpack_once, tmp_path / "x.zip", tmp_path / "once") for _ in range(4)]:
            assert contents(done.result()) == members
    assert len(calls) == 1


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_two_files_of_one_name_in_an_archive(kind, tmp_path):
    def write(name, *members):
        path = tmp_path / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == "zip":
                with zipfile.ZipFile(path, "w") as container:
                    for member, content in members:
                        container.writestr(member, content)
            else:
                with tarfile.open(path, "w") as tar:
                    for number, (member, content) in enumerate(members):
                        (tmp_path / str(number)).write_text(content)
                        tar.add(tmp_path / str(number), member)
        return path

    same = write("same", ("d/a", "1"), ("d/b", "2"), ("d/a", "1"), ("d/./b", "2"))
    unpack(same, tmp_path / "fits")
    assert contents(tmp_path / "fits") == {"d/a": b"1", "d/b": b"2"}
    other = write("other", ("d/a", "1"), ("d/b", "2"), ("d/a", "3"))
    with pytest.raises(DataError, match="two different files named 'd/a'"):
        unpack(other, tmp_path / "out")
    nested = write("nested", ("d/a", "1"), ("d/a/b", "2"))
    with pytest.raises(DataError, match="a file and a folder of the same name"):
        unpack(nested, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folders_without_rights(files, tfkey):
    """What may not be read or written is told in one line, and the other dataset is prepared."""
    root = Path(tempfile.mkdtemp(prefix="tfkey-rights-"))
    try:
        own = root / "mine"
        for path, content in songs("C-maj/a.mp3", "A-min/b.mp3").items():
            (own / path).parent.mkdir(parents=True, exist_ok=True)
            (own / path).write_bytes(content)
        with FaultyServer(dict(files)) as server:
            catalogue = write_catalogue(root / "catalogue", files, [server])
            settings = write_settings(
                root / "settings.yaml", catalogue=str(catalogue), data_dir=str(root / "data")
            )
            (root / "data" / "originals" / "gs_key").mkdir(parents=True)
            (root / "data" / "originals" / "gs_key").chmod(0o555)
            root.chmod(0o755)
            for path in (root / "data", root / "data" / "originals"):
                path.chmod(0o777)
            (own / "A-min").chmod(0)
            user = os.geteuid()
            if user == 0:
                os.seteuid(65534)  # rights do not stop an administrator
            try:
                arguments = ("prepare", "--config", settings, "--mode", "audio")
                code, out, err = tfkey(*arguments, "--dataset", "gs_key", "--dataset", "ncs")
                own_code, own_out, own_err = tfkey(*arguments, "--dataset", "mine", "--source", own)
            finally:
                os.seteuid(user)
        assert code == 1
        assert out[0].endswith("33 intervals of 22 tracks; done")
        assert (err[0], len(err)) == ("not prepared (1):", 2)
        assert err[1].startswith("  gs_key: ")
        assert "originals/gs_key/audio" in err[1]
        assert "Permission denied" in err[1]
        assert own_code == 1, (own_out, own_err)
        assert own_out[0].endswith("1 intervals of 1 tracks; done")
        assert len(own_err) == 2
        assert "A-min" in own_err[1]
    finally:
        for path in (root / "mine" / "A-min", root / "data" / "originals" / "gs_key"):
            path.chmod(0o755)
        shutil.rmtree(root)


def test_names_with_everything_in_them(config, server):
    names = [
        "quote ' \" `",
        "sp  ace",
        "line\nbreak\ttab",
        "Zoë 東京 Ночь 🎹",
        "50% #? & + ;",
        "C:",
        "a.b.c",
        "-x",
    ]
    server.files["ncs.tar.xz"] = tar_xz(
        {
            f"ncs/{split}/C-maj/akc-split-{split} {name}-{part:03d}.png": png(2 * seed + part)[0]
            for split in ("train", "validation")
            for seed, name in enumerate(names)
            for part in range(2)
        }
    )
    summary = prepare(as_images(config), "ncs")
    rows = read_manifest(summary.folder / "manifest.csv")
    assert (summary.tracks, len(rows), summary.left_out) == (16, 32, [])
    assert {row.split for row in rows} == {"train", "validation"}
    assert len({row.path.casefold() for row in rows}) == 32
    assert prepare(as_images(config), "ncs").fresh == 0
