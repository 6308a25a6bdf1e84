"""The folder for uploads: private, empty at the end, and what a killed server left goes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tfkey.serving.uploads import UploadFolder


def test_files_are_private_and_go(tmp_path: Path) -> None:
    with UploadFolder(tmp_path) as folder:
        assert folder.path.parent == tmp_path
        with folder.new_file(".mp3") as (path, stream), folder.new_file("") as (other, _):
            stream.write(b"content")
            assert path.suffix == ".mp3"
            assert other.suffix == ""
            if os.name == "posix":
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
                assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert not path.exists()
        assert not other.exists()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_server_left_goes_and_nothing_else(tmp_path: Path) -> None:
    dead, foreign, link = (tmp_path / f"tfkey-uploads-{name}" for name in ("dead", "foreign", "link"))
    target = tmp_path / "target"
    for folder in (dead, target):
        folder.mkdir()
        (folder / ".lock").touch()
        (folder / "song.mp3").touch()
    foreign.mkdir()
    (foreign / "song.mp3").touch()
    link.symlink_to(target)
    with UploadFolder(tmp_path) as living:
        with living.new_file("") as (path, _):
            with UploadFolder(tmp_path) as second:
                assert second.path != living.path
            assert path.exists()
        assert not dead.exists()
        assert (target / "song.mp3").exists()
        assert (foreign / "song.mp3").exists()


def test_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    with UploadFolder(tmp_path) as folder:
        (folder.path / ".lock").unlink()
        folder.path.rmdir()
        with folder.new_file(".wav") as (path, _):
            assert path.exists()
            assert (folder.path / ".lock").exists()
    assert not list(tmp_path.iterdir())
