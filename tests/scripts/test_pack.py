"""``tfkey pack``: what is published is what others prepare."""

from __future__ import annotations

import json
import subprocess
import tarfile

import numpy as np
import pytest
import yaml
from PIL import Image

from pipelines.prepared.manifest import open_prepared
from pipelines.prepared.records import iter_pictures
from tests.conftest import times
from tests.faulty_server import FaultyServer
from tfkey.config import load_config
from tfkey.spectrogram.frontend import to_pixels


def publish(folder, server, checksum, urls=("published/small.tar.xz",)):
    """A catalogue of one dataset that consists of an image archive."""
    folder.mkdir(exist_ok=True)
    document = {
        "name": "small",
        "title": "Small",
        "licence": "CC0",
        "citation": "nobody",
        "images": {"urls": [server.url() + url for url in urls], "checksum": f"sha256:{checksum}"},
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(document))
    return folder


def test_packed_served_and_prepared_the_pixels_are_the_same(tfkey, lab, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    archive = tmp_path / "www" / "published" / "small.tar.xz"
    settings = lab / "settings.yaml"
    before = times(lab / "data")
    code, out, err = tfkey("pack", "small", "--config", settings, "--output", archive)
    assert (code, err, len(out)) == (0, [], 1)
    checksum = out[0].rpartition(" ")[2]
    assert out[0] == f"{archive}: 50 spectrograms, sha256 {checksum}"
    assert times(lab / "data") == before
    subprocess.run(
        ["sha256sum", "--check", "--quiet", f"{archive.name}.sha256"], cwd=archive.parent, check=True
    )
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        description = json.load(tar.extractfile("small/dataset.json"))
    assert len(names) == 51
    assert description["parameters"]["features.n_bins"] == 24
    assert {"licence", "citation"} <= set(description)

    data = tmp_path / "data"
    with FaultyServer(tmp_path / "www") as server:
        catalogue = publish(tmp_path / "catalogue", server, checksum)
        arguments = ("prepare", "--config", settings, "--mode", "images", "--dataset", "small",
                     "-o", f"catalogue={catalogue}", "--data-dir", data)  # fmt: skip
        code, out, err = tfkey(*arguments)
        assert (code, err) == (0, [])
        assert out[0].endswith("50 intervals of 20 tracks; done")
        assert tfkey(*arguments)[1][0].endswith("nothing new to do")
        assert [request.path for request in server.requests] == ["published/small.tar.xz"]

        config = load_config(settings).model_copy(update={"data_dir": data})
        rows = {
            (row.track, row.part, row.split, row.key): row
            for row in open_prepared(config, "images", "small").rows
        }
        prepared = open_prepared(load_config(settings), "spectrograms", "small")
        assert len(rows) == len(prepared.rows)
        for row, picture in iter_pictures(prepared):
            path = rows[row.track, row.part, row.split, row.key].path
            with Image.open(data / "images" / "small" / path) as image:
                np.testing.assert_array_equal(np.asarray(image), to_pixels(picture))

        # Of other parameters than are asked for, or not the file that was published: one line.
        code, _, err = tfkey(*arguments, "-o", "features.db_max=41")
        assert (code, len(err)) == (1, 2)
        assert "features.db_max=40.0 (requested: 41.0)" in err[1]
        publish(catalogue, server, "0" * 64)
        code, _, err = tfkey(*arguments[:-1], tmp_path / "elsewhere")
        assert (code, len(err)) == (1, 2)
        assert f"wrong content (sha256:{checksum} instead of sha256:{'0' * 64})" in err[1]
        code, out, err = tfkey("datasets", "small", "-o", f"catalogue={catalogue}", "--data-dir", data)
        assert (code, err) == (0, [])
        assert any(f"{server.url()}published/small.tar.xz" in line for line in out)
        assert any("50 intervals" in line for line in out)


def test_packed_again_the_bytes_are_the_same(tfkey, lab, tmp_path):
    settings = lab / "settings.yaml"
    archives = [tmp_path / name for name in ("one.tar.xz", "two.tar.xz")]
    for archive in archives:
        assert tfkey("pack", "small", "--config", settings, "--output", archive)[0] == 0
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_a_part_of_an_archive_is_refused_with_what_to_do(tfkey, lab, tmp_path):
    archive, settings = tmp_path / "one.tar.xz", lab / "settings.yaml"
    assert tfkey("pack", "small", "--config", settings, "--output", archive)[0] == 0
    part = tmp_path / "one.tar.xz.000"
    part.write_bytes(archive.read_bytes()[:5000])
    code, _, err = tfkey("prepare", "--config", settings, "--mode", "images", "--dataset", "small",
                         "--source", part, "--data-dir", tmp_path / "data")  # fmt: skip
    assert (code, len(err)) == (1, 2)
    assert "one.tar.xz.000: is not a complete archive" in err[1]
    assert "join its parts" in err[1]


def test_packing_takes_the_data_as_it_is_and_states_its_licence(tfkey, lab, tmp_path):
    archive = tmp_path / "small.tar.xz"
    stated = ("--licence", "CC BY 4.0", "--citation", "Someone 2026")
    # The settings of this call are not those that the data was prepared with.
    code, _, err = tfkey("pack", "small", "--data-dir", lab / "data", "--output", archive, *stated)
    assert (code, err) == (0, [])
    with tarfile.open(archive) as tar:
        description = json.load(tar.extractfile("small/dataset.json"))
    assert (description["licence"], description["citation"]) == ("CC BY 4.0", "Someone 2026")
    assert description["parameters"]["features.n_bins"] == 24


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["small", "--output", "small.zip"], 2, "ends in .tar.xz"),
        (["nosuch"], 1, "dataset 'nosuch' is not prepared in mode spectrograms"),
        (["small", "--output", "/proc/none/small.tar.xz"], 1, "/proc/none/small.tar.xz: cannot be written"),
    ],
)
def test_what_cannot_be_packed(arguments, code, words, tfkey, lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, out, err = tfkey("pack", *arguments, "--config", lab / "settings.yaml")
    assert (found, out) == (code, [])
    assert words in err[-1]
    assert not list(tmp_path.rglob("*.tar.xz*"))
