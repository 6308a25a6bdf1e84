from __future__ import annotations

import io
import lzma
import shutil
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from pipelines.download import Item
from pipelines.originals.acquire import fetch
from pipelines.originals.unpacking import unpack
from pipelines.prepare.prepare import prepare
from pipelines.prepared.manifest import open_prepared, read_manifest
from pipelines.prepared.records import iter_pictures
from pipelines.publishing.packing import pack, read_checksum
from tests.conftest import BINS, FRAMES
from tfkey.errors import DataError
from tfkey.files import sha256
from tfkey.spectrogram.frontend import to_pixels


def test_packed_fetched_unpacked_prepared_the_pixels_are_the_same(make_config, tracks, tmp_path):
    config = make_config(mode="spectrograms")
    prepare(config, "small", source=tracks)
    prepared = open_prepared(config, "spectrograms", "small")
    published, again = tmp_path / "small.tar.xz", tmp_path / "again.tar.xz"
    assert read_checksum(published) is None
    assert pack(prepared, published) == pack(prepared, again) == read_checksum(published)
    assert published.read_bytes() == again.read_bytes()
    subprocess.run(["sha256sum", "--check", "--quiet", "small.tar.xz.sha256"], cwd=tmp_path, check=True)

    item = Item("small.tar.xz", (published.as_uri(),), f"sha256:{sha256(published)}")
    fetched = fetch(item, tmp_path / "archives")
    assert fetched == tmp_path / "archives" / "small.tar.xz"
    published.unlink()
    assert fetch(item, tmp_path / "archives") == fetched, "fetched twice"

    images = make_config(mode="images")
    rows = read_manifest(prepare(images, "small", source=fetched).folder / "manifest.csv")
    found = {
        (row.track, row.part, row.split, row.key): images.data_dir / "images/small" / row.path for row in rows
    }
    assert len(found) == len(prepared.rows) == 50
    for row, picture in iter_pictures(prepared):
        with Image.open(found[row.track, row.part, row.split, row.key]) as image:
            np.testing.assert_array_equal(np.asarray(image), to_pixels(picture))

    other = make_config(mode="images", features={"db_min": -50.0}, data_dir=str(tmp_path / "other"))
    with pytest.raises(DataError, match=r"features\.db_min=-40\.0 \(requested: -50\.0\)"):
        prepare(other, "small", source=fetched)


def tar_with(path, *members, mode="w:xz"):
    with tarfile.open(path, mode) as tar:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, len(content)
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                member.linkname = "/etc/passwd"
            tar.addfile(member, io.BytesIO(content))
    return path


