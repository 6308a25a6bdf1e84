from __future__ import annotations

import csv
import errno
import os
import signal
import stat
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tfkey.errors import TfkeyError
from tfkey.files import atomic_path, csv_lines, remove_partial, sha256, write_csv, write_text

REPOSITORY = Path(__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fill(path: Path, kind: str, content: str) -> None:
    """Make a file, or a folder with a file that only this content has."""
    if kind == "file":
        path.write_text(content)
    else:
        path.mkdir(parents=True)
        (path / content).write_text(content)


def content_of(path: Path) -> str:
    return path.read_text() if path.is_file() else "".join(names(path))


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_success_replaces_whole(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "new" / "deep" / "thing.tar.gz"
    for content in ("old", "new"):
        with atomic_path(target) as partial:
            fill(partial, kind, content)
            assert partial.parent == target.parent
            assert partial.suffix == ".gz"
            assert partial.name.startswith(".")
            assert target.exists() == (content == "new")
        assert content_of(target) == content
    assert names(tmp_path) == [str(target.relative_to(tmp_path) / ("new" if kind == "folder" else ""))]


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_error_inside_leaves_the_old(tmp_path: Path, kind: str, error: type[BaseException]) -> None:
    target = tmp_path / "thing"
    fill(target, kind, "old")
    before = names(tmp_path)

    def write_half() -> None:
        with atomic_path(target) as partial:
            fill(partial, kind, "new")
            raise error(28, "No space left on device")

    with pytest.raises(TfkeyError if error is OSError else error) as caught:
        write_half()
    if error is OSError:
        assert str(caught.value).startswith(f"{target}: cannot be written (No space left on device); ")
    assert content_of(target) == "old"
    assert names(tmp_path) == before


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_kill_inside_leaves_the_old_and_what_can_be_removed(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "deep" / "thing.keras"
    target.parent.mkdir()
    fill(target, kind, "old")
    before = names(tmp_path)
    code = (
        "import os, signal; from pathlib import Path\n"
        "from tfkey.files import atomic_path; from tests.tfkey.test_files import fill\n"
        f"with atomic_path(Path({str(target)!r})) as partial:\n"
        f"    fill(partial, {kind!r}, 'new'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    outcome = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert outcome.returncode == -signal.SIGKILL, outcome.stderr
    assert content_of(target) == "old"
    assert len(names(tmp_path)) == len(before) + 1
    remove_partial(tmp_path)
    assert names(tmp_path) == before
    # What was left behind is in nobody's way, either.
    with atomic_path(target) as partial:
        fill(partial, kind, "newer")
    assert content_of(target) == "newer"


def test_a_file_never_replaces_a_folder_nor_a_folder_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious").touch()
    (tmp_path / "file").write_text("precious")
    with pytest.raises(TfkeyError, match="folder: cannot be written"):
        write_text(tmp_path / "folder", "new")
    with (
        pytest.raises(TfkeyError, match="file: cannot be written"),
        atomic_path(tmp_path / "file") as partial,
    ):
        partial.mkdir()
    assert names(tmp_path) == ["file", "folder/precious"]
    assert (tmp_path / "file").read_text() == "precious"


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for target in (tmp_path / "file" / "below.txt", Path("/proc/tfkey/below.txt")):
        with pytest.raises(TfkeyError, match=rf"^{target}: cannot be written \(.+\); choose a folder"):
            write_text(target, "x")


def test_write_text_is_the_same_bytes_everywhere(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", "é,1\nb,2\n")
    assert (tmp_path / "a.csv").read_bytes() == "é,1\nb,2\n".encode()


def test_remove_partial_leaves_all_else(tmp_path: Path) -> None:
    kept = ["a.partial", ".hidden", "b/.c/d.wav", "b/partial"]
    for name in [*kept, "b/.x.partial.wav", "b/.c/.y.partial/z/.q.partial.png", ".m.partial"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    remove_partial(tmp_path)
    assert names(tmp_path) == sorted(kept)


def test_sha256_of_a_long_file(tmp_path: Path) -> None:
    # FIPS 180-2, appendix B.3: one million times the letter a.
    (tmp_path / "a").write_bytes(b"a" * 1_000_000)
    assert sha256(tmp_path / "a") == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions, links and devices of POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664, 0o666, 0o400, 0o755])
def test_replaced_file_hands_on_its_permissions(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    target.chmod(mode)
    with atomic_path(target) as partial:
        partial.write_text("new")
        # Not for a moment may others read more than before.
        assert not stat.S_IMODE(partial.stat().st_mode) & 0o044 & ~mode
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("new", mode)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_replaced_folder_hands_on_its_permissions(tmp_path: Path) -> None:
    fill(tmp_path / "export", "folder", "old")
    (tmp_path / "export").chmod(0o700)
    with atomic_path(tmp_path / "export") as partial:
        fill(partial, "folder", "new")
    assert names(tmp_path) == ["export/new"]
    assert stat.S_IMODE((tmp_path / "export").stat().st_mode) == 0o700


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only an administrator may")
def test_replaced_file_hands_on_its_owner(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", "old")
    os.chown(tmp_path / "a.csv", 12345, 23456)
    write_text(tmp_path / "a.csv", "new")
    status = (tmp_path / "a.csv").stat()
    assert (status.st_uid, status.st_gid) == (12345, 23456)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="extended attributes of Linux")
def test_replaced_file_hands_on_its_attributes_and_access_list(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    write_text(target, "old")
    # Version 2; user::rw-, user:65534:r--, group::r--, mask::r--, other::---.
    entries = [(1, 6, -1), (2, 4, 65534), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
    access = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    stored = {"user.origin": b"here", "system.posix_acl_access": access}
    try:
        for name, value in stored.items():
            os.setxattr(target, name, value)
    except OSError as error:
        pytest.skip(f"this file system has no attributes ({error.strerror})")
    write_text(target, "new")
    assert {name: os.getxattr(target, name) for name in stored} == stored


@pytest.mark.skipif(sys.platform == "win32", reason="links")
@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("is_there", [True, False])
def test_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path, kind: str, is_there: bool) -> None:
    real = tmp_path / "elsewhere" / "real.txt"
    if is_there:
        real.parent.mkdir()
        fill(real, kind, "old")
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to("elsewhere/real.txt")
    with atomic_path(tmp_path / "first") as partial:
        fill(partial, kind, "new")
    assert (os.readlink(tmp_path / "first"), os.readlink(tmp_path / "second")) == (
        "second",
        "elsewhere/real.txt",
    )
    assert content_of(real) == "new"
    assert len(names(tmp_path)) == (3 if kind == "file" else 1)


@pytest.mark.skipif(sys.platform == "win32", reason="devices of POSIX")
def test_device_and_fifo_are_written_and_never_replaced(tmp_path: Path) -> None:
    write_text(Path("/dev/null"), "nothing")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "fifo").read_text()))
    reader.start()
    write_text(tmp_path / "link", "through a link")
    reader.join(60)
    assert read == ["through a link"]
    assert (tmp_path / "fifo").is_fifo()
    with pytest.raises(TfkeyError, match=r"^/dev/full: cannot be written \(No space left on device\)"):
        write_text(Path("/dev/full"), "x" * 10_000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "link"]


def test_file_that_cannot_be_replaced_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mount point, as of a container; and a file in a folder where nothing new may be made."""
    target = tmp_path / "a.csv"
    target.write_text("an older text")
    number = target.stat().st_ino
    replace = os.replace

    def busy(source: Path, to: Path) -> None:
        if Path(to) == target:
            raise OSError(errno.EBUSY, "Device or resource busy")
        replace(source, to)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", busy)
        write_text(target, "mounted")
    assert (target.read_text(), target.stat().st_ino) == ("mounted", number)
    access = os.access
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path and access(path, mode))
    write_text(target, "locked in")
    assert (target.read_text(), target.stat().st_ino) == ("locked in", number)
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_links_in_a_circle_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(TfkeyError, match="a: cannot be written"):
        write_text(tmp_path / "a", "x")
    assert (tmp_path / "a").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    for name in ("x" * 251 + ".csv", "ü" * 125 + ".csv"):
        write_text(tmp_path / name, "long")
        assert (tmp_path / name).read_text() == "long"
    assert len(names(tmp_path)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "a\rb",
        "a\nb",
        "a\r\nb",
        "\r",
        "ends\r\n",
        "a,b",
        'say "key"',
        " spaces ",
        "ä ♯ 音",
        "",
        "a;b\tc",
    ],
)
def test_csv_gives_every_text_back(tmp_path: Path, text: str) -> None:
    write_csv(tmp_path / "table.csv", ["file", "key"], [[text, "C major"], ["other", text]])
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [["file", "key"], [text, "C major"], ["other", text]]


def test_csv_has_one_form_on_all_systems() -> None:
    rows = [[None, 0.1, 3, True], ["a", 1e-12, -1, "b"]]
    assert csv_lines([["w", "x", "y", "z"], *rows]) == "w,x,y,z\n,0.1,3,True\na,1e-12,-1,b\n"
    assert csv_lines([["w"]]) == "w\n"
