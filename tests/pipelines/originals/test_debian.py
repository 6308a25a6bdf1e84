"""Packages as Debian has them, fetched by a program that stands in for apt-get."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.originals.deb_archives import deb_members, deb_version
from pipelines.originals.debian import StatedPackage, debian_files
from pipelines.originals.reach import UnreachableError
from tests.corpora import tar_bytes, write_apt_get, write_deb
from tfkey.errors import DataError
from tfkey.files import sha256

FILES = {
    "usr/share/a.ogg": b"a" * 70000,
    "usr/share/b.ogg": b"b",
    "usr/share/lib/c.mma": b"c",
    "usr/share/lib/d/d.mma": b"d",
    "usr/share/link.ogg": b"->a.ogg",
    "usr/share/doc/music/copyright": b"CC0",
}
COPYRIGHT = "usr/share/doc/music/copyright"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages, and a program apt-get that fetches from it."""
    packages = tmp_path / "mirror"
    packages.mkdir()
    bin_ = write_apt_get(tmp_path / "bin", packages)
    monkeypatch.setenv("PATH", f"{bin_}:/usr/bin:/bin")
    return packages


def _calls(mirror: Path) -> list[str]:
    log = mirror.parent / "bin" / "apt.log"
    return log.read_text().split() if log.exists() else []


@pytest.mark.parametrize("compression", ["xz", "gz", "bz2", ""])
def test_reading_a_package(tmp_path: Path, compression: str) -> None:
    path = write_deb(tmp_path / "music_1_all.deb", FILES, compression=compression)
    assert deb_version(path) == "1:2.0-1"
    found = {member.path: (member.size, member.content.read()) for member in deb_members(path)}
    expected = {name: (len(text), text) for name, text in FILES.items() if not text.startswith(b"->")}
    assert found == expected


def test_zstandard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_deb(tmp_path / "z_1_all.deb", FILES, compression="")
    path.write_bytes(path.read_bytes().replace(b"control.tar     ", b"control.tar.zst "))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="needs dpkg-deb") as caught:
        deb_version(path)
    assert caught.value.remedy == "source"
    program = tmp_path / "dpkg-deb"
    program.write_text(f"#!/bin/sh\nexec /bin/cat {tmp_path}/control\n")
    program.chmod(0o755)
    (tmp_path / "control").write_bytes(b"")
    with pytest.raises(DataError, match=r"z_1_all\.deb"):
        deb_version(path)
    (tmp_path / "control").write_bytes(tar_bytes({"control": b"Package: z\nVersion: 3\n"}, ""))
    assert deb_version(path) == "3"


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda whole: b"<html>", "is not a Debian package"),
        (lambda whole: whole[:100], "is damaged"),
        (lambda whole: whole[: len(whole) - 40], "is damaged"),
        (lambda whole: whole.replace(b"data.tar.xz", b"file.tar.xz"), "has no data.tar"),
        (lambda whole: whole[:66] + b"??" + whole[68:], "is damaged"),
    ],
)
def test_damaged_packages(
    tmp_path: Path, mirror: Path, damage: Callable[[bytes], bytes], complaint: str
) -> None:
    path = write_deb(mirror / "music_1_all.deb", FILES)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=complaint) as caught:
        debian_files("music", {"usr/share/a.ogg", "usr/share/lib/"}, tmp_path / "packages")
    assert "music_1_all.deb" in str(caught.value)
    assert "fetch it again" in str(caught.value)
    assert not (tmp_path / "packages/music/.package.json").exists()


