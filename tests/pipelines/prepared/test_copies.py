from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.prepared import copies as module
from pipelines.prepared.copies import Copies
from pipelines.prepared.folder_files import remote_files
from tests.conftest import ROOT
from tests.object_store import Fault, ObjectStore
from tfkey.errors import DataError, TfkeyError
from tfkey.storage import located

SIZE = 1000

READ = """
import sys
from pathlib import Path
from pipelines.prepared.copies import Copies
from pipelines.prepared.folder_files import remote_files
from tfkey.storage import located
folder, url = Path(sys.argv[1]), sys.argv[2]
copies = Copies(folder, 2500)
copies.know({f"{url}/{name}": state for name, state in remote_files(located(url)).items()})
for turn in range(3):
    for number in range(8):
        content = copies.open(f"{url}/{number}.bin").read_bytes()
        assert content == bytes([number]) * 1000, number
print(len(list((folder / "open").iterdir())))
"""


def content(number: int) -> bytes:
    return bytes([number]) * SIZE


@pytest.fixture
def url(object_store: ObjectStore) -> str:
    for number in range(8):
        object_store.write(f"data/{number}.bin", content(number))
    return object_store.url("data")


def make(folder: Path, url: str, most: float) -> Copies:
    copies = Copies(folder, most)
    copies.know({f"{url}/{name}": state for name, state in remote_files(located(url)).items()})
    return copies


def fetches(store: ObjectStore) -> list[str]:
    return [
        r.path.rpartition("/")[2] for r in store.requests if r.method == "GET" and r.path.endswith(".bin")
    ]


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "files").glob("*/*"))


def test_a_file_is_fetched_once_and_shared_by_all(url, object_store, tmp_path):
    for copies in (make(tmp_path, url, 1e9), make(tmp_path, url, 1e9)):
        for _ in range(2):
            assert copies.open(f"{url}/3.bin").read_bytes() == content(3)
    assert fetches(object_store) == ["3.bin"]


def test_threads_that_ask_at_the_same_time_fetch_once(url, object_store, tmp_path):
    copies = [make(tmp_path, url, 1e9) for _ in range(3)]
    with ThreadPoolExecutor(12) as pool:
        paths = pool.map(lambda number: copies[number % 3].open(f"{url}/5.bin"), range(24))
    assert {path.read_bytes() for path in paths} == {content(5)}
    assert fetches(object_store) == ["5.bin"]


def test_the_least_recently_used_go_first_and_what_is_open_stays_readable(url, object_store, tmp_path):
    copies = make(tmp_path, url, 4.5 * SIZE)
    first = copies.open(f"{url}/0.bin")
    for number in (1, 2, 3):
        copies.open(f"{url}/{number}.bin")
        time.sleep(0.01)
    copies.open(f"{url}/1.bin")
    copies.open(f"{url}/4.bin")
    assert size(tmp_path) <= 4.5 * SIZE
    assert first.read_bytes() == content(0)
    object_store.requests.clear()
    copies.open(f"{url}/1.bin")
    assert fetches(object_store) == []
    copies.open(f"{url}/0.bin")
    assert fetches(object_store) == ["0.bin"]


def test_a_copy_that_is_removed_while_it_is_being_opened_is_fetched_again(url, object_store, tmp_path):
    copies = make(tmp_path, url, 1e9)
    copies.open(f"{url}/0.bin", [f"{url}/1.bin"])
    while fetches(object_store) != ["0.bin", "1.bin"] or size(tmp_path) < 2 * SIZE:
        time.sleep(0.01)
    for path in (tmp_path / "files").glob("*/*"):
        path.unlink()
    assert copies.open(f"{url}/1.bin").read_bytes() == content(1)


def test_a_copy_that_is_removed_as_soon_as_it_is_made_stays_readable(url, tmp_path, monkeypatch):
    copies = make(tmp_path, url, 1e9)

    def remove_all(_: int) -> None:
        for path in (tmp_path / "files").glob("*/*"):
            path.unlink()

    monkeypatch.setattr(copies, "_make_room", remove_all)
    assert copies.open(f"{url}/0.bin", [f"{url}/1.bin"]).read_bytes() == content(0)
    assert copies.open(f"{url}/1.bin").read_bytes() == content(1)


