from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.data_folders import DataFolders, prepared_folders
from tfkey.settings import MODES

FOLDERS = DataFolders(Path("data"), "ncs")


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        (FOLDERS.originals, "data/originals/ncs"),
        (FOLDERS.audio, "data/originals/ncs/audio"),
        (FOLDERS.archives, "data/originals/ncs/archives"),
        (FOLDERS.unpacked, "data/originals/ncs/unpacked"),
        (FOLDERS.published, "data/originals/ncs/published"),
        *((FOLDERS.prepared(mode), f"data/{mode}/ncs") for mode in MODES),
    ],
)
def test_data_that_is_on_disk_already_is_found(folder: Path, expected: str) -> None:
    assert folder.as_posix() == expected


def test_prepared_datasets_are_listed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        DataFolders(tmp_path, name).prepared("audio").mkdir(parents=True)
    assert {path.name for path in prepared_folders(tmp_path, "audio")} == {"one", "two"}
    assert not list(prepared_folders(tmp_path, "images"))