def test_only_what_is_wanted_and_only_once(tmp_path: Path, mirror: Path) -> None:
    write_deb(mirror / "music_2.0-1_all.deb", FILES)
    folder = tmp_path / "packages"
    wanted = {"usr/share/a.ogg", "usr/share/lib/", "usr/share/gone.ogg", "usr/share/link.ogg"}
    for _ in range(2):
        got = debian_files("music", wanted, folder)
        assert got.version == "1:2.0-1"
        assert set(got.files) == {
            "usr/share/a.ogg", "usr/share/lib/c.mma", "usr/share/lib/d/d.mma", COPYRIGHT
        }  # fmt: skip
        assert all(path.read_bytes() == FILES[name] for name, path in got.files.items())
    assert _calls(mirror) == ["music"]
    assert not list(folder.rglob("*.deb"))
    assert not (folder / "music/usr/share/b.ogg").exists()
    # Another file is wanted, or one was deleted: the package is fetched again.
    debian_files("music", {*wanted, "usr/share/b.ogg"}, folder)
    (folder / "music/usr/share/a.ogg").unlink()
    assert debian_files("music", wanted, folder).files["usr/share/a.ogg"].is_file()
    assert _calls(mirror) == ["music"] * 3


def test_what_a_kill_left_behind(tmp_path: Path, mirror: Path) -> None:
    write_deb(mirror / "music_2.0-1_all.deb", FILES)
    folder = tmp_path / "packages"
    (folder / ".music.partial").mkdir(parents=True)
    (folder / ".music.partial" / "music_1_all.deb").write_bytes(b"half")
    (folder / "music/usr/share").mkdir(parents=True)
    (folder / "music/usr/share/a.ogg").write_bytes(b"older")
    assert debian_files("music", {"usr/share/a.ogg"}, folder).files["usr/share/a.ogg"].stat().st_size == 70000
    assert sorted(item.name for item in folder.iterdir()) == [".lock", "music"]


def test_members_of_zip_archives(tmp_path: Path, mirror: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("sound/a.ogg", b"zipped")
        archive.writestr("sound/b.ogg", b"other")
    write_deb(mirror / "music_1_all.deb", {"usr/g/music.pk3": content.getvalue()})
    wanted = {"usr/g/music.pk3.d/sound/a.ogg", "usr/g/music.pk3.d/sound/gone.ogg"}
    got = debian_files("music", wanted, tmp_path / "packages")
    assert set(got.files) == {"usr/g/music.pk3.d/sound/a.ogg"}
    assert got.files["usr/g/music.pk3.d/sound/a.ogg"].read_bytes() == b"zipped"
    assert not list((tmp_path / "packages").rglob("*.pk3"))
    write_deb(mirror / "broken_1_all.deb", {"usr/g/music.pk3": content.getvalue()[:40]})
    with pytest.raises(DataError, match=r"music\.pk3"):
        debian_files("broken", wanted, tmp_path / "packages")


@pytest.mark.parametrize("name", ["../outside.ogg", "/usr/outside.ogg"])
def test_nothing_is_written_outside(tmp_path: Path, mirror: Path, name: str) -> None:
    write_deb(mirror / "music_1_all.deb", {name: b"x"})
    with pytest.raises(DataError, match="leads out of its folder"):
        debian_files("music", {name}, tmp_path / "packages")
    assert not list(tmp_path.rglob("outside.ogg"))


def test_digest_of_the_stated_version(tmp_path: Path, mirror: Path) -> None:
    path = write_deb(mirror / "music_2.0-1_all.deb", FILES)
    wanted = {"usr/share/a.ogg"}
    with pytest.raises(DataError, match=r"music: version 1:2\.0-1 has another SHA-256"):
        debian_files("music", wanted, tmp_path / "p", stated=StatedPackage("1:2.0-1", "0" * 64))
    other = debian_files("music", wanted, tmp_path / "q", stated=StatedPackage("1:1.9-1", "0" * 64))
    assert other.version == "1:2.0-1"
    debian_files("music", wanted, tmp_path / "r", stated=StatedPackage("1:2.0-1", sha256(path)))


def test_packages_that_cannot_be_fetched(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"package gone: .*Unable to locate package gone.*lists of packages"):
        debian_files("gone", {"a"}, tmp_path / "p")
    with pytest.raises(UnreachableError, match=r"unreachable: .*Failed to fetch.*check the network"):
        debian_files("unreachable", {"a"}, tmp_path / "p")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="apt-get is not installed") as caught:
        debian_files("music", {"a"}, tmp_path / "p")
    assert caught.value.remedy == "source"