def zip_with(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as container:
        for name, content in members:
            container.writestr(name, content)
    return path


GOOD = ("d/C-maj/a-0.png", b"good", tarfile.REGTYPE)
MALICE = {
    "climbs": ("../climbed", b"x", tarfile.REGTYPE),
    "climbs from within": ("d/../../climbed", b"x", tarfile.REGTYPE),
    "absolute": ("/tmp/climbed", b"x", tarfile.REGTYPE),
    "backslashes": ("d\\..\\..\\climbed", b"x", tarfile.REGTYPE),
    "drive": ("C:/climbed", b"x", tarfile.REGTYPE),
    "symbolic link": ("d/link", b"", tarfile.SYMTYPE),
    "hard link": ("d/link", b"", tarfile.LNKTYPE),
    "device": ("d/null", b"", tarfile.CHRTYPE),
    "pipe": ("d/pipe", b"", tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("trick", MALICE)
def test_malicious_archives(trick, tmp_path):
    archives = [tar_with(tmp_path / "a.tar.xz", GOOD, MALICE[trick])]
    if MALICE[trick][2] == tarfile.REGTYPE:
        archives.append(zip_with(tmp_path / "a.zip", GOOD[:2], MALICE[trick][:2]))
    for archive in archives:
        with pytest.raises(DataError, match=r"leads out of its folder|is a link or a device") as caught:
            unpack(archive, tmp_path / "in" / "out")
        assert str(archive) in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path not in archives] == [tmp_path / "in"]


@pytest.mark.parametrize("kind", ["tar.xz", "zip"])
def test_bombs(kind, tmp_path):
    big, many = ("d/big", bytes(1 << 20)), [(f"d/{number}", b"") for number in range(50)]
    if kind == "zip":
        archives = zip_with(tmp_path / "big.zip", big), zip_with(tmp_path / "many.zip", *many)
    else:
        archives = (
            tar_with(tmp_path / "big.tar.xz", (*big, tarfile.REGTYPE)),
            tar_with(tmp_path / "many.tar.xz", *[(*member, tarfile.REGTYPE) for member in many]),
        )
    for archive, limits, words in zip(
        archives, ({"max_bytes": 99999}, {"max_files": 49}), ("bytes", "files"), strict=True
    ):
        with pytest.raises(DataError, match=f"more than [0-9]+ {words}"):
            unpack(archive, tmp_path / "out", **limits)
        assert not (tmp_path / "out").exists()
        unpack(archive, tmp_path / "fits", max_bytes=1 << 20, max_files=50)


def test_damaged_archives(tmp_path):
    """Cut or changed at any place: a DataError that names the archive, or nothing to see."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, 3000, np.uint8).tobytes()
    members = [(f"d/C-maj/a-{n}.png", noise[n:], tarfile.REGTYPE) for n in range(3)]
    archives = [
        *(tar_with(tmp_path / f"a.{end}", *members, mode=f"w:{end}") for end in ("xz", "gz", "bz2")),
        tar_with(tmp_path / "a.tar", *members, mode="w"),
        zip_with(tmp_path / "a.zip", *(member[:2] for member in members)),
    ]
    for archive in archives:
        whole = archive.read_bytes()
        for place in np.linspace(0, len(whole) - 8, 25).astype(int):
            archive.write_bytes(whole[:place])
            # A tar without compression has no checksum, and may end anywhere between its entries.
            if archive.name != "a.tar":
                with pytest.raises(DataError, match="damaged") as caught:
                    unpack(archive, tmp_path / "out")
                assert str(archive) in str(caught.value)
                assert not (tmp_path / "out").exists()
            changed = bytearray(whole)
            changed[place] ^= 0x55
            archive.write_bytes(changed)
            try:
                unpack(archive, tmp_path / "out")
            except DataError:
                assert not (tmp_path / "out").exists()
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
    (tmp_path / "text.zip").write_text("no archive")
    (tmp_path / "empty.tar.xz").write_bytes(lzma.compress(b""))
    for name in ("text.zip", "empty.tar.xz"):
        with pytest.raises(DataError, match="damaged"):
            unpack(tmp_path / name, tmp_path / "out")


def picture(seed, mode="L", size=(FRAMES, BINS)):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), np.uint8)
    image = Image.fromarray(pixels)
    stream = io.BytesIO()
    (image if mode == "L" else image.convert(mode)).save(stream, format="PNG")
    return stream.getvalue(), pixels


@pytest.mark.parametrize("container", ["zip", "tar.xz", "folder"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_layouts_that_are_already_there(container, mode, make_config, tmp_path):
    """``gs_key/<key>/akc-split-<track>-<NNN>.png`` and ``ncs/{train,validation}/<key>/``, also as RGB."""
    layouts = {
        "gs_key": [
            f"{key}/akc-split-{key}{track}.LOFI-{part:03d}.png"
            for key in ("A-min", "Gb-maj")
            for track in range(8)
            for part in range(track % 3 + 1)
        ],
        "ncs": [
            f"{split}/{key}/Artist - Title {split}-{part}.png"
            for split in ("train", "validation")
            for key in ("A-min", "Gb-maj")
            for part in (0, 1, 10)
        ],
    }
    for dataset, names in layouts.items():
        pixels = {}
        source = tmp_path / f"{dataset}.{container}"
        members = []
        for seed, name in enumerate(names):
            content, pixels[name] = picture(seed, mode)
            members.append((f"{dataset}/{name}", content))
        if container == "zip":
            zip_with(source, *members)
        elif container == "tar.xz":
            tar_with(source, *((*member, tarfile.REGTYPE) for member in members))
        else:
            for name, content in members:
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).write_bytes(content)
        config = make_config(mode="images", split={"validation": 0.25, "test": 0.25})
        summary = prepare(config, dataset.replace("_", ""), source=source)
        rows = read_manifest(summary.folder / "manifest.csv")
        assert {row.source for row in rows} == set(names)
        for row in rows:
            with Image.open(summary.folder / row.path) as image:
                assert image.mode == "L"
                np.testing.assert_array_equal(np.asarray(image), pixels[row.source])
        if dataset == "ncs":
            assert all(row.source.startswith(f"{row.split}/") for row in rows)
            assert sorted(row.part for row in rows if row.split == "train") == [0, 0, 1, 1, 10, 10]
            assert summary.tracks == 4
        else:
            assert summary.tracks == 16
            sides = {}
            for row in rows:
                assert row.track == row.source.split("-split-")[1].rpartition("-")[0]
                sides.setdefault(row.track, set()).add(row.split)
            assert all(len(found) == 1 for found in sides.values())
            assert set.union(*sides.values()) == {"train", "validation", "test"}


def test_pictures_that_cannot_be_used_are_listed(make_config, tmp_path):
    folder = tmp_path / "source" / "C-maj"
    folder.mkdir(parents=True)
    good, _ = picture(0)
    bad = {
        "zero": (b"", "not a readable PNG"),
        "cut": (good[: len(good) // 2], "not a readable PNG"),
        "text": (b"no picture" * 50, "not a readable PNG"),
        "wide": (
            picture(1, size=(FRAMES + 1, BINS))[0],
            f"{FRAMES + 1} wide and {BINS} high; the settings need {FRAMES}",
        ),
        "high": (picture(1, size=(FRAMES, BINS * 2))[0], f"{BINS * 2} high"),
        "palette": (picture(1, mode="P")[0], "mode P, not 8-bit grey"),
        "bits": (picture(1, mode="1")[0], "mode 1, not 8-bit grey"),
    }
    colour = io.BytesIO()
    Image.new("RGB", (FRAMES, BINS), (255, 0, 0)).save(colour, format="PNG")
    bad["colour"] = (colour.getvalue(), "mode RGB, not 8-bit grey")
    jpeg = io.BytesIO()
    Image.new("L", (FRAMES, BINS)).save(jpeg, format="JPEG")
    bad["jpeg"] = (jpeg.getvalue(), "is JPEG, not PNG")
    for name, (content, _) in {**bad, "good": (good, ""), ".hidden": (b"", "")}.items():
        (folder / f"{name}-0.png").write_bytes(content)
    summary = prepare(make_config(mode="images"), "mine", source=tmp_path / "source")
    reasons = {item.source: item.reason for item in summary.left_out}
    assert summary.intervals == 1
    assert set(reasons) == {f"C-maj/{name}-0.png" for name in bad}
    for name, (_, words) in bad.items():
        assert words in reasons[f"C-maj/{name}-0.png"]
