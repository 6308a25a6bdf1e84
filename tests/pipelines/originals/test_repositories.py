"""Files of a commit, from a repository on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines.originals.reach import UnreachableError
from pipelines.originals.repositories import repository_files
from tests.corpora import make_repository
from tfkey.errors import DataError

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@needs_git
def test_files_of_a_commit(tmp_path: Path) -> None:
    files = {"music/a.ogg": b"a\r\n\0", "music/ü*.ogg": b"u", "b.c": b"b"}
    commit = make_repository(tmp_path / "host/owner/name", files)
    url = (tmp_path / "host/owner/name").as_uri()
    folder = tmp_path / "repositories"
    wanted = ["music/a.ogg", "music/ü*.ogg", "music/gone.ogg"]
    got = repository_files("owner/name", commit, wanted, folder, url)
    assert {name: path.read_bytes() for name, path in got.items()} == {
        "music/a.ogg": b"a\r\n\0", "music/ü*.ogg": b"u"
    }  # fmt: skip
    assert not (folder / "owner/name/b.c").exists()
    assert sorted(item.name for item in folder.iterdir()) == [".lock", "owner"]
    # What is there needs no repository.
    assert len(repository_files("owner/name", commit, wanted[:2], folder, "file:///nowhere")) == 2


@needs_git
def test_in_a_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = make_repository(tmp_path / "host", {"a.ogg": b"a"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert repository_files("o/n", commit, ["a.ogg"], tmp_path / "r", (tmp_path / "host").as_uri())


@needs_git
def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    commit = make_repository(tmp_path / "host", {"a.ogg": b"a"}, {"link.ogg": str(secret)})
    got = repository_files("o/n", commit, ["link.ogg"], tmp_path / "r", (tmp_path / "host").as_uri())
    assert got["link.ogg"].read_bytes() == str(secret).encode()
    assert not got["link.ogg"].is_symlink()


@needs_git
def test_what_cannot_be_fetched(tmp_path: Path) -> None:
    make_repository(tmp_path / "host", {"a.ogg": b"a"})
    url = (tmp_path / "host").as_uri()
    with pytest.raises(DataError, match="o/n: cannot be fetched"):
        repository_files("o/n", "0" * 40, ["a.ogg"], tmp_path / "r", url)
    with pytest.raises(DataError, match="o/n: cannot be fetched"):
        repository_files("o/n", "0" * 40, ["a.ogg"], tmp_path / "r", (tmp_path / "nowhere").as_uri())
    assert sorted(item.name for item in (tmp_path / "r").iterdir()) == [".lock"]


def test_unsafe_paths(tmp_path: Path) -> None:
    for path in ("../a.ogg", "/etc/passwd", ".git/config"):
        with pytest.raises(DataError, match="leads out of the repository"):
            repository_files("o/n", "0" * 40, [path], tmp_path / "r", "file:///nowhere")


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="git is not installed") as caught:
        repository_files("o/n", "0" * 40, ["a.ogg"], tmp_path / "r", "file:///nowhere")
    assert caught.value.remedy == "source"


def test_a_network_that_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "git"
    refusal = "fatal: unable to access 'x': Could not resolve host: x"
    program.write_text(f'#!/bin/sh\necho "{refusal}" >&2\nexit 128\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnreachableError, match=r"o/n: cannot be fetched .*; check the network"):
        repository_files("o/n", "0" * 40, ["a.ogg"], tmp_path / "r", "https://localhost:1/x")
