from __future__ import annotations

import csv
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tfkey.errors import TfkeyError
from tfkey.files import atomic_path, csv_text, remove_partial, sha256, write_csv, write_text

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
    assert csv_text(["w", "x", "y", "z"], rows) == "w,x,y,z\n,0.1,3,True\na,1e-12,-1,b\n"
    assert csv_text(["w"], []) == "w\n"