def test_the_next_files_are_fetched_in_the_background(url, object_store, tmp_path):
    copies = make(tmp_path, url, 1e9)
    copies.open(f"{url}/0.bin", [f"{url}/{number}.bin" for number in range(1, 5)])
    while size(tmp_path) < 5 * SIZE:
        time.sleep(0.01)
    object_store.fail(Fault(status=403), times=None)
    for number in range(5):
        assert copies.open(f"{url}/{number}.bin").read_bytes() == content(number)


def test_new_content_under_an_old_name_is_not_the_old_copy(url, object_store, tmp_path):
    assert make(tmp_path, url, 1e9).open(f"{url}/0.bin").read_bytes() == content(0)
    object_store.write("data/0.bin", content(9))
    assert make(tmp_path, url, 1e9).open(f"{url}/0.bin").read_bytes() == content(9)


def test_content_that_changes_after_it_was_listed_is_an_error(url, object_store, tmp_path):
    copies = make(tmp_path, url, 1e9)
    object_store.write("data/0.bin", b"short")
    with pytest.raises(DataError, match=r"s3://music/data/0\.bin: has 5 bytes instead of 1000"):
        copies.open(f"{url}/0.bin")
    assert "5 bytes" in str(copies.take_failure())
    assert copies.take_failure() is None


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(cut="before"), Fault(cut_after=300)])
def test_passing_failures_change_nothing(url, object_store, tmp_path, fault):
    copies = make(tmp_path, url, 1e9)
    object_store.fail(fault, "*.bin", times=2)
    assert copies.open(f"{url}/0.bin").read_bytes() == content(0)
    assert object_store.unused == 0


def test_a_missing_file_is_an_error_that_names_it(url, object_store, tmp_path):
    copies = make(tmp_path, url, 1e9)
    object_store.remove("data/0.bin")
    with pytest.raises(TfkeyError, match=r"s3://music/data/0\.bin: no such file"):
        copies.open(f"{url}/0.bin")


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(url, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TfkeyError, match="cache_dir"):
        make(tmp_path / "file" / "copies", url, 1e9).open(f"{url}/0.bin")


def test_links_are_replaced_in_turn(url, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "OPEN_AT_ONCE", 3)
    copies = make(tmp_path, url, 1e9)
    paths = [copies.open(f"{url}/{number}.bin") for number in range(8)]
    assert [path.read_bytes() for path in paths[-3:]] == [content(number) for number in (5, 6, 7)]
    assert len({*paths}) == 3


def test_a_file_system_without_links_gets_copies(url, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert make(tmp_path, url, 1e9).open(f"{url}/2.bin").read_bytes() == content(2)


def test_processes_that_start_at_once_leave_each_other_their_folders(url, tmp_path, monkeypatch):
    made = module.tempfile.mkdtemp

    def slow(**options: object) -> str:
        folder = made(**options)
        time.sleep(0.1)
        return folder

    monkeypatch.setattr(module.tempfile, "mkdtemp", slow)
    several = [make(tmp_path, url, 1e9) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda copies: copies.open(f"{url}/0.bin"), several))
    assert [path.read_bytes() for path in paths] == [content(0)] * 4


def test_several_processes_share_a_folder_that_is_too_small_and_leave_no_links(url, tmp_path):
    abandoned = tmp_path / "open" / "1-killed"
    abandoned.mkdir(parents=True)
    (abandoned / "0.bin").write_bytes(b"left by a kill")
    command = [sys.executable, "-c", READ, str(tmp_path), url]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        out, _ = process.communicate(timeout=300)
        assert process.returncode == 0
        assert int(out) <= 2
    assert list((tmp_path / "open").iterdir()) == []
    # Each process may exceed the bound by what it fetched last.
    assert size(tmp_path) <= 2500 + 2 * SIZE
