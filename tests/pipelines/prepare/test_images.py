from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pipelines.demo
from pipelines.data_folders import DataFolders
from pipelines.prepare.images import PictureTrack, find_pictures
from pipelines.prepare.prepare import prepare
from pipelines.prepared.manifest import read_manifest
from pipelines.tracks import Track
from tests.conftest import BINS, FRAMES, ROOT, write_settings
from tfkey.errors import DataError
from tfkey.keys import Key

PREPARE = """
import sys
from pathlib import Path
from pipelines.prepare.prepare import prepare
from tfkey.config import load_config
summary = prepare(load_config(Path(sys.argv[1]), ["mode=images"]), "mine", source=Path(sys.argv[2]))
print(summary.intervals, *sorted({"tensorflow", "keras"} & set(sys.modules)))
"""


def write_pictures(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("L", (FRAMES, BINS), number).save(folder / name)


def test_copying_pictures_needs_no_tensorflow(tmp_path: Path) -> None:
    settings = write_settings(tmp_path / "settings.yaml", data_dir=str(tmp_path / "data"))
    write_pictures(tmp_path / "source" / "C-maj", "one-0.png", "one-1.png", "two-0.png")
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, settings, tmp_path / "source"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert done.stdout.split() == ["3"]


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["a-003.png", "a-007.png"], [3, 7]),
        (["a-1.png", "a-01.png"], [0, 1]),
        (["a-x.png", "a-0.png"], [0, 1]),
        (["a.png"], [0]),
        (["a-12345678901.png"], [0]),
    ],
)
def test_part_numbers(names: list[str], parts: list[int]) -> None:
    track = Track("a", Path(names[0]), Key.parse("C"), None, "a", "a")
    assert PictureTrack(track, tuple(map(Path, names))).parts == parts


def test_pictures_are_grouped_by_track(tmp_path: Path) -> None:
    write_pictures(
        tmp_path / "train" / "A-min", "akc-split-one-0.png", "one-1.png", "two-0.PNG", ".two-1.png"
    )
    write_pictures(tmp_path / "test" / "A-min", "one-2.png")
    write_pictures(tmp_path / "notes", "one-3.png")
    found, left_out = find_pictures(tmp_path)
    assert [(item.track.split, item.track.group, item.parts) for item in found] == [
        ("test", "one", [2]),
        ("train", "one", [0, 1]),
        ("train", "two", [0]),
    ]
    assert len({item.track.name for item in found}) == 3
    assert [Path(item.source).name for item in left_out] == ["notes"]
    with pytest.raises(DataError, match="no such folder"):
        find_pictures(tmp_path / "nowhere")
    (tmp_path / "empty" / "C-maj").mkdir(parents=True)
    with pytest.raises(DataError, match="contains no tracks"):
        find_pictures(tmp_path / "empty")


@pytest.fixture
def rendered(tracks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small tracks in place of the demo's, which take minutes."""

    def render_demo(folder: Path, **_: object) -> Path:
        listing = folder / "tracks.csv"
        if not listing.is_file():
            folder.mkdir(parents=True)
            rows = [["track", "path", "key", "split", "piece"]]
            for path in sorted(tracks.glob("*/*/*")):
                target = folder / path.relative_to(tracks)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
                split, key, _ = path.relative_to(tracks).parts
                rows.append([path.stem, str(path.relative_to(tracks)), key, split, path.stem])
            with listing.open("w", newline="") as stream:
                csv.writer(stream).writerows(rows)
        return listing

    monkeypatch.setattr(pipelines.demo, "render_demo", render_demo)


@pytest.mark.usefixtures("rendered")
def test_the_demo_publishes_its_pictures_first(make_config, tmp_path: Path) -> None:
    config = make_config(mode="images")
    folders = DataFolders(config.data_dir, "demo")
    summary = prepare(config, "demo")
    assert (summary.folder, summary.intervals, summary.tracks) == (folders.prepared("images"), 50, 20)
    published = list(folders.published.glob("*.tar.xz"))
    assert [path.name for path in published] == [path.name for path in folders.archives.glob("*.tar.xz")]
    stored = read_manifest(folders.prepared("spectrograms") / "manifest.csv")
    assert {(row.track, row.part, row.key, row.split) for row in stored} == {
        (row.track, row.part, row.key, row.split) for row in read_manifest(summary.folder / "manifest.csv")
    }
    again = prepare(config, "demo")
    assert again.fresh == 0
    assert list(folders.published.glob("*.tar.xz")) == published

    # Other settings are refused before anything is made.
    (folders.prepared("spectrograms") / "manifest.csv").unlink()
    with pytest.raises(DataError, match=r"images/demo: was prepared with features\.db_min=-40\.0"):
        prepare(make_config(mode="images", features={"db_min": -50.0}), "demo")
    assert not (folders.prepared("spectrograms") / "manifest.csv").exists()


def test_grey_that_is_stored_as_colour_becomes_grey(make_config, tmp_path: Path) -> None:
    folder = tmp_path / "source" / "C-maj"
    folder.mkdir(parents=True)
    grey = np.arange(FRAMES * BINS, dtype=np.uint8).reshape(BINS, FRAMES)
    Image.fromarray(np.stack([grey] * 3, axis=2)).save(folder / "one-0.png")
    summary = prepare(make_config(mode="images"), "mine", source=tmp_path / "source")
    (row,) = read_manifest(summary.folder / "manifest.csv")
    with Image.open(summary.folder / row.path) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), grey)
